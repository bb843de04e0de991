"""``review``: queues for tools, labels from files, agreement; over the sandbox."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands.analysis.test_summary_and_compare import say, submitted
from tests.cli.conftest import Run
from tests.cli.schema import violations

LABELS = {"a": "x", "b": "x", "c": "y", "d": "x", "e": "z"}


@pytest.fixture
def job(run: Run, tmp_path: Path, home: Path) -> str:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[review]\nname = "anna"\n')
    answers = {id: say({"label": label}) for id, label in LABELS.items()}
    return submitted(run, tmp_path, "letters", {**answers, "f": "sandbox:fail=400"})


def labels_file(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_nothing_yet(run: Run, job: str) -> None:
    done = run("review", "letters")
    assert done.code == 0
    assert done.out.splitlines()[0] == "0 of 5 answers reviewed (0%)."
    assert run("review", "letters", "--json").document["reviewers"] == []


def test_labels_from_a_file_and_what_became_of_them(run: Run, job: str, tmp_path: Path) -> None:
    path = labels_file(
        tmp_path,
        "custom_id,verdict,correction,note,reviewer\n"
        'a,right,,,\nb,wrong,"{""label"":""y""}",seen twice,\nc,right,,,\nzz,right,,,\n'
        "a,wrong,,,ben\nb,wrong,,,ben\nc,right,,,ben\n",
    )
    done = run("review", "letters", "--import", path)
    assert done.code == 1, "a line was left out"
    assert "Stored 6 reviews of letters from 7 lines." in done.err
    assert "1 with an unknown id" in done.err and "For example: zz." in done.err
    again = run("review", "letters", "--import", path, "--json")
    assert (again.document["stored"], again.document["unchanged"]) == (0, 6)

    shown = run("review", "letters")
    assert "3 of 5 answers reviewed (60%)." in shown.out
    assert "anna" in shown.out and "anna and ben" in shown.out
    document = run("review", job, "--json").document
    assert [one["labels"] for one in document["reviewers"]] == [
        {"right": 2, "wrong": 1}, {"right": 1, "wrong": 2},
    ]  # fmt: skip
    right = document["reviewers"][0]["right"]
    assert right["share"] == pytest.approx(2 / 3)
    assert (round(right["low"], 3), round(right["high"], 3)) == (0.208, 0.939)
    assert "67% (21% to 94%)" in shown.out
    [both] = document["agreements"]
    assert (both["rows"], both["same"]) == (3, 2)
    assert both["kappa"] == pytest.approx(0.4)

    found = run("results", "letters", "--where", "review:disagree").rows
    assert [row["custom_id"] for row in found] == ["a"]
    none = run("results", "letters", "--where", "review:none outcome:answered").rows
    assert [row["custom_id"] for row in none] == ["d", "e"]
    bad = run("results", "letters", "--where", "review:")
    assert bad.code == 2 and "review: needs a value" in bad.err


def test_a_queue_for_tools(run: Run, job: str, tmp_path: Path) -> None:
    done = run("review", "letters", "--sample", "3", "--seed", "7", "--by", "@label")
    assert done.code == 0, done.err
    assert sorted(row["value"] for row in done.rows) == ["x", "y", "z"]
    assert "x: 1 of 3 rows" in done.err
    assert all(row["request"]["body"]["messages"] for row in done.rows)
    assert all(violations(row, "review-row") == [] for row in done.rows)
    assert (
        run("review", "letters", "--sample", "3", "--seed", "7", "--by", "@label").out == done.out
    )
    document = run("review", "letters", "--sample", "50", "--json").document
    assert (document["total"], document["without_answer"], document["reviewer"]) == (5, 0, "anna")
    # A tool adds its labels to the lines, and they come back.
    queue = tmp_path / "queue.jsonl"
    rows = [{**row, "label": "right", "correction": {"label": "q"}} for row in done.rows]
    queue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stored = run("review", "letters", "--import", queue, "--reviewer", "tool", "--json")
    assert (stored.code, stored.document["stored"]) == (0, 3)
    seen = run("review", "letters", "--where", "review:right", "--reviewer", "tool").rows
    assert {row["review"]["label"] for row in seen} == {"right"} and len(seen) == 3
    assert seen[0]["review"]["correction"] == '{"label":"q"}'


def test_rows_that_are_wrong_are_sent_again_once(run: Run, job: str, tmp_path: Path) -> None:
    path = labels_file(tmp_path, "custom_id,label\na,wrong\nb,wrong\nc,right\n")
    run("review", "letters", "--import", path)
    retried = run("retry", "letters", "--where", "review:wrong", "--model", "better", "--wait")
    assert "2 rows" in retried.err or retried.code in (0, 1), retried.err
    rows = run("results", "letters", "--where", "attempt:2").rows
    assert [row["custom_id"] for row in rows] == ["a", "b"]
    assert run("results", "letters", "--where", "review:wrong").rows == []
    earlier = run("results", "letters", "--where", "review:earlier").rows
    assert [row["custom_id"] for row in earlier] == ["a", "b"]
    assert "only an earlier attempt was reviewed" in run("review", "letters").out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--by", "@label"], "needs the size of a sample"),
        (["--sample", "3", "--by", "nothing"], "unknown column"),
        (["--import", "x.csv", "--where", "review:any"], "takes no conditions"),
        (["--import", "nowhere.csv"], "nowhere.csv"),
        (["--sample", "3", "--reviewer", "a,b"], "reviewer's name"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, job: str, words: list[str], problem: str) -> None:
    done = run("review", "letters", *words)
    assert done.code == 2 and problem in done.err


def reviewed(run: Run, tmp_path: Path) -> None:
    path = labels_file(
        tmp_path,
        "custom_id,label,correction,note,reviewer\n"
        'b,wrong,"{""label"": ""y""}",=1+1,anna\na,right,,,anna\nb,refund,,,ben\n',
    )
    assert run("review", "letters", "--import", path).code == 0


def test_exports_carry_reviews(run: Run, job: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    run("export", "letters", "-o", plain)
    assert "review" not in plain.read_text().splitlines()[0]
    reviewed(run, tmp_path)
    run("export", "letters", "-o", tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as stream:
        rows = {row["custom_id"]: row for row in csv.DictReader(stream)}
    assert (rows["b"]["review"], rows["b"]["reviewer"]) == ("refund", "ben"), "the newest counts"
    assert rows["b"]["correction"] == '{"label": "y"}'
    assert rows["b"]["note"] == "'=1+1", "formulas are not run"
    assert (rows["a"]["review"], rows["c"]["review"]) == ("right", "")
    assert json.loads(rows["b"]["text"]) == {"label": "x"}, "the answer is the original"

    run("export", "letters", "-o", tmp_path / "rows.jsonl")
    lines = {row["custom_id"]: row for row in map(json.loads, (tmp_path / "rows.jsonl").open())}
    assert lines["b"]["review"] == "refund" and lines["c"]["review"] is None
    assert [each["label"] for each in lines["b"]["reviews"]] == ["refund", "wrong"]
    assert lines["c"]["reviews"] == []

    run("export", "letters", "-o", tmp_path / "rows.sqlite")
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as connection:
        found = connection.execute(
            "SELECT r.custom_id, v.reviewer, v.label, v.note FROM reviews v"
            " JOIN rows r ON r.seq=v.seq ORDER BY 1, 2"
        ).fetchall()
    assert found == [
        ("a", "anna", "right", None), ("b", "anna", "wrong", "=1+1"), ("b", "ben", "refund", None),
    ]  # fmt: skip


def test_a_correction_is_exported_as_the_answer(run: Run, job: str, tmp_path: Path) -> None:
    reviewed(run, tmp_path)
    done = run("export", "letters", "--reviewed", "-o", tmp_path / "rows.jsonl")
    assert done.code == 0, done.err
    lines = {row["custom_id"]: row for row in map(json.loads, (tmp_path / "rows.jsonl").open())}
    assert lines["b"]["data"] == {"label": "y"} and lines["b"]["text"] == '{"label": "y"}'
    assert lines["a"]["data"] == {"label": "x"}
    run("export", "letters", "--reviewed", "--expand", "-o", tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as stream:
        rows = {row["custom_id"]: row for row in csv.DictReader(stream)}
    assert (rows["b"]["data.label"], rows["a"]["data.label"]) == ("y", "x")
    for other in (["--raw", "-o", "raw.jsonl"], ["--attempts", "-o", "all.csv"]):
        refused = run("export", "letters", "--reviewed", *other)
        assert refused.code == 2 and "reviewed" in refused.err


def test_parquet_has_the_columns(run: Run, job: str, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    reviewed(run, tmp_path)
    assert run("export", "letters", "-o", tmp_path / "rows.parquet").code == 0
    frame = polars.read_parquet(tmp_path / "rows.parquet").filter(polars.col("custom_id") == "b")
    assert frame["review"].to_list() == ["refund"] and frame["reviewer"].to_list() == ["ben"]
