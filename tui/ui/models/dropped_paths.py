"""Paths as terminals and desktops hand them over when files are dropped or pasted."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tui.paths import expand_home, path_exists, split_part

MAX_PASTE = 32_768
"""Characters of a paste that may be paths: some hundred files."""


def dropped_paths(text: str) -> list[str]:
    r"""The paths in a pasted text: as it is, quoted, escaped or as ``file://``, one or several.

    Terminals write ``it\\ is.csv``, ``'it'\\''s.csv'`` or the bare name, usually with a space
    behind; file managers write ``file://`` addresses, one a line. What exists under its whole
    name is taken first, since a name may hold a backslash or a quote.

    Args:
        text: The pasted or typed text.

    Returns:
        Paths that exist; else the text as one path, without its quotes, whether it exists or
        not. ``PATH::PART`` and patterns stay as they are. Empty for an empty text.
    """
    text = text.strip(" \t\r\n\0")
    if not text or len(text) > MAX_PASTE or _exists(text):
        return [text] if text else []
    lines = [line for line in text.splitlines() if line.strip()]
    for words in (lines, *_words(text)):
        paths = [_bare(word) for word in words]
        if words and all(map(_exists, paths)):
            return paths
    return [_bare(text)] if len(lines) == 1 else lines


def existing_paths(text: str) -> list[str]:
    """The paths in a pasted text that exist; empty if it is anything else."""
    return [path for path in dropped_paths(text) if len(path) <= MAX_PASTE and _exists(path)]


def _words(text: str) -> list[list[str]]:
    """The words of a text as a shell reads them; none if a quote is open."""
    try:
        return [shlex.split(text)]
    except ValueError:
        return []


def _bare(word: str) -> str:
    """A word without quotes and ``file://``, and without escapes if only that exists."""
    word = word.strip()
    if _exists(word):
        return word
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
        word = word[1:-1]
    if word.lower().startswith("file://"):
        return unquote(urlsplit(word).path)
    for words in _words(word):
        if len(words) == 1 and _exists(words[0]):
            return words[0]
    return word


def _exists(path: str) -> bool:
    return bool(path) and path_exists(expand_home(Path(split_part(path)[0])))
