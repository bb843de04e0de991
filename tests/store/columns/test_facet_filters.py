"""What is chosen in a facet shows the rows that the facet counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.store.bench import Desk, line
from tests.store.columns.test_columns import a_job
from tui.core.analysis.columns import as_text, write_value
from tui.core.analysis.facets import Facet
from tui.core.query import make_column_term
from tui.core.rows import Outcome
from tui.ui.models.row_search import RowQuery
from tui.ui.screens.facets import facet_entries

LABELS: list[Any] = [
    "refund", " refund", "Refund", 'say "hi"', "a,b", "none", "any", "null", None, "", "*", "a*",
    "?", "1", "01", "1.0", 1, 1.0, True, "true", "-1", "<3", ">=2", "10-20", "1..2", "back\\slash",
    "tab\tnew\nline", "tab new line", "a:b", "(no value)", "(empty)", "x\u202ey", "\x1b[31m",
    [1, "x"], {"v": "refund"},
]  # fmt: skip
KEYS = ["label", "cost", 'q"t', "back\\slash", "ctl\x1b", "a.b", "a b", "br[0]", "co:lon", "", "é"]


def answers() -> Iterator[str | None]:
    for number, label in enumerate(LABELS * 3):
        yield json.dumps({key: label for key in KEYS} | {"n": number / 7})
    yield None
    yield "plain"


@pytest.fixture
def job(desk: Desk) -> str:
    return a_job(desk, list(answers()))


def each_facet(desk: Desk, job: str) -> Iterator[Facet]:
    for info in desk.history.rows.columns(job):
        yield from desk.history.rows.facets(job, [info.column])


def found(desk: Desk, job: str, query: RowQuery) -> int:
    assert not query.query.problems, query.where
    return len(desk.history.rows.select(job, query.rows))


def test_a_chosen_value_shows_the_rows_that_were_counted(desk: Desk, job: str) -> None:
    columns = set()
    for facet in each_facet(desk, job):
        columns.add(facet.column)
        for entry in facet_entries(facet):
            if entry.range:
                query = RowQuery().with_range(facet.column, entry.range)
            else:
                query = RowQuery().with_values(facet.column, [entry.value])
            assert found(desk, job, query) == entry.rows, query.where
            assert not query.without_column(facet.column).where
            if not entry.range:
                query = RowQuery().with_values(facet.column, [entry.value], negated=True)
                assert found(desk, job, query) == facet.rows - entry.rows, query.where
    assert {"custom_id", "status", "length", "@cost", '@"q\\u0022t"'} <= columns


def test_several_chosen_values_show_their_rows(desk: Desk, job: str) -> None:
    for facet in each_facet(desk, job):
        entries = [entry for entry in facet_entries(facet) if not entry.range]
        for chosen in (entries[:2], [*entries[:1], *entries[-1:]]):
            if len(set(chosen)) == 2:
                query = RowQuery().with_values(facet.column, [entry.value for entry in chosen])
                assert found(desk, job, query) == sum(entry.rows for entry in chosen), query.where


def test_each_entry_is_chosen_by_itself(desk: Desk, job: str) -> None:
    for facet in each_facet(desk, job):
        entries = facet_entries(facet)
        assert len({entry.id for entry in entries}) == len(entries)
        names = [entry.label for entry in entries if entry.value != "tab new line"]
        if facet.column == "@label":
            assert {"refund", '" refund"'} <= set(names)


def test_the_status_of_answers_is_a_condition_too(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    desk.results(batch, [line("a", text="yes"), line("b", Outcome.FAILED)])
    for status in ("200", "500"):
        assert found(desk, job, RowQuery().with_values("status", [status])) == 1
        assert found(desk, job, RowQuery(where=f"status:{status}")) == 1
    assert found(desk, job, RowQuery(where="status:>=500")) == 1
    assert found(desk, job, RowQuery(where="code:500")) == 1


@pytest.mark.parametrize("value", [1, 1.0, "01", "1.0", 1e3, "refund"])
def test_a_written_value_is_that_value_alone(value: object) -> None:
    text = as_text(value)
    assert text is not None
    (condition,) = RowQuery(where=make_column_term("@x", [text]).written).rows.columns
    matches = condition.matcher()
    assert matches(text)
    assert not matches(f"{text}.0")
    assert write_value(text) in make_column_term("@x", [text]).written
