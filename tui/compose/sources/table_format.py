"""Detect how a delimited table is written: delimiter, quoting, title lines and header.

Each is decided by evidence from the whole file (from its first part, if it is very long), and
what stays doubtful is said.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

from tui.compose.sources.encoding import TextFile
from tui.compose.sources.header import (
    detect_header,
    doubts_of_rows,
    is_title,
    repeats_header,
)
from tui.compose.sources.quoted_cells import (
    EscapedReader,
    LenientReader,
    Quoting,
    common_width,
    csv_reader,
)
from tui.core.formatting import counted

LongRows = Literal["refuse", "join", "widen"]
"""What becomes of cells beyond the last column: the row is refused, they are text of the last
cell, or they have columns of their own."""

DELIMITERS = ",;\t|"
_RARE_DELIMITERS = "\x01\x1e~^¦"
"""Delimiters of old systems; they count only if every line has them."""

DELIMITER_NAMES = {
    "\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "space", ":": "colon",
    "~": "tilde", "^": "caret", "\x01": "^A", "\x1e": "^^",
}  # fmt: skip
ONE_COLUMN = "\x1f"
"""The delimiter of a list of texts; it occurs in none of them."""

_SAMPLE = 1 << 16
_SURVEYED = 1 << 28
"""At most this many characters are read to decide on the format."""

_PIECE = 1 << 16


class TableFormat(NamedTuple):
    """How to read a table.

    Attributes:
        path: The file.
        text: Its encoding.
        delimiter: The delimiter.
        quoting: How quotation marks are read.
        skipped: The number of lines before the header or the first row.
        width: The number of columns.
        header: Whether there is a header row.
        unnamed: The number of columns before the first that the header names.
        long_rows: What becomes of rows with more cells than columns.
    """

    path: Path
    text: TextFile
    delimiter: str
    quoting: Quoting = "double"
    skipped: int = 0
    width: int = 1
    header: bool = True
    unnamed: int = 0
    long_rows: LongRows = "refuse"


class Lines:
    """Reads the lines of a file in pieces; ``moved`` is set when a new piece was read.

    With ``zeros``, a line of nothing but zero bytes is a blank line. Pieces for which ``passes``
    is true are left out.
    """

    def __init__(
        self,
        file: TextIO,
        most: int | None = None,
        *,
        zeros: bool = False,
        passes: Callable[[list[str]], bool] | None = None,
    ) -> None:
        self._file = file
        self._left = most
        self._zeros = zeros
        self._passes = passes
        self.moved = False

    def __iter__(self) -> Iterator[str]:
        while lines := self._file.readlines(_PIECE):
            self.moved = True
            if self._left is not None:
                self._left -= sum(map(len, lines))
            if self._zeros:
                # A file that was not written to its end is filled up with them.
                lines = [line if line.strip("\x00\r\n") else "\n" for line in lines]
            if self._passes is None or not self._passes(lines):
                yield from lines
            if self._left is not None and self._left <= 0:
                return


def make_reader(lines: Iterable[str], form: TableFormat, *, strict: bool = False) -> Any:
    """A reader of the records after the skipped lines; it has ``line_num`` as ``csv.reader``."""
    rest = islice(lines, form.skipped, None)
    if form.quoting == "lenient":
        return LenientReader(rest, form.delimiter, form.width)
    if form.quoting == "escapes":
        return EscapedReader(rest, form.delimiter)
    return csv_reader(rest, form.delimiter, form.quoting, strict=strict)


class Survey(NamedTuple):
    """What was found out about a table: its format, the first row, and what is doubtful.

    ``rows`` counts the rows after the header; ``exact`` tells whether the whole file was read.
    """

    form: TableFormat
    first: list[str]
    rows: int
    exact: bool
    doubts: tuple[str, ...]


def survey_table(
    path: Path,
    text: TextFile,
    *,
    delimiter: str | None = None,
    quoting: Quoting | None = None,
    header: bool | None = None,
    long_rows: LongRows | None = None,
) -> Survey:
    """Find out how a table is written; what the caller gives is not detected."""
    with text.open(path, newline="") as file:
        sample = file.read(_SAMPLE)
        whole = not file.read(1)
    declared, lines_declared = _declared_delimiter(sample)
    doubts: list[str] = []
    if delimiter is None and declared:
        delimiter, skipped = declared, lines_declared
    else:
        skipped = lines_declared if delimiter == declared else 0
    rest = sample.split("\n", skipped)[-1] if skipped else sample
    if delimiter is None:
        prefer = "\t" if path.suffix.lower() in (".tsv", ".tab") else None
        delimiter = detect_delimiter(rest, whole=whole, prefer=prefer)
        if _is_list(rest, delimiter, whole=whole):
            delimiter = ONE_COLUMN
            quoting = quoting or "none"
            doubts.append("one column: the lines have no common delimiter")
    form = TableFormat(path, text, delimiter, quoting or "double", skipped)
    counts = _count(form)
    if quoting is None and delimiter != ONE_COLUMN:
        form, counts = _other_quotes(form, counts, rest)
    if quoting is None and form.quoting == "double" and (counts.malformed or counts.continued):
        form, counts = _without_false_quotes(form, counts)
    titles = _title_lines(counts) if header is None else 0
    if titles:
        form = form._replace(skipped=form.skipped + titles)
        doubts.append(f"{counted(titles, 'line')} above the table skipped")
        counts = _count(form)
    first = counts.head[0] if counts.head else []
    width = len(first)
    if header is None:
        header, doubt = detect_header(first, counts.head[1:])
        doubts += [doubt] if doubt else []
    usual = counts.usual_width(without_first=header)
    if header and usual == width + 1 and not counts.is_padded:
        # As R writes a table: the header has no name for the column of the row names.
        form = form._replace(unnamed=1)
        first = ["", *first]
        width += 1
        counts.widths[width - 1] -= 1
        doubts.append(
            "the header has one name fewer than the rows have cells; the first column has no name"
        )
    if long_rows == "widen":
        widest = max((each for each, times in counts.widths.items() if times > 0), default=width)
        first = first + [""] * (widest - width)
        width = max(width, widest)
    form = form._replace(header=header, width=max(width, 1), long_rows=long_rows or "refuse")
    if form.quoting == "none" and quoting is None and delimiter != ONE_COLUMN:
        doubts.append("quotation marks are text (--quoting double changes it)")
    if form.quoting in _QUOTING_SAID and quoting is None:
        doubts.append(f"{_QUOTING_SAID[form.quoting]} (--quoting double changes it)")
    if form.quoting == "lenient":
        counts = _count(form)
        doubts.append(
            f"{counted(counts.malformed, 'cell')} with a stray quotation mark, read as text"
            f" (first: line {counts.first_malformed})"
        )
    short, line = counts.short_rows(form.width)
    if short:
        doubts.append(
            f"{counted(short, 'row')} with fewer cells than {form.width} (first: line {line}),"
            " filled with empty cells"
        )
    long, line = counts.long_rows(form.width)
    if long and delimiter != ONE_COLUMN:
        joined = ", joined to the last" if long_rows == "join" else ""
        doubts.append(
            f"{counted(long, 'row')} with more cells than {form.width} (first: line {line}){joined}"
        )
    if counts.empty and delimiter != ONE_COLUMN and form.width > 1:
        doubts.append(
            f"{counted(counts.empty, 'row')} without any text (first: line {counts.first_empty})"
        )
    if header and counts.repeated:
        doubts.append(
            f"{counted(counts.repeated, 'row')} with the header again, read as a row"
            f" (first: line {counts.first_repeated})"
        )
    if header:
        doubts += doubts_of_rows(first, counts.head[1:], "the row below the header")
    if counts.footer:
        doubts.append(
            f"the last {counted(counts.footer, 'row')}, after a blank line, may be a footer"
            f" (line {form.skipped + counts.footer_line})"
        )
    rows = max(counts.rows - header, 0)
    if not counts.whole:
        rows = round(rows * max(text.lines / max(counts.lines, 1), 1))
    return Survey(form, first, rows, counts.whole, tuple(doubts))


def _declared_delimiter(sample: str) -> tuple[str, int]:
    """The delimiter that Excel's first line ``sep=;`` declares, and the number of such lines."""
    match = re.match(r'"?sep=(.)"?[\t,; ]*\r?\n', sample, re.IGNORECASE)
    return (match.group(1), 1) if match else ("", 0)


