"""``views``, and ``--view`` of the commands that read rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def low(run: Run, reviews: str) -> str:
    """The name of a view of the scores below 5, the highest first."""
    done = run(
        "views", "save", "low scores", "--where", "@score:<5", "--sort", "-@score",
        "--columns", "seq,custom_id,@score,in.label",
    )  # fmt: skip
    assert done.code == 0, done.err
    return "low scores"


def test_rows_are_printed_and_exported_as_in_a_view(
    run: Run, reviews: str, low: str, tmp_path: Path
) -> None:
    printed = run("results", reviews, "--view", low)
    assert [row["custom_id"] for row in printed.rows] == ["r5", "r2", "r1"]
    out = tmp_path / "out.csv"
    assert run("export", reviews, "-o", out, "--view", low).code == 0
    text = out.read_text("utf-8-sig")
    assert text.splitlines() == [
        "custom_id,score,label", "r5,3,", "r2,2,refund", "r1,1,refund"
    ]  # fmt: skip
    done = run("export", reviews, "-o", out, "--view", low, "--columns", "custom_id", "-y")
    assert done.code == 0, done.err
    assert out.read_text("utf-8-sig").split() == ["custom_id", "r5", "r2", "r1"]


def test_conditions_are_added_to_those_of_a_view(run: Run, reviews: str, low: str) -> None:
    done = run("facet", reviews, "@label", "--view", low, "--where", "in.label:refund", "--json")
    (facet,) = done.document["facets"]
    assert {value["value"] for value in facet["values"]} == {"refund", "exchange"}


def test_views_are_listed_renamed_and_removed(run: Run, low: str) -> None:
    assert run("views", "list", "--json").document == {
        "views": [
            {
                "name": low,
                "where": "@score:<5",
                "sort": [{"column": "@score", "descending": True}],
                "columns": ["seq", "custom_id", "@score", "in.label"],
            }
        ]
    }
    assert run("views", "rename", low, "low").code == 0
    assert "low   @score:<5  -@score" in run("views", "list").out
    assert run("views", "remove", "low").code == 0
    assert run("views", "list", "--json").document == {"views": []}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("results", "reviews", "--view", "no"), "there is no view 'no'"),
        (("views", "remove", "no"), "there is no view 'no'"),
        (("views", "save", "x", "--where", "tokens:many"), "tokens:"),
        (("views", "save", "x", "--sort", "label"), "unknown column 'label'"),
        (("views", "save", " "), "cannot be the name of a view"),
        (("views", "rename", "low scores", "\x1b"), "cannot be the name of a view"),
    ],
)
def test_what_is_wrong_is_said(run: Run, low: str, words: tuple[str, ...], error: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert error in done.err


def test_a_name_that_is_taken_is_not_given_twice(run: Run, low: str) -> None:
    assert run("views", "save", "other").code == 0
    done = run("views", "rename", "other", low)
    assert done.code == 2
    assert "there is a view 'low scores' already" in done.err


def test_a_damaged_file_is_said_and_not_written_over(run: Run, low: str, home: Path) -> None:
    (home / "views.json").write_text("{")
    done = run("views", "save", "x")
    assert done.code != 0
    assert "views.json cannot be read" in done.err
    assert (home / "views.json").read_text() == "{"
