"""The names of columns of other jobs, and conditions on pairs of columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.analysis.columns import Column, ColumnKind, parse_column
from tui.core.query import parse_query
from tui.errors import UsageError


@pytest.mark.parametrize(
    ("text", "job", "path"),
    [
        ("judge.@score", "judge", "score"),
        ("judge.@deep.er", "judge", "deep.er"),
        ("judge.answer", "judge", ""),
        ("my.job.v2.@score", "my.job.v2", "score"),
        ("judge-2.@items[0].name", "judge-2", "items[0].name"),
        ('"a judge".@score', "a judge", "score"),
        ('"5f2abc".answer', "5f2abc", ""),
    ],
)
def test_a_column_of_another_job(text: str, job: str, path: str) -> None:
    column = parse_column(text)
    assert column == Column(ColumnKind.JOINED, path, job)
    assert parse_column(str(column)) == column
    condition = parse_query(f"-{text}:3").rows.columns
    assert [(one.column, one.negated) for one in condition] == [(str(column), True)]


@given(st.text(min_size=1, max_size=20), st.sampled_from(["score", "a.b", ""]))
def test_any_name_of_a_job_can_be_written(job: str, path: str) -> None:
    column = Column(ColumnKind.JOINED, path, job)
    if not str(column).startswith(("in.", "@")):
        assert parse_column(str(column)) == column


@pytest.mark.parametrize("text", ["judge.score", ".@score", "judge.@", "judge@score", "a.@b..c"])
def test_what_is_no_column(text: str) -> None:
    with pytest.raises(UsageError):
        parse_column(text)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("differs:in.label,@label", ("in.label", "@label")),
        ("differs:@a,judge.@score", ("@a", "judge.@score")),
        ("differs:answer,model", ("answer", "model")),
    ],
)
def test_two_columns_that_differ(text: str, pair: tuple[str, str]) -> None:
    query = parse_query(f"outcome:succeeded {text}")
    assert query.problems == ()
    assert query.rows.differs == (pair,)
    assert not query.rows.is_empty


@pytest.mark.parametrize("text", ["differs:@a", "differs:", "differs:a,b", "differs:@a,,"])
def test_one_column_is_not_enough(text: str) -> None:
    assert parse_query(text).problems[0].message
