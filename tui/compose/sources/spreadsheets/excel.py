"""Rows from spreadsheets: Excel and OpenDocument; needs the extra ``tables``.

No type is guessed for a column: each cell is read for itself and given as the sheet shows it.
The content decides how a file is read, not its name. openpyxl reads ``.xlsx``, since it knows the
number format of a cell; ``opendocument`` reads ``.ods``; calamine reads the other formats, and
files that openpyxl does not understand.
"""

from __future__ import annotations

import itertools
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from xml.etree.ElementTree import ParseError, fromstring
from zipfile import BadZipFile

from tui.compose.sources.base import Row, Source, missing_extra, must_exist, unreadable
from tui.compose.sources.header import (
    column_names,
    detect_header,
    doubts_of_names,
    doubts_of_rows,
    is_title,
)
from tui.compose.sources.spreadsheets.cell_formats import shown_text, shown_value
from tui.compose.sources.spreadsheets.opendocument import (
    is_opendocument,
    sheet_names,
    sheet_rows,
)
from tui.compose.sources.spreadsheets.xlsb import (
    OtherCell,
    is_binary_workbook,
    other_cells,
)
from tui.core.formatting import counted
from tui.core.text import quoted
from tui.errors import InputError, PartNeededError

_HEAD = 500
_FAULTS = (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, BadZipFile)
"""What openpyxl raises for a file that it does not understand."""

Cells = list[Any]


class Merged(NamedTuple):
    """Merged cells that go on over several rows: their column, from 0, and rows, from 1."""

    name: str
    column: int
    first: int
    last: int


class Marks(NamedTuple):
    """What a sheet has beside its cells.

    Attributes:
        merged: The merged cells.
        hidden_rows: The number of hidden rows.
        errors: The number of cells with an error of Excel.
        uncalculated: The number of formulas with a value that is to be calculated again.
    """

    merged: tuple[Merged, ...]
    hidden_rows: int
    errors: int
    uncalculated: int = 0


class Workbook(NamedTuple):
    """A workbook that was opened with one of the readers."""

    path: Path
    sheets: tuple[str, ...]
    reader: Literal["openpyxl", "opendocument", "calamine"]
    hidden: tuple[str, ...] = ()

    def rows(self, sheet: str) -> Iterator[Cells]:
        """Stream the rows of a sheet; each cell is given as the sheet shows it.

        The value of merged cells is in each of their rows.
        """
        merged = self.marks(sheet).merged
        rows = _ROWS[self.reader](self.path, sheet)
        return _with_merged(rows, merged) if merged else rows

    def marks(self, sheet: str) -> Marks:
        """What the file says of the rows of a sheet beside their cells."""
        state = self.path.stat()
        try:
            return _MARKS[self.reader](self.path, sheet, (state.st_size, state.st_mtime_ns))
        except _FAULTS:
            return Marks((), 0, 0)


def open_excel(path: Path, sheet: str = "", *, header: bool | None = None) -> Source:
    """Open a sheet of a spreadsheet; by default the only one that has rows.

    Title lines above the table are skipped. Empty rows are skipped.

    Args:
        path: The file.
        sheet: The name of a sheet.
        header: Whether the first row has the column names; detected if ``None``.

    Raises:
        InputError: The file cannot be read, several sheets have rows and none is named, or the
            extra is not installed.
    """
    must_exist(path)
    book = _open_book(path)
    named = bool(sheet)
    if named and sheet not in (*book.sheets, *book.hidden):
        raise InputError(
            f"{quoted(path.name)} has no sheet {quoted(sheet)}",
            f"Its sheets: {', '.join(map(quoted, (*book.sheets, *book.hidden)))}.",
            path=path,
        )
    if not named:
        sheet = _only_sheet(book)
    found = _survey(book, sheet, header)
    doubts = list(found.doubts)
    if book.hidden and not named:
        listed = ", ".join(map(quoted, book.hidden[:3]))
        doubts.append(
            f"{counted(len(book.hidden), 'hidden sheet')} not read: {listed}"
            f" ({path.name}::{book.hidden[0]} opens it)"
        )

    def rows() -> Iterator[Row]:
        table = filter(_has_content, book.rows(sheet))
        for cells in itertools.islice(table, found.skipped, None):
            cells += [None] * (found.width - len(cells))
            yield {name: cells[place] for place, name in found.places}

    return Source(
        f"{path}::{sheet}" if named else str(path),
        "table",
        tuple(name for _, name in found.places),
        rows,
        count=found.rows,
        exact=True,
        base=path.parent,
        notes=(f"sheet {sheet}", "header row" if found.header else "no header"),
        doubts=tuple(doubts),
    )


