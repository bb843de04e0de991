"""What a text filter asks of a line: a literal in any of JSON's spellings, or a pattern."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import msgspec

from tui.core.readers import Reader
from tui.core.results import UnreadableLineError, decode_lenient
from tui.errors import UsageError

PATTERN = "re:"
"""What a text begins with that is a regular expression."""

_ESCAPED = frozenset("\"\\/<>&'")
"""Printable ASCII that JSON writers escape, by need or for the sake of HTML."""

_SECONDS = 0.25
"""How long a pattern may look at one row."""

_CHARACTERS = 1 << 20
"""How much of a row a pattern looks at, from the start of its request and of its answer."""


class Wanted(Protocol):
    """What is looked for."""

    anchors: tuple[bytes, ...]
    """Every line that holds it holds one of these, in lower case; none where that is not so."""

    exact: bool
    """Does every line with an anchor hold it?"""

    def is_in(
        self, buffer: mmap.mmap | bytes, start: int, end: int, reader: Reader | None = None
    ) -> bool:
        """Does the line between these places hold it?

        Args:
            buffer: The file.
            start: Where the line begins.
            end: Where it ends.
            reader: What understands a result line; ``None`` for a request.
        """


def wanted(text: str) -> Wanted:
    """What a text asks for.

    Raises:
        UsageError: A pattern that is none.
    """
    if text.startswith(PATTERN):
        return Pattern(text.removeprefix(PATTERN))
    return Literal(text)


class Literal:
    """A text as it stands, case-insensitive.

    JSON may write a character itself or as an escape: both are found.

    Args:
        text: Any text.
    """

    def __init__(self, text: str) -> None:
        clean = text.encode("utf-8", "replace").decode("utf-8")
        self._pattern = re.compile(b"".join(map(_spelling, clean)), re.IGNORECASE)
        plain = max(_plain_runs(clean), key=len, default="")
        if plain:
            self.anchors: tuple[bytes, ...] = (plain.lower().encode(),)
        else:
            first = clean[:1]
            self.anchors = tuple(dict.fromkeys(form.lower() for form in _forms(first)))
        self.exact = plain == clean

    def is_in(
        self, buffer: mmap.mmap | bytes, start: int, end: int, reader: Reader | None = None
    ) -> bool:
        """Does the line between these places hold it?"""
        return self._pattern.search(buffer, start, end) is not None


class Pattern:
    """A regular expression, case-insensitive, tried on prompts, answers, errors and ids.

    Args:
        text: In the syntax of the ``regex`` package, which is that of ``re`` and more.

    Raises:
        UsageError: It is none.
    """

    anchors: tuple[bytes, ...] = ()
    exact = False

    def __init__(self, text: str) -> None:
        # Unlike `re`, it can be told to give up, and lets other threads run meanwhile.
        import regex

        try:
            self._search = regex.compile(text, regex.IGNORECASE | regex.MULTILINE).search
        except regex.error as error:
            raise UsageError(
                f"{text!r} is not a pattern: {error.msg}",
                "Without re: in front it is looked for as it stands.",
            ) from None
        self._text = text

    def is_in(
        self, buffer: mmap.mmap | bytes, start: int, end: int, reader: Reader | None = None
    ) -> bool:
        """Does the id, a text of the request, the answer or the error fit?

        Raises:
            UsageError: It takes too long to find out.
        """
        left = _CHARACTERS
        for text in _said(buffer[start:end], reader):
            try:
                if self._search(text, 0, left, timeout=_SECONDS, concurrent=True):
                    return True
            except TimeoutError:
                raise UsageError(
                    f"the pattern {self._text!r} takes too long on one row",
                    "Repetitions inside repetitions are slow: make it simpler.",
                ) from None
            left -= len(text)
            if left <= 0:
                break
        return False


def _said(line: bytes, reader: Reader | None) -> Iterable[str]:
    """The texts of a request line, or what a result line says."""
    try:
        if reader is None:
            return _texts(decode_lenient(line))
        result = reader(line, None)
    except UnreadableLineError:
        return ()
    said = result.text if result.error is None else result.error.message
    return (result.custom_id, said)


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, in the order in which they stand; names of fields are none."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(reversed(one.values()))
        elif isinstance(one, list):
            waiting.extend(reversed(one))


def _is_plain(character: str) -> bool:
    """Is it always written as itself?"""
    return character.isascii() and character.isprintable() and character not in _ESCAPED


def _plain_runs(text: str) -> Iterator[str]:
    run = ""
    for character in text:
        if _is_plain(character):
            run += character
        else:
            yield run
            run = ""
    yield run


def _spelling(character: str) -> bytes:
    if _is_plain(character):
        # Case is left to the flag of the pattern.
        return re.escape(character.encode())
    return b"(?:" + b"|".join(re.escape(form) for form in _forms(character)) + b")"


def _forms(character: str) -> list[bytes]:
    """A character as itself and as JSON may write it, in both cases."""
    found = [character.encode()]
    # The flag folds ASCII only.
    for form in dict.fromkeys((character, character.lower(), character.upper())):
        found += sorted({msgspec.json.encode(form)[1:-1], *_escapes(form)})
    return list(dict.fromkeys(found))


def _escapes(text: str) -> Iterator[bytes]:
    units = text.encode("utf-16-be")
    yield "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)).encode()
    if text == "/":
        yield b"\\/"
