"""Rows from a table that was printed with bars and rules.

Markdown, ``psql``, ``mysql``, the modes of ``sqlite3``, and the boxes of DuckDB and polars.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tui.compose.sources.base import Source, source_of_cells
from tui.compose.sources.encoding import detect_encoding
from tui.compose.sources.header import column_names, doubts_of_names
from tui.core.formatting import counted

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
        printed = _table([line for line in file.read().split("\n") if line.strip()])
    if printed is None:
        return None
    first, *rows = printed.rows
    names = column_names(first)
    notes = (text.encoding, "a printed table with bars", "header row")
    doubts = [*text.doubts, *printed.doubts, *doubts_of_names(first, names)]
    return source_of_cells(path, names, rows, notes=notes, doubts=doubts)


def may_be_printed(head: str) -> bool:
    """Whether the first lines of a text have the bars and a rule of a printed table."""
    first = head.lstrip("\ufeff\r\n").split("\n", 3)[:3]
    if any(line.startswith(_CORNERS) for line in first):
        return True
    has_rule = any("--" in line or "|-" in line for line in first)
    return has_rule and any("|" in line for line in first)


class _Printed(NamedTuple):
    """The cells of a printed table, its header first, and what is doubtful."""

    rows: list[list[str]]
    doubts: tuple[str, ...] = ()


_CORNERS = ("┌", "╭", "╔", "┏")
_BOX_RULE = re.compile(r"[┌├└╞╭╰╔╠╚╟┏┡┗┢┣].*[┐┤┘╡╮╯╗╣╝╢┓┩┛┪┫]")
_BOX_BAR = re.compile("[│┆║┃]")
_SHAPE = re.compile(r"shape: \([\d_,]+, [\d_,]+\)")
_LEFT_OUT = frozenset({"…", "...", "·", "."})


def _table(lines: list[str]) -> _Printed | None:
    """The cells of a printed table; ``None`` if the lines are something else."""
    if lines and _END.fullmatch(lines[-1].strip()):
        lines.pop()
    if lines and _SHAPE.fullmatch(lines[0].strip()):
        del lines[0]
    is_box = bool(lines) and lines[0].startswith(_CORNERS)
    rule, bar = (_BOX_RULE, _BOX_BAR) if is_box else (_RULE, _BAR)
    rules = [place for place, line in enumerate(lines) if rule.fullmatch(line.strip())]
    if is_box and len(rules) > 1 and rules[1] > 2:
        return _with_rest(_box_with_types(lines, rules))
    # The rule below the header comes first, or second where one is above it too.
    if len(lines) < 3 or rules[:1] not in ([0], [1]) or (rules[0] == 0 and rules[1:2] != [2]):
        return None
    rows = [_cells(line, bar) for place, line in enumerate(lines) if place not in {*rules}]
    if len({*map(len, rows)}) != 1 or not all(map(bar.search, lines[rules[-1] + 1 :])):
        return None
    # A cell that goes on in the next line, as psql marks it.
    goes_on = any(cell.endswith("+") for row in rows for cell in row)
    if goes_on or not any(rows[0]):
        return None
    if rules[0] == 0 and len(rules) > 3:
        return _with_rest([rows[0], *_between_rules(lines, rules[1:], bar)])
    return _with_rest(rows)


def _between_rules(lines: list[str], rules: list[int], bar: re.Pattern[str]) -> list[list[str]]:
    """The rows of a table with rules between them: a line without a first cell goes on."""
    rows = []
    for above, below in pairwise(rules):
        group = [_cells(line, bar) for line in lines[above + 1 : below]]
        if any(cells[0] for cells in group[1:]):
            # The rules part groups of rows.
            rows += group
        else:
            parts = zip(*group, strict=True)
            rows.append(["\n".join(part).rstrip("\n") for part in parts])
    return rows


def _box_with_types(lines: list[str], rules: list[int]) -> list[list[str]]:
    """The rows of a box whose header has types below the names, as DuckDB and polars print it."""
    names = _cells(lines[1], _BOX_BAR)
    last = rules[2] if len(rules) > 2 else len(lines)
    return [names, *(_cells(line, _BOX_BAR) for line in lines[rules[1] + 1 : last])]


def _with_rest(rows: list[list[str]]) -> _Printed | None:
    """A table, and what is said of rows that were left out and of rest of rows above."""
    if len({*map(len, rows)}) != 1:
        return None
    doubts = []
    body = rows[1:]
    left_out = [number for number, row in enumerate(body, 1) if {*row} <= _LEFT_OUT and any(row)]
    if left_out:
        doubts.append(f"rows are left out in the file, where … stands (row {left_out[0]})")
    rests = [
        number
        for number, row in enumerate(body, 1)
        if number > 1 and not row[0] and any(row) and len(row) > 1
    ]
    if rests and len(rests) * 2 < len(body):
        doubts.append(
            f"{counted(len(rests), 'row')} with an empty first cell (first: row {rests[0]}) may be"
            " the rest of the row above"
        )
    return _Printed(rows, tuple(doubts))


def _cells(line: str, bar: re.Pattern[str]) -> list[str]:
    line = line.strip()
    cells = bar.split(line)
    if bar.match(line):
        cells = cells[1:]
        cells = cells[:-1] if not cells[-1].strip() else cells
    return [cell.strip().replace("\\|", "|") for cell in cells]
