"""CSV and TSV tables: dialect, encoding and header are found out, rows are streamed."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tui.compose.sources.cells import CellForm, slices
from tui.compose.sources.encoding import look_at
from tui.compose.sources.source import Row, Source
from tui.core.text import quoted
from tui.errors import InputError

_SAMPLE = 1 << 16
_DELIMITERS = ",;\t|"
_LONGEST_NAME = 80


def open_table(
    path: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    name: str | None = None,
) -> Source:
    """A delimited table; quoted cells may hold newlines.

    Args:
        path: The file.
        delimiter: One character; found out when ``None``: comma, semicolon, tab or bar.
        encoding: Python's name of it; found out when ``None``.
        header: Does the first row name the columns? Found out when ``None``. Without a header
            the columns are ``column_1``, ``column_2`` and so on.
        name: What to call it, when not by its path.

    Raises:
        InputError: The file cannot be read, or holds no rows.
    """
    found = look_at(path, encoding)
    with path.open(encoding=found.encoding, newline="") as file:
        sample = file.read(_SAMPLE)
        whole = not file.read(1)
    if not sample.strip():
        raise InputError(f"{quoted(str(path), 200)} is empty", "Name a table with rows.", path=path)
    if delimiter is None:
        delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else sniff(sample, whole=whole)
    first = next(_records(sample, delimiter), [])
    if header is None:
        header = _is_header(first, _records(sample, delimiter))
    columns = _named(first) if header else [f"column_{n}" for n in range(1, len(first) + 1)]

    form = CellForm(path, found.encoding, delimiter, len(columns), header)

    def rows() -> Iterator[Row]:
        for cells in itertools.chain.from_iterable(slices(form)):
            yield dict(zip(columns, cells))  # noqa: B905 - slices have as many

    shown = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}.get(delimiter, delimiter)
    return Source(
        name=name or str(path),
        kind="table",
        columns=tuple(columns),
        open_rows=rows,
        count=_count(found.lines, sample, delimiter, whole=whole) - header,
        base=path.parent,
        notes=(
            found.encoding,
            f"{shown} between cells",
            "header row" if header else "no header",
        ),
        delimited=True,
        open_slices=lambda: slices(form),
    )


def _count(lines: int, sample: str, delimiter: str, *, whole: bool) -> int:
    """How many rows there are, about: quoted cells may hold line ends."""
    in_sample = sample.count("\n")
    records = sum(1 for _ in _records(sample, delimiter))
    if not sample.endswith("\n"):
        in_sample += 1
        # The end of a sample that is not all of the file tells nothing of the file's end.
        lines += whole
    return max(round(lines * records / in_sample), 1)


def sniff(sample: str, *, whole: bool) -> str:
    """The delimiter that cuts the sample into the most even rows; a comma when in doubt."""
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = [len(record) for record in _records(sample, delimiter)]
        if not whole and len(widths) > 1:
            widths.pop()
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        if width < 2:
            continue
        score = times / len(widths) + min(width, 50) / 1000
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            record = next(reader, None)
        except csv.Error:
            return
        if record is None:
            return
        if record:
            yield record


def _is_header(first: list[str], records: Iterator[list[str]]) -> bool:
    """Names are filled, short, different, no numbers, and do not come again as values."""
    names = [cell.strip() for cell in first]
    if not all(names) or len(set(names)) != len(names):
        return False
    if any(len(name) > _LONGEST_NAME or "\n" in name or _is_number(name) for name in names):
        return False
    next(records, None)
    following = [record for _, record in zip(range(200), records, strict=False)]
    if not following:
        return True
    for place, name in enumerate(names):
        values = [record[place] for record in following if len(record) > place]
        if name in values:
            return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _named(first: list[str]) -> list[str]:
    """The column names of a header: filled and different."""
    names: list[str] = []
    for place, cell in enumerate(first, 1):
        name = cell.strip() or f"column_{place}"
        base, turn = name, 2
        while name in names:
            name = f"{base}_{turn}"
            turn += 1
        names.append(name)
    return names
