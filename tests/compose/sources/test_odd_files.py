"""A folder of odd files, opened one after the other: one line says what each is.

``odd_files.txt`` has the lines. To write them anew after a wanted change, remove that file and run
this test.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest

from tests.compose.rows import chat
from tests.compose.sources.test_kinds import JSON, PAGE, PLAIN, SENTENCES, TABLES, zipped
from tui.compose.requests.recognition import recognize
from tui.compose.sources.open import open_source
from tui.errors import InputError

LINES = Path(__file__).with_name("odd_files.txt")
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


def as_lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def odd_files() -> dict[str, bytes]:
    files = {f"table {name}.csv": content.encode() for name, (content, _, _) in TABLES.items()}
    for name, (file, content, _) in JSON.items():
        files[f"json {name}{Path(file).suffix}"] = content.encode()
    for language, encoding in (
        ("ja", "cp932"),
        ("zh", "gb18030"),
        ("ru", "koi8-r"),
        ("fr", "mac-roman"),
    ):
        text = "id;text\n" + "".join(f"{n};{each}\n" for n, each in enumerate(SENTENCES[language]))
        files[f"text in {encoding}.csv"] = text.encode(encoding)
    answer = {"status_code": 200, "body": {"choices": []}}
    body = chat()["body"]
    return files | {
        "a.csv.gz": gzip.compress(PLAIN),
        "a.csv.bz2": bz2.compress(PLAIN),
        "a.csv.xz": lzma.compress(PLAIN),
        "two.zip": zipped(t__csv=PLAIN, u__csv=PLAIN),
        "page.csv": PAGE,
        "page.xls": PAGE,
        "tabs.xls": PLAIN.replace(b",", b"\t"),
        "denied.csv": b'<?xml version="1.0"?><Error>Denied</Error>',
        "pointer.csv": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "paper.txt": b"%PDF-1.4\n",
        "empty.csv": b"\n \n",
        "padded.csv": PLAIN + bytes(512),
        "bars.txt": b"id|text\n1|hello\n2|there\n",
        "openai.jsonl": as_lines(chat("a"), chat("b")),
        "openai in utf-16.jsonl": as_lines(chat("a")).decode().encode("utf-16"),
        "azure.jsonl": as_lines({**chat("a"), "url": "/chat/completions"}),
        "anthropic.jsonl": as_lines({"custom_id": "a", "params": body}),
        "mistral.jsonl": as_lines({"custom_id": "a", "body": body}),
        "gemini.jsonl": as_lines({"key": "a", "request": GEMINI}),
        "vertex.jsonl": as_lines({"request": GEMINI}),
        "bedrock.jsonl": as_lines({"recordId": "a", "modelInput": body}),
        "scaledown.jsonl": as_lines({"custom_id": "a", "model": "summarize", "text": "x"}),
        "bodies.jsonl": as_lines(body, body),
        "openai results.jsonl": as_lines({"custom_id": "a", "response": answer, "error": None}),
        "anthropic results.jsonl": as_lines({"custom_id": "a", "result": {"type": "errored"}}),
        "gemini results.jsonl": as_lines({"key": "a", "response": {"candidates": []}}),
        "vertex results.jsonl": as_lines({"request": GEMINI, "response": {}, "status": "no"}),
        "bedrock results.jsonl": as_lines({"recordId": "a", "modelInput": {}, "modelOutput": {}}),
        "fine-tuning.jsonl": as_lines({"messages": [{"role": "assistant", "content": "x"}]}),
    }


def line_of(path: Path) -> str:
    """What is said of a file when it is opened, in one line."""
    try:
        source = open_source(str(path))
    except InputError as error:
        return f"{error.message} -> {error.hint}"
    found = recognize(path)
    named = found.what if found.kind not in ("other", "packed") and found.form else source.kind
    said = "; ".join((*source.notes, *source.doubts))
    return f"{named} ({', '.join(source.columns)[:60]}) {said}".rstrip()


def test_one_line_says_what_each_is(tmp_path: Path) -> None:
    made = []
    for name, content in odd_files().items():
        path = tmp_path / name
        path.write_bytes(content)
        line = line_of(path).replace(f"{tmp_path}/", "")
        assert "\n" not in line
        made.append(f"{name}: {line}\n")
    text = "".join(made)
    if not LINES.exists():
        LINES.write_text(text, "utf-8")
        pytest.fail("the lines are written anew: read them")
    assert len(made) >= 40 and text == LINES.read_text("utf-8")
