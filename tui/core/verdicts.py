"""Does an answer have the form that its request asked for, or that a person expects?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import msgspec

from tui.core.data import json_in
from tui.core.editing import edit_request
from tui.core.outcome import Outcome
from tui.core.readers import READERS
from tui.core.results import UnreadableLineError, body_in, decode_lenient
from tui.core.schemas import Schema, SchemaError

_KEPT = 256
"""Different expectations that are kept ready: a job has one, or a few."""

_LONGEST = 4 << 20
"""Characters of an answer that is still taken apart."""

_OUTCOMES = frozenset({Outcome.SUCCEEDED, Outcome.TRUNCATED})


class Verdict(IntEnum):
    """What the check of one row says; small, because a job has a million of them.

    ``NOTHING``: there is no answer, or nothing was asked for. ``UNUSABLE``: the schema itself
    cannot be used.
    """

    UNCHECKED = 0
    FITS = 1
    MISFITS = 2
    NOT_JSON = 3
    NOTHING = 4
    UNUSABLE = 5

    @property
    def is_bad(self) -> bool:
        """Is it an answer that is not what was asked for?"""
        return self in (Verdict.MISFITS, Verdict.NOT_JSON)


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with its reasons, for one row that is looked at."""

    verdict: Verdict
    problems: tuple[str, ...] = ()


class _Body(msgspec.Struct, gc=False):
    response_format: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()
    output_config: msgspec.Raw = msgspec.Raw()
    output_format: msgspec.Raw = msgspec.Raw()
    guided_json: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()


class _Request(msgspec.Struct, gc=False):
    body: _Body | None = None
    params: _Body | None = None


class _Expectation:
    """The schemas that a request asks with: for the answer, and for calls of each tool."""

    def __init__(self) -> None:
        self.answer: Schema | None = None
        self.tools: dict[str, Schema] = {}
        self.trouble = ""

    @property
    def is_empty(self) -> bool:
        return self.answer is None and not self.tools and not self.trouble


_decode_request = msgspec.json.Decoder(_Request).decode
_NOTHING = Judgement(Verdict.NOTHING)


class Judge:
    """Checks answers, one after the other; not for several threads at once.

    Args:
        given: The schema that every answer must fit; without it each request's own counts.
    """

    def __init__(self, given: Schema | None = None) -> None:
        self._given = given
        self._known: dict[tuple[bytes, ...], _Expectation] = {}

    def verdict(
        self,
        outcome: Outcome,
        request: bytes,
        result: bytes,
        style: str,
        edits: Mapping[str, Any] | None = None,
    ) -> Verdict:
        """The verdict on one row; see ``judge``."""
        return self.judge(outcome, request, result, style, edits, count=0).verdict

    def judge(
        self,
        outcome: Outcome,
        request: bytes,
        result: bytes,
        style: str,
        edits: Mapping[str, Any] | None = None,
        *,
        count: int = 3,
    ) -> Judgement:
        """Look at one row.

        Args:
            outcome: Only answers are checked: succeeded, or truncated.
            request: The request line.
            result: The result line.
            style: How the result line is to be read.
            edits: The changes with which the request was sent.
            count: How many problems to name; with 0 it is only said whether there are any.
        """
        if outcome not in _OUTCOMES or not result or style not in READERS:
            return _NOTHING
        expected = self._expected(request, edits)
        if expected.is_empty:
            return _NOTHING
        if expected.trouble:
            return Judgement(Verdict.UNUSABLE, (expected.trouble,))
        if expected.tools:
            calls = _calls(result)
            if calls:
                return _judged_calls(calls, expected.tools, count)
        if expected.answer is None:
            return _NOTHING
        try:
            text = READERS[style](result, None).text
        except UnreadableLineError:
            return _NOTHING
        found = json_in(text) if len(text) <= _LONGEST else None
        if found is None:
            problem = "longer than is checked" if len(text) > _LONGEST else "the answer is not JSON"
            return Judgement(Verdict.NOT_JSON, (problem,))
        return _judged(msgspec.json.decode(found), expected.answer, count)

    def _expected(self, request: bytes, edits: Mapping[str, Any] | None) -> _Expectation:
        if self._given is not None:
            expected = _Expectation()
            expected.answer = self._given
            return expected
        try:
            if edits:
                request = edit_request(request, edits)
            line = _decode_request(request)
        except (ValueError, msgspec.MsgspecError, RecursionError):
            return _Expectation()
        body = line.params or line.body or _Body()
        key = tuple(bytes(getattr(body, name)) for name in _Body.__struct_fields__)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[key] = _read(dict(zip(_Body.__struct_fields__, key, strict=True)))
        return known


