"""Answers and the schemas that they were asked for by."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.results.json_answers import extract_json, parse_answer
from tui.core.results.schema import (
    MAX_SCHEMA_BYTES,
    AnswerChecker,
    Schema,
    SchemaError,
    SchemaResult,
)
from tui.core.rows import Outcome

STARS = {"type": "object", "properties": {"stars": {"type": "integer"}}, "required": ["stars"]}
GOOD, BAD = '{"stars": 3}', '{"stars": "three"}'


def schema(value: Any) -> Schema:
    return Schema(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (' {"a": 1} ', {"a": 1}),
        ("[1]", [1]),
        ('Here it is:\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
        ("```\n[1, 2]\n```", [1, 2]),
        ('```JSON\r\n{"a": 1}\r\n```', {"a": 1}),
        ('  ```json\n  {"a": 1}\n  ```', {"a": 1}),
        ('```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```', None),
        ('```python\n{"a": 1}\n```', None),
        ('```json\n{"a": \n```', None),
        ("```json\nhello\n```", None),
        ('{"a": 1', None),
        ("3", None),
        ("", None),
        ("[" * 5000, None),
        ('{"a": NaN}', None),
    ],
)
def test_json_is_found_bare_and_in_a_fence(text: str, data: Any) -> None:
    assert parse_answer(text) == data


@given(st.text(alphabet='`json{}[]"\n a1', max_size=60))
def test_what_is_found_can_be_read(text: str) -> None:
    found = extract_json(text)
    assert found is None or isinstance(json.loads(found), (dict, list))


def test_what_is_wrong_is_named_by_place() -> None:
    stars = schema(STARS)
    assert stars.fits({"stars": 1}) and stars.problems({"stars": 1}) == []
    assert not stars.fits([])
    assert stars.problems({"stars": "x"}) == ['$.stars: "x" is not of type "integer"']
    nested = schema({"items": {"properties": {"a": {"enum": [1]}}}})
    assert nested.problems([{"a": 1}, {"a": 2}])[0].startswith("$[1].a: ")


def branching(levels: int) -> dict[str, Any]:
    """A schema whose check takes two to the power of ``levels`` steps."""
    definitions: dict[str, Any] = {"d0": {"type": "integer"}}
    for level in range(1, levels + 1):
        half = {"allOf": [{"$ref": f"#/$defs/d{level - 1}"}, False]}
        definitions[f"d{level}"] = {"anyOf": [half, half]}
    return {"$ref": f"#/$defs/d{levels}", "$defs": definitions}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"{", "not JSON"),
        (b"[1]", "must be an object"),
        (b'{"type": "nonsense"}', "invalid schema"),
        (b'{"pattern": "(("}', "invalid schema"),
        (b'{"$ref": "http://127.0.0.1:1/x.json"}', "disabled"),
        (b'{"$ref": "file:///etc/passwd"}', "disabled"),
        (json.dumps(branching(40)).encode(), "too many branches"),
        (
            json.dumps(
                {"properties": {"a": branching(40)}, "$defs": branching(40)["$defs"]}
            ).encode(),
            "too many branches",
        ),
        (b'{"properties":{"a":' * 200 + b"{}" + b"}}" * 200, "nested too deeply"),
        (b'{"properties":{"a":' * 5000 + b"{}" + b"}}" * 5000, "nested too deeply"),
        (b'{"a":"' + b"x" * MAX_SCHEMA_BYTES + b'"}', "too large"),
    ],
    ids=range(11),
)
def test_schemas_that_cannot_be_used_say_why(source: bytes, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        Schema(source)


def test_a_schema_that_contains_itself_is_followed_as_deep_as_is_cheap() -> None:
    tree = schema({"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}}})
    assert tree.fits({"a": {"a": {"b": "x"}}}) and not tree.fits({"a": {"a": {"b": 1}}})
    twice = {"allOf": [{"$ref": "#"}, False]}
    costly = schema({"properties": {"a": {"anyOf": [twice, twice]}}})
    value: Any = 1
    for _ in range(60):
        value = {"a": value}
    assert costly.problems(value) == ["nested too deeply to check"]
    assert not costly.fits(value)


def test_patterns_may_not_backtrack_for_long() -> None:
    assert not schema({"pattern": r"^(a+)+\1$"}).fits("a" * 60 + "b")


def chat(content: Any, **message: Any) -> bytes:
    choice = {"message": {"role": "assistant", "content": content, **message}}
    body = {"choices": [{**choice, "finish_reason": "stop"}]}
    return line({"response": {"status_code": 200, "body": body}})


def anthropic(*content: Any) -> bytes:
    message = {"content": list(content), "stop_reason": "end_turn"}
    return line({"result": {"type": "succeeded", "message": message}})


def responses(*output: Any) -> bytes:
    return line({"response": {"status_code": 200, "body": {"output": list(output)}}})


def line(value: dict[str, Any]) -> bytes:
    return json.dumps({"custom_id": "a", **value}).encode()


def asked(**body: Any) -> bytes:
    return json.dumps({"custom_id": "a", "url": "/v1/x", "body": body}).encode()


CHAT = asked(response_format={"type": "json_schema", "json_schema": {"schema": STARS}})
FLAT = asked(response_format={"type": "json_schema", "schema": STARS})
OBJECT = asked(response_format={"type": "json_object"})
RESPONSES = asked(text={"format": {"type": "json_schema", "schema": STARS}})
MESSAGES = asked(output_config={"format": {"type": "json_schema", "schema": STARS}})
PARAMS = json.dumps(
    {"params": {"output_format": {"type": "json_schema", "schema": STARS}}}
).encode()
GUIDED = asked(guided_json=STARS)
CHAT_TOOL = asked(tools=[{"type": "function", "function": {"name": "t", "parameters": STARS}}])
FLAT_TOOL = asked(tools=[{"type": "function", "name": "t", "parameters": STARS}])
ANTHROPIC_TOOL = asked(tools=[{"name": "t", "input_schema": STARS}])
BROKEN = asked(response_format={"type": "json_schema", "json_schema": {"schema": {"type": 3}}})


def chat_call(arguments: str, name: str = "t") -> bytes:
    return chat(None, tool_calls=[{"function": {"name": name, "arguments": arguments}}])


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


@pytest.mark.parametrize(
    ("request_", "result", "style", "verdict"),
    [
        (CHAT, chat(GOOD), "openai", SchemaResult.FITS),
        (CHAT, chat(BAD), "openai", SchemaResult.MISFITS),
        (CHAT, chat(f"```json\n{GOOD}\n```"), "openai", SchemaResult.FITS),
        (CHAT, chat("three stars"), "openai", SchemaResult.NOT_JSON),
        (FLAT, chat(BAD), "openai", SchemaResult.MISFITS),
        (OBJECT, chat(BAD), "openai", SchemaResult.FITS),
        (OBJECT, chat("[1]"), "openai", SchemaResult.MISFITS),
        (GUIDED, chat(BAD), "openai", SchemaResult.MISFITS),
        (asked(messages=[]), chat(BAD), "openai", SchemaResult.NOTHING),
        (
            RESPONSES,
            responses({"type": "message", "content": [text(BAD)]}),
            "openai",
            SchemaResult.MISFITS,
        ),
        (MESSAGES, anthropic(text(GOOD)), "messages", SchemaResult.FITS),
        (PARAMS, anthropic(text(BAD)), "messages", SchemaResult.MISFITS),
        (CHAT_TOOL, chat_call(GOOD), "openai", SchemaResult.FITS),
        (CHAT_TOOL, chat_call(BAD), "openai", SchemaResult.MISFITS),
        (CHAT_TOOL, chat_call("{"), "openai", SchemaResult.NOT_JSON),
        (CHAT_TOOL, chat_call(GOOD, "other"), "openai", SchemaResult.MISFITS),
        (CHAT_TOOL, chat("no call"), "openai", SchemaResult.NOTHING),
        (
            FLAT_TOOL,
            responses({"type": "function_call", "name": "t", "arguments": BAD}),
            "openai",
            SchemaResult.MISFITS,
        ),
        (
            ANTHROPIC_TOOL,
            anthropic({"type": "tool_use", "name": "t", "input": {"stars": 1}}),
            "messages",
            SchemaResult.FITS,
        ),
        (BROKEN, chat(GOOD), "openai", SchemaResult.UNUSABLE),
        (b"no request", chat(GOOD), "openai", SchemaResult.NOTHING),
        (CHAT, b"no result", "openai", SchemaResult.NOTHING),
        (CHAT, b"", "openai", SchemaResult.NOTHING),
        (CHAT, chat(GOOD), "unknown", SchemaResult.NOTHING),
    ],
)
def test_answers_are_checked_by_their_own_schema(
    request_: bytes, result: bytes, style: str, verdict: SchemaResult
) -> None:
    judge = AnswerChecker()
    for _ in range(2):
        assert judge.verdict(Outcome.SUCCEEDED, request_, result, style) is verdict
    judgement = judge.judge(Outcome.TRUNCATED, request_, result, style)
    assert judgement.verdict is verdict
    assert bool(judgement.problems) == (verdict.is_bad or verdict is SchemaResult.UNUSABLE)


def test_a_given_schema_comes_before_that_of_the_request() -> None:
    judge = AnswerChecker(schema({"type": "array"}))
    assert judge.verdict(Outcome.SUCCEEDED, CHAT, chat(GOOD), "openai") is SchemaResult.MISFITS
    assert judge.verdict(Outcome.REFUSED, CHAT, chat(GOOD), "openai") is SchemaResult.NOTHING
    assert judge.verdict(Outcome.FAILED, CHAT, chat(GOOD), "openai") is SchemaResult.NOTHING


def test_a_schema_that_a_retry_took_away_is_not_asked_for() -> None:
    judge = AnswerChecker()
    edits = {"response_format": None}
    assert (
        judge.verdict(Outcome.SUCCEEDED, CHAT, chat(BAD), "openai", edits) is SchemaResult.NOTHING
    )


def test_many_different_schemas_do_not_pile_up() -> None:
    judge = AnswerChecker()
    for number in range(600):
        form = {"type": "json_schema", "schema": {"maximum": number}}
        judge.verdict(Outcome.SUCCEEDED, asked(response_format=form), chat(GOOD), "openai")
    assert len(judge._known) <= 256
