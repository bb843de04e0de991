"""Matchers of the text filter: a literal in any JSON spelling, or a regular expression."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import msgspec

from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.results.readers import Reader
from tui.core.text import check_pattern_size
from tui.errors import UsageError

REGEX_PREFIX = "re:"
"""Prefix of a text that is a regular expression."""

_ESCAPED = frozenset("\"\\/<>&'")
"""Printable ASCII characters that JSON writers escape, because they must or for HTML."""

_TIMEOUT_SECONDS = 0.25
"""Time limit of a pattern for one row."""

_MAX_CHARACTERS = 1 << 20
"""Characters of a row that a pattern searches, from the start of its request and its answer."""


class Matcher(Protocol):
    """Decides whether a line matches a text filter."""

    anchors: tuple[bytes, ...]
    """Every matching line contains one of these, in lower case; empty if no such text exists."""

    exact: bool
    """Whether every line that contains an anchor matches."""

    def is_match(
        self, buffer: mmap.mmap | bytes, start: int, end: int, reader: Reader | None = None
    ) -> bool:
        """Whether a line matches.

        Args:
            buffer: The file.
            start: Offset of the line.
            end: Offset of its end.
            reader: Parses a result line; ``None`` for a request line.
        """


def compile_matcher(text: str) -> Matcher:
    """Compile the text of a filter.

    Raises:
        UsageError: The regular expression is not valid.
    """
    if text.startswith(REGEX_PREFIX):
        return PatternMatcher(text.removeprefix(REGEX_PREFIX))
    return LiteralMatcher(text)


class LiteralMatcher:
    """Matches a literal text, case-insensitive.

    JSON can spell a character as itself or as an escape; both are found.

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

    def is_match(
        self, buffer: mmap.mmap | bytes, start: int, end: int, reader: Reader | None = None
    ) -> bool:
        """Whether a line contains the text."""
        return self._pattern.search(buffer, start, end) is not None


class PatternMatcher:
    """Matches a regular expression in prompts, answers, errors and ids, case-insensitive.

    Args:
        text: The expression in the syntax of the ``regex`` package, a superset of ``re``.

    Raises:
        UsageError: The expression is not valid, or too large.
    """

    anchors: tuple[bytes, ...] = ()
    exact = False

    def __init__(self, text: str) -> None:
        # Unlike `re`, it has a timeout, and other threads can run while it searches.
        import regex

        flags = regex.IGNORECASE | regex.MULTILINE
        try:
            check_pattern_size(text)
            self._search = regex.compile(text, flags).search
        except (regex.error, ValueError, OverflowError, RecursionError) as error:
            raise UsageError(
                f"{text!r} is not a valid regular expression: {error}",
                "Fix it, or remove re: to search for the literal text.",
            ) from None
        self._text = text

    def is_match(
        self, buffer: mmap.mmap | bytes, start: int, end: int, reader: Reader | None = None
    ) -> bool:
        """Whether the id, a text of the request, the answer or the error matches.

        Raises:
            UsageError: The search takes too long.
        """
        left = _MAX_CHARACTERS
        for text in _texts_of_line(buffer[start:end], reader):
            try:
                if self._search(text, 0, left, timeout=_TIMEOUT_SECONDS, concurrent=True):
                    return True
            except TimeoutError:
                raise UsageError(
                    f"the regular expression {self._text!r} takes too long on one row",
                    "Nested repetitions such as (a+)+ are slow: simplify it.",
                ) from None
            left -= len(text)
            if left <= 0:
                break
        return False


def _texts_of_line(line: bytes, reader: Reader | None) -> Iterable[str]:
    """Texts of a request line, or the id and the answer or error of a result line."""
    try:
        if reader is None:
            return _texts(decode_lenient(line))
        result = reader(line, None)
    except UnreadableLineError:
        return ()
    shown_text = result.text if result.error is None else result.error.message
    return (result.custom_id, shown_text)


def _texts(value: Any) -> Iterator[str]:
    """All strings in a JSON value, in order, without the names of fields."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            stack.extend(reversed(one.values()))
        elif isinstance(one, list):
            stack.extend(reversed(one))


def _is_unescaped(character: str) -> bool:
    """Whether JSON always spells a character as itself."""
    return character.isascii() and character.isprintable() and character not in _ESCAPED


def _plain_runs(text: str) -> Iterator[str]:
    run = ""
    for character in text:
        if _is_unescaped(character):
            run += character
        else:
            yield run
            run = ""
    yield run


def _spelling(character: str) -> bytes:
    if _is_unescaped(character):
        # re.IGNORECASE handles the case.
        return re.escape(character.encode())
    return b"(?:" + b"|".join(re.escape(form) for form in _forms(character)) + b")"


def _forms(character: str) -> list[bytes]:
    """All spellings of a character in JSON, in both cases."""
    found = [character.encode()]
    # re.IGNORECASE covers only ASCII in bytes patterns.
    for form in dict.fromkeys((character, character.lower(), character.upper())):
        found += sorted({msgspec.json.encode(form)[1:-1], *_escapes(form)})
    return list(dict.fromkeys(found))


def _escapes(text: str) -> Iterator[bytes]:
    units = text.encode("utf-16-be")
    yield "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)).encode()
    if text == "/":
        yield b"\\/"
