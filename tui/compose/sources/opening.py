"""From what a person writes to a source."""

from __future__ import annotations

import glob
import shutil
import sys
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO

from tui.compose.blocks import open_bytes
from tui.compose.sources.builder import open_builder
from tui.compose.sources.database import open_query
from tui.compose.sources.frames import open_excel, open_parquet
from tui.compose.sources.objects import open_array, open_lines
from tui.compose.sources.source import Source
from tui.compose.sources.tables import open_table, sniff
from tui.compose.sources.texts import TextUnit, open_files, open_text
from tui.core.text import quoted
from tui.errors import InputError

_BY_ENDING = {
    ".csv": "table",
    ".tsv": "table",
    ".tab": "table",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "array",
    ".txt": "text",
    ".md": "text",
    ".text": "text",
    ".sqlite": "database",
    ".sqlite3": "database",
    ".db": "database",
    ".py": "builder",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xls": "excel",
    ".xlsb": "excel",
    ".ods": "excel",
}
_UNITS: dict[str, TextUnit] = {
    "": "lines",
    "lines": "lines",
    "paragraphs": "paragraphs",
    "whole": "whole",
}


def runs_code(spec: str) -> bool:
    """Would opening this run a program of the user's, so that a person is to be asked first?"""
    path = Path(spec.partition("::")[0])
    return _BY_ENDING.get(path.suffix.lower()) == "builder" and not path.is_dir()


def open_source(
    spec: str,
    *,
    trusted: bool = False,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    stdin: BinaryIO | None = None,
) -> Source:
    """Open what is named; the ending of a file, else its content, says what it is.

    =============================  ==================================================
    ``products.csv``, ``.tsv``     a table; see ``open_table`` for the options
    ``rows.jsonl``, ``rows.json``  JSON objects, or ready-made requests
    ``notes.txt``                  a document a line; ``notes.txt::paragraphs``,
                                   ``notes.txt::whole``
    ``folder``, ``docs/*.md``      a document a file
    ``shop.db::products``          an SQLite table; ``shop.db::SELECT …``
    ``builder.py``                 a Python program, only when trusted
    ``x.parquet``, ``x.xlsx``      with the extra ``tables``; ``x.xlsx::Sheet``
    ``-``                          standard input, by its content
    =============================  ==================================================

    Args:
        spec: What to open.
        trusted: May a Python file be run?
        delimiter: Of a table, when it is not to be found out.
        encoding: Of a table or text, when it is not to be found out.
        header: Does the table's first row name the columns? Found out when ``None``.
        stdin: What ``-`` reads; the program's own by default.

    Raises:
        InputError: It cannot be opened.
    """
    if spec == "-":
        return _open_stdin(stdin or sys.stdin.buffer, delimiter, encoding, header)
    place, _, part = spec.partition("::")
    path = Path(place)
    if path.is_dir() or (not path.exists() and glob.has_magic(place)):
        return open_files(place)
    kind = _BY_ENDING.get(path.suffix.lower()) or _guess(path)
    part = part.strip()
    if kind == "table":
        return open_table(path, delimiter=delimiter, encoding=encoding, header=header)
    if kind == "lines":
        return open_lines(path)
    if kind == "array":
        # Some name files of JSON lines .json.
        return open_lines(path) if _guess(path) == "lines" else open_array(path)
    if kind == "database":
        return open_query(path, part)
    if kind == "builder":
        return open_builder(path, trusted=trusted)
    if kind == "parquet":
        return open_parquet(path)
    if kind == "excel":
        return open_excel(path, part)
    if part not in _UNITS:
        raise InputError(
            f"a text cannot be cut by {quoted(part)}",
            "Write ::lines, ::paragraphs or ::whole behind the path.",
            path=path,
        )
    return open_text(path, unit=_UNITS[part], encoding=encoding)


def _guess(path: Path) -> str:
    """What a file without a telling ending holds."""
    with open_bytes(path) as file:
        head = file.read(1 << 16)
    if head.startswith(b"SQLite format 3\x00"):
        return "database"
    if head.startswith(b"PAR1"):
        return "parquet"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start in (b"{", b'"'):
        return "lines"
    if start == b"[":
        return "array"
    text = head.decode("utf-8", "replace")
    first = text.partition("\n")[0]
    return "table" if sniff(text, whole=len(head) < 1 << 16) in first else "text"


def _open_stdin(
    stdin: BinaryIO, delimiter: str | None, encoding: str | None, header: bool | None
) -> Source:
    """Copy standard input to a temporary file, since rows may be gone through again."""
    # The file lives as long as the source, which is after this function.
    copy = tempfile.NamedTemporaryFile(prefix="batchdeck-", delete=False)  # noqa: SIM115
    path = Path(copy.name)
    try:
        with copy:
            shutil.copyfileobj(stdin, copy, 1 << 18)
        source = open_source(str(path), delimiter=delimiter, encoding=encoding, header=header)
    except BaseException:
        path.unlink()
        raise
    weakref.finalize(source.open_rows, path.unlink, missing_ok=True)
    return Source(
        name="standard input",
        kind=source.kind,
        columns=source.columns,
        open_rows=source.open_rows,
        count=source.count,
        base=Path(),
        notes=source.notes,
    )
