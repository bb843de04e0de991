"""Rows from a table of a web page (HTML), which some programs save as ``.xls``."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from tui.compose.sources.base import Source, source_of_cells
from tui.compose.sources.encoding import detect_encoding
from tui.compose.sources.header import column_names, detect_header, doubts_of_names
from tui.core.formatting import counted
from tui.core.text import quoted
from tui.errors import InputError

_MOST_BYTES = 256 << 20
_SPAN = 1000
_CELLS = ("td", "th")


def open_page(path: Path, *, header: bool | None = None, encoding: str | None = None) -> Source:
    """Open the table of a web page that has most cells.

    Cells that span several columns are followed by empty ones, as in Excel; the text of those that
    span several rows is in each of them.

    Args:
        path: The file.
        header: Whether the first row has the column names; detected if ``None``.
        encoding: Python's name of the encoding; detected if ``None``.

    Raises:
        InputError: The file cannot be read, is too large, or has no table.
    """
    text = detect_encoding(path, encoding)
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(
            f"{quoted(path.name)} is a web page of more than {_MOST_BYTES >> 20} MB",
            "Open it in Excel and save it as .xlsx or .csv.",
            path=path,
        )
    parser = _Tables()
    with text.open(path) as file:
        parser.feed(file.read())
    parser.close()
    tables = [[row for row in table if any(row)] for table in parser.tables]
    table = max(tables, key=lambda rows: sum(map(len, rows)), default=[])
    if not table:
        raise InputError(
            f"{quoted(path.name)} is a web page (HTML) without a table",
            "Perhaps the download failed; download it again.",
            path=path,
        )
    width = max(map(len, table))
    table = [row + [""] * (width - len(row)) for row in table]
    doubts = [*text.doubts, "a web page, read as its " + _which(len(tables))]
    if parser.tall:
        doubts.append(f"{counted(parser.tall, 'cell')} over several rows: the text is in each row")
    if header is None:
        header, doubt = detect_header(table[0], table[1:500])
        header = header or parser.named
        doubts += [doubt] if doubt and not parser.named else []
    names = column_names(table[0]) if header else [f"column_{n}" for n in range(1, width + 1)]
    doubts += doubts_of_names(table[0], names) if header else []
    notes = (text.encoding, "HTML", "header row" if header else "no header")
    return source_of_cells(path, names, table[header:], notes=notes, doubts=doubts)


def _which(tables: int) -> str:
    return "table" if tables == 1 else f"largest table of {counted(tables, 'table')}"


class _Tables(HTMLParser):
    """Collects the cells of all tables; ``named`` if a first row has header cells only.

    ``tall`` counts the cells that span several rows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.named = False
        self._cell: list[str] | None = None
        self.tall = 0
        self._span = self._height = 1
        self._hidden = 0
        self._broken = False
        self._hanging: dict[int, tuple[int, str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._hidden += 1
        elif tag == "table":
            self._end_cell()
            self.tables.append([])
            self._hanging.clear()
        elif not self.tables:
            return
        elif tag == "tr":
            self._end_row()
            self.tables[-1].append([])
        elif tag in _CELLS:
            self._end_cell()
            if not self.tables[-1]:
                self.tables[-1].append([])
            self._span = _number(dict(attrs).get("colspan"))
            self._height = _number(dict(attrs).get("rowspan"))
            self._cell = []
            self.named = self.named or (tag == "th" and len(self.tables[-1]) == 1)
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")
            self._broken = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden = max(self._hidden - 1, 0)
        elif tag in _CELLS:
            self._end_cell()
        elif tag in ("tr", "table"):
            self._end_row()

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._hidden:
            # The line that a page goes on with after a break is not a second one.
            self._cell.append(data.lstrip(" \t\r\n") if self._broken else data)
            self._broken = False

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        lines = "".join(self._cell).split("\n")
        text = "\n".join(" ".join(line.split()) for line in lines).strip()
        row = self.tables[-1][-1]
        self._hang(row)
        if self._height > 1:
            self.tall += 1
            last = len(self.tables[-1]) + self._height - 1
            for place in range(self._span):
                self._hanging[len(row) + place] = (last, "" if place else text)
        row += [text] + [""] * (self._span - 1)
        self._cell = None
        self._broken = False

    def _end_row(self) -> None:
        self._end_cell()
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self._hang(self.tables[-1][-1])

    def _hang(self, row: list[str]) -> None:
        """Put the texts of the cells above into a row, where they go on in it."""
        number = len(self.tables[-1])
        while self._hanging.get(len(row), (0, ""))[0] >= number:
            row.append(self._hanging[len(row)][1])


def _number(span: str | None) -> int:
    """How many columns or rows an attribute says."""
    return max(min(int(span), _SPAN), 1) if span and span.isdecimal() else 1
