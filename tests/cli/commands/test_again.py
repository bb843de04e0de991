"""The template of a job over a newer table: only new and changed rows are sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands.test_budget import server as server
from tests.cli.conftest import REQUESTS, Run
from tests.end_to_end.servers import Served


@pytest.fixture
def composed(run: Run, tmp_path: Path, server: Served) -> Path:
    """A table of four rows, composed and answered as the job ``reviews``."""
    table = tmp_path / "reviews.csv"
    table.write_text("id,text\n1,good\n2,bad\n3,fine\n4,poor\n", "utf-8")
    out = tmp_path / "reviews.jsonl"
    made = run("compose", table, "-t", "Good or bad? {text}", "-m", "gpt-5-mini", "--id", "id",
               "-o", out)  # fmt: skip
    assert made.code == 0, made.err
    assert run("submit", out, "--account", "paid", "--wait").code == 0
    return table


def test_only_new_and_changed_rows_are_sent(run: Run, composed: Path, tmp_path: Path) -> None:
    newer = tmp_path / "week-48.csv"
    newer.write_text("id,text\n1,good\n2,very bad\n4,poor\n5,new\n", "utf-8")
    done = run("again", "reviews", "--source", newer, "--wait", "--json")
    assert done.code == 0, done.err
    document = done.document
    assert (document["name"], document["account"]) == ("week-48", "paid")
    assert [(b["rows"], b["reuses"]) for b in document["batches"]] == [(2, True), (2, False)]
    rows = run("results", "week-48").rows
    assert [row["custom_id"] for row in rows] == ["1", "2", "4", "5"]
    assert [bool(row["cost"]) for row in rows] == [False, True, False, True]
    # The input columns are those of the newer table, and so is the template of the next one.
    assert run("results", "week-48", "--where", 'in.text:"very bad"').rows[0]["custom_id"] == "2"
    third = run("again", "week-48", "--wait", "--json").document
    assert [(b["rows"], b["reuses"]) for b in third["batches"]] == [(4, True)]
    assert third["cost"]["actual"] == 0


def test_the_table_of_the_job_is_read_again(run: Run, composed: Path) -> None:
    composed.write_text(composed.read_text("utf-8") + "5,new\n", "utf-8")
    document = run("again", "reviews", "--wait", "--json").document
    assert [(b["rows"], b["reuses"]) for b in document["batches"]] == [(4, True), (1, False)]


def test_what_cannot_be_composed_again_is_told(run: Run, composed: Path, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text(REQUESTS)
    assert run("submit", tmp_path / "own.jsonl").code == 0
    done = run("again", "own")
    assert done.code == 2 and "was not composed with a template" in done.err
    composed.unlink()
    done = run("again", "reviews")
    assert done.code == 2 and "reviews.csv" in done.err
    assert run("again", "reviews", "--source", tmp_path / "other.csv").code == 2
