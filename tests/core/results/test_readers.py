from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import read_anthropic_line
from tui.core.rows import Outcome, RowError, Usage


def line(result: Any, **more: Any) -> bytes:
    return json.dumps({"custom_id": "row-1", "result": result, **more}).encode()


def message(**fields: Any) -> dict[str, Any]:
    return {
        "type": "succeeded",
        "message": {
            "id": "msg_1",
            "model": "claude-haiku-4-5",
            "role": "assistant",
            "content": [{"type": "text", "text": "Blue."}],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 41,
                "cache_creation_input_tokens": 5,
                "cache_read_input_tokens": 4,
                "output_tokens": 7,
                "service_tier": "batch",
            },
            **fields,
        },
    }


def test_an_answer() -> None:
    result = read_anthropic_line(line(message()))
    assert (result.custom_id, result.outcome, result.text) == ("row-1", Outcome.SUCCEEDED, "Blue.")
    assert (result.model, result.finish_reason) == ("claude-haiku-4-5", "end_turn")
    assert result.usage == Usage(50, 7, 4, cache_write_tokens=5, cache_write_1h_tokens=0)
    assert result.error is None


def test_the_first_block_need_not_be_text() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "One"},
        {"type": "text", "text": "Two", "citations": None},
    ]
    assert read_anthropic_line(line(message(content=content))).text == "OneTwo"
    between = [content[1], {"type": "server_tool_use", "name": "web_search"}, content[2]]
    assert read_anthropic_line(line(message(content=between))).text == "One\n\nTwo"
    tool = [{"type": "tool_use", "id": "t", "name": "look", "input": {"q": 1}}]
    assert read_anthropic_line(line(message(content=tool))).text == 'look({"q":1})'


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("end_turn", Outcome.SUCCEEDED),
        ("tool_use", Outcome.SUCCEEDED),
        ("pause_turn", Outcome.TRUNCATED),
        ("refusal", Outcome.REFUSED),
        ("max_tokens", Outcome.TRUNCATED),
        ("model_context_window_exceeded", Outcome.TRUNCATED),
    ],
)
def test_stop_reasons_can_be_found(reason: str, outcome: Outcome) -> None:
    result = read_anthropic_line(line(message(stop_reason=reason)))
    assert (result.outcome, result.finish_reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("kind", "again"),
    [
        ("api_error", True),
        ("overloaded_error", True),
        ("rate_limit_error", True),
        ("timeout_error", True),
        ("invalid_request_error", False),
        ("authentication_error", False),
        ("permission_error", False),
        ("not_found_error", False),
        ("billing_error", False),
        ("some_new_error", None),
    ],
)
def test_the_kind_of_an_error_is_one_level_down(kind: str, again: bool | None) -> None:
    inner = {"type": kind, "message": "max_tokens: Field required"}
    outer = {"type": "error", "error": inner, "request_id": "req_1"}
    result = read_anthropic_line(line({"type": "errored", "error": outer}))
    assert result.outcome is Outcome.FAILED
    assert result.error == RowError(code=kind, message=inner["message"], retryable=again)
    flat = read_anthropic_line(line({"type": "errored", "error": inner}))
    assert flat.error == result.error


def test_profile_rules_win() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "m"}}
    result = read_anthropic_line(line({"type": "errored", "error": error}), {"api_error": False})
    assert result.error is not None
    assert result.error.retryable is False


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("expired", Outcome.EXPIRED),
        ("canceled", Outcome.CANCELLED),
        ("cancelled", Outcome.CANCELLED),
    ],
)
def test_rows_that_were_not_run(kind: str, outcome: Outcome) -> None:
    result = read_anthropic_line(line({"type": kind}))
    assert result.outcome is outcome
    assert result.error is not None
    assert result.error.retryable is True


def test_lines_of_a_helper_script() -> None:
    good = json.dumps({"custom_id": "a", "status": "succeeded", "response": "Blue."}).encode()
    assert read_anthropic_line(good).text == "Blue."
    bad = json.dumps({"custom_id": "a", "status": "errored", "error": "no"}).encode()
    assert read_anthropic_line(bad).error == RowError(message="no")


@pytest.mark.parametrize(
    "result",
    [
        {"type": "succeeded", "message": None},
        {"type": "succeeded"},
        {"type": "errored"},
        {"type": "errored", "error": None},
        {"type": "something new"},
        {},
        None,
    ],
)
def test_results_without_an_answer_are_failures_with_words(result: Any) -> None:
    found = read_anthropic_line(line(result))
    assert found.outcome is Outcome.FAILED
    assert found.error is not None
    assert found.error.message


def test_fields_of_an_unexpected_type_do_not_hide_the_answer() -> None:
    odd = message(usage={"input_tokens": "many"}, model=7)
    result = read_anthropic_line(line(odd))
    assert (result.outcome, result.text) == (Outcome.SUCCEEDED, "Blue.")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"result": {}}', b'{"custom_id": 7.5}', b"[" * 9999]
)
def test_lines_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(UnreadableLineError):
        read_anthropic_line(data)
