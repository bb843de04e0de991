"""The ids of two jobs as rows of a table."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import Protocol

from tui.core.comparing import KINDS, Kind
from tui.core.rows import Row
from tui.core.text import one_line
from tui.store.comparing import NOWHERE, Comparison
from tui.ui.status import OUTCOME_LOOKS
from tui.ui.tones import Part, Parts, Tone
from tui.ui.widgets.table_model import Cells, Column

COMPARE_COLUMNS = (
    Column("kind", "Answers", 12),
    Column("custom_id", "Id", 14, flex=2),
    Column("left", "Left", 10, flex=3, drop=2),
    Column("right", "Right", 10, flex=3, drop=1),
)

KIND_LOOKS: dict[Kind, tuple[str, Tone]] = {
    Kind.SAME: ("=", "good"),
    Kind.DIFFERENT: ("≠", "warn"),
    Kind.UNANSWERED: ("✗", "bad"),
    Kind.ONLY_LEFT: ("◂", "live"),
    Kind.ONLY_RIGHT: ("▸", "live"),
}


class RowReader(Protocol):
    """The part of the history that this reads."""

    def rows(self, job_id: str, seqs: Sequence[int]) -> list[Row]:
        """Rows by sequence number, in the order asked."""
        ...


class CompareSource:
    """The ids of a comparison, or those of one kind.

    Args:
        history: Where rows are read from.
        found: The comparison.
        kind: Only ids of this kind.
    """

    def __init__(self, history: RowReader, found: Comparison, kind: Kind | None) -> None:
        self._history = history
        self._found = found
        self._places: Sequence[int] = range(len(found)) if kind is None else found.places[kind]

    def row_count(self) -> int:
        """How many ids are shown."""
        return len(self._places)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some ids, read from the history."""
        places = self._places[start:stop]
        found = self._found
        lefts = self._rows(found.left.job_id, found.left_seqs, places)
        rights = self._rows(found.right.job_id, found.right_seqs, places)
        return [
            _cells(KINDS[found.kinds[place]], left, right)
            for place, left, right in zip(places, lefts, rights, strict=True)
        ]

    def _rows(self, job_id: str, seqs: array[int], places: Sequence[int]) -> list[Row | None]:
        wanted = [seqs[place] for place in places]
        there = [seq for seq in wanted if seq != NOWHERE]
        rows = {row.seq: row for row in self._history.rows(job_id, there)} if there else {}
        return [rows.get(seq) for seq in wanted]

    def row_id(self, index: int) -> Hashable:
        """The place of an id among all."""
        return self._places[index]

    def index_of(self, row_id: Hashable) -> int | None:
        """Where an id stands."""
        if not isinstance(row_id, int):
            return None
        index = bisect_left(self._places, row_id)
        return index if index < len(self._places) and self._places[index] == row_id else None


def _cells(kind: Kind, left: Row | None, right: Row | None) -> Cells:
    glyph, tone = KIND_LOOKS[kind]
    row = left or right
    return (
        ((f"{glyph} {kind.value}", tone),),
        "" if row is None else one_line(row.custom_id, 120),
        _preview(left),
        _preview(right),
    )


def _preview(row: Row | None) -> Parts:
    if row is None:
        return (("-", "muted"),)
    parts: list[Part] = []
    if row.outcome.value != "succeeded":
        glyph, tone = OUTCOME_LOOKS[row.outcome]
        parts.append((f"{glyph} ", tone))
    parts.append((one_line(row.preview, 160), ""))
    return tuple(parts)
