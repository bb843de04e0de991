"""Tags: short words by which a person finds jobs again."""

from __future__ import annotations

import re
import unicodedata

from tui.core.text import visible

LONGEST = 32
"""Characters of a tag that are kept."""

MOST = 12
"""Tags of one job that are kept."""

LONGEST_NOTE = 4_000
"""Characters of a note that are kept."""

_BETWEEN = re.compile(r"[\s,;]+")


def parse_tags(text: str) -> tuple[str, ...]:
    """The tags in a text, in order: words without a leading ``#``, each once whatever its case."""
    found: dict[str, str] = {}
    for word in _BETWEEN.split(unicodedata.normalize("NFC", text)):
        tag = visible(word.lstrip("#"))[:LONGEST]
        if tag:
            found.setdefault(tag.casefold(), tag)
    return tuple(found.values())[:MOST]


def tag_words(tags: tuple[str, ...]) -> str:
    """Tags as they are shown: ``#weekly #reviews``."""
    return " ".join(f"#{tag}" for tag in tags)
