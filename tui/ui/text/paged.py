"""Paged text: shown in parts on the screen, as a whole in pager, editor and clipboard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from textual.content import Content
from textual.highlight import highlight

from tui.core import formatting
from tui.core.text import visible
from tui.ui.text.tones import Part, Tone, content

CAP = 64 * 1024
"""Maximum characters of one part."""

_NEAR = 4096
"""A part ends after a line if a line ends within this many characters of its limit."""


@dataclass(frozen=True)
class Piece:
    """A piece of raw text with a tone, or of JSON to highlight.

    ``is_remark`` marks a remark by Batchdeck, which is left out when the text is copied.
    """

    text: str
    tone: Tone = ""
    is_json: bool = False
    is_remark: bool = False


class PagedText:
    """A text of pieces, shown part by part.

    It may be created and cut in threads. Control characters are replaced by visible ones in
    everything it returns.

    Args:
        pieces: The text; empty pieces are dropped.
        suffix: The file name suffix for the text.
    """

    def __init__(self, pieces: Iterable[Piece], suffix: str = ".txt") -> None:
        self.pieces = tuple(piece for piece in pieces if piece.text)
        self.suffix = suffix
        self.length = sum(len(piece.text) for piece in self.pieces)
        self._starts = [0]

    @property
    def whole(self) -> str:
        """The whole text, escaped. Call it in a thread if the text is long."""
        return "".join(visible(piece.text, newlines=True) for piece in self.pieces)

    @property
    def bare(self) -> str:
        """The text without remarks, escaped. Call it in a thread if the text is long."""
        return "".join(
            visible(piece.text, newlines=True) for piece in self.pieces if not piece.is_remark
        )

    @cached_property
    def shown(self) -> Content:
        """The first part, followed by a hint on how to see more."""
        first = self.part(0)
        rest = self.more_hint(0)
        return first + content([rest]) if rest is not None else first

    def more_hint(self, number: int) -> Part | None:
        """The line that says how much follows a part; ``None`` after the last part."""
        if self._end(number) >= self.length:
            return None
        left = formatting.size(self.length - self._end(number))
        return (f"\n… {left} more: enter shows the next part, press v for the pager", "accent")

    def part(self, number: int) -> Content:
        """One part of the text, styled; parts are counted from 0."""
        return Content("").join(
            _coloured(piece) for piece in self._cut(self._start(number), self._end(number))
        )

    def _start(self, number: int) -> int:
        while len(self._starts) <= number:
            self._starts.append(self._end(len(self._starts) - 1))
        return self._starts[number]

    def _end(self, number: int) -> int:
        """The end of a part, after a line if one ends near the limit."""
        end = self._start(number) + CAP
        if end >= self.length:
            return self.length
        near = "".join(piece.text for piece in self._cut(end - _NEAR, end))
        return end - (len(near) - 1 - near.rfind("\n")) if "\n" in near else end

    def _cut(self, start: int, end: int) -> Iterator[Piece]:
        at = 0
        for piece in self.pieces:
            text = piece.text[max(0, start - at) : max(0, end - at)]
            if text:
                yield replace(piece, text=text)
            at += len(piece.text)
            if at >= end:
                return


def _coloured(piece: Piece) -> Content:
    text = visible(piece.text, newlines=True)
    if not piece.is_json:
        return content([(text, piece.tone)])
    # The highlighter drops trailing newlines.
    bare = text.rstrip("\n")
    return highlight(bare, language="json") + Content("\n" * (len(text) - len(bare)))
