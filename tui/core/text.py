"""Text from elsewhere made safe to show, bytes cut into lines, and patterns that are too large."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from typing import BinaryIO

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: ESC, CSI, OSC and the rest
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, marks
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, separators, bidi
    "\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff"  # lone surrogates: cannot be encoded
    "\U000e0000-\U000e0fff"  # tags
    "]"
)
_UNSAFE_EXCEPT_NEWLINE = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPACES = re.compile(r"\s+")


_JOINED = (
    "\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufefc"  # Arabic, Syriac, N'Ko and relatives
    "\u0900-\u0dff\u0e00-\u0fff\u1000-\u109f\u1780-\u17b3\u17b6-\u17ff"  # India to Cambodia
    "\u1820-\u18aa\u1900-\u1cff\ua840-\ua8ff\ua980-\uaaff\uabc0-\uabff\U00011000-\U0001144f"
)
_EMOJI = "\u00a9\u00ae\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff"
# These two are compiled when they are first used: most texts have no joiner.
_LETTER = f"[{_JOINED}]"
_PICTURE = f"[{_EMOJI}]"
_JOINERS = "\u200c\u200d"
_FLAG_TAGS = re.compile("\U0001f3f4[\U000e0030-\U000e007a]{1,8}\U000e007f")


def _is_writing(text: str, place: int) -> bool:
    """Whether an invisible character belongs to the script that it stands in.

    A joiner between two letters of a script with joined forms or two pictures of an emoji, a
    variation selector after an ideograph, or a tag of a regional flag.
    """
    character = text[place]
    before = text[place - 1] if place else ""
    after = text[place + 1 : place + 2]
    if character in _JOINERS:
        if re.match(_LETTER, before) and re.match(_LETTER, after):
            return True
        joins_pictures = re.match(_PICTURE, before) and re.match(_PICTURE, after)
        return bool(character == "\u200d" and joins_pictures)
    if "\U000e0100" <= character <= "\U000e01ef":
        return "\u3400" <= before <= "\u9fff" or "\U00020000" <= before <= "\U0003ffff"
    if "\U000e0020" <= character <= "\U000e007f":
        start = text.rfind("\U0001f3f4", max(place - 9, 0), place)
        return (
            start >= 0
            and (flag := _FLAG_TAGS.match(text, start)) is not None
            and (place < flag.end())
        )
    return False


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    if character > "\u2000" and _is_writing(match.string, match.start()):
        return character
    code = ord(character)
    if code < 0xA0:
        return _SHORT.get(character) or f"\\x{code:02x}"
    return f"⟨U+{code:04X}⟩"


def visible(text: str, *, newlines: bool = False) -> str:
    r"""Escape control characters and invisible characters.

    Control characters become ``\x1b``, ``\n`` and so on; bidi overrides, zero-width
    characters, line separators and lone surrogates become ``⟨U+202E⟩``. Joiners and variation
    selectors that the script needs where they stand are kept: between the letters of Persian or
    Hindi, or inside an emoji. The result can always be encoded.

    Args:
        text: Any text.
        newlines: Keep line feeds (``\r\n`` becomes one) and turn tabs into four spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    if not newlines:
        return _UNSAFE.sub(_escaped, text)
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    return _UNSAFE_EXCEPT_NEWLINE.sub(_escaped, text)


def is_safe(text: str) -> bool:
    """Whether a text has no control characters and no invisible characters."""
    return (text.isascii() and text.isprintable()) or _UNSAFE.search(text) is None


def without_unsafe(text: str) -> str:
    """The text without control characters and invisible characters."""
    return _UNSAFE.sub("", text)


def shorten(text: str, width: int) -> str:
    """The text cut to at most ``width`` characters, with an ellipsis if it was longer."""
    if len(text) <= width:
        return text
    return text[: max(width - 1, 0)] + "…" if width > 0 else ""


MAX_PATH = 40
"""Characters of a path in a sentence that is shown for a moment."""

_PATH = re.compile(rf"(?<!\S)(?!\S*://)(?=\S*/\S*/)\S{{{MAX_PATH + 1},}}")


def shorten_middle(text: str, width: int) -> str:
    """The text cut in the middle to at most ``width`` characters, with most of its end."""
    if len(text) <= width or width <= 0:
        return shorten(text, width)
    head = (width - 1) // 3
    tail = width - 1 - head
    return f"{text[:head]}…{text[len(text) - tail :]}"