def detect_delimiter(sample: str, *, whole: bool, prefer: str | None = None) -> str:
    """Detect the delimiter that gives the most uniform rows; by default ``prefer`` or a comma."""
    best, best_score = prefer or ",", 0.0
    for delimiter in DELIMITERS:
        for quoting, handicap in (("double", 0.0), ("none", 0.02)):
            records = whole_records(sample, delimiter, quoting, whole=whole)
            if not records:
                continue
            width, times = Counter(map(len, records)).most_common(1)[0]
            if width < 2:
                continue
            score = times / len(records) + min(width, 50) / 1000 - handicap
            score += 0.5 if delimiter == prefer else 0.0
            if score > best_score:
                score -= 0.3 * _torn_numbers(records[:_HEAD])
            if score > best_score:
                best, best_score = delimiter, score
    if best_score < _CERTAIN:
        found = _rare_delimiter(sample, whole=whole)
        return found if found and prefer is None else best
    return best


_CERTAIN = 0.7
_TORN = re.compile(r"[-+]?\d[\d.,]*[;|\t][-+\d.,;|\t]*")


def _torn_numbers(records: list[list[str]]) -> float:
    """The share of cells that are numbers with another delimiter between them."""
    cells = [cell for record in records for cell in record]
    return sum(_TORN.fullmatch(cell.strip()) is not None for cell in cells) / max(len(cells), 1)


