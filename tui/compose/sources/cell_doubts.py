"""What is to be said of the cells of a table that are no data, or are no longer what they were.

Nothing is changed: a cell is given as it is in the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence

from tui.compose.sources.quoted_cells import ESCAPE_OF_LINE_END, NO_VALUE, OTHER_ESCAPE
from tui.compose.sources.table_format import TableFormat
from tui.core.formatting import counted
from tui.core.text import quoted

_TAIL = 1 << 13
_SHORTENED = re.compile(r"-?\d(?:[.,]\d+)?E\+\d{2}")
_FORMULA = re.compile(r'="[^"]*"')
_ERROR = re.compile(
    r"#(?:N/A|REF!|NAME\?|DIV/0!|VALUE!|NULL!|NUM!|SPILL!|CALC!)|#NV|#BEZUG!|#WERT!"
)
_TWICE_ENCODED = re.compile(r"[ÂÃ][\u00a0-\u00bf\u0152-\u2122]|â€|ðŸ")
_REMARK = re.compile(r"#\s*\S")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_TOTAL = re.compile(
    r"(?:grand |sub-?)?totals?\b.{0,30}|sum\b.{0,10}|gesamt(?:summe)?\b.{0,20}|summe\b.{0,20}"
    r"|totale?\b.{0,20}|итого\b.{0,20}|合計.{0,10}|总计.{0,10}|總計.{0,10}",
    re.IGNORECASE,
)


def doubts_of_cells(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """What is to be said of the cells of the first rows.

    Args:
        columns: The names of the columns.
        rows: The first rows; their numbers are counted from 1.
    """
    return [
        *_second_header(rows),
        *_shortened(columns, rows),
        *_each(rows, _TWICE_ENCODED, _is_twice_encoded, "text that was decoded in a wrong way"),
        *_each(rows, _ERROR, _is_whole(_ERROR), "the error of a formula"),
        *_each(rows, _FORMULA, _is_whole(_FORMULA), "a formula for a text"),
        *_each(
            rows,
            re.compile(re.escape(NO_VALUE)),
            NO_VALUE.__eq__,
            "the sign of a database for no value",
        ),
        *_remarks(rows),
    ]


def doubts_of_escapes(form: TableFormat, rows: Sequence[Sequence[str]]) -> list[str]:
    r"""What is said of ``\n`` and ``\t`` in a table as databases write it, separated by tabs."""
    if form.delimiter != "\t" or form.quoting == "escapes":
        return []
    number, times = 0, 0
    for row_number, row in enumerate(rows, 1):
        for cell in row:
            if "\\" in cell:
                if OTHER_ESCAPE.search(cell):
                    return []
                if ESCAPE_OF_LINE_END.search(cell):
                    times += 1
                    number = number or row_number
    if not times:
        return []
    return [
        f"{counted(times, 'cell')} of {counted(len(rows), 'row')} looked at with \\n or \\t,"
        f" perhaps for a line end or a tab (first: row {number}), read as it is (--quoting escapes"
        " decodes it)"
    ]


def _second_header(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for number, row in enumerate(rows[:3], 1):
        if any(cell.startswith('{"ImportId"') for cell in row):
            yield (
                f"the {counted(number, 'row')} below the header"
                f" {'describes' if number == 1 else 'describe'} the columns (Qualtrics);"
                " read as a row each"
            )


def second_header_in_gaps(first: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """What is said of a row below the header that names what the header does not.

    Survey programs write the choices of a question there, and nothing below the other names.
    """
    if len(rows) < 3:
        return []
    below, *others = rows
    gaps = [place for place, name in enumerate(first) if not name.strip()]
    named = gaps and all(place < len(below) and below[place].strip() for place in gaps)
    empty = [place for place, cell in enumerate(below) if not cell.strip()]
    filled = [p for p in empty if all(len(row) > p and row[p].strip() for row in others[:20])]
    if not named or not filled:
        return []
    return ["the row below the header may be a second header; it is read as a row"]


def _shortened(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for place, name in enumerate(columns):
        cells = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
        short = [cell for cell in cells if _SHORTENED.fullmatch(cell)]
        if len(short) * 2 > len(cells):
            yield (
                f"numbers of {quoted(name, 40)} were shortened by a spreadsheet"
                f" ({short[0]}): their last digits are lost"
            )


def _is_whole(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda cell: pattern.fullmatch(cell) is not None


def _is_twice_encoded(cell: str) -> bool:
    for page in ("cp1252", "latin-1"):
        try:
            return cell.encode(page).decode("utf-8") != cell
        except UnicodeError:
            continue
    return False


def _each(
    rows: Sequence[Sequence[str]],
    pattern: re.Pattern[str],
    is_it: Callable[[str], bool],
    what: str,
) -> Iterator[str]:
    times = number = 0
    shown = ""
    for row_number, row in enumerate(rows, 1):
        for cell in row:
            if pattern.search(cell) and is_it(cell.strip()):
                times += 1
                if not number:
                    number, shown = row_number, cell.strip()
    if times:
        yield (
            f"{counted(times, 'cell')} of {counted(len(rows), 'row')} looked at with {what}"
            f" (first: row {number}, {quoted(shown, 20)}), read as it is"
        )


def _remarks(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    starts = [row[0] if row else "" for row in rows]
    remarks = [number for number, start in enumerate(starts, 1) if _REMARK.match(start)]
    numbers = sum(_NUMBER.fullmatch(start.strip()) is not None for start in starts)
    if remarks and numbers > len(remarks) and numbers + len(remarks) == len(starts):
        yield (
            f"{counted(len(remarks), 'row')} with # at the start (first: row {remarks[0]}), perhaps"
            " a remark, read as a row"
        )


def doubts_of_last_row(form: TableFormat) -> list[str]:
    """What is said of a last row that may be the sum of the others."""
    if not form.text.encoding.startswith(("utf-8", "cp", "latin", "iso")):
        return []
    with form.path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _TAIL, 0))
        tail = file.read().decode(form.text.encoding, "replace")
    lines = [line for line in tail.splitlines() if line.strip()]
    if len(lines) < 4 or form.width < 2:
        return []
    delimiter = form.delimiter
    record = next(csv.reader([lines[-1]], delimiter=delimiter), []) if len(delimiter) == 1 else []
    cells = [cell.strip() for cell in record]
    filled = [cell for cell in cells if cell]
    if len(cells) != form.width or not filled or not _TOTAL.fullmatch(filled[0]):
        return []
    rest = filled[1:]
    figures = sum(any(map(str.isdigit, cell)) for cell in rest)
    if not rest or figures < len(rest):
        return []
    return [f"the last row ({quoted(filled[0], 20)}) may be the sum of the others, read as a row"]
