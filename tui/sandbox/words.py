"""The words in a request's text that make the sandbox misbehave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(
    r"sandbox:(?:fail=(?P<fail>400|401|404|429|500)\b"
    r"|flaky=(?P<flaky>429|500)\b"
    r"|(?P<plain>truncate|refuse|expire|slow)\b"
    r"|say=(?P<say>[^\r\n]*))"
)
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u([0-9a-fA-F]{4})"
)
_ENOUGH_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Words:
    """What the fault words of one request ask for.

    Attributes:
        fail: HTTP status that the row always fails with; 0 is none.
        flaky: HTTP status of the first send of the row; 0 is none.
        truncate: The answer is cut at the token limit.
        refuse: The model refuses.
        expire: The row never runs.
        slow: The row takes ten seconds longer.
        say: The exact answer, or `None`.
    """

    fail: int = 0
    flaky: int = 0
    truncate: bool = False
    refuse: bool = False
    expire: bool = False
    slow: bool = False
    say: str | None = None


NONE = Words()
"""A request without fault words."""


def strings(value: Any) -> Iterator[str]:
    """Yield every string inside a JSON value, in document order, without the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def read(body: Any) -> Words:
    """Read the fault words of a request body.

    The first word of a kind counts. `sandbox:say=` takes the rest of its line, so words behind
    it belong to the answer. `sandbox:truncate` counts only while the token limit of the request
    is under 1,000; an absent limit is under it.
    """
    fail = flaky = 0
    plain: set[str] = set()
    say: str | None = None
    for text in strings(body):
        if "sandbox:" not in text:
            continue
        for found in _WORD.finditer(text):
            if found["fail"]:
                fail = fail or int(found["fail"])
            elif found["flaky"]:
                flaky = flaky or int(found["flaky"])
            elif found["plain"]:
                plain.add(found["plain"])
            elif say is None:
                say = unescape(found["say"])
    return Words(
        fail=fail,
        flaky=flaky,
        truncate="truncate" in plain and _token_limit(body) < _ENOUGH_TOKENS,
        refuse="refuse" in plain,
        expire="expire" in plain,
        slow="slow" in plain,
        say=say,
    )


def read_line(line: bytes, body: Any) -> Words:
    """Read the fault words of a row, quickly where its raw bytes hold none."""
    return read(body) if b"sandbox:" in line else NONE


def unescape(text: str) -> str:
    r"""Turn `\uXXXX` into its character; a lone surrogate becomes U+FFFD."""

    def character(found: re.Match[str]) -> str:
        if found[1]:
            high, low = int(found[1], 16), int(found[2], 16)
            return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        code = int(found[3], 16)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)

    return _ESCAPE.sub(character, text)


def _token_limit(body: Any) -> float:
    if not isinstance(body, dict):
        return 0
    for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        value = body.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return 0