def _rare_delimiter(sample: str, *, whole: bool) -> str:
    """A rare delimiter that every line has the same number of times; empty if there is none."""
    quoted_cells = re.search(r'^"[^"]*" "[^"]*"', sample, re.MULTILINE) is not None
    for delimiter in _RARE_DELIMITERS + (" " if quoted_cells else "") + ":":
        records = whole_records(sample, delimiter, "double", whole=whole)
        widths = {*map(len, records)}
        # R writes a table with row names, for which the header has no name.
        named = len(records) > 2 and {len(record) - 1 for record in records[1:]} == {
            len(records[0])
        }
        if len(records) < 3 or not (widths == {len(records[0])} or named) or 1 in widths:
            continue
        if delimiter == ":" and not all(re.fullmatch(r"[^\W\d][\w.-]*", x) for x in records[0]):
            continue
        return delimiter
    return ""


def _is_list(sample: str, delimiter: str, *, whole: bool) -> bool:
    """Whether the lines are texts of one column that contain the delimiter here and there."""
    widths = [len(record) for record in whole_records(sample, delimiter, "double", whole=whole)]
    if len(widths) < 3 or widths[0] != 1 or max(widths) == 1 or '"' in sample:
        return False
    runs = [(width, len(list(same))) for width, same in groupby(widths)]
    longest = max((times for width, times in runs if width > 1), default=0)
    if longest >= 3 and longest * 2 >= len(widths):
        # A table under title lines.
        return False
    _, times = Counter(widths[1:]).most_common(1)[0]
    return times < 0.8 * (len(widths) - 1)


def whole_records(sample: str, delimiter: str, quoting: str, *, whole: bool) -> list[list[str]]:
    """The records of a sample, but for the last if the sample may end inside it."""
    records = list(_records(sample, delimiter, quoting))
    return records[:-1] if not whole and len(records) > 1 else records


def _records(text: str, delimiter: str, quoting: str = "double") -> Iterator[list[str]]:
    how: Quoting = "none" if quoting == "none" else "double"
    reader = csv_reader(io.StringIO(text, newline=""), delimiter, how)
    while True:
        try:
            record = next(reader, None)
        except csv.Error:
            return
        if record is None:
            return
        if record:
            yield record


_HEAD = 500
_MOST_FOOTER = 5


