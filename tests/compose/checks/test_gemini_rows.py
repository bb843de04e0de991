"""Rows of Gemini's own form, and chat requests for an account of Gemini."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tui.compose.checks.clean import clean_requests
from tui.compose.checks.scan import check_file
from tui.compose.requests.amounts import request_amount
from tui.compose.requests.prompts import AnswerLength, answer_length
from tui.engine.accounts import limits_of
from tui.providers.dialects.google.gemini_requests import chat_to_gemini
from tui.providers.profiles.load import find_profile

GEMINI = limits_of(find_profile("gemini"))
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
OWN = {"model": "models/gemini-3.5-flash", "contents": [{"parts": [{"inlineData": {"x": 1}}]}]}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_own_rows_are_checked_and_kept(tmp_path: Path) -> None:
    rows = [{"key": f"r-{number}", "request": OWN} for number in range(3)]
    path = written(tmp_path / "rows.jsonl", *rows)
    report = check_file(path, limits=GEMINI)
    assert (report.rows, report.stops, list(report.models)) == (3, 0, ["gemini-3.5-flash"])
    requests = list(clean_requests(path, fix=False, limits=GEMINI))
    assert [request.custom_id for request in requests] == ["r-0", "r-1", "r-2"]
    assert json.loads(requests[0].line) == {
        "custom_id": "r-0",
        "method": "POST",
        "url": "/v1beta/models:generateContent",
        "body": {**OWN, "model": "gemini-3.5-flash"},
    }


def test_what_is_wrong_with_own_rows_is_told_by_line(tmp_path: Path) -> None:
    path = written(
        tmp_path / "rows.jsonl",
        {"key": "a", "request": OWN},
        {"key": "a", "request": OWN},
        {"key": 5, "request": OWN},
        {"key": "c", "request": {"contents": [{"parts": [{"text": "x"}]}]}},
        {"key": "d", "request": {**OWN, "config": {}}},
    )
    report = check_file(path, limits=GEMINI)
    found = {(problem.line, problem.code) for problem in report.problems}
    assert {
        (2, "duplicate_custom_id"),
        (3, "bad_custom_id"),
        (4, "no_model"),
        (5, "untranslatable"),
    } <= found


def test_own_rows_for_embeddings(tmp_path: Path) -> None:
    embed = {"model": "models/e", "content": {"parts": [{"text": "t"}]}}
    path = written(tmp_path / "rows.jsonl", {"key": "a", "request": embed})
    report = check_file(path, limits=GEMINI)
    assert (report.stops, list(report.endpoints)) == (0, ["/v1beta/models:embedContent"])


def test_chat_requests_that_cannot_be_translated_are_told_by_line(tmp_path: Path) -> None:
    body = {"model": "gemini-3.5-flash", "messages": [{"role": "user", "content": "x"}]}
    chat = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    path = written(
        tmp_path / "rows.jsonl", chat, {**chat, "custom_id": "b", "body": {**body, "user": "u"}}
    )
    (problem,) = [p for p in check_file(path, limits=GEMINI).problems if p.severity == "error"]
    assert (problem.line, problem.code) == (2, "untranslatable")
    assert "uses user, which Gemini does not support" in problem.what


def test_other_accounts_say_whose_rows_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", {"key": "a", "request": OWN})
    report = check_file(path, limits=limits_of(find_profile("openai")))
    (problem,) = [p for p in report.problems if p.severity == "error"]
    assert "which OpenAI does not take" in problem.what and "Gemini account" in problem.fix


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}]},
        {"tools": [{"googleSearch": {}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}},
        {"cachedContent": "cachedContents/x"},
    ],
)
def test_own_rows_are_counted_as_chat_requests_are(fields: dict[str, Any]) -> None:
    messages = [
        {"role": "system", "content": "Be short and say what you see."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image_url", "image_url": {"url": PIXEL}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg=="}},
        ]},
    ]  # fmt: skip
    chat = {"model": "gemini-3.5-flash", "messages": messages, **fields}
    ours = request_amount(chat, "gemini-3.5-flash")
    own = request_amount(chat_to_gemini(chat), "gemini-3.5-flash")
    assert own.uncounted == ours.uncounted
    assert (own.uncounted.files, own.uncounted.audio) == (1, 1)
    assert own.uncounted.tools == ("googleSearch" in str(fields))
    assert own.uncounted.stored == ("cachedContent" in fields)
    assert own.tokens.usual == pytest.approx(ours.tokens.usual, abs=15)


def test_the_longest_answer_of_own_rows_is_known(tmp_path: Path) -> None:
    request = {
        "model": "models/gemini-3.5-flash",
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "generationConfig": {"maxOutputTokens": 50, "candidateCount": 2},
    }
    found = answer_length("/v1beta/models:generateContent", request.get)
    assert found == AnswerLength(50, 2)
    assert answer_length("/v1beta/models:embedContent", request.get) == AnswerLength(0, 0)
    assert answer_length("/v1beta/models:generateContent", {}.get) == AnswerLength(None, 1)
