"""From labelled reviews to judged answers and corrected ones, without a file of results between."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run

JUDGE = """\
Label: {@label}. Review: {in.text}
sandbox:say={"score": 2, "reason": "not {in.label}"}
"""


@pytest.fixture
def judged(run: Run, reviews: str, tmp_path: Path) -> str:
    """The name of the job that judges the wrong labels of ``reviews``."""
    out = tmp_path / "judge.jsonl"
    wrong = "differs:in.label,@label"
    done = run("compose", f"job:{reviews}", "--where", wrong, "-t", JUDGE, "-m", "m", "-o", out)
    assert done.code == 0, done.err
    assert "2" in done.out
    assert run("submit", out, "--wait", "-y").code == 0
    return "judge"


def ids(run: Run, job: str, where: str) -> list[str]:
    done = run("results", job, "--where", where)
    assert done.code == 0, done.err
    return [row["custom_id"] for row in done.rows]


def test_classify_evaluate_judge_correct(run: Run, reviews: str, tmp_path: Path) -> None:
    gold: tuple[Any, ...] = ("--gold", "in.label", "--json")
    before = run("evaluate", reviews, "--answer", "@label", *gold).document
    assert (before["agree"], before["compared"]) == (2, 4)

    out = tmp_path / "again.jsonl"
    prompt = 'Label: {in.text}\nsandbox:say={"label": "{in.label}"}'
    where = "differs:in.label,@label"
    done = run("compose", f"job:{reviews}", "--where", where, "-t", prompt, "-m", "m", "-o", out)
    assert done.code == 0, done.err
    assert run("submit", out, "--wait", "-y").code == 0
    after = run("evaluate", reviews, "--answer", "again.@label", *gold).document
    assert (after["agree"], after["compared"]) == (2, 2)
    inside = run("evaluate", "again", "--answer", "@label", "--gold", '"in.label"', "--json")
    assert inside.code == 2
    inside = run("evaluate", "again", "--answer", "@label", "--gold", 'in."in.label"', "--json")
    assert inside.document["accuracy"] == 1.0


def test_what_a_judge_says_is_a_column_of_the_judged_job(
    run: Run, reviews: str, judged: str
) -> None:
    assert ids(run, reviews, "judge.@score:<3") == ["r2", "r4"]
    assert ids(run, reviews, 'judge.@reason:"not refund"') == ["r2"]
    assert ids(run, reviews, "judge.@score:any in.label:praise") == ["r4"]
    assert ids(run, reviews, "judge.@score:none outcome:succeeded") == ["r1", "r3", "r5", "r6"]
    assert ids(run, reviews, "-judge.answer:none") == ["r2", "r4"]
    job_id = run("show", judged, "--json").document["id"]
    assert ids(run, reviews, f'"{job_id}".@score:2') == ["r2", "r4"]


def test_a_job_that_is_not_there(run: Run, reviews: str) -> None:
    done = run("results", reviews, "--where", "nobody.@score:2")
    assert done.code == 2
    assert "there is no job 'nobody'" in done.err


def test_what_a_judge_says_is_exported_beside_the_answers(
    run: Run, reviews: str, judged: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    columns = "custom_id,in.label,@label,judge.@score,judge.@reason"
    done = run("export", reviews, "-o", out, "--columns", columns)
    assert done.code == 0, done.err
    with out.open(encoding="utf-8", newline="") as file:
        rows = {row["custom_id"]: row for row in csv.DictReader(file)}
    assert rows["r2"]["judge.score"] == "2"
    assert rows["r2"]["judge.reason"] == "not refund"
    assert rows["r1"]["judge.score"] == ""
    listed = run("describe", reviews, "--json").document["facets"]
    assert {"judge.@score", "judge.@reason"} <= {one["column"] for one in listed}
    refused = run("export", reviews, "-o", out, "-y", "--columns", "nobody.@score")
    assert refused.code == 2
    assert "there is no job 'nobody'" in refused.err
