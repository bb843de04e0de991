"""Text styled by meaning instead of colour, rendered alike in tables, labels and dialogs.

A *part* is a piece of text with a tone. Parts never pass through a markup parser, so text from
a provider or a model cannot change styles or break the layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError

Tone = Literal[
    "", "strong", "muted", "good", "bad", "warn", "live", "accent", "mark", "added", "removed"
]
Part = tuple[str, Tone]
Parts = tuple[Part, ...]

TONES: tuple[Tone, ...] = ("strong", "muted", "good", "bad", "warn", "live", "accent")
"""The tones used in tables; the others are used in texts only."""

_STYLES: dict[Tone, str] = {
    "": "",
    "strong": "bold",
    "muted": "$tone-muted",
    "good": "$text-success",
    "bad": "$text-error",
    "warn": "$text-warning",
    "live": "$text-primary",
    "accent": "$text-accent",
    "mark": "$text-accent $tone-mark",
    "added": "$text-success $tone-added",
    "removed": "$text-error $tone-removed",
}


def content(parts: Iterable[Part]) -> Content:
    """Parts as Textual content, styled by the theme."""
    return Content.assemble(*[(text, _STYLES[tone]) for text, tone in parts])


def plain(parts: Iterable[Part]) -> str:
    """The text of parts without their tones."""
    return "".join(text for text, _ in parts)


def in_cells(text: str, width: int) -> str:
    """A text as one line of exactly ``width`` cells; a cut ends in an ellipsis.

    A column of a list must not be padded by characters: some of them are two cells wide.
    """
    line = one_line(text, width)
    if cell_len(line) > width:
        line = set_cell_size(line, width - 1).rstrip() + "…"
    return set_cell_size(line, width)


def key_hints(*keys: tuple[str, str]) -> list[Part]:
    """Keys and what they do, on one line: ``y copy   esc close``."""
    parts: list[Part] = []
    for key, what in keys:
        parts += [(key, "accent"), (f" {what}   ", "muted")]
    return parts


def fact_parts(facts: Sequence[tuple[str, str | Parts]], width: int = 0) -> list[Part]:
    """Names and values in two columns, one per line; each line ends with a newline.

    Args:
        facts: Name and value.
        width: Width of the names in cells; by default that of the longest, and a gap.
    """
    width = width or max((len(name) for name, _ in facts), default=0) + 2
    parts: list[Part] = []
    for name, value in facts:
        parts.append((f"{name:<{width}}", "muted"))
        parts += [(value, "")] if isinstance(value, str) else value
        parts.append(("\n", ""))
    return parts


def error_parts(error: BatchdeckError, gap: str = "\n") -> list[Part]:
    """What is wrong, and after a gap what to do."""
    hint = gap + visible(error.hint, newlines=True) if error.hint else ""
    return [(visible(error.message, newlines=True), "bad"), (hint, "muted")]


def join(separator: str, pieces: Iterable[Parts]) -> Parts:
    """Join pieces with a muted separator, skipping empty ones."""
    joined: list[Part] = []
    for piece in pieces:
        if not plain(piece):
            continue
        if joined:
            joined.append((separator, "muted"))
        joined.extend(piece)
    return tuple(joined)
