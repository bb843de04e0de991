"""Rows from delimited tables: CSV, TSV and the like, with delimiter and header detected."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tui.compose.sources.base import Row, Source
from tui.compose.sources.cell_doubts import (
    doubts_of_cells,
    doubts_of_escapes,
    doubts_of_last_row,
    second_header_in_gaps,
)
from tui.compose.sources.encoding import detect_encoding
from tui.compose.sources.header import column_names, doubts_of_names
from tui.compose.sources.quoted_cells import Quoting
from tui.compose.sources.table_format import (
    DELIMITER_NAMES,
    ONE_COLUMN,
    Lines,
    LongRows,
    TableFormat,
    make_reader,
    survey_table,
)
from tui.core.text import quoted
from tui.errors import InputError

_LOOKED_AT = 500


def slices(form: TableFormat) -> Iterator[list[list[str]]]:
    """Yield the rows after the header in slices; each row is a list of cells.

    A slice covers about 64,000 characters of the file, so memory use does not depend on the
    length of the rows. Blank lines are skipped; short rows are padded with empty cells.

    Raises:
        InputError: A row cannot be read or has too many cells. The rows before it are yielded
            first.
    """
    number = 0
    with form.text.open(form.path, newline="") as file:
        lines = Lines(file, zeros=form.text.zeros)
        reader = _reader(lines, form)
        ended = False
        while not ended:
            rows: list[list[str]] = []
            problem: InputError | None = None
            try:
                for cells in reader:
                    rows.append(cells)
                    if lines.moved:
                        lines.moved = False
                        break
                else:
                    ended = True
            except (csv.Error, UnicodeError) as error:
                row = number + 1 + sum(map(bool, rows))
                problem = _unreadable(form, error, row, reader.line_num + form.skipped)
            if rows and {*map(len, rows)} != {form.width}:
                rows, uneven = _fit_width(rows, form, number)
                problem = uneven or problem
            if rows:
                yield rows
                number += len(rows)
            if problem is not None:
                raise problem


def _reader(lines: Lines, form: TableFormat) -> Any:
    """A reader positioned after the header."""
    reader = make_reader(lines, form)
    try:
        while form.header and not next(reader, [""]):
            pass
    except (csv.Error, UnicodeError) as error:
        raise _unreadable(form, error, 1, reader.line_num + form.skipped) from None
    lines.moved = False
    return reader


def _fit_width(
    rows: list[list[str]], form: TableFormat, rows_before: int
) -> tuple[list[list[str]], InputError | None]:
    """Pad or trim the rows to the width, up to the first with content beyond it."""
    width = form.width
    fitted: list[list[str]] = []
    for cells in filter(None, rows):
        if form.long_rows == "join" and any(cells[width:]):
            last = form.delimiter.join(cells[width - 1 :])
            fitted.append([*cells[: width - 1], last])
            continue
        if any(cells[width:]):
            return fitted, _too_many_cells(form, rows_before + len(fitted) + 1, len(cells))
        fitted.append(cells[:width] + [""] * (width - len(cells)))
    return fitted, None


def _too_many_cells(form: TableFormat, row: int, found: int) -> InputError:
    """The error for a row with too many cells; rereads the file to find its line number."""
    with form.text.open(form.path, newline="") as file:
        reader = _reader(Lines(file, zeros=form.text.zeros), form)
        next(itertools.islice(filter(None, reader), row - 1, None))
        line = reader.line_num + form.skipped
    return InputError(
        f"row {row} of {quoted(form.path.name)} has {found} cells; the first row has {form.width}",
        "Quote cells that contain the delimiter, or set --delimiter, --quoting or"
        " --long-rows join.",
        path=form.path,
        line=line,
    )


def _unreadable(form: TableFormat, error: Exception, row: int, line: int) -> InputError:
    name = quoted(form.path.name)
    if isinstance(error, csv.Error):
        return InputError(
            f"row {row} of {name} cannot be read: {error}",
            "Check for an unclosed quote, or set --quoting.",
            path=form.path,
            line=line,
        )
    return InputError(
        f"row {row} of {name} is not {form.text.encoding}: {error}",
        "Set the encoding, or save the file as UTF-8.",
        path=form.path,
    )


def open_table(
    path: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    quoting: Quoting | None = None,
    long_rows: LongRows | None = None,
) -> Source:
    """Open a delimited table; quoted cells may contain newlines.

    Args:
        path: The file.
        delimiter: One character; if ``None``, comma, semicolon, tab or bar is detected.
        encoding: Python's name of the encoding; detected if ``None``.
        header: Whether the first row is a header; detected if ``None``. Without a header, the
            columns are ``column_1``, ``column_2`` and so on.
        quoting: How quotation marks are read; detected if ``None``.
        long_rows: What becomes of rows with too many cells; by default they are refused.

    Raises:
        InputError: The file cannot be read, or is empty.
    """
    text = detect_encoding(path, encoding)
    with text.open(path) as file:
        if not any(line.strip() for line in file):
            raise InputError(
                f"{quoted(str(path), 200)} is empty", "Use a table with rows.", path=path
            )
    survey = survey_table(
        path, text, delimiter=delimiter, quoting=quoting, header=header, long_rows=long_rows
    )
    form, first = survey.form, survey.first
    columns = column_names(first) if form.header else [f"column_{n + 1}" for n in range(len(first))]
    doubts = doubts_of_names(first[form.unnamed :], columns[form.unnamed :]) if form.header else []

    try:
        head = next(slices(form), [])[:_LOOKED_AT]
    except InputError:
        # It is raised when the rows are read.
        head = []
    doubts += doubts_of_cells(columns, head)
    doubts += doubts_of_escapes(form, head)
    doubts += second_header_in_gaps(first, head) if form.header else []
    doubts += doubts_of_last_row(form)

    def rows() -> Iterator[Row]:
        for cells in itertools.chain.from_iterable(slices(form)):
            yield dict(zip(columns, cells))  # noqa: B905 - same length

    name = DELIMITER_NAMES.get(form.delimiter, form.delimiter)
    shape = "one column" if form.delimiter == ONE_COLUMN else f"{name}-separated"
    return Source(
        name=str(path),
        kind="table",
        columns=tuple(columns),
        open_rows=rows,
        count=survey.rows,
        exact=survey.exact,
        base=path.parent,
        notes=(text.encoding, shape, "header row" if form.header else "no header"),
        doubts=(*text.doubts, *survey.doubts, *doubts),
        delimited=True,
        open_slices=lambda: slices(form),
    )
