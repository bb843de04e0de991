"""Retries with edits, previews of them, and answers checked against schemas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, request_line

SCHEMA = {"type": "object", "properties": {"stars": {"type": "integer"}}, "required": ["stars"]}


@pytest.fixture
def cut(run: Run, tmp_path: Path) -> str:
    """A job with two truncated rows and one that failed permanently."""
    file = tmp_path / "cut.jsonl"
    file.write_text(
        request_line("one", "sandbox:truncate", max_tokens=300, stop=["x"])
        + request_line("two", "sandbox:truncate", max_tokens=600)
        + request_line("bad", "sandbox:fail=400 \x1b[31mred")
    )
    assert run("submit", file, "--wait").code == 1
    return "cut"


def test_a_dry_run_shows_what_would_change_and_sends_nothing(run: Run, cut: str) -> None:
    options = ("--outcome", "truncated", "--max-tokens", "x2", "--unset", "stop")
    done = run("retry", cut, *options, "--system-append", "Be brief.", "--dry-run")
    assert done.code == 0
    for line in (
        "  - max_tokens: 300",
        "  + max_tokens: 600",
        '  - stop: ["x"]',
        "  + max_tokens: 1200",
        '  + messages.0: {"role":"system","content":"Be brief."}',
        "2 rows for gpt-4 with account sandbox; cost: free.",
        "Nothing was sent.",
    ):
        assert line in done.out.split("\n")
    assert len(run("show", cut, "--json").document["batches"]) == 1


def test_a_dry_run_is_a_document_for_scripts(run: Run, cut: str) -> None:
    options = ("--outcome", "truncated", "--set", "model=gpt-4o", "--max-tokens", "x3")
    document = run("retry", cut, *options, "--dry-run", "--json").document
    assert (document["rows"], document["model"], document["attempt"]) == (2, "gpt-4o", 2)
    assert document["edits"] == {"model": "gpt-4o", "@max_tokens": "x3"}
    assert document["cost"]["rows"] == 2
    assert document["preview"][1] == {
        "custom_id": "two",
        "changes": [
            {"path": "model", "before": "gpt-4", "after": "gpt-4o"},
            {"path": "max_tokens", "before": 600, "after": 1800},
        ],
        "problem": None,
    }


def test_an_edit_that_fits_no_row_is_reported_before_sending(run: Run, cut: str) -> None:
    done = run("retry", cut, "--set", "messages.7.content=x", "--all", "--dry-run")
    assert done.code == 2
    assert "  ! the path 'messages.7.content' does not exist in the request: no '7'" in done.out
    assert "\x1b" not in done.out
    assert run("retry", cut, "--set", "a..b=1", "--dry-run").code == 2
    refused = run("retry", cut, "--max-tokens", "much", "--dry-run")
    assert refused.code == 2
    assert "a whole number or a factor such as x2, not 'much'" in refused.err


def test_rows_that_an_edit_does_not_fit_are_skipped_and_counted(run: Run, cut: str) -> None:
    options = ("--set", "stop.a=1", "--outcome", "truncated")
    done = run("retry", cut, *options, "--dry-run")
    assert done.code == 0 and "1 row skipped because this edit does not apply" in done.err
    assert "! the path 'stop.a' does not exist" in done.out and "1 row for gpt-4" in done.out
    document = run("retry", cut, *options, "--dry-run", "--json").document
    assert (document["rows"], document["left_out"]) == (1, 1)
    sent = run("retry", cut, *options, "--wait", "--json")
    assert "1 row skipped" in sent.err and sent.document["batches"][-1]["attempt"] == 2
    assert sent.document["counts"]["truncated"] == 2


def test_a_retry_edits_the_newest_request_of_a_row(run: Run, cut: str) -> None:
    run("retry", cut, "--outcome", "truncated", "--max-tokens", "x2", "--wait")
    outcomes = {row["custom_id"]: row["outcome"] for row in run("results", cut).rows}
    assert outcomes == {"one": "truncated", "two": "succeeded", "bad": "failed"}
    done = run("retry", cut, "--outcome", "truncated", "--max-tokens", "x2", "--wait", "--json")
    assert done.document["counts"]["truncated"] == 0
    assert done.document["batches"][-1]["edits"] == {
        "@first": {"@max_tokens": "x2"},
        "@max_tokens": "x2",
    }


@pytest.fixture
def answers(run: Run, tmp_path: Path) -> str:
    file = tmp_path / "answers.jsonl"
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    file.write_text(
        request_line("good", 'sandbox:say={"stars": 3}', response_format=form)
        + request_line("bad", 'sandbox:say={"stars": "three"}', response_format=form)
        + request_line("free", "sandbox:say=just words")
    )
    assert run("submit", file, "--wait").code == 0
    return "answers"


def test_answers_are_checked_by_the_schema_of_their_request(run: Run, answers: str) -> None:
    rows = run("results", answers, "--schema", "own").rows
    assert [row["schema"] for row in rows] == [
        {"fits": True, "problems": []},
        {"fits": False, "problems": ['$.stars: "three" is not of type "integer"']},
        {"fits": None, "problems": []},
    ]
    (row,) = run("results", answers, "--misfits").rows
    assert row["custom_id"] == "bad"
    assert "schema" not in run("results", answers).rows[0]


def test_answers_are_checked_by_a_given_schema(run: Run, answers: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"type": "object", "maxProperties": 0}))
    rows = run("results", answers, "--schema", file, "--misfits", "--limit", "2").rows
    assert [row["custom_id"] for row in rows] == ["good", "bad"]
    file.write_text("{")
    done = run("results", answers, "--schema", file)
    assert (done.code, done.out) == (2, "") and "not JSON" in done.err
    assert run("results", answers, "--schema", tmp_path / "none.json").code == 2
