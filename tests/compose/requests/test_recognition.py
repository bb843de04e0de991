from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import chat, lines, written
from tui.compose.checks.scan import check_file
from tui.compose.requests.recognition import recognize
from tui.compose.sources.base import normalize_request
from tui.compose.sources.open import open_source

TEXT = {"contents": [{"role": "user", "parts": [{"text": "Name a lake."}]}]}
BEDROCK = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": []}

FORMS: list[tuple[str, dict[str, Any], str]] = [
    ("openai", chat("a"), "OpenAI"),
    ("azure", chat("a") | {"url": "/chat/completions"}, "Azure"),
    ("anthropic", {"custom_id": "a", "params": {"model": "c", "messages": []}}, "Anthropic"),
    ("mistral", {"custom_id": "a", "body": {"messages": []}}, "Mistral"),
    ("scaledown", {"custom_id": "a", "model": "extract", "text": "x"}, "ScaleDown"),
    ("gemini", {"key": "a", "request": TEXT}, "Gemini"),
    ("gemini-bodies", TEXT, "Gemini"),
    ("vertex", {"request": TEXT}, "Vertex AI"),
    ("bedrock", {"recordId": "a", "modelInput": BEDROCK}, "Bedrock"),
    (
        "openai-results",
        {"id": "b", "custom_id": "a", "response": {"status_code": 200}, "error": None},
        "results of an OpenAI-style batch",
    ),
    ("anthropic-results", {"custom_id": "a", "result": {"type": "succeeded"}}, "Anthropic batch"),
    ("gemini-results", {"key": "a", "response": {"candidates": []}}, "results of a Gemini batch"),
    ("vertex-results", {"status": "", "request": TEXT, "response": {}}, "results of a Vertex AI"),
    (
        "bedrock-results",
        {"recordId": "a", "modelInput": {}, "modelOutput": {}},
        "results of an Amazon Bedrock",
    ),
    (
        "chat-training",
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
        "fine-tuning data",
    ),
    ("completion-training", {"prompt": "x", "completion": "y"}, "fine-tuning data"),
    ("preference-training", {"input": {}, "preferred_output": []}, "preference fine-tuning"),
    ("bodies", {"model": "m", "messages": [{"role": "user", "content": "x"}]}, "request bodies"),
]


@pytest.mark.parametrize(("form", "row", "said"), FORMS)
def test_forms_are_named(tmp_path: Path, form: str, row: dict[str, Any], said: str) -> None:
    path = written(tmp_path, lines(row, row))
    found = recognize(path)
    assert found.form == form and said in found.what
    report = check_file(path)
    assert (report.form == "") == (found.kind == "requests")
    if report.form:
        # Every door names the file alike, and once.
        (problem,) = report.problems
        assert said in problem.what
        assert said in " ".join(open_source(str(path)).notes)


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "pointer", "git lfs pull"),
        (gzip.compress(b"{}", mtime=0), "packed", "gunzip -k"),
        (b"<!DOCTYPE html><html>", "other", "web page"),
        (b"[" + json.dumps(chat("a")).encode() + b"]", "convertible", "JSON array of OpenAI"),
        (b'[{"a": 1}]', "document", "JSON array of rows"),
        (
            json.dumps({"requests": [{"custom_id": "a", "params": {}}]}).encode(),
            "convertible",
            "::requests -o",
        ),
        (b'{\n "data": [{"q": 1}, {"q": 2}]\n}', "document", "a list of 2 objects is at 'data'"),
        (b'{"q": 1}\n{"q": 2}\n', "rows", "JSON rows (q)"),
        (
            '{"custom_id": "a", "body": {}, "url": "/v1/x"}\n'.encode("utf-16"),
            "convertible",
            "in UTF-16",
        ),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, kind: str, said: str) -> None:
    found = recognize(written(tmp_path, content))
    assert found.kind == kind and said in found.line


def test_faulty_requests_are_judged_line_by_line(tmp_path: Path) -> None:
    broken = written(tmp_path, b'{"custom_id": "a", "method": "POST"}\n{"custom_id": 1}\n')
    assert recognize(broken).kind == "requests"
    assert {problem.code for problem in check_file(broken).problems} > {"no_body", "no_url"}


def test_what_can_be_said_without_loss_is_translated() -> None:
    request = {
        "systemInstruction": {"parts": [{"text": "Be short."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Name a "}, {"text": "lake."}]},
            {"role": "model", "parts": [{"text": "Which land?"}]},
            {"parts": [{"text": "Any."}]},
        ],
        "generationConfig": {"maxOutputTokens": 9, "temperature": 0.5},
    }
    made = normalize_request({"key": "k", "request": request})
    assert made is not None and made["custom_id"] == "k"
    assert made["body"] == {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Name a lake."},
            {"role": "assistant", "content": "Which land?"},
            {"role": "user", "content": "Any."},
        ],
        "max_tokens": 9,
        "temperature": 0.5,
    }
    for part in ({"inlineData": {}}, {"fileData": {}}):
        other = {"contents": [{"role": "user", "parts": [part]}]}
        kept = normalize_request({"key": "k", "request": other})
        assert kept == {
            "custom_id": "k",
            "method": "POST",
            "url": "/v1beta/models:generateContent",
            "body": other,
        }
    config = {**TEXT, "generationConfig": {"responseSchema": {}}}
    assert normalize_request({"request": config}) is None
    row = {"recordId": "r", "modelInput": {**BEDROCK, "messages": [{"role": "user"}]}}
    made = normalize_request(row)
    assert made is not None and made["url"] == "/v1/messages"
    assert "anthropic_version" not in made["body"]
