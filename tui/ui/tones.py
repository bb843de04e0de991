"""Text with a meaning instead of a colour, drawn alike by tables, labels and dialogs.

A *part* is a piece of text with a tone; parts never go through a markup parser, so that
what a provider or a model says cannot style, eat or break anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from textual.content import Content

Tone = Literal[
    "", "strong", "muted", "good", "bad", "warn", "live", "accent", "mark", "added", "removed"
]
Part = tuple[str, Tone]
Parts = tuple[Part, ...]

TONES: tuple[Tone, ...] = ("strong", "muted", "good", "bad", "warn", "live", "accent")
"""The tones that tables have; the others belong to texts alone."""

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
    """Parts as Textual content, in the colours of the theme."""
    return Content.assemble(*[(text, _STYLES[tone]) for text, tone in parts])


def plain(parts: Iterable[Part]) -> str:
    """The text of some parts alone."""
    return "".join(text for text, _ in parts)


def join(separator: str, pieces: Iterable[Parts]) -> Parts:
    """Several pieces in a row with a muted separator; empty pieces are left out."""
    joined: list[Part] = []
    for piece in pieces:
        if not plain(piece):
            continue
        if joined:
            joined.append((separator, "muted"))
        joined.extend(piece)
    return tuple(joined)
