"""Rows from a table that was printed with bars and rules: Markdown, ``psql``, ``mysql``."""

from __future__ import annotations

import re
from pathlib import Path

from tui.compose.sources.base import Source, source_of_cells
from tui.compose.sources.encoding import detect_encoding
from tui.compose.sources.header import column_names, doubts_of_names

_MOST_BYTES = 64 << 20
_RULE = re.compile(r"(?=.*[|+])[|+:=\s-]*[-=]{2}[|+:=\s-]*|\|[|:\s-]*-[|:\s-]*")
_END = re.compile(r"\(\d+ rows?\)|\d+ rows? in set\b.*", re.IGNORECASE)
_BAR = re.compile(r"(?<!\\)\|")


def open_printed(path: Path, encoding: str | None = None) -> Source | None:
    """Open a file whose lines are one printed table: its header, a rule, and its rows.

    Returns:
        ``None`` if something else is in the file, or not all rows have the same cells.

    Raises:
        InputError: The file cannot be read.
    """
    if path.stat().st_size > _MOST_BYTES:
        return None
    text = detect_encoding(path, encoding)
    with text.open(path) as file:
        table = _table([line for line in file.read().split("\n") if line.strip()])
    if table is None:
        return None
    first, *rows = table
    names = column_names(first)
    notes = (text.encoding, "a printed table with bars", "header row")
    doubts = (*text.doubts, *doubts_of_names(first, names))
    return source_of_cells(path, names, rows, notes=notes, doubts=doubts)


def _table(lines: list[str]) -> list[list[str]] | None:
    """The cells of a printed table; ``None`` if the lines are something else."""
    if lines and _END.fullmatch(lines[-1].strip()):
        lines.pop()
    rules = [place for place, line in enumerate(lines) if _RULE.fullmatch(line)]
    # The rule below the header comes first, or second where one is above it too.
    if len(lines) < 3 or rules[:1] not in ([0], [1]) or (rules[0] == 0 and rules[1:2] != [2]):
        return None
    rows = [_cells(line) for place, line in enumerate(lines) if place not in {*rules}]
    if len({*map(len, rows)}) != 1 or not all("|" in row for row in lines[rules[-1] + 1 :]):
        return None
    # A cell that goes on in the next line, as psql marks it.
    goes_on = any(cell.endswith("+") for row in rows for cell in row)
    return None if goes_on or not any(rows[0]) else rows


def _cells(line: str) -> list[str]:
    line = line.strip()
    cells = _BAR.split(line)
    if line.startswith("|"):
        cells = cells[1:]
        cells = cells[:-1] if not cells[-1].strip() else cells
    return [cell.strip().replace("\\|", "|") for cell in cells]
