"""Files that are kept beside requests, or in their place: each is named, and what to do next."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import chat, lines
from tui.compose.requests.recognition import recognize
from tui.compose.sources.open import open_source
from tui.errors import InputError

COMPLETION = {"id": "c", "object": "chat.completion", "model": "m", "choices": [], "usage": {}}
TEXT = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
MODEL = {"role": "model", "parts": [{"text": "yes"}]}


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.duckdb", bytes(8) + b"DUCK\x40" + bytes(40), "a DuckDB database"),
        ("t.rds", gzip.compress(b"X\n\0\0\0\x03\0\x04" + bytes(90), mtime=0), "a data set of R"),
        ("t.rda", b"RDX3\nX\n\0\0\0\x03", "a data set of R"),
        ("t.npy", b"\x93NUMPY\x01\0v\0{'descr'", "an array of NumPy"),
        ("t.orc", b"ORC\x08\x01\0\x01", "an ORC table"),
        ("t.dta", b"\x72\x02\x01\0\x02\0\x05" + bytes(90), "a data set of Stata"),
        ("t.pkl", b"\x80\x04\x95\x0e\0\0\0\0\0\0\0]\x94.", "a pickle of Python"),
        ("t.accdb", b"\0\x01\0\0Standard ACE DB\0", "a database of Microsoft Access"),
        ("t.zip", b"PK\x05\x06" + bytes(18), "an empty ZIP archive"),
        ("t.xls", b"MIME-Version: 1.0\nContent-Type: multipart/related\n\n<t", "a web archive"),
        ("t.csv", b"/annex/objects/SHA256E-s123--abc.csv\n", "a git-annex pointer"),
        ("t.csv", b"404: Not Found", "a server's message"),
        ("t.jsonl", b"Access to dataset a/b is restricted.", "a server's message"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = written(tmp_path, name, content)
    assert what in recognize(path).line
    with pytest.raises(InputError, match=what) as caught:
        open_source(str(path))
    assert caught.value.hint


def test_a_packed_archive_of_files_is_named_as_one(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    path = written(tmp_path, "t.tgz", packed.getvalue())
    assert "tar xzf" in recognize(path).line and "reads it directly" not in recognize(path).line


def test_files_of_lzma_and_zstandard_are_unpacked(tmp_path: Path) -> None:
    plain = b"id,text\n1,one\n"
    paths = [written(tmp_path, "t.csv.lzma", lzma.compress(plain, format=lzma.FORMAT_ALONE))]
    pyarrow = pytest.importorskip("pyarrow")
    content = pyarrow.Codec("zstd").compress(plain).to_pybytes()
    paths.append(written(tmp_path, "t.csv.zst", content))
    for path in paths:
        assert list(open_source(str(path)).open_rows()) == [{"id": "1", "text": "one"}]


@pytest.mark.parametrize(
    ("row", "kind", "what"),
    [
        ({**TEXT, "contents": [*TEXT["contents"], MODEL]}, "training", "of Vertex AI"),
        ({"conversations": [{"from": "human", "value": "q"}]}, "training", "(conversations)"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, "training", "chosen"),
        ({"item": {"question": "q"}}, "training", "of an evaluation"),
        ({"batch_request_id": "a", "batch_request": {}}, "foreign", "xAI batch requests"),
        ({"batch_request_id": "a", "batch_result": {}}, "results", "results of an xAI"),
        ({"request": TEXT, "metadata": {"key": "a"}}, "foreign", "sent inline"),
        ({"response": {}, "metadata": {"key": "a"}}, "results", "given inline"),
        ({"instance": {"content": "x"}, "predictions": [{}]}, "results", "of embeddings"),
        ({"object": "batch", "endpoint": "/v1/x", "status": "completed"}, "foreign", "adopt"),
        ({"totalRecordCount": 1, "processedRecordCount": 1}, "foreign", "the counts of"),
        (COMPLETION, "foreign", "without custom_id"),
        ({"error": {"message": "no", "type": "x"}}, "foreign", "an error of a provider"),
        ({"line": 1, "code": "x", "message": "y", "param": None}, "foreign", "OpenAI's check"),
    ],
)
def test_what_stands_beside_requests_is_named(
    tmp_path: Path, row: dict[str, Any], kind: str, what: str
) -> None:
    path = written(tmp_path, "t.jsonl", json.dumps(row).encode() + b"\n")
    found = recognize(path)
    assert (found.kind, what in found.line) == (kind, True), found.line
    source = open_source(str(path))
    assert found.what in source.notes and list(source.open_rows()) == [row]


def test_requests_of_gemini_inside_the_call_that_sends_them(tmp_path: Path) -> None:
    rows = [{"request": TEXT, "metadata": {"key": "a"}}] * 2
    value = {"batch": {"input_config": {"requests": {"requests": rows}}}}
    path = written(tmp_path, "t.json", json.dumps(value).encode())
    assert "2 objects" in recognize(path).line and "sent inline" in recognize(path).line
    assert len(list(open_source(str(path)).open_rows())) == 2


def test_one_line_is_a_row_whatever_lists_it_has(tmp_path: Path) -> None:
    path = written(tmp_path, "t.jsonl", b'{"input": [{"role": "user"}], "ideal": "a"}\n')
    assert recognize(path).kind == "rows"
    assert list(open_source(str(path)).columns) == ["input", "ideal"]


def test_an_object_with_nothing_in_it_is_no_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no rows"):
        open_source(str(written(tmp_path, "t.json", b"{}")))


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_numbers_that_no_float_holds_keep_their_digits(tmp_path: Path, name: str) -> None:
    content = b'{"x": 1E400}\n{"x": -1e999}\n'
    if name == "t.json":
        content = b'[{"x": 1E400}, {"x": -1e999}]'
    rows = open_source(str(written(tmp_path, name, content))).open_rows()
    assert [row["x"] for row in rows] == ["1E400", "-1e999"]


@pytest.mark.parametrize(
    "content", [b'[{"a": 1}, {"a": 2}]\n[{"a": 3}]\n', b'[[{"a": 1}], [{"a": 2}, {"a": 3}]]']
)
def test_lists_of_objects_are_their_objects(tmp_path: Path, content: bytes) -> None:
    source = open_source(str(written(tmp_path, "t.json", content)))
    assert list(source.open_rows()) == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert "each object is a row" in " ".join(source.doubts)


def test_a_line_in_the_middle_was_not_cut_off(tmp_path: Path) -> None:
    content = b'{"a": 1}\n{\n"a": 2\n}\n{"a": 3}\n'
    with pytest.raises(InputError, match="line 2") as caught:
        open_source(str(written(tmp_path, "t.jsonl", content)))
    assert "goes on" in caught.value.hint
    with pytest.raises(InputError, match="line 2") as caught:
        open_source(str(written(tmp_path, "t.jsonl", content[:9] + b'{"a": "b')))
    assert "cut off" in caught.value.hint


def test_a_small_table_with_zero_bytes_is_not_utf_16(tmp_path: Path) -> None:
    content = b"id,text\n1,one\x00two\n2,three\n3,\x00\n"
    source = open_source(str(written(tmp_path, "t.csv", content)))
    assert [row["id"] for row in source.open_rows()] == ["1", "2", "3"]
    assert "2 NUL bytes" in " ".join(source.doubts)
    chinese = "编号,内容\n1,这个产品很好用\n2,不好\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        source = open_source(str(written(tmp_path, "t.csv", chinese.encode(encoding))))
        assert source.columns == ("编号", "内容")


def test_packed_requests_are_requests(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    content = pyarrow.Codec("zstd").compress(lines(chat("a"), chat("b"))).to_pybytes()
    assert open_source(str(written(tmp_path, "t.jsonl.zst", content))).kind == "requests"