class _Sheet(NamedTuple):
    """A sheet; ``places`` are the positions and names of the columns that have cells."""

    places: tuple[tuple[int, str], ...]
    width: int
    skipped: int
    header: bool
    rows: int
    doubts: tuple[str, ...]


def _survey(book: Workbook, sheet: str, header: bool | None) -> _Sheet:
    """Read a sheet once: its columns, title lines, header and number of rows."""
    head: list[list[str]] = []
    count = width = last = 0
    used: set[int] = set()
    gaps: list[tuple[int, int]] = []
    try:
        for number, cells in enumerate(book.rows(sheet), 1):
            if not _has_content(cells):
                continue
            if count and number > last + 1:
                gaps.append((last + 1, count))
            count, last = count + 1, number
            filled = [place for place, cell in enumerate(cells) if cell not in (None, "")]
            width = max(width, filled[-1] + 1)
            used.update(filled)
            if len(head) < _HEAD:
                head.append(["" if cell is None else str(cell) for cell in cells])
    except Exception as error:
        raise unreadable(book.path, error) from error
    if not count:
        raise InputError(
            f"the sheet {quoted(sheet)} of {quoted(book.path.name)} is empty",
            f"Its sheets: {', '.join(map(quoted, book.sheets))}.",
            path=book.path,
        )
    head = [(row + [""] * width)[:width] for row in head]
    titles = _title_rows(head)
    doubts = [f"{counted(titles, 'line')} above the table skipped"] if titles else []
    first, following = head[titles], head[titles + 1 :]
    if header is None:
        header, doubt = detect_header(first, following)
        doubts += [doubt] if doubt else []
    if header:
        doubts += doubts_of_rows(first, following, "the row below the header")
    gaps = [(row, before) for row, before in gaps if before > titles + header]
    if gaps:
        row, before = gaps[0]
        doubts.append(
            f"{counted(count - before, 'row')} after an empty row (row {row}) may be another table"
            " or a footer"
        )
    lost = _formulas_without_value(book, sheet)
    if lost:
        doubts.append(
            f"{counted(len(lost), 'formula')} without a stored value read as empty"
            f" ({', '.join(lost[:3])}); open the file in Excel and save it"
        )
    doubts += _doubts_of_marks(book.marks(sheet))
    if book.reader == "calamine":
        doubts.append(
            "number formats and cells with errors are not in what was read: 12.5% is 0.125, #N/A is"
            " empty; save it as .xlsx to have them"
        )
    # Columns without any cell are gaps beside the table.
    first = [first[place] for place in sorted(used)]
    width_used = len(first)
    names = column_names(first) if header else [f"column_{n}" for n in range(1, width_used + 1)]
    doubts += doubts_of_names(first, names) if header else []
    places = tuple(zip(sorted(used), names, strict=True))
    skipped = titles + header
    return _Sheet(places, width, skipped, header, count - skipped, tuple(doubts))


def _doubts_of_marks(marks: Marks) -> list[str]:
    doubts = []
    if marks.merged:
        listed = ", ".join(each.name for each in marks.merged[:3])
        doubts.append(
            f"{counted(len(marks.merged), 'merged range')} ({listed}): the value is in each row"
        )
    if marks.hidden_rows:
        doubts.append(f"{counted(marks.hidden_rows, 'hidden row')} read too")
    if marks.errors:
        doubts.append(f"{counted(marks.errors, 'cell')} with an error of Excel, such as #N/A")
    if marks.uncalculated:
        doubts.append(
            f"{counted(marks.uncalculated, 'formula')} perhaps with an old value: Excel is to"
            " calculate this file when it opens it; open it in Excel and save it"
        )
    return doubts


def _has_content(cells: Sequence[Any]) -> bool:
    return any(cell not in (None, "") for cell in cells)


