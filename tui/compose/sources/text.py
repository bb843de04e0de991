"""Rows from plain text: one per line, per paragraph or per file."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tui.compose.sources.base import Row, Source
from tui.compose.sources.encoding import TextFile, detect_encoding
from tui.core.text import quoted
from tui.errors import InputError

TextUnit = Literal["lines", "paragraphs", "whole"]

_NOT_TEXT = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".zip", ".gz"})


def open_text(path: Path, *, unit: TextUnit = "lines", encoding: str | None = None) -> Source:
    """Open a text file; each document is a row with ``text``, ``number`` and ``name``.

    Blank lines are skipped.

    Args:
        path: The file.
        unit: What a document is: a line, a paragraph (ended by a blank line) or the file.
        encoding: Python's name of the encoding; detected if ``None``.

    Raises:
        InputError: The file cannot be read.
    """
    found = detect_encoding(path, encoding)

    def rows() -> Iterator[Row]:
        for number, text in enumerate(_documents(path, unit, found), 1):
            yield {"text": text, "number": str(number), "name": path.stem}

    return Source(
        name=str(path),
        kind="text",
        columns=("text", "number", "name"),
        open_rows=rows,
        count={"lines": found.lines + 1, "paragraphs": None, "whole": 1}[unit],
        base=path.parent,
        notes=(found.encoding, {"whole": "one document"}.get(unit, f"split into {unit}")),
        doubts=found.doubts,
    )


def open_files(pattern: str) -> Source:
    """Open every file of a folder, or of a pattern such as ``notes/**/*.md``, as a document.

    Rows have ``text``, ``name`` (without the extension), ``file`` and ``path``. Files that
    start with a dot are skipped; so are images, PDFs and archives in a folder.

    Raises:
        InputError: No file matches.
    """
    folder = Path(pattern)
    if folder.is_dir():
        paths = [p for p in folder.iterdir() if p.suffix.lower() not in _NOT_TEXT]
        base = folder
    else:
        paths = [Path(name) for name in glob.iglob(pattern, recursive=True)]  # noqa: PTH207
        base = Path()
    paths = sorted(p for p in paths if p.is_file() and not p.name.startswith("."))
    if not paths:
        raise InputError(
            f"no file matches {quoted(pattern, 200)}",
            "Use a folder or a pattern such as docs/*.txt.",
        )

    def rows() -> Iterator[Row]:
        for path in paths:
            text = "".join(_documents(path, "whole", detect_encoding(path)))
            yield {"text": text, "name": path.stem, "file": path.name, "path": str(path)}

    return Source(
        name=pattern,
        kind="text",
        columns=("text", "name", "file", "path"),
        open_rows=rows,
        count=len(paths),
        base=base,
    )


def _documents(path: Path, unit: TextUnit, encoding: TextFile) -> Iterator[str]:
    # newline=None: CR, LF and CR LF all end a line, and nothing else does.
    with encoding.open(path) as file:
        if unit == "whole":
            yield file.read().strip()
            return
        paragraph: list[str] = []
        for line in file:
            text = line.strip()
            if unit == "lines":
                if text:
                    yield text
            elif text:
                paragraph.append(line.rstrip("\n"))
            elif paragraph:
                yield "\n".join(paragraph).strip()
                paragraph = []
        if paragraph:
            yield "\n".join(paragraph).strip()
