"""Rows from plain text: one per line, per paragraph or per file."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tui.compose.requests.block_reader import open_bytes
from tui.compose.requests.signatures import not_text
from tui.compose.sources.base import Row, Source
from tui.compose.sources.encoding import TextFile, detect_encoding
from tui.core.formatting import counted
from tui.core.text import quoted
from tui.errors import InputError

TextUnit = Literal["lines", "paragraphs", "whole"]

_LOOKED_AT = 1 << 12
_TABLES = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson"})


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
    start with a dot are skipped; files that are no text are skipped and named in ``doubts``.

    Raises:
        InputError: No file matches, or none of them is text.
    """
    folder = Path(pattern)
    inner = 0
    if folder.is_dir():
        paths = [*folder.iterdir()]
        inner = sum(path.is_dir() and not path.name.startswith(".") for path in paths)
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
    others = {path: what for path in paths if (what := _not_text(path))}
    texts = [path for path in paths if path not in others]
    listed = _listed([f"{quoted(path.name)} ({what})" for path, what in others.items()])
    if not texts:
        raise InputError(
            f"no file of {quoted(pattern, 200)} is text: {listed}",
            f"Name one file, such as {quoted(str(max(others, key=_size)), 200)}.",
        )
    doubts = [f"{counted(len(others), 'file')} not read, no text: {listed}"] if others else []
    if inner:
        doubts.append(f"{counted(inner, 'folder')} inside not read ({folder}/**/* reads them)")
    tables = [path for path in texts if path.suffix.lower() in _TABLES]
    if tables:
        named = quoted(tables[0].name)
        doubts.append(
            f"{counted(len(tables), 'table')} read as one document each, such as {named}; name the"
            " file itself for its rows"
        )
    found: list[str] = []

    def rows() -> Iterator[Row]:
        found.clear()
        for path in texts:
            encoding = detect_encoding(path)
            found.extend(f"{quoted(path.name)}: {doubt}" for doubt in encoding.doubts)
            text = "".join(_documents(path, "whole", encoding))
            yield {"text": text, "name": path.stem, "file": path.name, "path": str(path)}

    return Source(
        name=pattern,
        kind="text",
        columns=("text", "name", "file", "path"),
        open_rows=rows,
        count=len(texts),
        base=base,
        notes=("one document per file",),
        doubts=tuple(doubts),
        late_doubts=lambda: (_listed(found),) if found else (),
    )


def _not_text(path: Path) -> str:
    """What a file is that is no text; empty for a text."""
    with open_bytes(path) as file:
        return not_text(file.read(_LOOKED_AT))


def _size(path: Path) -> int:
    return path.stat().st_size


def _listed(texts: list[str]) -> str:
    return ", ".join(texts[:3]) + (", …" if len(texts) > 3 else "")


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
