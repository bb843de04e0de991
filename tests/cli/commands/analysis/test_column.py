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
        (("x",), "needs a pattern, an expression or a file"),
        (("x", "--expr", "score +"), "the expression is not valid"),
        (("x", "--expr", "1", "--match", "a"), "by a pattern or by an expression"),
    ):
        done = run("column", reviews, *words)
        assert done.code == 2
        assert error in done.err
    assert run("column", reviews, "--json").document["columns"] == []


def test_values_of_a_file_are_a_column(run: Run, reviews: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("custom_id,truth,who\nr1,refund,a\nr2,exchange,b\nr9,x,a\nr1,praise,b\n")
    done = run("column", reviews, "gold", "--from", labels)
    assert done.code == 2
    assert "has several columns" in done.err
    done = run("column", reviews, "gold", "--from", labels, "--values", "truth")
    assert done.code == 0, done.err
    assert "2 rows have a value in calc.gold. 1 id not in this job. 1 id repeated." in done.err
    assert "labels.csv, truth" in done.out
    wrong = run("results", reviews, "--where", "differs:calc.gold,@label").rows
    assert [row["custom_id"] for row in wrong] == ["r1"]
    scores = run("evaluate", reviews, "--gold", "calc.gold", "--answer", "@label", "--json")
    assert (scores.document["agree"], scores.document["compared"]) == (1, 2)
    out = tmp_path / "out.csv"
    columns = ("--columns", "custom_id,calc.gold")
    assert run("export", reviews, "-o", out, *columns).code == 0
    assert out.read_text("utf-8-sig").split()[:3] == ["custom_id,gold", "r1,praise", "r2,exchange"]
    labels.write_text("custom_id,truth\nr1,refund\n")
    assert run("column", reviews, "gold", "--from", labels).code == 0
    (facet,) = run("facet", reviews, "calc.gold", "--json").document["facets"]
    assert facet["values"] == [{"value": "refund", "rows": 1}]
    labels.write_text("custom_id,truth\nnobody,refund\n")
    done = run("column", reviews, "gold", "--from", labels)
    assert done.code == 2
    assert "none of the ids in labels.csv is in this job" in done.err
    assert run("facet", reviews, "calc.gold", "--json").document["facets"] == [facet]
    assert run("column", reviews, "gold", "--remove").code == 0
    assert run("facet", reviews, "calc.gold").code == 2