def shorten_paths(text: str) -> str:
    """A sentence with its long paths cut in the middle, so that the rest of it can be seen.

    Addresses (``https://…``) stay whole.
    """
    return _PATH.sub(lambda found: shorten_middle(found[0], MAX_PATH), text)


def one_line(text: str, width: int) -> str:
    """The start of a text as one line of at most ``width`` characters.

    Runs of whitespace become one space; otherwise escaped as in ``visible``.
    """
    window = 4 * width + 64
    head = visible(_SPACES.sub(" ", text[:window]).strip())
    if len(text) > window and text[window:].strip() and len(head) <= width:
        head += "…"
    return shorten(head, width)


def quoted(text: str, width: int = 60) -> str:
    """The text in single quotes, escaped and cut to ``width`` characters, for messages."""
    return f"'{shorten(visible(text[: width + 1]), width)}'"


def value_label(value: str | None, width: int) -> str:
    """The value of a column as one line: in quotation marks if space around it matters."""
    if value is None:
        return "(no value)"
    if not value:
        return "(empty)"
    start = value[: 4 * width]
    if start.strip() and start == start.lstrip() and value[-1:].strip():
        return one_line(value, width)
    return f'"{shorten(visible(value[:width]), width - 2)}"'


def close_matches(word: str, words: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The closest word, if one is close."""
    # Loading it takes a while.
    import difflib

    return difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)


CHUNK = 1 << 18
"""Bytes read at a time: large enough to be fast, small enough for constant memory."""

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r\n\v\f\x00"
"""What a blank line may have; a file that was not written to its end is filled up with zeros."""


def free_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """The name, with a number appended (``-2``, ``-3``…) if it is taken."""
    numbered = (f"{name}-{number}" for number in count(2))
    return next(free for free in chain((name,), numbered) if not is_taken(free))


def split_lines(file: BinaryIO, start: int = 0) -> Iterator[tuple[int, bytes]]:
    r"""Iterate over the lines of a file as (byte offset, line without its ``\n``).

    A last line without ``\n`` is included. A trailing ``\r`` is kept.

    Args:
        file: A binary file, read from its current position.
        start: The offset of that position, added to all offsets.
    """
    offset = start
    rest: list[bytes] = []
    while chunk := file.read(CHUNK):
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            rest.append(chunk)
            continue
        if rest:
            rest.append(head)
            head = b"".join(rest)
        for line in head.split(b"\n"):
            yield offset, line
            offset += len(line) + 1
        rest = [tail] if tail else []
    if rest:
        yield offset, b"".join(rest)


MAX_PATTERN = 10_000
"""The maximum characters of a regular expression."""

MAX_PIECES = 100_000
"""The maximum pieces of a regular expression when its counts are written out.

``a{999999999}`` takes all memory while it is compiled, which no time-out can end. The package
``regex`` writes the least number of repetitions out; measured, 100,000 pieces take 0.1 s and
40 MB.
"""

_COUNT = re.compile(r"\{\s*(\d+)\s*(?:,\s*\d*\s*)?\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]?", re.DOTALL)


class PatternSizeError(ValueError):
    """A pattern is too large; the text says why."""


def check_pattern_size(pattern: str) -> None:
    """Check that a pattern can be compiled in little time and memory.

    Raises:
        PatternSizeError: It is too long, or its counts are too large.
    """
    if len(pattern) > MAX_PATTERN:
        raise PatternSizeError(f"it has more than {MAX_PATTERN:,} characters")
    if _pieces(pattern) > MAX_PIECES:
        raise PatternSizeError(
            f"its counts multiply to more than {MAX_PIECES:,}; use smaller ones, as in a{{1,100}}"
        )


def _pieces(pattern: str) -> int:
    """Pieces of a pattern: characters, each times the counts of the groups around it."""
    # One sum for each open group, and the size of the last piece, which a count multiplies.
    sums = [0]
    last = 0
    place = 0
    while place < len(pattern):
        character = pattern[place]
        size = 1
        if character == "(":
            sums.append(0)
            last = 0
        elif character == ")" and len(sums) > 1:
            last = sums.pop() + 1
            sums[-1] += last
        elif character == "{" and (count := _COUNT.match(pattern, place)):
            size = len(count[0])
            # Digits beyond these change nothing, and int() refuses more than 4,300.
            times = int(count[1][:12])
            sums[-1] += last * max(0, times - 1)
            last *= max(1, times)
        else:
            if character == "[" and (found := _CLASS.match(pattern, place)):
                size = len(found[0])
            elif character == "\\":
                size = 2
            last = 1
            sums[-1] += last
        place += size
    return sum(sums)
