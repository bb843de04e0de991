"""Result lines of Vertex AI, in the forms of each family of models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.results.google.vertex import read_vertex_line
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.rows import Outcome, RowResult

REQUEST = {
    "contents": [{"role": "user", "parts": [{"text": "2+2?"}]}],
    "labels": {"bd": "r-1"},
}


def read(**line: Any) -> RowResult:
    return read_vertex_line(json.dumps(line).encode())


def gemini(**fields: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": "4"}]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6}
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": "gemini-3.5-flash",
        **fields,
    }


def test_an_answer_of_gemini() -> None:
    row = read(status="", processed_time="2026-11-20T08:01:02Z", request=REQUEST, response=gemini())
    assert (row.custom_id, row.outcome, row.text) == ("r-1", Outcome.SUCCEEDED, "4")
    assert (row.usage.input_tokens, row.usage.output_tokens) == (5, 1)
    assert row.model == "gemini-3.5-flash"


def test_a_line_without_labels_says_which_request_it_repeats() -> None:
    row = read(status="", request={"contents": REQUEST["contents"]}, response=gemini())
    assert row.custom_id.startswith("request:")
    assert row.text == "4"


@pytest.mark.parametrize(
    ("status", "code", "http", "message"),
    [
        ("Internal error encountered.", None, None, "Internal error encountered."),
        (
            'Bad Request: {"error": {"code": 400, "message": "Please use a valid role.",'
            ' "status": "INVALID_ARGUMENT"}}',
            "INVALID_ARGUMENT",
            400,
            "Please use a valid role.",
        ),
        (
            '{"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED"}}',
            "RESOURCE_EXHAUSTED",
            429,
            "Quota.",
        ),
        ("Bad Request: {not json}", None, None, "Bad Request: {not json}"),
    ],
)
@pytest.mark.parametrize("response", [{}, None, ""])
def test_a_row_of_gemini_that_failed(
    status: str, code: str | None, http: int | None, message: str, response: Any
) -> None:
    row = read(status=status, request=REQUEST, response=response)
    assert (row.custom_id, row.outcome) == ("r-1", Outcome.FAILED)
    assert row.error is not None
    assert (row.error.code, row.http_status, row.error.message) == (code, http, message)
    if http == 429:
        assert row.error.retryable is True


def test_a_prompt_that_was_blocked_is_refused() -> None:
    answer = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    assert read(status="", request=REQUEST, response=answer).outcome is Outcome.REFUSED


def test_a_line_of_a_file_of_errors() -> None:
    row = read(instance={"request": REQUEST}, error={"code": 3, "message": "Bad row."})
    assert (row.custom_id, row.outcome) == ("r-1", Outcome.FAILED)
    assert row.error is not None
    assert (row.error.code, row.error.message) == ("INVALID_ARGUMENT", "Bad row.")


def test_an_answer_of_claude() -> None:
    answer = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "four"}],
        "stop_reason": "max_tokens",
        "usage": {"input_tokens": 9, "output_tokens": 2},
        "model": "claude-sonnet-5",
    }
    request = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 5, "messages": []}
    row = read(custom_id="c-1", request=request, response=answer, status="", processed_time="x")
    assert (row.custom_id, row.outcome, row.text) == ("c-1", Outcome.TRUNCATED, "four")
    assert (row.usage.input_tokens, row.usage.output_tokens) == (9, 2)
    failed = read(
        custom_id="c-1",
        request=request,
        response={"type": "error", "error": {"type": "invalid_request_error", "message": "No."}},
        status="",
    )
    assert (failed.outcome, failed.error and failed.error.message) == (Outcome.FAILED, "No.")


def test_an_answer_of_an_open_model() -> None:
    body = {"choices": [{"message": {"content": "vier"}, "finish_reason": "stop"}], "model": "m"}
    for response in ({"status_code": 200, "body": body}, body):
        row = read(custom_id="o-1", response=response, error=None)
        assert (row.custom_id, row.outcome, row.text) == ("o-1", Outcome.SUCCEEDED, "vier")
    failed = read(
        custom_id="o-1",
        response={"status_code": 429, "body": {"error": {"message": "Slow down."}}},
        error=None,
    )
    assert (failed.outcome, failed.http_status) == (Outcome.FAILED, 429)


def test_an_embedding() -> None:
    row = read(key="e-1", response={"embedding": {"values": [0.5]}, "tokenCount": "7"})
    assert (row.custom_id, row.outcome) == ("e-1", Outcome.SUCCEEDED)
    assert row.usage.input_tokens == 7


@pytest.mark.parametrize("line", [b"[]", b"nonsense", b'{"response": {}}', b'{"request": 5}'])
def test_a_line_that_nobody_can_join_is_unreadable(line: bytes) -> None:
    with pytest.raises(UnreadableLineError):
        read_vertex_line(line)
