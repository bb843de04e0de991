"""The stored plan of a batch: one record per row, in the order in which rows finish."""

from __future__ import annotations

import mmap
import os
from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any

_COLUMNS = (
    ("finish", "d"),
    ("offset", "Q"),
    ("out_end", "Q"),
    ("err_end", "Q"),
    ("unrun_end", "Q"),
    ("tokens_in", "Q"),
    ("tokens_out", "Q"),
    ("length", "I"),
    ("failed", "I"),
    ("index", "I"),
    ("outcome", "B"),
)
TOTALS = ("out_end", "err_end", "unrun_end", "tokens_in", "tokens_out", "failed")
"""The columns that are running totals."""
_HEAD = 16


class PlanWriter:
    """Collects the records of a plan and writes them column by column."""

    def __init__(self) -> None:
        """Create an empty plan."""
        self._columns: dict[str, array[Any]] = {name: array(code) for name, code in _COLUMNS}
        self._last = dict.fromkeys(TOTALS, 0)

    def add(
        self, *, finish: float, offset: int, length: int, index: int, outcome: int, **sizes: int
    ) -> None:
        """Append one record.

        Args:
            finish: Seconds after the create; must not decrease.
            offset: Position of the row in the input, in bytes.
            length: Its length in bytes.
            index: Its number in the input.
            outcome: Its outcome.
            sizes: What the row adds to each column of `TOTALS`; 0 where it is not named.
        """
        columns, last = self._columns, self._last
        columns["finish"].append(finish)
        columns["offset"].append(offset)
        columns["length"].append(length)
        columns["index"].append(index)
        columns["outcome"].append(outcome)
        for name, size in sizes.items():
            last[name] += size
        for name, value in last.items():
            columns[name].append(value)

    def save(self, path: Path) -> None:
        """Write the plan to `path` atomically, with mode 0600."""
        count = len(self._columns["finish"])
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"SBXPLAN2" + count.to_bytes(8, "little"))
            for name, _ in _COLUMNS:
                self._columns[name].tofile(file)
        draft.replace(path)


class Plan:
    """A memory-mapped plan.

    The `..._end`, `tokens_...` and `failed` columns are running totals that include their row.
    """

    def __init__(self, path: Path) -> None:
        """Map the plan at `path`.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        with path.open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self.rows = int.from_bytes(view[8:_HEAD], "little")
        place = _HEAD
        columns: dict[str, Any] = {}
        for name, code in _COLUMNS:
            size = array(code).itemsize * self.rows
            columns[name] = view[place : place + size].cast(code)  # type: ignore[call-overload]
            place += size
        self.finish = columns["finish"]
        self.offset = columns["offset"]
        self.length = columns["length"]
        self.index = columns["index"]
        self.outcome = columns["outcome"]
        self._totals = columns
        infinite = bisect_left(self.finish, float("inf"))
        self.runnable = infinite
        """The number of rows that ever run."""
        self.end = self.finish[infinite - 1] if infinite else None
        """Seconds from the create until the last row finishes; `None` if no row runs."""

    def done(self, seconds: float) -> int:
        """The number of rows that have finished `seconds` after the create."""
        return min(bisect_right(self.finish, seconds), self.runnable)

    def total(self, column: str, count: int) -> int:
        """The total of a column over the first `count` records."""
        return int(self._totals[column][count - 1]) if count else 0

    def tokens(self, count: int) -> tuple[int, int]:
        """Input and output tokens of the first `count` records."""
        return self.total("tokens_in", count), self.total("tokens_out", count)

    def read(self, handle: int, place: int) -> bytes:
        """Read the input line of a record; `handle` is the open input file."""
        return os.pread(handle, self.length[place], self.offset[place])

    def find(self, column: str, place: int) -> int:
        """The index of the first record whose running total exceeds `place`."""
        return bisect_right(self._totals[column], place)
