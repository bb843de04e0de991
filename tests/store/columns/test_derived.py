"""Columns that are captured from the text of other columns."""

from __future__ import annotations

import pytest

from tests.store.bench import Desk, line
from tests.store.columns.test_columns import a_job
from tui.core.analysis.derived import MOST_DERIVED, DerivedColumn
from tui.core.query import RowSort, parse_query
from tui.errors import HistoryError, UsageError
from tui.store.columns import values as listing
from tui.store.columns.derived import DERIVED_FILE
from tui.store.export.options import ExportOptions
from tui.store.history import History


def stars(desk: Desk, answers: list[str | None]) -> str:
    job = a_job(desk, answers)
    desk.history.rows.set_derived_column(job, DerivedColumn("stars", "answer", r"Stars: (\d+)"))
    return job


ANSWERS = ["Good. Stars: 5", "Bad. Stars: 1", None, "No number", "Stars: 5 of 5"]


@pytest.mark.parametrize("distinct", [3, 1 << 16])
def test_a_derived_column_is_like_any_other(
    desk: Desk, distinct: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MOST_DISTINCT", distinct)
    job = stars(desk, ANSWERS)
    rows = desk.history.rows
    (facet,) = rows.facets(job, ["calc.stars"])
    listed = {value.value: value.rows for value in facet.values}
    assert listed == ({"5": 2, "1": 1} if facet.is_exact else {"5": 2})
    assert facet.is_exact is (distinct > 3)
    assert (facet.filled, facet.missing) == (3, 2)
    assert list(rows.select(job, parse_query("calc.stars:>=2").rows).seqs) == [0, 4]
    assert list(rows.select(job, parse_query("-calc.stars:5").rows).seqs) == [1, 2, 3]
    order = RowSort(column="calc.stars", descending=True)
    assert list(rows.select(job, order=order).seqs) == [0, 4, 1, 2, 3]
    assert rows.values(job, ["calc.stars"], [1, 2]) == [("1",), (None,)]
    assert "calc.stars" in {info.column for info in rows.columns(job)}
    path = desk.paths.data / "out.csv"
    rows.export(job, rows.select(job), path, ExportOptions(columns=("custom_id", "calc.stars")))
    assert path.read_text().split() == ["custom_id,stars", "r0,5", "r1,1", "r2,", "r3,", "r4,5"]


def test_a_changed_definition_gives_other_values(desk: Desk) -> None:
    job = stars(desk, ["a1", "b2"])
    rows = desk.history.rows
    rows.set_derived_column(job, DerivedColumn("stars", "answer", r"[a-z]"))
    assert rows.values(job, ["calc.stars"], [0, 1]) == [("a",), ("b",)]
    (facet,) = rows.facets(job, ["calc.stars"])
    assert facet.distinct == 2
    rows.set_derived_column(job, DerivedColumn("stars", "answer", r"\d"))
    (facet,) = rows.facets(job, ["calc.stars"])
    assert {value.value for value in facet.values} == {"1", "2"}
    assert len(rows.derived_columns(job)) == 1
    rows.remove_derived_column(job, "stars")
    assert rows.derived_columns(job) == []
    with pytest.raises(UsageError, match="no derived column"):
        rows.facets(job, ["calc.stars"])


def test_it_follows_answers_that_come_in_and_survives_a_restart(desk: Desk) -> None:
    job = desk.job(["r0", "r1"])
    batch = desk.batch(job)
    desk.history.rows.set_derived_column(job, DerivedColumn("n", "@x", r"\d"))
    desk.write(batch, line("r0", text='{"x": "n1"}') + b"\n")
    desk.index(batch)
    (facet,) = desk.history.rows.facets(job, ["calc.n"])
    assert facet.filled == 1
    desk.write(batch, line("r1", text='{"x": "n2"}') + b"\n")
    desk.index(batch, complete=True)
    (facet,) = desk.history.rows.facets(job, ["calc.n"])
    assert facet.filled == 2
    again = History(desk.paths)
    try:
        assert [one.name for one in again.rows.derived_columns(job)] == ["n"]
    finally:
        again.close()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (DerivedColumn("two words", "answer", "x"), "cannot be the name"),
        (DerivedColumn("x", "nothing", "x"), "unknown column"),
        (DerivedColumn("x", "in.lang", "x"), "no input column"),
        (DerivedColumn("x", "calc.y", "x"), "derived column itself"),
        (DerivedColumn("x", "answer", "("), "not a regular expression"),
        (DerivedColumn("x", "answer", "a" * 100_000), "too large"),
    ],
)
def test_definitions_that_are_refused(desk: Desk, column: DerivedColumn, message: str) -> None:
    job = a_job(desk, ["x"])
    with pytest.raises(UsageError, match=message):
        desk.history.rows.set_derived_column(job, column)


def test_a_pattern_that_takes_too_long_is_told(desk: Desk) -> None:
    job = a_job(desk, ["a" * 5000 + "!"])
    desk.history.rows.set_derived_column(job, DerivedColumn("slow", "answer", r"(a|aa)+$"))
    with pytest.raises(UsageError, match="takes too long"):
        desk.history.rows.facets(job, ["calc.slow"])


def test_there_are_not_too_many(desk: Desk) -> None:
    job = a_job(desk, ["x"])
    for number in range(MOST_DERIVED):
        desk.history.rows.set_derived_column(job, DerivedColumn(f"n{number}", "answer", "x"))
    with pytest.raises(UsageError, match="already"):
        desk.history.rows.set_derived_column(job, DerivedColumn("more", "answer", "x"))


def test_a_damaged_file_is_told_with_its_path(desk: Desk) -> None:
    job = a_job(desk, ["x"])
    path = desk.paths.job_folder(job) / DERIVED_FILE
    path.write_text("{")
    with pytest.raises(HistoryError, match="cannot be read"):
        desk.history.rows.facets(job, ["calc.x"])
