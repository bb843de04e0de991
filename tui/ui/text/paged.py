"""A text for the screen, some at a time, and the whole of it for pager, editor and clipboard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from textual.content import Content
from textual.highlight import highlight

from tui.core.text import visible
from tui.ui import formatting
from tui.ui.tones import Part, Tone, content

CAP = 64 * 1024
"""Characters of one text that are shown at a time."""

_NEAR = 4096
"""Characters before the end of such a part in which a line end is looked for."""


@dataclass(frozen=True)
class Piece:
    """Foreign text as it came, with a tone, or as JSON to be coloured.

    ``is_aside`` is what this program says of a text, which is no part of it when it is copied.
    """

    text: str
    tone: Tone = ""
    is_json: bool = False
    is_aside: bool = False


class Reading:
    """A text made of pieces. Made and cut in threads; what it gives is safe to show.

    Args:
        pieces: The text; foreign characters in it are made visible when it is cut.
        suffix: What a file with this text is called.
    """

    def __init__(self, pieces: Iterable[Piece], suffix: str = ".txt") -> None:
        self.pieces = tuple(piece for piece in pieces if piece.text)
        self.suffix = suffix
        self.length = sum(len(piece.text) for piece in self.pieces)
        self._starts = [0]

    @property
    def whole(self) -> str:
        """All of it, visible; in a thread when it is long."""
        return "".join(visible(piece.text, newlines=True) for piece in self.pieces)

    @property
    def bare(self) -> str:
        """The text without what this program says of it; in a thread when it is long."""
        return "".join(
            visible(piece.text, newlines=True) for piece in self.pieces if not piece.is_aside
        )

    @cached_property
    def shown(self) -> Content:
        """The first part, and how to see more."""
        first = self.part(0)
        rest = self.rest_after(0)
        return first + content([rest]) if rest is not None else first

    def rest_after(self, number: int) -> Part | None:
        """The line that tells of what follows a part; ``None`` at the end."""
        if self._end(number) >= self.length:
            return None
        left = formatting.size(self.length - self._end(number))
        return (f"\n… {left} more: enter shows the next part, press v for the pager", "accent")

    def part(self, number: int) -> Content:
        """One part of the text, counted from 0, coloured."""
        return Content("").join(
            _coloured(piece) for piece in self._cut(self._start(number), self._end(number))
        )

    def _start(self, number: int) -> int:
        while len(self._starts) <= number:
            self._starts.append(self._end(len(self._starts) - 1))
        return self._starts[number]

    def _end(self, number: int) -> int:
        """Where a part ends: after a line, where one ends near."""
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
    # The highlighter drops the line ends at the end.
    bare = text.rstrip("\n")
    return highlight(bare, language="json") + Content("\n" * (len(text) - len(bare)))
