"""Public rules for the inside of a body that no list of fields can say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tui.compose.requests.tokens import least_tokens


def body_faults(
    body: Mapping[str, Any], url: str, checks: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong in a body, and what to do.

    Args:
        body: The body of a request.
        url: Its endpoint.
        checks: The rules of the provider: ``json_word``, ``strict_schema``.
    """
    form = body.get("response_format")
    if url.endswith("/responses"):
        text = body.get("text")
        form = text.get("format") if isinstance(text, Mapping) else None
    if not checks or not isinstance(form, Mapping):
        return
    if "json_word" in checks and form.get("type") == "json_object":
        prompt = body.get("messages", body.get("input"))
        texts = msgspec.json.encode([prompt, body.get("instructions")])
        if b"json" not in texts.lower():
            yield (
                'JSON mode ("json_object") without the word JSON in the messages',
                "Ask for JSON in the messages.",
            )
    inner = form.get("json_schema", form)
    if "strict_schema" in checks and isinstance(inner, Mapping) and inner.get("strict") is True:
        place = _open_object(inner.get("schema"), "schema")
        if place:
            yield (
                f'the strict schema has no "additionalProperties": false at {place}',
                'Add "additionalProperties": false to every object of the schema.',
            )


def _open_object(schema: Any, place: str) -> str:
    """The place of the first object of a schema that allows other properties."""
    if isinstance(schema, list):
        places = (_open_object(inner, f"{place}[{n}]") for n, inner in enumerate(schema))
        return next(filter(None, places), "")
    if not isinstance(schema, Mapping):
        return ""
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return place
    for name in ("properties", "$defs", "definitions"):
        inner = schema.get(name)
        for key, value in inner.items() if isinstance(inner, Mapping) else ():
            if found := _open_object(value, f"{place}.{name}.{key}"):
                return found
    for name in ("items", "anyOf", "allOf", "oneOf"):
        if found := _open_object(schema.get(name), f"{place}.{name}"):
            return found
    return ""


def too_long_input(body: Mapping[str, Any], limit: int) -> str:
    """What is wrong if an input of an embedding has certainly more tokens than the limit."""
    value = body.get("input")
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if isinstance(text, str) and len(text) > limit:
            tokens = least_tokens(text, "cl100k")
            if tokens > limit:
                return f"an input of at least {tokens:,.0f} tokens; the limit is {limit:,}"
    return ""
