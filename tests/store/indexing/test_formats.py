"""Result files in other formats than lines: rewritten as lines, or told what they are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tui.store.indexing import formats
from tui.store.indexing.formats import Conversion, convert_to_lines, is_cut, is_lines

ROWS = [{"custom_id": f"r{n}", "response": {"body": {"text": "ä\u2028 " * n}}} for n in range(4)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
INDENTED = "\n".join(json.dumps(row, indent=2) for row in ROWS)

EVENTS = "".join(f"event: row\ndata: {json.dumps(row)}\n\n" for row in ROWS) + "data: [DONE]\n\n"

FORMATS = {
    "array": json.dumps(ROWS).encode(),
    "indented array": json.dumps(ROWS, indent=1).encode(),
    "array, a row per line": ("[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]").encode(),
    "object with an array": json.dumps({"object": "list", "data": ROWS}).encode(),
    "indented object with an array": json.dumps({"results": ROWS, "n": [1]}, indent=2).encode(),
    "indented objects": INDENTED.encode(),
    "BOM and indented objects": b"\xef\xbb\xbf" + INDENTED.encode(),
    "gzip": gzip.compress(LINES.encode()),
    "two gzip members": gzip.compress(LINES[:100].encode()) + gzip.compress(LINES[100:].encode()),
    "gzip of an array": gzip.compress(json.dumps(ROWS).encode()),
    "gzip without a last line end": gzip.compress(LINES.rstrip().encode()),
    "event stream": EVENTS.encode(),
    "UTF-16": LINES.encode("utf-16"),
    "UTF-16 big endian": b"\xfe\xff" + LINES.encode("utf-16-be"),
}


@pytest.mark.parametrize("piece", [1, 7, 1 << 18])
@pytest.mark.parametrize("data", FORMATS.values(), ids=FORMATS)
def test_other_formats_become_lines(
    tmp_path: Path, data: bytes, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "_PIECE_BYTES", piece)
    path = tmp_path / "output.jsonl"
    path.write_bytes(data)
    if piece > 100:
        assert not is_lines(path)
    assert convert_to_lines(path).rows == len(ROWS)
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == ROWS
    assert [entry.name for entry in tmp_path.iterdir()] == ["output.jsonl"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        LINES.encode(),
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.rstrip().encode(),
        LINES[:100].encode(),
        b"not JSON\n" + LINES.encode(),
        b'{"custom_id": "r0", "respo\n' + LINES.encode(),
        b'{"custom_id": "r0", "response": "' + b"x" * 100_000 + b'"}\n',
    ],
)
def test_lines_are_recognised(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "output.jsonl"
    path.write_bytes(data)
    assert is_lines(path)


PROBLEMS = {
    b'{"error": {"message": "It is away", "code": "busy"}}': "a message: busy: It is away",
    b'{\n "detail": "Not Found"\n}\n': "a message: Not Found",
    b'"upstream failed"': "a message: upstream failed",
    b"<!DOCTYPE html><html><title> Sign\n in </title>": "a web page: Sign in",
    b"\n<html><body>": "a web page",
    b"upstream \x1b[2J timed out\nagain": r"not a list of results; it begins with upstream \x1b[2J"
    " timed out",
    b"\x28\xb5\x2f\xfd...": "a file compressed with Zstandard",
    b"[1, 2]": "not a list of results; it begins with [1, 2]",
    b"[]": "not a list of results; it begins with []",
    gzip.compress(b"<html><title>Gone</title>"): "a web page: Gone",
}


@pytest.mark.parametrize("data", PROBLEMS, ids=PROBLEMS.values())
def test_a_file_without_results_is_described_and_kept(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "output.jsonl"
    path.write_bytes(data)
    assert convert_to_lines(path) == Conversion(problem=PROBLEMS[data])
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", ["array", "indented objects", "gzip", "gzip of an array"])
def test_a_file_that_ends_too_early_is_cut(tmp_path: Path, name: str) -> None:
    path = tmp_path / "output.jsonl"
    whole = FORMATS[name]
    for length in range(len(whole) // 2, len(whole) - 1, 9):
        path.write_bytes(whole[:length])
        found = convert_to_lines(path)
        assert found.cut and found.rows == 0, length
        assert path.read_bytes() == whole[:length]


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "output.jsonl"
    path.write_bytes(gzip.compress(b'{"custom_id":"a"}\n' + b" " * (64 << 20)))
    assert "unpacks" in convert_to_lines(path).problem


@pytest.mark.parametrize(
    ("tail", "cut"),
    [
        (b"", False),
        (b'{"custom_id": "a"}', False),
        (b'{"custom_id": "a"}\n', False),
        (b'{"custom_id": "a', True),
        (b"  \n ", False),
    ],
)
def test_whether_lines_end_in_the_middle_of_one(tmp_path: Path, tail: bytes, cut: bool) -> None:
    path = tmp_path / "output.jsonl"
    path.write_bytes(LINES.encode() + tail)
    assert is_cut(path, len(LINES.encode())) is cut
