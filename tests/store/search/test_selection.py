"""Filters and orders against a naive model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.bench import Desk, line
from tests.store.indexing.test_indexer import a_desk
from tui.core.analysis.number_range import NumberRange
from tui.core.query import RowFilter, RowSort, SortColumn
from tui.core.rows import ANSWERED, OUTCOME_CODES, Outcome, Row, RowError
from tui.errors import UsageError
from tui.progress import Progress
from tui.store.rows import sql_conditions as conditions
from tui.store.rows.attempts import archive_attempts
from tui.store.search import text as searching

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
SPANS = st.just(NumberRange()) | st.builds(
    NumberRange, st.none() | st.integers(0, 9), st.none() | st.integers(0, 9)
)
# The members of a group with an error are asked for by its id; those without by their outcome.
GROUPS = st.sampled_from([frozenset[str](), frozenset({"truncated"}), frozenset({"refused"})])
CODES = st.frozensets(st.sampled_from(["500", "server_error", "batch_cancelled"]), max_size=2)
FINISHES = st.frozensets(st.sampled_from(["stop", "length", "nothing"]), max_size=2)


def naive_filter(rows: RowFilter) -> Callable[[Row], bool]:
    def fits(row: Row) -> bool:
        if rows.outcomes and row.outcome not in rows.outcomes:
            return False
        if rows.error_group is not None and group_of(row) != rows.error_group:
            return False
        if rows.groups and row.outcome.value not in rows.groups:
            return False
        for wanted in (frozenset({rows.code} - {""}), rows.codes):
            told = set() if row.error is None else {row.error.code, str(row.http_status)}
            if wanted and not wanted & told:
                return False
        if rows.finish and row.finish_reason not in rows.finish:
            return False
        if rows.custom_id and not naive_id(rows.custom_id, row.custom_id):
            return False
        usage = row.usage
        known = [n for n in (usage.input_tokens, usage.output_tokens) if n is not None]
        return (
            within(rows.attempt, row.attempt)
            and within(rows.output_tokens, usage.output_tokens)
            and within(rows.tokens, sum(known) if known else None)
            and within(rows.length, length_of(row))
            and within(rows.cost, row.cost)
        )

    return fits


def group_of(row: Row) -> int:
    """The id of a row's group; rows without an error are in one by their outcome."""
    return -OUTCOME_CODES[row.outcome] if row.error_group is None else row.error_group


def naive_id(wanted: str, custom_id: str) -> bool:
    if "*" not in wanted:
        return wanted in custom_id
    return custom_id.startswith(wanted.rstrip("*"))


def within(span: NumberRange, number: float | None) -> bool:
    if span == NumberRange():
        return True
    if number is None:
        return False
    return (span.least is None or number >= span.least) and (
        span.most is None or number <= span.most
    )


def length_of(row: Row) -> int | None:
    return len(row.preview) if row.outcome in ANSWERED else None


