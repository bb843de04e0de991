"""What a row holds, in pieces that can be shown: text, JSON, bars, marked text, files."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["text", "json", "thinking", "refusal", "note", "bars", "marked", "table"]


class Bar(msgspec.Struct, frozen=True):
    """A label with a share between 0 and 1; ``chosen`` is the one that won."""

    label: str
    score: float
    chosen: bool = False


class Mark(msgspec.Struct, frozen=True):
    """A stretch of a text, by characters, with what was found there and how sure it is."""

    start: int
    end: int
    label: str
    confidence: float | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One piece, with the line above it.

    ``text`` is foreign text as it came; in a block of kind ``json`` it is JSON. ``bars`` belong
    to the kind ``bars``, ``marks`` (in order, none over another) to ``marked``, ``cells`` to
    ``table``. The chosen bars of one that ``is_alarming`` are what somebody was warned of.
    """

    kind: Kind = "text"
    title: str = ""
    text: str = ""
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
    is_alarming: bool = False

    @property
    def holds_more_than_a_title(self) -> bool:
        """Does something stand below the title?"""
        return bool(self.text or self.bars or self.marks or self.cells)


def json_block(value: object, title: str = "") -> Block:
    """A value as a block of JSON, indented."""
    return Block(kind="json", title=title, text=pretty(value))


def pretty(value: object) -> str:
    """JSON over several lines, with all letters as they are."""
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError, ValueError):
        # Lone surrogates are legal in JSON escapes, and only there.
        import json

        return json.dumps(value, indent=2, ensure_ascii=False)


def text_or_json(text: str, title: str = "") -> Block:
    """A text, or the JSON that it is."""
    if text.lstrip()[:1] in ("{", "[") and len(text) <= 1 << 20:
        try:
            return json_block(msgspec.json.decode(text), title)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            pass
    return Block(title=title, text=text)
