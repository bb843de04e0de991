"""Display blocks of a row: text, JSON, bars, highlighted text, tables."""

from __future__ import annotations

import json
from typing import Literal

import msgspec

BlockKind = Literal["text", "json", "thinking", "refusal", "note", "bars", "marked", "table"]


class Bar(msgspec.Struct, frozen=True):
    """A label with a score from 0 to 1; ``chosen`` marks the selected one."""

    label: str
    score: float
    chosen: bool = False


class Mark(msgspec.Struct, frozen=True):
    """A labelled range of a text, in characters, with an optional confidence (0 to 1)."""

    start: int
    end: int
    label: str
    confidence: float | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One block, with an optional title.

    ``text`` is untrusted, unescaped text; for the kind ``json`` it is JSON. ``bars`` are used
    by the kind ``bars``, ``marks`` (sorted, not overlapping) by ``marked``, ``cells`` by
    ``table``. ``is_warning`` shows the chosen bars as a warning (flagged content).
    """

    kind: BlockKind = "text"
    title: str = ""
    text: str = ""
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
    is_warning: bool = False

    @property
    def has_content(self) -> bool:
        """Whether there is anything below the title."""
        return bool(self.text or self.bars or self.marks or self.cells)


def json_block(value: object, title: str = "") -> Block:
    """A value as a block of indented JSON."""
    return Block(kind="json", title=title, text=pretty_json(value))


def pretty_json(value: object) -> str:
    """Indented JSON with non-ASCII characters unescaped."""
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError, ValueError):
        # msgspec rejects lone surrogates, which are legal in JSON escapes.
        return json.dumps(value, indent=2, ensure_ascii=False)


def text_or_json(text: str, title: str = "") -> Block:
    """A block of JSON if the text is JSON, else a block of text."""
    if text.lstrip()[:1] in ("{", "[") and len(text) <= 1 << 20:
        try:
            return json_block(msgspec.json.decode(text), title)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            pass
    return Block(title=title, text=text)
