"""Read the sheets of an OpenDocument spreadsheet: ``.ods``, or ``.fods``, which is one XML file.

Each cell is given as the sheet shows it. The file itself has the text of each cell as it was shown
when it was saved, which calamine does not give. Dates, times and booleans are given by their
value, which does not depend on a country.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import Element, iterparse

from tui.compose.sources.spreadsheets.cell_formats import shown_value

_SPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TABLE, _TEXT, _OFFICE, _STYLE = (_SPACE % name for name in ("table", "text", "office", "style"))
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
_DURATION = re.compile(r"(-?)PT(\d+)H(\d+)M(\d+)")
_HEAD = 1 << 16
_MOST_REPEATED = 1 << 14
"""A cell or row with content that is repeated more often fills a sheet, and is not data."""


class SheetRow(NamedTuple):
    """A row of a sheet.

    Attributes:
        cells: The cells, as the sheet shows them.
        hidden: Whether the row is hidden, by hand or by a filter.
        spans: The positions of cells that go on over several rows, and over how many.
        formulas: The positions of formulas without a stored value.
    """

    cells: list[Any]
    hidden: bool
    spans: tuple[tuple[int, int], ...]
    formulas: tuple[int, ...]


def is_opendocument(path: Path) -> bool:
    """Whether a file is an OpenDocument spreadsheet, whatever its name ends with."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            head = file.read(_HEAD)
        return b"<office:document " in head and b"opendocument.spreadsheet" in head
    with zipfile.ZipFile(path) as archive:
        return {"content.xml", "mimetype"} <= {*archive.namelist()} and b"spreadsheet" in (
            archive.read("mimetype")
        )


def sheet_names(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the sheets that are shown, and of those that are hidden."""
    hidden_styles: set[str] = set()
    shown: list[str] = []
    hidden: list[str] = []
    style = ""
    with closing(_content(path)) as file:
        for event, element in iterparse(file, ("start", "end")):
            if event == "start" and element.tag == f"{_STYLE}style":
                style = element.get(f"{_STYLE}name", "")
            elif event == "start" and element.tag == f"{_STYLE}table-properties":
                if element.get(f"{_TABLE}display") == "false":
                    hidden_styles.add(style)
            elif event == "start" and element.tag == f"{_TABLE}table":
                is_hidden = element.get(f"{_TABLE}style-name") in hidden_styles
                (hidden if is_hidden else shown).append(element.get(f"{_TABLE}name", ""))
            elif event == "end" and element.tag == f"{_TABLE}table-row":
                element.clear()
    return tuple(shown), tuple(hidden)


def sheet_rows(path: Path, sheet: str) -> Iterator[SheetRow]:
    """Stream the rows of a sheet; many empty rows after each other are one."""
    with closing(_content(path)) as file:
        inside = False
        for event, element in iterparse(file, ("start", "end")):
            if element.tag == f"{_TABLE}table":
                if inside and event == "end":
                    return
                inside = inside or element.get(f"{_TABLE}name") == sheet
            elif event == "end" and element.tag == f"{_TABLE}table-row":
                if inside:
                    row = _row(element)
                    for _ in range(_repeated(element, "rows", bool(row.cells))):
                        yield row._replace(cells=[*row.cells])
                element.clear()


def _content(path: Path) -> IO[bytes]:
    if not zipfile.is_zipfile(path):
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    return archive.open("content.xml")


def _repeated(element: Element, what: str, filled: bool) -> int:
    times = int(element.get(f"{_TABLE}number-{what}-repeated", "1"))
    return min(times, _MOST_REPEATED) if filled else min(times, _MOST_REPEATED, 2)


def _row(element: Element) -> SheetRow:
    cells: list[Any] = []
    spans: list[tuple[int, int]] = []
    formulas: list[int] = []
    gap = 0
    for cell in element:
        if cell.tag not in _CELLS:
            continue
        value = _value(cell)
        is_formula = cell.get(f"{_TABLE}formula") is not None
        times = int(cell.get(f"{_TABLE}number-columns-repeated", "1"))
        if value is None and not is_formula:
            gap += times
            continue
        cells += [None] * gap
        gap = 0
        height = int(cell.get(f"{_TABLE}number-rows-spanned", "1"))
        if height > 1:
            spans.append((len(cells), height))
        if value is None:
            formulas.append(len(cells))
        cells += [value] * min(times, _MOST_REPEATED)
    hidden = element.get(f"{_TABLE}visibility", "visible") != "visible"
    return SheetRow(cells, hidden, tuple(spans), tuple(formulas))


def _value(cell: Element) -> Any:
    kind = cell.get(f"{_OFFICE}value-type", "")
    shown = "\n".join(map(_paragraph, cell.findall(f"{_TEXT}p")))
    if kind == "boolean":
        return shown_value(cell.get(f"{_OFFICE}boolean-value") == "true")
    if kind == "date":
        return cell.get(f"{_OFFICE}date-value", "").replace("T", " ") or shown or None
    if kind == "time":
        match = _DURATION.match(cell.get(f"{_OFFICE}time-value", ""))
        return f"{match[1]}{int(match[2])}:{match[3]}:{match[4]}" if match else shown or None
    if kind == "float":
        number = shown_value(float(cell.get(f"{_OFFICE}value", "nan")))
        return number if shown in ("", str(number), str(number).replace(".", ",")) else shown
    return shown or cell.get(f"{_OFFICE}string-value") or cell.get(f"{_OFFICE}value") or None


def _paragraph(element: Element) -> str:
    """The text of a paragraph; comments and phonetic readings are not part of it."""
    text = element.text or ""
    for inner in element:
        if inner.tag == f"{_TEXT}s":
            text += " " * int(inner.get(f"{_TEXT}c", "1"))
        elif inner.tag == f"{_TEXT}tab":
            text += "\t"
        elif inner.tag == f"{_TEXT}line-break":
            text += "\n"
        elif inner.tag not in (f"{_OFFICE}annotation", f"{_TEXT}ruby-text", f"{_TEXT}note"):
            text += _paragraph(inner)
        text += inner.tail or ""
    return text