class _Counts:
    """What one pass over a table counts.

    ``continued`` counts the rows with a line ending in a cell, ``malformed`` the cells with a
    stray mark.
    """

    def __init__(self) -> None:
        self.head: list[list[str]] = []
        self.head_lines: list[int] = []
        self.widths: Counter[int] = Counter()
        self.width_lines: dict[int, int] = {}
        self.rows = self.lines = 0
        self.continued = self.malformed = self.first_malformed = 0
        self.whole = True
        self.is_padded = False
        self.footer = self.footer_line = 0
        self.empty = self.first_empty = 0
        self.repeated = self.first_repeated = 0

    def usual_width(self, *, without_first: bool = False) -> int:
        """The width of most rows."""
        widths = self.widths.copy()
        if without_first and self.head:
            widths[len(self.head[0])] -= 1
        (width, times) = widths.most_common(1)[0] if widths else (0, 0)
        return width if times else 0

    def look_at(self, record: list[str], line: int) -> None:
        """Count a record that has no text, or is the header again."""
        if not record[0].strip() and not any(map(str.strip, record)):
            self.empty += 1
            self.first_empty = self.first_empty or line
        elif self.head and repeats_header(record, self.head[0]):
            self.repeated += 1
            self.first_repeated = self.first_repeated or line

    def is_uniform(self) -> bool:
        """Whether all rows have the same number of cells, at least two."""
        return len(self.widths) == 1 and self.usual_width() > 1 and self.rows > 1

    def share_of(self, width: int) -> float:
        """The share of the rows that have this width."""
        return self.widths[width] / max(self.rows, 1)

    def long_rows(self, width: int) -> tuple[int, int]:
        """How many rows have more cells, and the line of the first; trailing delimiters aside."""
        if self.is_padded:
            return 0, 0
        long = {each: times for each, times in self.widths.items() if each > width}
        return sum(long.values()), min((self.width_lines[each] for each in long), default=0)

    def short_rows(self, width: int) -> tuple[int, int]:
        """How many rows have fewer cells, and the line of the first."""
        short = {each: times for each, times in self.widths.items() if each < width and times > 0}
        return sum(short.values()), min((self.width_lines[each] for each in short), default=0)


def _count(form: TableFormat) -> _Counts:
    """Read a table once; a record that cannot be read ends the count."""
    counts = _Counts()
    if form.quoting == "double":
        # A strict reader refuses marks that do not quote a whole cell.
        try:
            _count_with(form, counts, strict=True)
            return counts
        except csv.Error:
            counts = _Counts()
            counts.malformed = 1
    try:
        _count_with(form, counts)
    except csv.Error:
        counts.malformed += 1
    return counts


def _count_with(form: TableFormat, counts: _Counts, *, strict: bool = False) -> None:
    before = passed = blank = 0
    tail: list[list[str]] = []
    unusual = [f"\n{form.delimiter}", "\n ", '\n""']

    def passes(piece: list[str]) -> bool:
        """Count lines that are all rows of one width, which takes a tenth of reading them."""
        nonlocal before, passed
        if form.quoting != "double" or counts.rows < _HEAD or reader.line_num + passed > before:
            return False
        if blank and len(tail) <= _MOST_FOOTER:
            return False
        width = common_width(piece, form.delimiter, unusual)
        if width:
            counts.rows += len(piece)
            counts.widths[width] += len(piece)
            counts.width_lines.setdefault(width, form.skipped + before + 1)
            before += len(piece)
            passed += len(piece)
        return width > 0

    with form.text.open(form.path, newline="") as file:
        lines = Lines(file, _SURVEYED, zeros=form.text.zeros, passes=passes)
        reader = make_reader(lines, form, strict=strict)
        for record in reader:
            line = reader.line_num + passed
            if not counts.head and record:
                # Rows without text, and the header again, are looked at one by one.
                unusual += (f"\n{form.delimiter.join(record)}", f'\n"{record[0]}"', "\ufeff")
            if not record:
                tail, blank = [], line
            elif len(tail) <= _MOST_FOOTER:
                tail.append(record)
            if record:
                width = len(record)
                counts.rows += 1
                counts.widths[width] += 1
                if width not in counts.width_lines:
                    counts.width_lines[width] = form.skipped + before + 1
                if line > before + 1:
                    counts.continued += 1
                counts.look_at(record, form.skipped + before + 1)
                if counts.rows <= _HEAD:
                    counts.head.append(record)
                    counts.head_lines.append(before)
            before = line
        counts.lines = before
        counts.whole = not file.read(1)
        if isinstance(reader, LenientReader) and reader.as_text:
            counts.malformed = reader.as_text
            counts.first_malformed = form.skipped + reader.first_as_text
    usual = counts.usual_width()
    if blank and 0 < len(tail) <= _MOST_FOOTER and counts.rows > 2 * len(tail):
        filled = [sum(bool(cell.strip()) for cell in record) for record in tail]
        if min(filled) < usual:
            counts.footer, counts.footer_line = len(tail), blank + 1
    counts.is_padded = bool(counts.head) and all(
        len(row) == usual and not row[-1].strip() for row in counts.head[1:]
    )


