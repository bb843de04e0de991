"""Keeping keys out of everything that a person or a log can read."""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec

_SHAPES = (
    re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=:-]{8,}"),
    re.compile(r"(?i)\b(x-api-key|api-key|x-goog-api-key)[\"']?\s*[:=]\s*[\"']?[^\s\"',;&}]{6,}"),
    re.compile(r"\b(sk|gsk|pplx|xai|fw|wrkspc-key)[-_][A-Za-z0-9_-]{16,}"),
    re.compile(r"(?<=://)[^/\s@:]+:[^/\s@]+(?=@)"),
)


def redact(text: str, key: str | None = None) -> str:
    """The text without the key, and without anything that has the shape of one.

    The one place where this is done: every message, repr and log line of this package that
    holds something from the wire comes through here.

    Args:
        text: Anything that is about to be shown.
        key: The account's key; also found when escaped for an address or for JSON.
    """
    if key:
        for form in {key, quote(key, safe=""), msgspec.json.encode(key)[1:-1].decode()}:
            text = text.replace(form, "[key]")
    for shape in _SHAPES:
        text = shape.sub("[key]", text)
    return text
