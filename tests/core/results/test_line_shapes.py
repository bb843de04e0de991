"""Answers in other places and types than documented are read; a frame without one is a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.results.openai_lines import UnreadableLineError, read_openai_line, response_body
from tui.core.results.readers import READERS
from tui.core.rows import Outcome, RowResult

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
VECTOR = {"object": "list", "data": [{"embedding": [1, 2]}], "model": "e"}


def read(style: str = "openai", **line: Any) -> RowResult:
    return READERS[style](json.dumps({"custom_id": "a", **line}).encode(), None)


PLACES: dict[str, dict[str, Any]] = {
    "body": {"response": {"status_code": 200, "body": CHAT}},
    "body as a text": {"response": {"status_code": 200, "body": json.dumps(CHAT)}},
    "response is the body": {"response": CHAT, "error": None},
    "response is a text": {"response": json.dumps(CHAT)},
    "the line is the body": CHAT,
    "body of the line": {"status_code": 200, "body": CHAT},
    "result": {"result": {"body": CHAT}},
    "body in a body": {"response": {"body": {"code": 0, "message": "ok", "data": CHAT}}},
    "a list of one": {"response": {"status_code": 200, "body": [CHAT]}},
    "completion": {"completion": CHAT},
    "output": {"response": {"status_code": 200, "body": {"output": CHAT, "request_id": "r"}}},
    "an empty error": {"response": {"body": CHAT}, "error": {"code": "", "message": ""}},
    "an error of nulls": {"response": {"body": CHAT}, "error": {"code": None, "message": None}},
    "an error of zeros": {"response": {"body": CHAT}, "error": {"code": 0, "message": "success"}},
    "an error in words": {"response": {"body": CHAT}, "error": "None"},
    "an empty error in the body": {"response": {"body": {**CHAT, "error": {"message": ""}}}},
}


@pytest.mark.parametrize("line", PLACES.values(), ids=PLACES)
def test_an_answer_is_found_wherever_it_is(line: dict[str, Any]) -> None:
    row = read(**line)
    assert (row.outcome, row.text, row.model) == (Outcome.SUCCEEDED, "hi", "m")
    assert row.usage.input_tokens == 3
    assert response_body({"custom_id": "a", **line})["choices"] == CHAT["choices"]


@pytest.mark.parametrize("response", [VECTOR, {"body": json.dumps(VECTOR)}])
def test_vectors_too(response: Any) -> None:
    assert read(response=response).text == "1 vector of 2 numbers"


CONTENTS: list[tuple[dict[str, Any], str]] = [
    ({"content": {"city": "Turin"}}, '{"city":"Turin"}'),
    ({"content": {"type": "text", "text": "hi"}}, "hi"),
    ({"content": 7}, "7"),
    ({"content": False}, "false"),
    ({"content": ["a", {"type": "text", "text": "b"}]}, "ab"),
    ({"content": [{"type": "text", "text": {"value": "hi", "annotations": []}}]}, "hi"),
    ({"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}, 'f({"x":1})'),
    ({"tool_calls": {"function": {"name": "f", "arguments": "{}"}}}, "f({})"),
    ({"tool_calls": [{"name": "f", "arguments": {"x": 1}}]}, 'f({"x":1})'),
    ({"function_call": {"name": "f", "arguments": {"x": 1}}}, 'f({"x":1})'),
]


@pytest.mark.parametrize(("message", "text"), CONTENTS)
def test_contents_and_arguments_of_other_types(message: dict[str, Any], text: str) -> None:
    body = {"choices": [{"message": message, "finish_reason": "stop"}]}
    row = read(response={"status_code": 200, "body": body})
    assert (row.outcome, row.text) == (Outcome.SUCCEEDED, text)


CHUNKS: list[dict[str, Any]] = [
    {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "an"}}]},
    {"model": "m", "choices": [{"index": 0, "delta": {"content": "swer"}}]},
    {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
    {"model": "m", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
]


@pytest.mark.parametrize(
    "body",
    [CHUNKS, "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS) + "data: [DONE]\n\n"],
    ids=["list", "text"],
)
def test_an_answer_in_the_chunks_of_a_stream(body: Any) -> None:
    row = read(response={"status_code": 200, "body": body}, error=None)
    assert (row.outcome, row.text, row.model) == (Outcome.TRUNCATED, "answer", "m")
    assert (row.usage.input_tokens, row.usage.output_tokens) == (3, 2)


def test_a_tool_call_in_the_chunks_of_a_stream() -> None:
    calls = [{"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ": 1}"}]
    body = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": call}]}}]}
        for call in calls
    ]
    assert read(response={"status_code": 200, "body": body}).text == 'f({"a": 1})'


def test_a_stream_that_only_has_an_error_failed() -> None:
    row = read(response={"status_code": 200, "body": 'data: {"error": {"message": "away"}}\n\n'})
    assert row.outcome is Outcome.FAILED
    assert row.error is not None and "away" in row.error.message


def test_other_answers() -> None:
    ollama = {"model": "m", "message": {"role": "assistant", "content": "hi"}, "done": True}
    assert read(response={"body": ollama}).text == "hi"
    assert read(response={"body": {"text": "a transcript"}}).text == "a transcript"
    claude = {"role": "assistant", "content": "hi", "stop_reason": "end_turn"}
    assert read(response={"body": claude}).text == "hi"
    item = {"type": "function_call", "name": "f", "arguments": {"x": 1}}
    assert read(response={"body": {"object": "response", "output": [item]}}).text == 'f({"x":1})'
    unknown = read(response={"body": {"model": "m", "pages": [{"markdown": "x"}]}})
    assert (unknown.outcome, unknown.text) == (Outcome.SUCCEEDED, '{"pages":[{"markdown":"x"}]}')
    assert read(response={"body": {"output_text": "hi", "took": 3}}).text == "hi"
    bedrock = {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}
    assert read(modelOutput=bedrock).text == "hi"


def test_words_beside_the_usual_places() -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}}
    row = read(result={"type": "errored", "error": error})
    assert row.error is not None
    assert (row.error.code, row.error.message) == ("invalid_request_error", "bad")
    page = "<html><head><style>b{}</style></head><body><h1>502 Bad Gateway</h1></body></html>"
    row = read(response={"status_code": 502, "body": page})
    assert row.error is not None
    assert row.error.message == "502 Bad Gateway"


def test_a_text_beside_a_message_is_not_repeated() -> None:
    choice = {**CHAT["choices"][0], "text": "hi"}  # type: ignore[index]
    assert read(response={"body": {"choices": [choice]}}).text == "hi"
    empty = {"message": {"content": ""}, "text": "hi", "finish_reason": "stop"}
    assert read(response={"body": {"choices": [empty]}}).text == "hi"


FRAMES: list[tuple[Any, str]] = [
    ({}, "No answer and no error"),
    ({"choices": []}, "No answer and no error"),
    ({"id": "x", "model": "m", "choices": [], "usage": {"total_tokens": 0}}, "No answer in the"),
    ({"choices": [{}]}, "No answer and no error"),
    ({"choices": [{"message": None, "finish_reason": "stop"}]}, "No answer in the response"),
    ({"choices": None, "error": None, "model": "m"}, "No answer in the response"),
    ({"data": []}, "No answer and no error"),
    ({"object": "response", "status": "completed", "output": []}, "No answer in the response"),
    ({"detail": "Not Found"}, "Not Found"),
    ({"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, "body.messages: Field"),
    ({"code": 500, "message": "overloaded", "data": None}, "overloaded"),
    ({"message": "Rate limit", "retry_after": 5}, "Rate limit"),
    ({"success": False, "reason": "quota used up"}, "quota used up"),
    ({"object": "error", "message": "no such model", "code": 404}, "no such model"),
    ({"error": "the text"}, "the text"),
    ({"choices": [{"error": {"code": 502, "message": "away"}, "message": {"content": ""},
                   "finish_reason": "error"}]}, "away"),
    ("upstream connect error", "upstream connect error"),
    ('{"detail": "as a text"}', "as a text"),
]  # fmt: skip


@pytest.mark.parametrize("status", [200, None])
@pytest.mark.parametrize(("body", "words"), FRAMES)
def test_a_response_without_an_answer_failed(body: Any, words: str, status: int | None) -> None:
    row = read(response={"status_code": status, "body": body}, error=None)
    assert row.outcome is Outcome.FAILED
    assert row.error is not None
    assert row.error.message.startswith(words)


def test_messages_without_an_answer_failed() -> None:
    for message in ({}, {"type": "error", "error": {"type": "api_error", "message": "broke"}}):
        row = read("messages", result={"type": "succeeded", "message": message})
        assert row.outcome is Outcome.FAILED
    assert row.error is not None
    assert (row.error.code, row.error.message, row.error.retryable) == ("api_error", "broke", True)
    good = {"type": "message", "content": [], "stop_reason": "end_turn"}
    row = read("messages", result={"type": "succeeded", "message": good})
    assert row.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("number", "custom_id"), [("101", "101"), ("0", "0"), ("7.0", "7"), ("-3", "-3")]
)
def test_an_id_that_became_a_number(number: str, custom_id: str) -> None:
    line = f'{{"custom_id": {number}, "error": "x"}}'.encode()
    assert read_openai_line(line).custom_id == custom_id


@pytest.mark.parametrize(
    "line",
    [
        {"customId": "a", "response": CHAT},
        {"key": "a", "response": CHAT},
        {"recordId": "a", "modelOutput": CHAT},
        {"custom_id": None, "request": {"custom_id": "a"}, "response": CHAT},
        {"response": {"custom_id": "a", "status_code": 200, "body": CHAT}},
        {"metadata": {"custom_id": "a"}, "response": CHAT},
    ],
)
def test_an_id_at_another_place(line: dict[str, Any]) -> None:
    row = read_openai_line(json.dumps(line).encode())
    assert (row.custom_id, row.text) == ("a", "hi")


def test_a_key_of_something_else_is_no_id() -> None:
    with pytest.raises(UnreadableLineError):
        read_openai_line(b'{"key": "a", "message": "Access denied"}')