def naive_key(column: str) -> Callable[[Row], Any]:
    def nothing_first(value: float | None) -> tuple[bool, float]:
        return (value is not None, value or 0)

    keys: dict[str, Callable[[Row], Any]] = {
        "seq": lambda row: row.seq,
        "status": lambda row: nothing_first(row.http_status),
        "finish": lambda row: (row.finish_reason or "").encode(),
        "model": lambda row: (row.model or "").encode(),
        "length": lambda row: nothing_first(length_of(row)),
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
            batch = desk.history.batches.of_job(job)[0]
            desk.history.batches.finish_remaining(batch, Outcome.MISSING, error, "m")
        everything = desk.rows(job)
        groups = [group.id for group in desk.history.rows.error_groups(job)]
        for _ in range(6):
            condition = RowFilter(
                outcomes=data.draw(st.frozensets(st.sampled_from(list(Outcome)), max_size=4)),
                error_group=data.draw(st.none() | st.sampled_from([*groups, 999])),
                code=data.draw(
                    st.sampled_from(["", "", "500", "server_error", "batch_expired", "x", "-1"])
                ),
                groups=data.draw(GROUPS),
                codes=data.draw(CODES),
                finish=data.draw(FINISHES),
                custom_id=data.draw(st.sampled_from(["", "", "a", "A*", "b*"])),
                attempt=data.draw(SPANS),
                output_tokens=data.draw(SPANS),
                tokens=data.draw(SPANS),
                length=data.draw(SPANS),
                cost=data.draw(SPANS),
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
            selection = desk.history.rows.select(job, condition, order)
            assert list(selection.seqs) == [row.seq for row in expected], (condition, order)
            assert (len(selection), selection.total) == (len(expected), len(everything))


def test_no_condition_costs_no_memory(desk: Desk) -> None:
    job = desk.job([str(number) for number in range(10)])
    assert desk.history.rows.select(job).seqs == range(10)
    down = desk.history.rows.select(job, order=RowSort(descending=True)).seqs
    assert list(down) == list(range(9, -1, -1))


def test_an_error_group_is_found_through_its_index(desk: Desk) -> None:
    job = filled(desk, [("a", Outcome.FAILED, "m", 1)])
    (pk,) = desk.database.read.execute("SELECT pk FROM jobs WHERE id=?", (job,)).fetchone()
    sql, values = conditions.build_query(
        desk.database.read, pk, RowFilter(error_group=1), RowSort()
    )
    plan = desk.database.read.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    assert any("results_to_look_at" in row[3] for row in plan), plan


def test_a_stopped_search_gives_what_it_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_MIN_SHARE", -1)
    monkeypatch.setattr(searching, "_PAGE", 2)
    job = desk.job([str(number) for number in range(10)], text="needle")
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    found = desk.history.rows.select(job, RowFilter(text="needle"), progress=Progress(stop=stop))
    assert list(found.seqs) == [0, 1, 2, 3]


def test_a_group_is_found_by_its_key_in_any_history(desk: Desk) -> None:
    rows: list[tuple[str, Outcome | None, str, int | None]] = [
        ("a", Outcome.FAILED, "limit 10 reached", 1),
        ("b", Outcome.FAILED, "limit 99 reached", 1),
        ("c", Outcome.FAILED, "other", 1),
        ("d", Outcome.TRUNCATED, "half an ans", 1),
    ]
    first, second = filled(desk, rows), filled(desk, rows[1:])
    groups = {group.message: group for group in desk.history.rows.error_groups(first)}
    key = groups["limit 10 reached"].key
    assert list(desk.history.rows.select(first, RowFilter(groups=frozenset({key}))).seqs) == [0, 1]
    assert list(desk.history.rows.select(second, RowFilter(groups=frozenset({key}))).seqs) == [0]
    cut = next(group for group in desk.history.rows.error_groups(first) if group.id < 0)
    assert (cut.kind, cut.count, cut.code, cut.key) == ("truncated", 1, "length", "truncated")
    assert list(desk.history.rows.select(first, RowFilter(error_group=cut.id)).seqs) == [3]


def test_groups_tell_their_share_and_when_they_were_seen(desk: Desk) -> None:
    job = filled(desk, [("a", Outcome.FAILED, "m", 1), ("b", Outcome.SUCCEEDED, "m", 1)])
    batch = desk.history.batches.of_job(job)[0]
    with desk.database.write() as connection:
        connection.execute("UPDATE batches SET ended_at=500 WHERE id=?", (batch.id,))
    (group,) = desk.history.rows.error_groups(job)
    assert (group.share, group.first_seen, group.last_seen) == (0.5, 500, 500)
    again = desk.batch(job, [0], attempt=2)
    with desk.database.write() as connection:
        archive_attempts(connection, 1, [0])
        connection.execute("UPDATE batches SET ended_at=900 WHERE id=?", (again.id,))
    desk.results(again, [line("a", Outcome.FAILED, "m")])
    (group,) = desk.history.rows.error_groups(job)
    assert (group.count, group.first_seen, group.last_seen) == (1, 500, 900)


def test_answers_are_checked_for_json(desk: Desk) -> None:
    job = filled(
        desk,
        [
            ("a", Outcome.SUCCEEDED, '{"label": "good"}', 1),
            ("b", Outcome.SUCCEEDED, '{"label": ', 1),
            ("c", Outcome.FAILED, "{}", 1),
        ],
    )
    select = desk.history.rows.select
    assert list(select(job, RowFilter(checks=frozenset({"json:ok"}))).seqs) == [0]
    assert list(select(job, RowFilter(checks=frozenset({"json:bad"}))).seqs) == [1]
    both = RowFilter(checks=frozenset({"json:bad"}), text="b", texts=("label",))
    assert list(select(job, both).seqs) == [1]
    with pytest.raises(UsageError, match="green:bad"):
        select(job, RowFilter(checks=frozenset({"green:bad"})))


@pytest.mark.parametrize("column", get_args(SortColumn))
@pytest.mark.parametrize("descending", [True, False])
def test_rows_that_wait_are_sorted_too(desk: Desk, column: SortColumn, descending: bool) -> None:
    job = desk.job(["a", "b", "c", "d"])
    desk.results(desk.batch(job), [line("c", text="x"), line("a", Outcome.FAILED, "m")])
    order = RowSort(column=column, descending=descending)
    assert sorted(desk.history.rows.select(job, order=order).seqs) == [0, 1, 2, 3]


def test_sorting_that_is_not_wanted_any_more_stops(desk: Desk) -> None:
    job = filled(desk, [(str(number), Outcome.SUCCEEDED, "m", 1) for number in range(3000)])
    order = RowSort(column="output_tokens", descending=True)
    assert len(desk.history.rows.select(job, order=order)) == 3000
    assert len(
        desk.history.rows.select(job, order=order, progress=Progress(stop=lambda: True))
    ) in (0, 3000)
    # The connection is as good as before.
    assert (
        len(desk.history.rows.select(job, order=order, progress=Progress(stop=lambda: False)))
        == 3000
    )


def test_a_sort_that_nobody_wants_any_more_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "_STEPS_PER_STOP", 10)
    job = desk.job([str(number) for number in range(50)])
    order = RowSort(column="custom_id", descending=True)
    assert (
        list(desk.history.rows.select(job, order=order, progress=Progress(stop=lambda: True)).seqs)
        == []
    )
    assert (
        len(desk.history.rows.select(job, order=order, progress=Progress(stop=lambda: False)).seqs)
        == 50
    )
    assert len(desk.history.rows.select(job, order=order).seqs) == 50
