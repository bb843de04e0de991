"""The compact stored form of a batch: one record per row, in the order in which rows finish."""

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
    ("fate", "B"),
)
_HEAD = 16


class PlanWriter:
    """Collects the records of a plan and writes them column by column."""

    def __init__(self) -> None:
        """Start without records."""
        self._columns: dict[str, array[Any]] = {name: array(code) for name, code in _COLUMNS}
        self._last = dict.fromkeys(
            ("out_end", "err_end", "unrun_end", "tokens_in", "tokens_out", "failed"), 0
        )

    def add(
        self,
        *,
        finish: float,
        offset: int,
        length: int,
        index: int,
        fate: int,
        out_bytes: int = 0,
        err_bytes: int = 0,
        unrun_bytes: int = 0,
        tokens_in: int = 0,
        tokens_out: int = 0,
        failed: bool = False,
    ) -> None:
        """Append one record; `finish` (seconds after the create) must not go down."""
        columns, last = self._columns, self._last
        last["out_end"] += out_bytes
        last["err_end"] += err_bytes
        last["unrun_end"] += unrun_bytes
        last["tokens_in"] += tokens_in
        last["tokens_out"] += tokens_out
        last["failed"] += failed
        columns["finish"].append(finish)
        columns["offset"].append(offset)
        columns["length"].append(length)
        columns["index"].append(index)
        columns["fate"].append(fate)
        for name, value in last.items():
            columns[name].append(value)

    def save(self, path: Path) -> None:
        """Write the plan to `path` in one step, mode 0600."""
        count = len(self._columns["finish"])
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"SBXPLAN2" + count.to_bytes(8, "little"))
            for name, _ in _COLUMNS:
                self._columns[name].tofile(file)
        draft.replace(path)


class Plan:
    """A stored plan, mapped into memory; columns are read in place.

    Every `..._end`, `tokens_...` and `failed` column is a running total that includes its row.
    """

    def __init__(self, path: Path) -> None:
        """Map the plan at `path`.

        Raises:
            FileNotFoundError: There is no plan.
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
        self.fate = columns["fate"]
        self._totals = columns
        infinite = bisect_left(self.finish, float("inf"))
        self.runnable = infinite
        """How many rows ever run; the rest never do."""
        self.end = self.finish[infinite - 1] if infinite else None
        """Seconds after the create at which the last row finishes; `None` when no row runs."""

    def done(self, seconds: float) -> int:
        """How many rows have finished `seconds` after the create."""
        return min(bisect_right(self.finish, seconds), self.runnable)

    def total(self, column: str, count: int) -> int:
        """Running total of a column over the first `count` records."""
        return int(self._totals[column][count - 1]) if count else 0

    def find(self, column: str, place: int) -> int:
        """Index of the first record whose running total is above `place`."""
        return bisect_right(self._totals[column], place)
