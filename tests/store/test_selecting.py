"""Filters and orders against a naive model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tests.store.test_indexing_properties import a_desk
from tui.core.filtering import RowFilter, RowSort, SortColumn
from tui.core.outcome import OUTCOME_CODES, Outcome
from tui.core.rows import Row, RowError
from tui.store import searching, selecting
from tui.store.batches import give_up_rows

ENDED = [outcome for outcome in Outcome if outcome not in (Outcome.PENDING, Outcome.MISSING)]
ROWS = st.lists(
    st.tuples(
        st.text(alphabet="abAB\u00e9", max_size=3),
        st.none() | st.sampled_from(ENDED),
        st.sampled_from(["", "m1", "other"]),
        st.none() | st.integers(0, 9),
    ),
    min_size=1,
    max_size=10,
    unique_by=lambda row: row[0],
)


def naive_filter(rows: RowFilter) -> Callable[[Row], bool]:
    def fits(row: Row) -> bool:
        if rows.outcomes and row.outcome not in rows.outcomes:
            return False
        if rows.error_group is not None and row.error_group != rows.error_group:
            return False
        if rows.code:
            if row.error is None:
                return False
            status = "" if row.http_status is None else str(row.http_status)
            return rows.code in (row.error.code, status)
        return True

    return fits


def naive_key(column: str) -> Callable[[Row], Any]:
    def nothing_first(value: float | None) -> tuple[bool, float]:
        return (value is not None, value or 0)

    keys: dict[str, Callable[[Row], Any]] = {
        "seq": lambda row: row.seq,
        "custom_id": lambda row: row.custom_id.encode(),
        "outcome": lambda row: OUTCOME_CODES[row.outcome],
        "code": lambda row: (
            (row.error.code or "") if row.error else "",
            (-1 if row.http_status is None else row.http_status) if row.error else 0,
        ),
        "attempt": lambda row: row.attempt,
        "input_tokens": lambda row: nothing_first(row.usage.input_tokens),
        "output_tokens": lambda row: nothing_first(row.usage.output_tokens),
        "cost": lambda row: nothing_first(row.cost),
    }
    return keys[column]


def filled(desk: Desk, rows: list[tuple[str, Outcome | None, str, int | None]]) -> str:
    job = desk.job([custom_id for custom_id, *_ in rows])
    batch = desk.batch(job)
    lines = []
    for custom_id, outcome, text, tokens in rows:
        if outcome is not None:
            usage = {} if tokens is None else {"prompt_tokens": tokens, "completion_tokens": tokens}
            lines.append(line(custom_id, outcome, text, **usage))
    desk.results(batch, lines)
    return job


@settings(max_examples=40)
@given(ROWS, st.data())
def test_a_selection_equals_the_naive_one(
    rows: list[tuple[str, Outcome | None, str, int | None]], data: st.DataObject
) -> None:
    with a_desk() as desk:
        job = filled(desk, rows)
        if data.draw(st.booleans(), label="given up"):
            error = RowError(code="missing", message="m", retryable=True)
            batch = desk.history.batches(job)[0]
            give_up_rows(desk.database, batch, Outcome.MISSING, error, "m")
        everything = desk.rows(job)
        groups = [group.id for group in desk.history.error_groups(job)]
        for _ in range(6):
            condition = RowFilter(
                outcomes=data.draw(st.frozensets(st.sampled_from(list(Outcome)), max_size=4)),
                error_group=data.draw(st.none() | st.sampled_from([*groups, 999])),
                code=data.draw(
                    st.sampled_from(["", "", "500", "server_error", "batch_expired", "x", "-1"])
                ),
            )
            order = RowSort(
                column=data.draw(st.sampled_from(get_args(SortColumn))),
                descending=data.draw(st.booleans()),
            )
            expected = list(filter(naive_filter(condition), everything))
            expected.sort(key=naive_key(order.column), reverse=order.descending)
            if order.descending and order.column != "seq":
                # Rows that are alike keep the order of the input.
                expected.sort(key=lambda row: row.seq)
                expected.sort(key=naive_key(order.column), reverse=True)
            selection = desk.history.select(job, condition, order)
            assert list(selection.seqs) == [row.seq for row in expected], (condition, order)
            assert (len(selection), selection.total) == (len(expected), len(everything))


def test_no_condition_costs_no_memory(desk: Desk) -> None:
    job = desk.job([str(number) for number in range(10)])
    assert desk.history.select(job).seqs == range(10)
    down = desk.history.select(job, order=RowSort(descending=True)).seqs
    assert list(down) == list(range(9, -1, -1))


def test_an_error_group_is_found_through_its_index(desk: Desk) -> None:
    job = filled(desk, [("a", Outcome.FAILED, "m", 1)])
    (pk,) = desk.database.read.execute("SELECT pk FROM jobs WHERE id=?", (job,)).fetchone()
    sql, values = selecting._query(pk, RowFilter(error_group=1), RowSort())
    plan = desk.database.read.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    assert any("results_to_look_at" in row[3] for row in plan), plan


def test_a_stopped_search_gives_what_it_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_FEW", -1)
    monkeypatch.setattr(searching, "_ROWS", 2)
    job = desk.job([str(number) for number in range(10)], text="needle")
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    found = desk.history.select(job, RowFilter(text="needle"), stop=stop)
    assert list(found.seqs) == [0, 1, 2, 3]


def test_a_sort_that_nobody_wants_any_more_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "_STEPS", 10)
    job = desk.job([str(number) for number in range(50)])
    order = RowSort(column="custom_id", descending=True)
    assert list(desk.history.select(job, order=order, stop=lambda: True).seqs) == []
    assert len(desk.history.select(job, order=order, stop=lambda: False).seqs) == 50
    assert len(desk.history.select(job, order=order).seqs) == 50
