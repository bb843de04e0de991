"""Derived columns that are Jinja expressions."""

from __future__ import annotations

import json

import pytest

from tests.store.bench import Desk, line
from tests.store.columns.test_columns import a_job
from tui.compose.templates import expressions
from tui.compose.templates.expressions import RowExpression
from tui.core.analysis.derived import DerivedColumn
from tui.core.query import RowSort, parse_query
from tui.errors import UsageError
from tui.progress import Progress
from tui.store.columns import values as listing
from tui.store.export.options import ExportOptions
from tui.store.stored_rows import StoredRows

ANSWERS = [
    json.dumps({"label": "refund", "score": 5}),
    json.dumps({"label": "praise", "score": 1}),
    None,
    "no JSON",
    json.dumps({"label": "{{ 7 * 7 }}", "score": None}),
]


@pytest.fixture
def rows(desk: Desk) -> StoredRows:
    """Rows that compute expressions, as the engine's do."""
    return StoredRows(desk.database, desk.paths, RowExpression)


def add(rows: StoredRows, job: str, expression: str, name: str = "x") -> None:
    rows.set_derived_column(job, DerivedColumn(name, expression=expression))


@pytest.mark.parametrize("distinct", [3, 1 << 16])
def test_an_expression_is_a_column_like_any_other(
    desk: Desk, rows: StoredRows, distinct: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MOST_DISTINCT", distinct)
    job = a_job(desk, ANSWERS)
    add(rows, job, "score * 2 + label | length")
    (facet,) = rows.facets(job, ["calc.x"])
    assert (facet.filled, facet.missing) == (2, 3)
    assert facet.failed == 2
    assert "undefined" in facet.problem
    assert list(rows.select(job, parse_query("calc.x:>=9").rows).seqs) == [0]
    assert list(rows.select(job, order=RowSort(column="calc.x", descending=True)).seqs)[:2] == [
        0,
        1,
    ]
    assert rows.values(job, ["calc.x"], [4, 1, 0]) == [(None,), ("8",), ("16",)]
    assert rows.values(job, ["calc.x"], [1], largest=100) in ([("8",)], [("…",)])
    (info,) = [info for info in rows.columns(job) if info.column == "calc.x"]
    assert info.help == "score * 2 + label | length"
    path = desk.paths.data / "out.csv"
    rows.export(job, rows.select(job), path, ExportOptions(columns=("custom_id", "calc.x")))
    assert path.read_text().split() == ["custom_id,x", "r0,16", "r1,8", "r2,", "r3,", "r4,"]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("answer | length", [None if one is None else str(len(one)) for one in ANSWERS]),
        ("custom_id ~ '!'", ["r0!", "r1!", "r2!", "r3!", "r4!"]),
        ("'high' if data.score > 3 else 'low'", ["high", "low", None, None, None]),
        ("{% if label is defined %}{{ label }}{% endif %}", ["refund", "praise", None, None,
                                                            "{{ 7 * 7 }}"]),
        ("outcome", ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]),
        ("score is none", ["false", "false", "false", "false", "true"]),
    ],
)  # fmt: skip
def test_the_variables(
    desk: Desk, rows: StoredRows, expression: str, values: list[str | None]
) -> None:
    job = a_job(desk, ANSWERS)
    add(rows, job, expression)
    assert [value for (value,) in rows.values(job, ["calc.x"], range(5))] == values


@pytest.mark.parametrize(
    "expression", ["score +", "{{ a", "(" * 500, "{% include 'x' %}x{% endfor %}", "x" * 30_000]
)
def test_what_is_not_valid_is_said_at_once(desk: Desk, rows: StoredRows, expression: str) -> None:
    job = a_job(desk, ["1"])
    with pytest.raises(UsageError, match="expression"):
        add(rows, job, expression)
    assert rows.derived_columns(job) == []


@pytest.mark.parametrize(
    "expression",
    [
        "answer.__class__.__mro__",
        "''.__class__.__base__.__subclasses__()",
        "cycler.__init__.__globals__",
        "self._TemplateReference__context",
        "'a' * 10 ** 9",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "1 / 0",
        "'%1000000000d' | format(1)",
    ],
)
def test_hostile_expressions_fail_in_their_rows(
    desk: Desk, rows: StoredRows, expression: str
) -> None:
    job = a_job(desk, ["1", "2"])
    add(rows, job, expression)
    (facet,) = rows.facets(job, ["calc.x"])
    assert (facet.filled, facet.failed) == (0, 2)
    assert facet.problem


def test_an_expression_that_is_slow_for_one_row_costs_that_row_only(
    desk: Desk, rows: StoredRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.3)
    monkeypatch.setattr(expressions, "_SECONDS_PER_ROW", 0.0)
    job = a_job(desk, [json.dumps({"text": "a" * n}) for n in (1, 2, 40, 3)])
    # Each step of this pattern is one filter that is not counted: sorting a long list.
    slow = "{% if text | length > 30 %}{{ (range(99999) | list | sort | string | list | sort)"
    add(rows, job, slow + " | length }}{% else %}{{ text | length }}{% endif %}")
    values = [value for (value,) in rows.values(job, ["calc.x"], range(4))]
    assert (values[0], values[1], values[3]) == ("1", "2", "3")


def test_one_that_is_slow_for_many_rows_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made = RowExpression("range(99999) | list | sort | string | list | sort | length")
    monkeypatch.setattr(expressions, "SECONDS", 0.01)
    monkeypatch.setattr(expressions, "_SECONDS_PER_ROW", 0.0)
    monkeypatch.setattr(expressions, "_MOST_SLOW_ROWS", 2)
    with pytest.raises(UsageError, match="too much time"):
        made.values([{}] * 4)


def test_a_large_value_is_a_problem_of_its_row(desk: Desk, rows: StoredRows) -> None:
    job = a_job(desk, ["1"])
    add(rows, job, "'a' * 200000")
    (facet,) = rows.facets(job, ["calc.x"])
    assert (facet.failed, facet.problem) == (1, "the value has more than 100,000 characters")


def test_new_results_are_computed_too(desk: Desk, rows: StoredRows) -> None:
    job = desk.job(["r0", "r1"])
    batch = desk.batch(job)
    add(rows, job, "answer | length")
    desk.results(batch, [line("r0", text="a")])
    assert rows.facets(job, ["calc.x"])[0].filled == 1
    desk.results(batch, [line("r1", text="bb")])
    assert {value.value for value in rows.facets(job, ["calc.x"])[0].values} == {"1", "2"}


def test_stopped_work_is_not_kept(desk: Desk, rows: StoredRows) -> None:
    job = a_job(desk, [str(n) for n in range(600)])
    add(rows, job, "answer")
    stopped = Progress(stop=lambda: True)
    assert rows.facets(job, ["calc.x"], progress=stopped)[0].filled < 600
    assert rows.facets(job, ["calc.x"])[0].filled == 600


def test_a_column_is_made_in_one_way(desk: Desk, rows: StoredRows) -> None:
    job = a_job(desk, ["1"])
    with pytest.raises(UsageError, match="by a pattern or by an expression"):
        rows.set_derived_column(job, DerivedColumn("x", "answer", "a", "b"))
