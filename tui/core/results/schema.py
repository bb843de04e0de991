"""Whether answers match their JSON schema: finding the schema, validating, naming problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import msgspec

from tui.core.requests import edit_request
from tui.core.results.json_answers import extract_json
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient, response_body
from tui.core.results.readers import READERS
from tui.core.rows import Outcome

MAX_SCHEMA_BYTES = 256 * 1024
"""Largest schema, in bytes."""

_MAX_STEPS = 20_000
"""Most steps for one answer; reporting a problem takes 50 microseconds per step."""

_MAX_DEPTH = 128
_MAX_BACKTRACKS = 100_000
_MAX_MESSAGE = 200
_TOO_DEEP = "the schema is nested too deeply"

_IN_PLACE_ONE = ("not", "if", "then", "else", "$ref", "$dynamicRef", "$recursiveRef")
_IN_PLACE_MANY = ("allOf", "anyOf", "oneOf", "dependentSchemas", "dependencies")
_BELOW_ONE = (
    "items", "additionalItems", "contains", "additionalProperties", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_BELOW_MANY = ("properties", "patternProperties", "prefixItems")


class SchemaError(ValueError):
    """An invalid or too expensive schema; the text says why."""


class Schema:
    """A compiled JSON schema.

    Args:
        source: The schema as JSON.

    Raises:
        SchemaError: The schema is invalid, or checking would take too long.
    """

    def __init__(self, source: bytes) -> None:
        if len(source) > MAX_SCHEMA_BYTES:
            raise SchemaError(f"the schema is too large: {len(source):,} bytes")
        try:
            schema = msgspec.json.decode(source)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SchemaError(f"the schema is not JSON: {error}") from None
        except RecursionError:
            raise SchemaError(_TOO_DEEP) from None
        if not isinstance(schema, (dict, bool)):
            raise SchemaError("a schema must be an object")
        self.deepest = _max_cheap_depth(schema)
        # A compiled extension that is slow to import; load it only when needed.
        import jsonschema_rs

        try:
            self._validator = jsonschema_rs.validator_for(
                schema,
                offline=True,
                pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_MAX_BACKTRACKS),
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            reason = getattr(error, "message", None) or str(error)
            raise SchemaError(f"invalid schema: {reason[:_MAX_MESSAGE]}") from None

    def fits(self, value: Any) -> bool:
        """Whether a value matches the schema."""
        try:
            return _depth_within(value, self.deepest) and self._validator.is_valid(value)
        except ValueError:
            return False

    def problems(self, value: Any, count: int = 3) -> list[str]:
        """At most ``count`` problems of a value, with their paths; empty if it matches."""
        if not _depth_within(value, self.deepest):
            return ["nested too deeply to check"]
        found: list[str] = []
        try:
            for error in self._validator.iter_errors(value):
                path = "".join(
                    f"[{step}]" if isinstance(step, int) else f".{step}"
                    for step in error.instance_path
                )
                found.append(f"${path}: {error.message[:_MAX_MESSAGE]}")
                if len(found) == count:
                    break
        except ValueError as error:
            found.append(str(error)[:_MAX_MESSAGE])
        return found


def _max_cheap_depth(schema: Any) -> int:
    """The deepest nesting of an answer for which the check stays cheap.

    Raises:
        SchemaError: The check is never cheap.
    """
    counter = _StepCounter(schema)
    try:
        recursive = counter.is_recursive(schema)
        if counter.of(schema, 0 if recursive else _MAX_DEPTH) > _MAX_STEPS:
            raise SchemaError("the schema has too many branches")
        if recursive:
            for depth in range(1, _MAX_DEPTH + 1):
                if counter.of(schema, depth) > _MAX_STEPS:
                    return depth - 1
    except RecursionError:
        raise SchemaError(_TOO_DEEP) from None
    return _MAX_DEPTH


class _StepCounter:
    """Bounds the steps that a schema takes for an answer of some depth."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[tuple[int, int], int] = {}

    def of(self, node: Any, depth: int, stack: tuple[int, ...] = ()) -> int:
        """Upper bound of the steps for a value of an answer and everything below it."""
        if not isinstance(node, dict) or id(node) in stack:
            return 1
        key = (id(node), depth)
        if key not in self._known:
            if len(stack) > _MAX_DEPTH:
                raise SchemaError(_TOO_DEEP)
            inside = (*stack, id(node))
            total = 1
            for child in self._in_place(node):
                total += self.of(child, depth, inside)
            for child in _below(node):
                # Deeper in the answer, meeting the same node again is not a cycle.
                total += self.of(child, depth - 1) if depth else 1
            self._known[key] = min(total, 10 * _MAX_STEPS)
        return self._known[key]

    def is_recursive(self, node: Any) -> bool:
        """Whether the schema refers to itself."""
        open_nodes: set[int] = set()
        done: set[int] = set()

        def visit(part: Any, depth: int) -> bool:
            if not isinstance(part, dict) or id(part) in done:
                return False
            if id(part) in open_nodes:
                return True
            if depth > _MAX_DEPTH:
                raise SchemaError(_TOO_DEEP)
            open_nodes.add(id(part))
            found = any(visit(child, depth + 1) for child in (*self._in_place(part), *_below(part)))
            open_nodes.discard(id(part))
            done.add(id(part))
            return found

        return visit(node, 0)

    def _in_place(self, node: Mapping[str, Any]) -> Iterator[Any]:
        for name in _IN_PLACE_ONE:
            child = node.get(name)
            if isinstance(child, str):
                yield self._target(child)
            elif child is not None:
                yield child
        for name in _IN_PLACE_MANY:
            yield from _parts(node.get(name))

    def _target(self, reference: str) -> Any:
        """Target of a reference; one that is not a path counts as the whole schema."""
        if not reference.startswith("#/"):
            return self._root
        target: Any = self._root
        for step in reference[2:].split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict):
                target = target.get(step)
            elif isinstance(target, list) and step.isdigit() and int(step) < len(target):
                target = target[int(step)]
            else:
                return None
        return target