def _read(fields: Mapping[str, bytes]) -> _Expectation:
    values = {name: _value(raw) for name, raw in fields.items()}
    expected = _Expectation()
    try:
        form = _form(values)
        if form is not None:
            expected.answer = Schema(msgspec.json.encode(form))
        tools = values["tools"]
        for tool in tools if isinstance(tools, list) else ():
            name, parameters = _tool(tool)
            if name and isinstance(parameters, dict):
                expected.tools[name] = Schema(msgspec.json.encode(parameters))
    except SchemaError as error:
        expected.trouble = str(error)
    return expected


def _value(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw) if raw else None
    except (msgspec.MsgspecError, RecursionError):
        return None


def _form(values: Mapping[str, Any]) -> Any:
    """The schema of the answer in any dialect: chat, Responses, Anthropic, vLLM."""
    for name, inner in (
        ("response_format", None),
        ("text", "format"),
        ("output_config", "format"),
        ("output_format", None),
    ):
        form = values[name]
        if inner is not None:
            form = form.get(inner) if isinstance(form, dict) else None
        if not isinstance(form, dict):
            continue
        if form.get("type") == "json_object":
            # Any object will do, but it must be one.
            return {"type": "object"}
        nested = form.get("json_schema")
        schema = nested.get("schema") if isinstance(nested, dict) else form.get("schema")
        if isinstance(schema, dict):
            return schema
    guided = values["guided_json"]
    return guided if isinstance(guided, dict) else None


def _tool(tool: Any) -> tuple[str, Any]:
    if not isinstance(tool, dict):
        return "", None
    function = tool.get("function")
    if isinstance(function, dict):
        tool = function
    return str(tool.get("name", "")), tool.get("parameters", tool.get("input_schema"))


def _judged(value: Any, schema: Schema, count: int) -> Judgement:
    if count:
        problems = tuple(schema.problems(value, count))
        return Judgement(Verdict.MISFITS if problems else Verdict.FITS, problems)
    return Judgement(Verdict.FITS if schema.fits(value) else Verdict.MISFITS)


def _judged_calls(
    calls: list[tuple[str, Any]], tools: Mapping[str, Schema], count: int
) -> Judgement:
    for name, arguments in calls:
        schema = tools.get(name)
        if schema is None:
            return Judgement(Verdict.MISFITS, (f"{name}: there is no such tool",))
        if isinstance(arguments, str):
            try:
                arguments = msgspec.json.decode(arguments or "{}")
            except (msgspec.MsgspecError, RecursionError):
                return Judgement(Verdict.NOT_JSON, (f"{name}: the arguments are not JSON",))
        judgement = _judged(arguments, schema, count)
        if judgement.verdict is not Verdict.FITS:
            return Judgement(
                judgement.verdict, tuple(f"{name}: {problem}" for problem in judgement.problems)
            )
    return Judgement(Verdict.FITS)


def _calls(result: bytes) -> list[tuple[str, Any]]:
    """Name and arguments of each tool call in a result line, in any dialect."""
    try:
        value = decode_lenient(result)
    except UnreadableLineError:
        return []
    found: list[tuple[str, Any]] = []
    body = body_in(value)
    for choice in _objects(body.get("choices")):
        message = choice.get("message")
        for call in _objects(message.get("tool_calls") if isinstance(message, dict) else None):
            function = call.get("function")
            if isinstance(function, dict):
                found.append((str(function.get("name")), function.get("arguments")))
    for item in _objects(body.get("output")):
        if item.get("type") == "function_call":
            found.append((str(item.get("name")), item.get("arguments")))
    for block in _objects(body.get("content")):
        if block.get("type") == "tool_use":
            found.append((str(block.get("name")), block.get("input")))
    return found


def _objects(value: Any) -> list[dict[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
