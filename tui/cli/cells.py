"""How wide text is on a terminal, and cutting it to fit."""

from __future__ import annotations

import unicodedata


def cell_width(text: str) -> int:
    """The cells that visible text takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def fitted(text: str, width: int) -> str:
    """The text cut to at most ``width`` cells; a cut is shown by an ellipsis."""
    if cell_width(text) <= width:
        return text
    room = width - 1
    for end, character in enumerate(text):
        room -= _character_width(character)
        if room < 0:
            return text[:end] + "…" if width > 0 else ""
    return text


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