def _below(node: Mapping[str, Any]) -> Iterator[Any]:
    for name in _BELOW_ONE:
        child = node.get(name)
        if isinstance(child, dict):
            yield child
        elif isinstance(child, list):
            yield from child
    for name in _BELOW_MANY:
        yield from _parts(node.get(name))


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _depth_within(value: Any, deepest: int) -> bool:
    level: list[Any] = [value]
    for _ in range(deepest + 1):
        level = [
            child
            for part in level
            if isinstance(part, (dict, list))
            for child in (part.values() if isinstance(part, dict) else part)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return True
    return False


_MAX_CACHED = 256
"""Compiled schemas kept in memory; a job usually has one or a few."""

_LONGEST = 4 << 20
"""Longest answer that is checked, in characters."""

_OUTCOMES = frozenset({Outcome.SUCCEEDED, Outcome.TRUNCATED})


class SchemaResult(IntEnum):
    """Result of checking one row; an integer, to store it for millions of rows.

    ``NOTHING``: there is no answer, or no schema. ``UNUSABLE``: the schema itself is invalid.
    """

    UNCHECKED = 0
    FITS = 1
    MISFITS = 2
    NOT_JSON = 3
    NOTHING = 4
    UNUSABLE = 5

    @property
    def is_bad(self) -> bool:
        """Whether the answer does not match its schema."""
        return self in (SchemaResult.MISFITS, SchemaResult.NOT_JSON)


class CheckedAnswer(msgspec.Struct, frozen=True):
    """A verdict with its reasons, for display."""

    verdict: SchemaResult
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


class _Expectation(msgspec.Struct):
    """The schemas of a request: for the answer, and for the arguments of each tool."""

    answer: Schema | None = None
    tools: dict[str, Schema] = {}
    trouble: str = ""

    @property
    def is_empty(self) -> bool:
        return self.answer is None and not self.tools and not self.trouble


_decode_request = msgspec.json.Decoder(_Request).decode
_NOTHING = CheckedAnswer(SchemaResult.NOTHING)


class AnswerChecker:
    """Checks answers against schemas; not thread-safe.

    Args:
        given: The schema for every answer; by default each request's own schema.
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
    ) -> SchemaResult:
        """Check one row without naming problems; see ``judge``."""
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
    ) -> CheckedAnswer:
        """Check one row.

        Args:
            outcome: Outcome of the row; only succeeded and truncated rows are checked.
            request: The request line.
            result: The result line.
            style: Style of the result line (see ``tui.core.results.readers``).
            edits: The edits that were applied to the request.
            count: Most problems to name; with 0 only the verdict is computed.
        """
        if outcome not in _OUTCOMES or not result or style not in READERS:
            return _NOTHING
        expected = self._expected(request, edits)
        if expected.is_empty:
            return _NOTHING
        if expected.trouble:
            return CheckedAnswer(SchemaResult.UNUSABLE, (expected.trouble,))
        if expected.tools:
            calls = _calls(result)
            if calls:
                return _check_calls(calls, expected.tools, count)
        if expected.answer is None:
            return _NOTHING
        try:
            text = READERS[style](result, None).text
        except UnreadableLineError:
            return _NOTHING
        return _check_text(text, expected.answer, count)

    def judge_text(
        self, text: str, request: bytes, edits: Mapping[str, Any] | None = None, *, count: int = 3
    ) -> CheckedAnswer:
        """Check a text in place of the answer, such as a correction; see ``judge``."""
        expected = self._expected(request, edits)
        if expected.answer is None or expected.trouble:
            return _NOTHING
        return _check_text(text, expected.answer, count)

    def _expected(self, request: bytes, edits: Mapping[str, Any] | None) -> _Expectation:
        if self._given is not None:
            return _Expectation(answer=self._given)
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
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            known = self._known[key] = _parse_schemas(
                dict(zip(_Body.__struct_fields__, key, strict=True))
            )
        return known


def _parse_schemas(fields: Mapping[str, bytes]) -> _Expectation:
    values = {name: _value(raw) for name, raw in fields.items()}
    expected = _Expectation()
    try:
        answer = _answer_schema(values)
        if answer is not None:
            expected.answer = Schema(msgspec.json.encode(answer))
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


def _answer_schema(values: Mapping[str, Any]) -> Any:
    """The schema for the answer in any dialect: chat, Responses, Anthropic, vLLM."""
    for name, inner in (
        ("response_format", None),
        ("text", "format"),
        ("output_config", "format"),
        ("output_format", None),
    ):
        answer_format = values[name]
        if inner is not None:
            answer_format = answer_format.get(inner) if isinstance(answer_format, dict) else None
        if not isinstance(answer_format, dict):
            continue
        if answer_format.get("type") == "json_object":
            # Any JSON object matches.
            return {"type": "object"}
        nested = answer_format.get("json_schema")
        schema = nested.get("schema") if isinstance(nested, dict) else answer_format.get("schema")
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


def _check_text(text: str, schema: Schema, count: int) -> CheckedAnswer:
    found = extract_json(text) if len(text) <= _LONGEST else None
    if found is None:
        problem = "too long to check" if len(text) > _LONGEST else "the answer is not JSON"
        return CheckedAnswer(SchemaResult.NOT_JSON, (problem,))
    return _check_value(msgspec.json.decode(found), schema, count)


def _check_value(value: Any, schema: Schema, count: int) -> CheckedAnswer:
    if count:
        problems = tuple(schema.problems(value, count))
        return CheckedAnswer(SchemaResult.MISFITS if problems else SchemaResult.FITS, problems)
    return CheckedAnswer(SchemaResult.FITS if schema.fits(value) else SchemaResult.MISFITS)


def _check_calls(
    calls: list[tuple[str, Any]], tools: Mapping[str, Schema], count: int
) -> CheckedAnswer:
    for name, arguments in calls:
        schema = tools.get(name)
        if schema is None:
            return CheckedAnswer(SchemaResult.MISFITS, (f"{name}: unknown tool",))
        if isinstance(arguments, str):
            try:
                arguments = msgspec.json.decode(arguments or "{}")
            except (msgspec.MsgspecError, RecursionError):
                return CheckedAnswer(
                    SchemaResult.NOT_JSON, (f"{name}: the arguments are not JSON",)
                )
        judgement = _check_value(arguments, schema, count)
        if judgement.verdict is not SchemaResult.FITS:
            return CheckedAnswer(
                judgement.verdict, tuple(f"{name}: {problem}" for problem in judgement.problems)
            )
    return CheckedAnswer(SchemaResult.FITS)


def _calls(result: bytes) -> list[tuple[str, Any]]:
    """Name and arguments of each tool call in a result line, in any dialect."""
    try:
        value = decode_lenient(result)
    except UnreadableLineError:
        return []
    found: list[tuple[str, Any]] = []
    body = response_body(value)
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