def _without_false_quotes(form: TableFormat, counts: _Counts) -> tuple[TableFormat, _Counts]:
    """The reading in which marks that quote nothing are text, if there are such marks.

    Read without quoting, a table whose lines all have the same number of cells is a table in
    which no mark quotes anything.
    """
    lenient = form._replace(quoting="lenient", width=_width_of_most_lines(form))
    if counts.malformed and not (found := _count(lenient)).malformed:
        # Only blanks follow the closing marks: the reader keeps them.
        return form, found
    plain = form._replace(quoting="none")
    lines = _count(plain)
    if (lines.is_uniform() and lines.rows > counts.rows) or (
        counts.malformed and lines.is_uniform()
    ):
        return plain, lines
    width = counts.usual_width()
    if counts.malformed:
        escaped = form._replace(quoting="backslash")
        found = _count(escaped)
        if _has_escaped_marks(form) and found.is_uniform():
            return escaped, found
    elif counts.is_uniform() and not _lines_are_rows(form, width):
        return form, counts
    return (lenient, found) if (found := _count(lenient)).malformed else (form, counts)


_QUOTING_SAID: dict[Quoting, str] = {
    "spaced": "spaces before cells are dropped",
    "single": "apostrophes quote cells",
    "backslash": "a backslash escapes marks and delimiters",
    "escapes": "a backslash escapes tabs and line ends",
}


def _other_quotes(form: TableFormat, counts: _Counts, sample: str) -> tuple[TableFormat, _Counts]:
    """Another reading, such as with apostrophes, if more rows fit the header."""
    width = len(counts.head[0]) if counts.head else 0
    if width < 2 or counts.share_of(width) == 1:
        return form, counts
    mark = re.escape(form.delimiter)
    best = form, counts
    for quoting, pattern in _QUOTED_OTHERWISE.items():
        if re.search(pattern.replace("D", mark), sample, re.MULTILINE):
            other = form._replace(quoting=quoting)
            found = _count(other)
            # Of two readings that fit, the one in which no cell holds rows.
            fits, before = ((each.share_of(width), each.rows) for each in (found, best[1]))
            is_better = fits[0] > before[0] or (best[0] is not form and fits > before)
            if is_better and not found.malformed:
                best = other, found
    return best


_QUOTED_OTHERWISE: dict[Quoting, str] = {
    "spaced": r'D +"[^"\n]*D[^"\n]*"\s*(D|$)',
    "single": r"(^|D)'[^'\n]*D[^'\n]*'(D|$)",
    "backslash": r"(?<!\\)(?:\\\\)*\\D",
    "escapes": r"(?<!\\)(?:\\\\)*\\\t",
}


def _has_escaped_marks(form: TableFormat) -> bool:
    with form.text.open(form.path, newline="") as file:
        return '\\"' in file.read(_SURVEYED >> 4)


def _width_of_most_lines(form: TableFormat) -> int:
    with form.text.open(form.path, newline="") as file:
        widths = Counter(line.count(form.delimiter) + 1 for line in islice(file, 1000))
    return widths.most_common(1)[0][0] if widths else 1


def _lines_are_rows(form: TableFormat, width: int) -> bool:
    """Whether a cell with line endings may hold whole rows."""
    with form.text.open(form.path, newline="") as file:
        reader = LenientReader(
            islice(Lines(file, _SURVEYED, zeros=form.text.zeros), form.skipped, None),
            form.delimiter,
            width,
        )
        for _ in reader:
            if reader.as_text:
                return True
    return False


def _title_lines(counts: _Counts) -> int:
    """The number of lines above the table: a title, a date, blank lines.

    They have one cell with content where the rows have several.
    """
    usual = counts.usual_width()
    if usual < 2 or counts.rows < 3 or counts.widths[usual] < 0.5 * counts.rows:
        return 0
    for index, record in enumerate(counts.head[1:20], 1):
        # A name and its value in a line, as far as a line without text.
        if not any(map(str.strip, record)) and len(counts.head) > index + 2:
            above = [sum(bool(cell.strip()) for cell in each) for each in counts.head[:index]]
            filled = [cell for cell in counts.head[index + 1] if cell.strip()]
            if 0 < max(above) < usual == len(filled):
                return counts.head_lines[index + 1]
    titled = False
    for index, record in enumerate(counts.head[:20]):
        if not is_title(counts.head, index):
            return counts.head_lines[index] if len(record) >= usual and titled else 0
        titled = titled or any(cell.strip() for cell in record)
    return 0