def _title_rows(head: list[list[str]]) -> int:
    """The number of rows above the table that have one cell where the table has several."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in head]
    usual = sorted(filled)[len(filled) // 2]
    if usual < 2 or len(filled) < 3:
        return 0
    return next((n for n in range(min(len(head), 20)) if not is_title(head, n)), 0)


def _only_sheet(book: Workbook) -> str:
    """The only sheet that has rows."""
    try:
        filled = [name for name in book.sheets if any(map(_has_content, book.rows(name)))]
    except Exception as error:
        raise unreadable(book.path, error) from error
    if len(filled) > 1:
        raise PartNeededError(
            f"{quoted(book.path.name)} has {len(filled)} sheets with rows:"
            f" {', '.join(map(quoted, filled[:10]))}",
            filled,
            path=book.path,
        )
    return filled[0] if filled else book.sheets[0]


def _open_book(path: Path) -> Workbook:
    try:
        import openpyxl  # noqa: F401
        import python_calamine
    except ImportError:
        raise missing_extra(path) from None
    try:
        if is_opendocument(path):
            return Workbook(path, *_shown_first("opendocument", *sheet_names(path)))
        if zipfile.is_zipfile(path):
            with _openpyxl_book(path) as book:
                shown = [each.title for each in book.worksheets if _is_visible(each)]
                hidden = [each.title for each in book.worksheets if not _is_visible(each)]
            if shown:
                return Workbook(path, tuple(shown), "openpyxl", tuple(hidden))
    except (*_FAULTS, ParseError):
        # Calamine takes what is not quite in the form of the standard.
        pass
    try:
        with path.open("rb") as file, closing(python_calamine.load_workbook(file)) as other:
            sheets = [
                (each.name, each.visible == python_calamine.SheetVisibleEnum.Visible)
                for each in other.sheets_metadata
                if each.typ == python_calamine.SheetTypeEnum.WorkSheet
            ]
    except Exception as error:
        raise unreadable(path, error) from error
    shown = [name for name, is_shown in sheets if is_shown]
    hidden = [name for name, is_shown in sheets if not is_shown]
    return Workbook(path, *_shown_first("calamine", tuple(shown), tuple(hidden)))


def _shown_first(
    reader: Literal["opendocument", "calamine"], shown: tuple[str, ...], hidden: tuple[str, ...]
) -> tuple[tuple[str, ...], Literal["opendocument", "calamine"], tuple[str, ...]]:
    """The sheets to read and those to name: a book of hidden sheets only is read."""
    return (shown, reader, hidden) if shown else (hidden, reader, ())


def _is_visible(sheet: Any) -> bool:
    return getattr(sheet, "sheet_state", "visible") == "visible"


@contextmanager
def _openpyxl_book(path: Path, *, formulas: bool = True) -> Iterator[Any]:
    import openpyxl

    # A path would have to end with .xlsx.
    with path.open("rb") as file, warnings.catch_warnings():
        # It warns of features that do not matter for reading cells.
        warnings.simplefilter("ignore")
        with closing(openpyxl.load_workbook(file, read_only=True, data_only=not formulas)) as book:
            yield book


def _openpyxl_rows(path: Path, sheet: str) -> Iterator[Cells]:
    for row in _openpyxl_cells(path, sheet):
        yield [
            shown_text(cell.value)
            if isinstance(cell.value, str)
            else shown_value(cell.value, cell.number_format)
            if cell.value is not None
            else None
            for cell in row
        ]


def _openpyxl_cells(path: Path, sheet: str, *, formulas: bool = False) -> Iterator[Any]:
    with _openpyxl_book(path, formulas=formulas) as book:
        table = book[sheet]
        # The file's own claim of its size may be wrong.
        table.reset_dimensions()
        yield from table.iter_rows()


_MARK = re.compile(
    rb'<mergeCell [^>]*?ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"|<row [^>]*?hidden="(?:1|true)"'
    rb'|<c [^>]*?t="e"|<f(?: [^>]*)?(?:/>|>[^<]*</f>)<v>'
)
_STALE = re.compile(rb'<calcPr [^>]*?fullCalcOnLoad="(?:1|true)"')
_PIECE = 1 << 20
_LONGEST_MARK = 1 << 10


def _is_stale(archive: zipfile.ZipFile) -> bool:
    """Whether Excel is to calculate the formulas of a workbook anew.

    openpyxl says so of every workbook that does not say the opposite.
    """
    types = fromstring(archive.read("[Content_Types].xml"))
    # Only an Override has a name; where a Default has the type, openpyxl takes the usual name.
    parts = (
        each.get("PartName", "/xl/workbook.xml").removeprefix("/")
        for each in types
        if each.get("ContentType", "").endswith(".main+xml")
    )
    return any(_STALE.search(archive.read(part)) for part in parts)


@lru_cache(maxsize=8)
def _scan(path: Path, sheet: str, _changed: tuple[int, int]) -> Marks:
    from openpyxl.utils import column_index_from_string

    merged: list[Merged] = []
    hidden = errors = formulas = 0
    with _openpyxl_book(path) as book, zipfile.ZipFile(path) as archive:
        is_stale = _is_stale(archive)
        window = b""
        with archive.open(book[sheet]._worksheet_path) as file:
            while piece := file.read(_PIECE):
                window += piece
                end = 0
                for found in _MARK.finditer(window):
                    end = found.end()
                    if found[1] is None:
                        hidden += found[0].startswith(b"<row")
                        errors += found[0].startswith(b"<c ")
                        formulas += found[0].startswith(b"<f")
                    elif found[2] != found[4]:
                        name = b"".join((found[1], found[2], b":", found[3], found[4])).decode()
                        column = column_index_from_string(found[1].decode()) - 1
                        merged.append(Merged(name, column, int(found[2]), int(found[4])))
                window = window[max(end, len(window) - _LONGEST_MARK) :]
    return Marks(tuple(merged), hidden, errors, formulas if is_stale else 0)


@lru_cache(maxsize=8)
def _opendocument_marks(path: Path, sheet: str, _changed: tuple[int, int]) -> Marks:
    merged: list[Merged] = []
    hidden = errors = 0
    for number, row in enumerate(sheet_rows(path, sheet), 1):
        hidden += row.hidden and bool(row.cells)
        errors += sum(isinstance(cell, str) and _ERROR.fullmatch(cell) is not None
                      for cell in row.cells)  # fmt: skip
        for column, height in row.spans:
            name = f"{_letters(column)}{number}:{_letters(column)}{number + height - 1}"
            merged.append(Merged(name, column, number, number + height - 1))
    return Marks(tuple(merged), hidden, errors)


_ERROR = re.compile(r"#(N/A|DIV/0!|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:\d{3}")


@lru_cache(maxsize=8)
def _calamine_marks(path: Path, sheet: str, _changed: tuple[int, int]) -> Marks:
    import python_calamine

    with path.open("rb") as file, closing(python_calamine.load_workbook(file)) as book:
        ranges = book.get_sheet_by_name(sheet).merged_cell_ranges or ()
    merged = [
        Merged(
            f"{_letters(left)}{top + 1}:{_letters(right)}{bottom + 1}", left, top + 1, bottom + 1
        )
        for (top, left), (bottom, right) in ranges
        if bottom > top
    ]
    return Marks(tuple(merged), 0, 0)


def _letters(column: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(column + 1))


def _with_merged(rows: Iterator[Cells], merged: Sequence[Merged]) -> Iterator[Cells]:
    """Fill the rows of merged cells with their value."""
    starts: dict[int, list[Merged]] = {}
    for each in merged:
        starts.setdefault(each.first, []).append(each)
    running: list[tuple[Merged, Any]] = []
    for number, cells in enumerate(rows, 1):
        running = [each for each in running if each[0].last >= number]
        for each, value in running:
            cells += [None] * (each.column + 1 - len(cells))
            if cells[each.column] is None:
                cells[each.column] = value
        for each in starts.get(number, ()):
            if each.column < len(cells):
                running.append((each, cells[each.column]))
        yield cells


def _formulas_without_value(book: Workbook, sheet: str) -> list[str]:
    """The places of formulas whose result was never calculated and stored."""
    if book.reader == "opendocument":
        return [
            f"{_letters(place)}{number}"
            for number, row in enumerate(sheet_rows(book.path, sheet), 1)
            for place in row.formulas
        ]
    found: list[str] = []
    if book.reader != "openpyxl" or not any(None in cells for cells in book.rows(sheet)):
        return found
    values = _openpyxl_cells(book.path, sheet)
    for row, formulas in zip(
        values, _openpyxl_cells(book.path, sheet, formulas=True), strict=False
    ):
        for value, formula in zip(row, formulas, strict=False):
            if value.value is None and str(formula.value or "").startswith("="):
                found.append(formula.coordinate)
    return found


def _opendocument_rows(path: Path, sheet: str) -> Iterator[Cells]:
    return (row.cells for row in sheet_rows(path, sheet))


def _calamine_rows(path: Path, sheet: str) -> Iterator[Cells]:
    import python_calamine

    with path.open("rb") as file, closing(python_calamine.load_workbook(file)) as book:
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    shown = ([None if cell == "" else shown_value(cell) for cell in row] for row in rows)
    return _with_others(shown, other_cells(path, sheet)) if is_binary_workbook(path) else shown


def _with_others(rows: Iterator[Cells], others: Iterator[OtherCell]) -> Iterator[Cells]:
    """Put the cells that calamine does not read where it has none."""
    other = next(others, None)
    for number in itertools.count():
        cells = next(rows, None)
        if cells is None and other is None:
            return
        cells = cells or []
        while other is not None and other.row == number:
            cells += [None] * (other.column + 1 - len(cells))
            if cells[other.column] is None:
                cells[other.column] = None if other.value == "" else shown_value(other.value)
            other = next(others, None)
        yield cells


_ROWS = {
    "openpyxl": _openpyxl_rows,
    "opendocument": _opendocument_rows,
    "calamine": _calamine_rows,
}
_MARKS = {
    "openpyxl": _scan,
    "opendocument": _opendocument_marks,
    "calamine": _calamine_marks,
}
