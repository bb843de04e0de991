"""``ColumnValues``: the value of one column in every row of a job, at four bytes per row."""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import Any

from tui.core.analysis.columns import as_number, as_text
from tui.core.analysis.facets import MOST_VALUES, Facet, FacetValue, Numbers, distribution

NO_VALUE = 0
"""Code of a row without a value."""

UNLISTED = 1
"""Code of a row whose value is not in the list of values."""

_MOST_DISTINCT = 1 << 16
_MOST_CHARACTERS = 1 << 23
_LONGEST = 2000
"""Limits of the list of values, so that its memory does not grow with the number of rows."""

_NAN = math.nan

_SLICE = 1 << 16
"""Rows that are worked on by one call into C, which lets no other thread run."""

_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    dict: "object",
    list: "array",
}

ReadTexts = Callable[[Sequence[int]], Iterable[str | None]]
"""Reads the values of rows again from the files, in the given order."""


class ColumnValues:
    """The values of a column, one code per row.

    Different values are listed once. A value that is too long, or one too many, is unlisted: its
    row is known, but its text has to be read again from the files.

    Args:
        rows: Number of rows of the job.
        lists_all: List all values that are not too long; for the rows of a page.

    Attributes:
        codes: For each row ``NO_VALUE``, ``UNLISTED``, or the index of its text in ``texts``.
        texts: The values that were listed, as text; the first two are not values.
        failed: Rows whose value could not be computed.
        problem: Why that of the first of them could not.
    """

    def __init__(self, rows: int, *, lists_all: bool = False) -> None:
        self._lists_all = lists_all
        self._has_unlisted = False
        self.codes = array("I", bytes(4 * rows))
        self.texts = ["", ""]
        self.failed = 0
        self.problem = ""
        self._types: dict[type, int] = {}
        self._codes_of: dict[str, int] = {}
        self._characters = 0
        self._numbers: array[float] | None = None

    def copy(self) -> ColumnValues:
        """A copy that can be changed."""
        made = ColumnValues(0)
        made.codes = self.codes[:]
        made.texts = list(self.texts)
        made._types = dict(self._types)
        made._codes_of = dict(self._codes_of)
        made._characters = self._characters
        made._has_unlisted = self._has_unlisted
        made._numbers = None if self._numbers is None else self._numbers[:]
        return made

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        numbers = 0 if self._numbers is None else 8 * len(self._numbers)
        return 4 * len(self.codes) + numbers + 2 * self._characters + 100 * len(self.texts)

    def set(self, seq: int, value: Any) -> None:
        """Set the value of a row, as decoded from JSON."""
        if value is None:
            self.codes[seq] = NO_VALUE
            return
        kind = type(value)
        types = self._types
        types[kind] = types.get(kind, 0) + 1
        text: str = value if kind is str else as_text(value) or ""
        code = self._codes_of.get(text)
        if code is None:
            code = self._list(text)
            if code == UNLISTED:
                self._set_number(seq, as_number(text))
        self.codes[seq] = code

    def set_all(self, first: int, values: Sequence[Any]) -> None:
        """Set the values of rows that follow each other, as if each was set in turn.

        Args:
            first: Number of the first row.
            values: The values, as decoded from JSON.
        """
        try:
            known: list[Any] = list(map(self._codes_of.get, values))
        except TypeError:
            # A list or an object has no hash.
            known = [None]
        if values and None not in known:
            self.codes[first : first + len(values)] = array("I", known)
            self._types[str] = self._types.get(str, 0) + len(values)
            return
        for seq, value in enumerate(values, first):
            self.set(seq, value)

    def cut(self, rows: int) -> None:
        """Leave the first rows only; the others have no value."""
        del self.codes[rows:]

    def put(self, seqs: Sequence[int], part: ColumnValues) -> None:
        """Set the values of rows, as if each was set in turn.

        Args:
            seqs: Row numbers, ascending.
            part: The values of these rows alone, in the same order.
        """
        for kind, rows in part._types.items():
            self._types[kind] = self._types.get(kind, 0) + rows
        codes = [NO_VALUE, UNLISTED]
        for text in part.texts[2:]:
            code = self._codes_of.get(text)
            codes.append(self._list(text) if code is None else code)
        own = self.codes
        made = (
            part.codes
            if codes == list(range(len(codes)))
            else array("I", map(codes.__getitem__, part.codes))
        )
        if seqs and seqs[-1] - seqs[0] + 1 == len(seqs):
            own[seqs[0] : seqs[-1] + 1] = made
        else:
            for seq, code in zip(seqs, made, strict=True):
                own[seq] = code
        unlisted = [code == UNLISTED for code in codes]
        if part._has_unlisted or any(unlisted[2:]):
            self._has_unlisted = True
            for place, code in enumerate(part.codes):
                if unlisted[code]:
                    known = code > UNLISTED
                    number = as_number(part.texts[code]) if known else part.number_of(place)
                    self._set_number(seqs[place], number)

    @property
    def types(self) -> dict[str, int]:
        """Number of rows of each JSON type, the most frequent first."""
        found: Counter[str] = Counter()
        for kind, rows in self._types.items():
            found[_TYPES.get(kind, "string")] += rows
        return dict(found.most_common())

    def _list(self, text: str) -> int:
        full = len(self.texts) >= _MOST_DISTINCT or self._characters >= _MOST_CHARACTERS
        if len(text) > _LONGEST or (full and not self._lists_all):
            self._has_unlisted = True
            return UNLISTED
        code = self._codes_of[text] = len(self.texts)
        self.texts.append(text)
        self._characters += len(text)
        return code

    def _set_number(self, seq: int, number: float | None) -> None:
        if number is None:
            return
        if self._numbers is None:
            self._numbers = array("d", [_NAN]) * len(self.codes)
        self._numbers[seq] = number

    def number_of(self, seq: int) -> float | None:
        """The number of a row whose value is unlisted."""
        if self._numbers is None or math.isnan(self._numbers[seq]):
            return None
        return self._numbers[seq]

    def matching(
        self, seqs: Sequence[int], matches: Callable[[str | None], bool], read: ReadTexts
    ) -> Sequence[int]:
        """The rows whose value matches, in the given order.

        Args:
            seqs: Row numbers.
            matches: Tells whether a value as text matches.
            read: Reads the values of rows that are unlisted.
        """
        verdicts = [
            code != UNLISTED and bool(matches(None if code == NO_VALUE else text))
            for code, text in enumerate(self.texts)
        ]
        if not self._has_unlisted:
            listed = array("q")
            for part, codes in self._slices(seqs):
                listed.extend(compress(part, map(verdicts.__getitem__, codes)))
            return listed
        codes = self.codes
        unlisted = array("q", (seq for seq in seqs if codes[seq] == UNLISTED))
        found = {seq for seq, text in zip(unlisted, read(unlisted), strict=True) if matches(text)}
        return array(
            "q",
            (
                seq
                for seq in seqs
                if (seq in found if codes[seq] == UNLISTED else verdicts[codes[seq]])
            ),
        )

    def _slices(self, seqs: Sequence[int]) -> Iterator[tuple[Sequence[int], array[int]]]:
        """Rows and their codes, so many at a time that other threads have their turn."""
        codes = self.codes
        is_all = isinstance(seqs, range) and seqs == range(len(codes))
        for start in range(0, len(seqs), _SLICE):
            part = seqs[start : start + _SLICE]
            if is_all:
                yield part, codes[start : start + _SLICE]
            else:
                yield part, array("I", map(codes.__getitem__, part))

    def same_codes(self, other: ColumnValues) -> list[int]:
        """For each code of this column the code of the same text in another, else ``-1``."""
        codes = other._codes_of
        return [
            codes.get(text, -1) if code > UNLISTED else -1 for code, text in enumerate(self.texts)
        ]

    def facet(self, column: str, seqs: Sequence[int], *, is_whole: bool = True) -> Facet:
        """Count the values of rows.

        Args:
            column: The name of the column.
            seqs: The rows to count.
            is_whole: Whether all rows were read.
        """
        is_all = isinstance(seqs, range) and seqs == range(len(self.codes))
        counts: Counter[int] = Counter()
        for _, codes in self._slices(seqs):
            counts.update(codes)
        missing = counts.pop(NO_VALUE, 0)
        unlisted = counts.pop(UNLISTED, 0)
        listed = counts.most_common(MOST_VALUES)
        listed.sort(key=lambda pair: (-pair[1], self.texts[pair[0]]))
        filled = len(seqs) - missing
        shown = sum(rows for _, rows in listed)
        return Facet(
            column=column,
            rows=len(seqs),
            filled=filled,
            distinct=len(counts) + bool(unlisted),
            is_exact=not unlisted,
            values=tuple(FacetValue(self.texts[code], rows) for code, rows in listed),
            others=filled - shown,
            types=self.types if is_all else {},
            numbers=self._distribution(counts, seqs if unlisted else (), filled),
            is_whole=is_whole,
            failed=self.failed,
            problem=self.problem,
        )

    def _distribution(
        self, counts: Counter[int], seqs: Sequence[int], filled: int
    ) -> Numbers | None:
        pairs = [
            (number, rows)
            for code, rows in counts.items()
            if (number := as_number(self.texts[code])) is not None
        ]
        if self._numbers is not None:
            pairs += Counter(
                number
                for seq in seqs
                if self.codes[seq] == UNLISTED and (number := self.number_of(seq)) is not None
            ).items()
        if 2 * sum(rows for _, rows in pairs) <= filled:
            return None
        return distribution(pairs)

    def ordered(self, seqs: Sequence[int], read: ReadTexts, *, descending: bool) -> Sequence[int]:
        """Sort rows by value: numbers first, then texts; rows without a value come last.

        Rows with equal values keep their order.

        Args:
            seqs: Row numbers.
            read: Reads the values of rows that are unlisted.
            descending: Largest first.
        """
        rows_of: defaultdict[int, array[int]] = defaultdict(partial(array, "q"))
        for part, codes in self._slices(seqs):
            for seq, code in zip(part, codes, strict=True):
                rows_of[code].append(seq)
        if UNLISTED in rows_of:
            return self._ordered_with_unlisted(seqs, rows_of, read, descending)
        last = rows_of.pop(NO_VALUE, array("q"))
        found = array("q")
        for code in sorted(rows_of, key=lambda code: _rank(self.texts[code]), reverse=descending):
            found.extend(rows_of[code])
        found.extend(last)
        return found

    def _ordered_with_unlisted(
        self,
        seqs: Sequence[int],
        rows_of: dict[int, array[int]],
        read: ReadTexts,
        descending: bool,
    ) -> array[int]:
        """Sort in a temporary database, which moves to the disk when it is large."""
        ranks = {code: _rank(self.texts[code]) for code in rows_of}
        texts = iter(read(rows_of[UNLISTED]))

        def records() -> Iterator[tuple[int, float, str, int]]:
            for seq in seqs:
                code = self.codes[seq]
                if code == NO_VALUE:
                    continue
                rank = ranks[code]
                if code == UNLISTED:
                    rank = _rank(next(texts) or "")
                yield (*rank, seq)

        way = " DESC" if descending else ""
        connection = sqlite3.connect("")
        try:
            connection.execute("CREATE TABLE sorted (is_text, number REAL, text TEXT, seq INTEGER)")
            connection.executemany("INSERT INTO sorted VALUES (?,?,?,?)", records())
            rows = connection.execute(
                f"SELECT seq FROM sorted ORDER BY is_text{way}, number{way}, text{way}, rowid"
            )
            found = array("q", (seq for (seq,) in rows))
        finally:
            connection.close()
        found.extend(rows_of.get(NO_VALUE, ()))
        return found


def _rank(text: str) -> tuple[bool, float, str]:
    """Sort key of a value: numbers before texts."""
    number = as_number(text)
    return (True, 0.0, text) if number is None else (False, number, "")
