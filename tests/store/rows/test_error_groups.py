"""Error groups counted from the index alone equal those counted row by row."""

from __future__ import annotations

from hypothesis import given, settings

from tests.store.indexing.test_indexer import a_desk
from tests.store.search.test_selection import ROWS, filled
from tui.core.rows import Outcome
from tui.store.rows.error_groups import _counted_by_range, _counted_by_row, _ranges


@settings(max_examples=40)
@given(ROWS)
def test_both_ways_count_alike(rows: list[tuple[str, Outcome | None, str, int | None]]) -> None:
    with a_desk() as desk:
        filled(desk, rows)
        read = desk.database.read
        (job,) = read.execute("SELECT pk FROM jobs").fetchone()
        ranges = _ranges(read, job)
        assert ranges is not None
        assert list(_counted_by_range(read, job, ranges)) == list(_counted_by_row(read, job))
        with desk.database.write() as connection:
            connection.execute("UPDATE batches SET attempt=2")
        assert _ranges(read, job) is None
