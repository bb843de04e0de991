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

    Cells that span several columns or rows are followed by empty ones, as in Excel.

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
    """Collects the cells of all tables; ``named`` if a first row has header cells only."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.named = False
        self._cell: list[str] | None = None
        self._span = 1
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._hidden += 1
        elif tag == "table":
            self._end_cell()
            self.tables.append([])
        elif not self.tables:
            return
        elif tag == "tr":
            self._end_cell()
            self.tables[-1].append([])
        elif tag in _CELLS:
            self._end_cell()
            if not self.tables[-1]:
                self.tables[-1].append([])
            span = dict(attrs).get("colspan") or "1"
            self._span = min(int(span), _SPAN) if span.isdecimal() else 1
            self._cell = []
            self.named = self.named or (tag == "th" and len(self.tables[-1]) == 1)
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden = max(self._hidden - 1, 0)
        elif tag in (*_CELLS, "tr", "table"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._hidden:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        lines = "".join(self._cell).split("\n")
        text = "\n".join(" ".join(line.split()) for line in lines).strip()
        self.tables[-1][-1] += [text] + [""] * (self._span - 1)
        self._cell = None
