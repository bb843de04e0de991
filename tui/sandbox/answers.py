"""The simulated model: deterministic, readable answers made from the words of the request."""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

import msgspec

from .words import strings

_WORD = re.compile(r"[^\W\d_][\w'-]{3,24}")
_OPENINGS = (
    "the request is about {a}; {b} matters most, and {c} follows from it.",
    "{a} first, then {b}; taken together they point to {c}.",
    "in short, {a} depends on {b}, and {c} is the part to check.",
    "three things stand out: {a}, {b} and {c}.",
    "{b} explains most of {a}, with {c} as a smaller part.",
    "yes, as far as {a} goes; {b} and {c} need a closer look.",
)
_ENDINGS = (
    "",
    " A person should confirm the details.",
    " Nothing else in the text changes this.",
    " A longer text would allow a firmer answer.",
)
_DEEP = 5
_MOST_ITEMS = 100
REFUSAL = "I'm sorry, but I can't help with that request."
"""The text of a simulated refusal."""


def prompt(body: Any) -> tuple[str, int]:
    """Find what a request asks.

    Returns:
        The text of its last turn, and the number of characters in all of its text.
    """
    if not isinstance(body, dict):
        return "", 0
    size = 0
    for key in ("system", "instructions", "instruction", "system_prompt"):
        if key in body:
            size += sum(map(len, strings(body[key])))
    last = ""
    for key in ("messages", "input", "prompt", "text"):
        value = body.get(key)
        if isinstance(value, str):
            size, last = size + len(value), value
        elif isinstance(value, list):
            for turn in value:
                content = turn.get("content") if isinstance(turn, dict) else turn
                text = content if isinstance(content, str) else " ".join(_texts(content))
                size += len(text)
                last = text or last
    return last, size


def tokens(characters: int) -> int:
    """Estimate tokens as a quarter of the characters, at least one."""
    return max(1, (characters + 3) // 4)


def keywords(text: str, count: int = 3) -> list[str]:
    """Pick the longest different words of the start of a text, in their order."""
    words = list(dict.fromkeys(_WORD.findall(text[:240].lower())))
    chosen = sorted(words, key=len, reverse=True)[:count]
    chosen.sort(key=words.index)
    return chosen


def reply(text: str, seed: int) -> str:
    """Write a plain answer to a prompt."""
    chance = crc32(text.encode("utf-8", "replace"), seed & 0xFFFFFFFF)
    words = keywords(text)
    words += ["the question", "its wording", "the context"][len(words) :]
    opening = _OPENINGS[chance % len(_OPENINGS)]
    ending = _ENDINGS[(chance >> 8) % len(_ENDINGS)]
    return "Simulated answer: " + opening.format(a=words[0], b=words[1], c=words[2]) + ending


def answer(body: dict[str, Any], seed: int) -> tuple[str, int]:
    """Answer a request as text; JSON text where the request asks for JSON.

    Returns:
        The answer, and the tokens of the prompt.
    """
    text, size = prompt(body)
    form = body.get("response_format")
    if form is None and isinstance(body.get("text"), dict):
        form = body["text"].get("format")
    if form is None and isinstance(body.get("output_config"), dict):
        form = body["output_config"].get("format")
    said = reply(text, seed)
    if isinstance(form, dict) and form.get("type") in ("json_schema", "json_object"):
        holder = form.get("json_schema")
        schema = holder.get("schema") if isinstance(holder, dict) else form.get("schema")
        if isinstance(schema, dict):
            sampler = Sampler(schema, text, said, crc32(text.encode("utf-8", "replace"), seed))
            try:
                value = sampler.make(schema)
            except (TypeError, ValueError, KeyError, AttributeError, ZeroDivisionError):
                # A schema that is itself wrong still gets an answer.
                value = {"simulated": True}
            said = msgspec.json.encode(value).decode()
        else:
            said = msgspec.json.encode({"simulated": True, "answer": said}).decode()
    return said, tokens(size)


class Sampler:
    """Makes a small value that fits a JSON schema."""

    def __init__(self, root: dict[str, Any], text: str, said: str, chance: int) -> None:
        """Keep the root schema for `$ref` and the words that values are made of."""
        self._root = root
        self._text = text.lower()
        self._said = said
        self._chance = chance

    def make(self, schema: Any, depth: int = 0) -> Any:
        """Make a value for one schema; unknown parts are left out."""
        if not isinstance(schema, dict) or depth > 12:
            return None
        if "$ref" in schema:
            return self.make(self._resolve(str(schema["$ref"])), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choose(schema["enum"])
        for key in ("anyOf", "oneOf", "allOf"):
            if schema.get(key):
                return self.make(schema[key][0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if kind == "object":
            properties = schema.get("properties", {})
            if depth > _DEEP:
                # A schema that contains itself has to end somewhere.
                wanted = schema.get("required", [])
                properties = {name: properties[name] for name in wanted if name in properties}
            return {name: self.make(part, depth + 1) for name, part in properties.items()}
        if kind == "array":
            count = int(schema.get("minItems", 0 if depth > _DEEP else 1))
            count = min(max(count, 0), _MOST_ITEMS)
            return [self.make(schema.get("items", {}), depth + 1) for _ in range(count)]
        return self._scalar(kind, schema)

    def _scalar(self, kind: Any, schema: dict[str, Any]) -> Any:
        if kind in ("integer", "number"):
            low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
            high = schema.get("maximum", low + 9)
            if kind == "integer":
                return int(low) + self._chance % (int(high) - int(low) + 1)
            return round(low + (high - low) * (self._chance % 101) / 100, 4)
        if kind == "boolean":
            return bool(self._chance & 1)
        if kind == "null":
            return None
        limit = schema.get("maxLength")
        if schema.get("format") == "date":
            return "2026-01-31"
        if schema.get("format") == "date-time":
            return "2026-01-31T12:00:00Z"
        return self._said[:limit] if isinstance(limit, int) else self._said

    def _choose(self, values: list[Any]) -> Any:
        for value in values:
            if isinstance(value, str) and value.lower() in self._text:
                # A label that the prompt only lists among all labels says nothing.
                others = [v for v in values if isinstance(v, str) and v.lower() in self._text]
                if len(others) == 1:
                    return value
        return values[self._chance % len(values)]

    def _resolve(self, pointer: str) -> Any:
        place: Any = self._root
        for step in pointer.removeprefix("#").strip("/").split("/"):
            if step and isinstance(place, dict):
                place = place.get(step)
        return place


def _texts(content: Any) -> list[str]:
    if not isinstance(content, list):
        return []
    return [
        part["text"]
        for part in content
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
