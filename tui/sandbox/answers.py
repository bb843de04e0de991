"""What the simulated model answers: text about the prompt, JSON for a schema, ScaleDown's forms."""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

import msgspec

from tui.sandbox.outcomes import strings

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
_MAX_DEPTH = 5
_MAX_ITEMS = 100
REFUSAL = "I'm sorry, but I can't help with that request."
"""The text of a simulated refusal."""


def prompt(body: Any) -> tuple[str, int]:
    """Extract the prompt of a request.

    Returns:
        The text of its last turn, and the number of characters of all its text.
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
    """Pick the longest distinct words from the start of a text, in order."""
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
    """Answer a request with text, or with JSON if the request asks for it.

    Returns:
        The answer, and the number of prompt tokens.
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
                # An invalid schema still gets an answer.
                value = {"simulated": True}
            said = msgspec.json.encode(value).decode()
        else:
            said = msgspec.json.encode({"simulated": True, "answer": said}).decode()
    return said, tokens(size)


class Sampler:
    """Builds a small value that matches a JSON schema."""

    def __init__(self, root: dict[str, Any], text: str, said: str, chance: int) -> None:
        """Create a sampler; `root` resolves `$ref`, `said` fills strings, `chance` picks values."""
        self._root = root
        self._text = text.lower()
        self._said = said
        self._chance = chance

    def make(self, schema: Any, depth: int = 0) -> Any:
        """Build a value for one schema; unknown keywords are ignored."""
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
            if depth > _MAX_DEPTH:
                # Ends the recursion of a schema that contains itself.
                wanted = schema.get("required", [])
                properties = {name: properties[name] for name in wanted if name in properties}
            return {name: self.make(part, depth + 1) for name, part in properties.items()}
        if kind == "array":
            count = int(schema.get("minItems", 0 if depth > _MAX_DEPTH else 1))
            count = min(max(count, 0), _MAX_ITEMS)
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
                # Ignore a prompt that merely lists all the labels.
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


MODELS = ("extract", "classify", "summarize")
"""The three models."""


def is_scaledown_body(body: Any) -> bool:
    """Whether a body is for one of the three models, and not a chat with a model of that name.

    Such a body is flat: `text` and options at the top level, no `messages`.
    """
    return isinstance(body, dict) and body.get("model") in MODELS and "messages" not in body


def fault(body: Any) -> str:
    """Describe what is wrong with a body; empty if it is valid."""
    if not isinstance(body, dict):
        return "body must be an object"
    name = body.get("model")
    if name not in MODELS:
        return f"unknown model '{name}', use one of: {', '.join(MODELS)}"
    if "document" in body:
        return "document is not supported in batches"
    if not isinstance(body.get("text"), str):
        return "text is required"
    if name == "extract" and not isinstance(body.get("entities"), dict):
        return "entities is required"
    labels = body.get("labels")
    if name == "classify":
        if not isinstance(labels, list) or not 2 <= len(labels) <= 26:
            return "labels must have 2 to 26 entries"
        if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in labels):
            return "every label needs a name"
    return ""


def scaledown_answer(
    body: dict[str, Any], seed: int, *, cut: bool = False, second: bool = False
) -> dict[str, Any]:
    """Answer a valid body; the content of the response is the JSON of the returned value.

    Args:
        body: The request.
        seed: Changes the answer.
        cut: Whether to cut off a summary, as a token limit does.
        second: Whether to use the entity format of the second API generation.
    """
    name, text = body["model"], str(body["text"])
    said = reply(text, seed)
    if name == "summarize":
        said = said[: len(said) // 2] if cut else said
        return {"summary": said, "input_chars": len(text), "output_chars": len(said)}
    chance = crc32(text.encode("utf-8", "replace"), seed & 0xFFFFFFFF)
    if name == "extract":
        return {"entities": _entities(body["entities"], text, chance, second=second)}
    names = [item["name"] for item in body["labels"]]
    known = [label for label in names if label.lower() in text.lower()]
    top = known[0] if known else names[chance % len(names)]
    rest = round(0.2 / (len(names) - 1), 4)
    scores = {label: 0.8 if label == top else rest for label in names}
    return {
        "top_label": top,
        "scores": scores,
        "reasoning": said,
        "labels": [{"name": label, "score": scores[label]} for label in names],
    }


def _entities(
    wanted: dict[str, Any], text: str, chance: int, *, second: bool
) -> list[dict[str, Any]]:
    """Use the longest words of the text as entities of the wanted labels, with positions."""
    sure = round(0.6 + (chance % 40) / 100, 2)
    found: list[dict[str, Any]] = []
    for label, word in zip(wanted, keywords(text, len(wanted)), strict=False):
        place = re.search(re.escape(word), text, re.IGNORECASE)
        if place is None:
            # Lower-casing can change the length of a word, which is then not found.
            continue
        # The two API generations have different entity formats.
        if second:
            found.append({"type": label, "value": place[0], "score": sure})
        else:
            found.append({"type": label, "text": place[0], "confidence": sure,
                          "start": place.start(), "end": place.end()})  # fmt: skip
    return found
