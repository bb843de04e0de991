"""Checking answers against a JSON schema: the request's own, or one that a person gives.

Schemas and answers come from anywhere, so the check is bounded: a schema is at most 256 kB,
nothing is fetched for a ``$ref``, patterns may not backtrack for long, and a schema that would
take exponential time is refused or only used for answers that are not nested too deeply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

MOST_BYTES = 256 * 1024
"""Bytes of a schema; more is no description of an answer."""

_MOST_WORK = 20_000
"""Steps at one answer: naming what is wrong takes 50 microseconds for each."""

_DEEPEST = 128
_MOST_BACKTRACKS = 100_000
_SHOWN = 200

_IN_PLACE_ONE = ("not", "if", "then", "else", "$ref", "$dynamicRef", "$recursiveRef")
_IN_PLACE_MANY = ("allOf", "anyOf", "oneOf")
_IN_PLACE_NAMED = ("dependentSchemas", "dependencies")
_BELOW_ONE = (
    "items", "additionalItems", "contains", "additionalProperties", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_BELOW_NAMED = ("properties", "patternProperties")


class SchemaError(ValueError):
    """A schema that cannot be used; the text says why."""


class Schema:
    """One schema, ready to check with.

    Args:
        source: The schema as JSON.

    Raises:
        SchemaError: It is no schema, or would take too long to check with.
    """

    def __init__(self, source: bytes) -> None:
        if len(source) > MOST_BYTES:
            raise SchemaError(f"a schema of {len(source):,} bytes is too long")
        try:
            schema = msgspec.json.decode(source)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SchemaError(f"the schema is not JSON: {error}") from None
        if not isinstance(schema, (dict, bool)):
            raise SchemaError("a schema is an object")
        self.deepest = _deepest_affordable(schema)
        # Made by a compiler of its own, and only needed by whoever checks.
        import jsonschema_rs

        try:
            self._validator = jsonschema_rs.validator_for(
                schema,
                offline=True,
                pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_MOST_BACKTRACKS),
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            reason = getattr(error, "message", None) or str(error)
            raise SchemaError(f"the schema cannot be used: {reason[:_SHOWN]}") from None

    def fits(self, value: Any) -> bool:
        """Does a value fit?"""
        try:
            return _depth_within(value, self.deepest) and self._validator.is_valid(value)
        except ValueError:
            return False

    def problems(self, value: Any, count: int = 3) -> list[str]:
        """What is wrong with a value, place by place; empty when it fits."""
        if not _depth_within(value, self.deepest):
            return ["nested too deeply to be checked"]
        found: list[str] = []
        try:
            for error in self._validator.iter_errors(value):
                path = "".join(
                    f"[{step}]" if isinstance(step, int) else f".{step}"
                    for step in error.instance_path
                )
                found.append(f"${path}: {error.message[:_SHOWN]}")
                if len(found) == count:
                    break
        except ValueError as error:
            found.append(str(error)[:_SHOWN])
        return found


def _deepest_affordable(schema: Any) -> int:
    """To which depth of an answer the check stays cheap.

    Raises:
        SchemaError: It never is.
    """
    work = _Work(schema)
    try:
        recursive = work.is_recursive(schema)
        if work.of(schema, 0 if recursive else _DEEPEST) > _MOST_WORK:
            raise SchemaError("the schema branches too often to be checked with")
        if recursive:
            for depth in range(1, _DEEPEST + 1):
                if work.of(schema, depth) > _MOST_WORK:
                    return depth - 1
    except RecursionError:
        raise SchemaError("the schema is nested too deeply") from None
    return _DEEPEST


class _Work:
    """Counts how often parts of a schema may be looked at for an answer of some depth."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[tuple[int, int], int] = {}

    def of(self, node: Any, depth: int, stack: tuple[int, ...] = ()) -> int:
        """Upper bound of the steps at one place of an answer, and below it."""
        if not isinstance(node, dict) or id(node) in stack:
            return 1
        key = (id(node), depth)
        if key not in self._known:
            if len(stack) > _DEEPEST:
                raise SchemaError("the schema is nested too deeply")
            inside = (*stack, id(node))
            total = 1
            for child in self._in_place(node):
                total += self.of(child, depth, inside)
            for child in _below(node):
                # At another place of the answer the same node is no circle.
                total += self.of(child, depth - 1) if depth else 1
            self._known[key] = min(total, 10 * _MOST_WORK)
        return self._known[key]

    def is_recursive(self, node: Any) -> bool:
        """Does the schema contain itself?"""
        open_nodes: set[int] = set()
        done: set[int] = set()

        def visit(part: Any, depth: int) -> bool:
            if not isinstance(part, dict) or id(part) in done:
                return False
            if id(part) in open_nodes:
                return True
            if depth > _DEEPEST:
                raise SchemaError("the schema is nested too deeply")
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
        for name in _IN_PLACE_NAMED:
            yield from _parts(node.get(name))

    def _target(self, reference: str) -> Any:
        """What a reference leads to; one that is no path is counted as the whole schema."""
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
    for name in _BELOW_NAMED:
        yield from _parts(node.get(name))
    yield from _parts(node.get("prefixItems"))


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
