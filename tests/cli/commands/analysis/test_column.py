"""``column``: columns that are computed from others."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_an_expression_uses_the_answer_and_the_table(
    run: Run, reviews: str, tmp_path: Path
) -> None:
    expression = "'same' if label | lower == row.label else 'other'"
    done = run("column", reviews, "verdict", "--expr", expression)
    assert done.code == 0, done.err
    assert "5 of 7 rows have a value in calc.verdict." in done.err
    assert "1 row failed: 'label' is undefined" in done.err
    assert expression in done.out
    facet = run("facet", reviews, "calc.verdict").out
    assert "same" in facet
    assert "1 row failed: 'label' is undefined" in facet
    out = tmp_path / "out.csv"
    columns = "custom_id,calc.verdict"
    assert run("export", reviews, "-o", out, "--columns", columns).code == 0
    assert out.read_text("utf-8-sig").split() == [
        "custom_id,verdict", "r1,same", "r2,other", "r3,same", "r4,same", "r5,other", "r6,", "r7,",
    ]  # fmt: skip
    rows = run("results", reviews, "--where", "calc.verdict:other").rows
    assert [row["custom_id"] for row in rows] == ["r2", "r5"]


def test_what_is_wrong_is_said(run: Run, reviews: str) -> None:
    for words, error in (
        (("x",), "needs a pattern or an expression"),
        (("x", "--expr", "score +"), "the expression is not valid"),
        (("x", "--expr", "1", "--match", "a"), "by a pattern or by an expression"),
    ):
        done = run("column", reviews, *words)
        assert done.code == 2
        assert error in done.err
    assert run("column", reviews, "--json").document["columns"] == []
