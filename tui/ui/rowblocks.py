"""Blocks of an answer as pieces of a text: titles, bars, tables, marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import cell_len

from tui.core.blocks import Bar, Block
from tui.core.text import one_line
from tui.ui.reading import Piece
from tui.ui.tones import Tone

_BAR = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"
_LABEL = 28
_CELL = 40

_TITLE_TONES: dict[str, Tone] = {"thinking": "warn", "refusal": "bad", "note": "muted"}
_TEXT_TONES: dict[str, Tone] = {"thinking": "muted", "note": "muted"}


def pieces_of(blocks: Iterable[Block]) -> Iterator[Piece]:
    """All blocks, with blank lines in between."""
    gap = ""
    for block in blocks:
        if gap:
            yield Piece(gap)
        # A block that is a title alone stands right above what it is the title of.
        gap = "\n\n" if block.holds_more_than_a_title else "\n"
        if block.title:
            yield Piece(block.title, _TITLE_TONES.get(block.kind, "accent"))
        body = list(_body(block))
        if block.title and body:
            yield Piece("\n")
        yield from body


def _body(block: Block) -> Iterator[Piece]:
    if block.kind == "bars":
        yield from _bars(block.bars, alarming=block.is_alarming)
    elif block.kind == "table":
        yield from _table(block.cells)
    elif block.kind == "marked":
        yield from _marked(block)
    elif block.kind == "json":
        yield Piece(block.text, is_json=True)
    elif block.text:
        yield Piece(block.text, _TEXT_TONES.get(block.kind, ""))


def bar(share: float, width: int = _BAR) -> str:
    """A bar of ``width`` cells, in eighths of a cell; something small still shows."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[rest] if rest else "")
    return text + " " * (width - len(text))


def _bars(bars: tuple[Bar, ...], *, alarming: bool) -> Iterator[Piece]:
    labels = [one_line(entry.label, _LABEL) for entry in bars]
    width = max(map(cell_len, labels), default=0)
    chosen: Tone = "bad" if alarming else "good"
    for place, (entry, label) in enumerate(zip(bars, labels, strict=True)):
        tone: Tone = chosen if entry.chosen else "muted"
        padded = label + " " * (width - cell_len(label))
        start = "\n" if place else ""
        yield Piece(f"{start}{padded}  ", "strong" if entry.chosen else "")
        yield Piece(bar(entry.score), tone)
        yield Piece(f" {_score(entry.score)}", tone)


def _score(score: float) -> str:
    """Three places; something small is not nothing."""
    return "<0.001" if 0 < score < 0.0005 else f"{score:.3f}"


def _table(cells: tuple[tuple[str, ...], ...]) -> Iterator[Piece]:
    """Columns as wide as what they hold; the first row names them."""
    shown = [
        [one_line(cell, _CELL) for cell in row[:-1]] + [one_line(row[-1], 120)] for row in cells
    ]
    widths = [max(cell_len(row[column]) for row in shown) for column in range(len(shown[0]))]
    for place, row in enumerate(shown):
        line = "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        )
        yield Piece(("\n" if place else "") + line.rstrip(), "" if place else "muted")


def _marked(block: Block) -> Iterator[Piece]:
    at = 0
    for mark in block.marks:
        yield Piece(block.text[at : mark.start])
        yield Piece(block.text[mark.start : mark.end], "mark")
        sure = "" if mark.confidence is None else f" {mark.confidence:.2f}"
        yield Piece(f"[{one_line(mark.label, 24)}{sure}]", "muted")
        at = mark.end
    yield Piece(block.text[at:])
