"""``results`` and ``export``: the rows of a job."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run, command, request_line
from tests.cli.schema import violations

HOSTILE = 'sandbox:say=[red]x\\u001b[2J\\u009b31m\\u202e\\u2028 {"a": [1]}'


@pytest.fixture
def job(run: Run, tmp_path: Path) -> str:
    file = tmp_path / "rows.jsonl"
    file.write_text(
        request_line("good-1", "What is 2+2?")
        + request_line("bad", "sandbox:fail=404")
        + request_line("busy", "sandbox:fail=429")
        + request_line("hostile", HOSTILE)
        + request_line("json", 'sandbox:say={"colour": "blue"}')
    )
    assert run("submit", file, "--wait").code == 1
    return "rows"


def ids(run: Run, job: str, *arguments: str) -> list[str]:
    done = run("results", job, *arguments)
    assert done.code == 0
    return [row["custom_id"] for row in done.rows]


def test_rows_come_in_the_order_of_the_requests_and_fit_the_schema(run: Run, job: str) -> None:
    done = run("results", job)
    assert [row["custom_id"] for row in done.rows] == ["good-1", "bad", "busy", "hostile", "json"]
    for row in done.rows:
        assert violations(row, "row") == []
    assert run("results", job, "--json").out == done.out
    assert done.err == ""


def test_filters_are_combined_with_and(run: Run, job: str) -> None:
    assert ids(run, job, "--outcome", "failed") == ["bad", "busy"]
    assert ids(run, job, "--outcome", "failed", "--outcome", "succeeded", "--limit", "2") == [
        "good-1",
        "bad",
    ]
    assert ids(run, job, "--code", "429") == ["busy"]
    assert ids(run, job, "--search", "2+2") == ["good-1"]
    assert ids(run, job, "--search", "2+2", "--outcome", "failed") == []
    assert ids(run, job, "--limit", "0") == []


def test_where_takes_the_query_language_of_the_dashboard(run: Run, job: str) -> None:
    assert ids(run, job, "--where", "outcome:failed code:429") == ["busy"]
    assert ids(run, job, "--where", "json:ok") == ["json"]
    assert ids(run, job, "--where", "What is 2+2") == ["good-1"]
    assert ids(run, job, "--where", "id:b* outcome:unanswered") == ["bad", "busy"]
    assert ids(run, job, "--where", "outcome:unanswered", "--code", "404") == ["bad"]
    groups = run("show", job, "--json").document["error_groups"]
    key = next(group["key"] for group in groups if group["http_status"] == 404)
    assert ids(run, job, "--where", f"group:{key}") == ["bad"]


def test_a_mistake_in_a_query_gets_a_suggestion(run: Run, job: str) -> None:
    done = run("results", job, "--where", "outcome:faild")
    assert done.code == 2
    assert "unknown outcome 'faild'" in done.err
    assert "hint: Did you mean outcome:failed?" in done.err
    done = run("export", job, "-o", "x.jsonl", "--where", "outcome:failed", "--outcome", "expired")
    assert done.code == 2
    assert "no outcome in common" in done.err


def test_a_failed_row_has_its_error(run: Run, job: str) -> None:
    (row,) = run("results", job, "--code", "429").rows
    assert row["http_status"] == 429
    assert row["error"]["retryable"] is True
    assert row["error"]["message"]


def test_a_json_answer_is_parsed(run: Run, job: str) -> None:
    (row,) = run("results", job, "--search", "colour").rows
    assert json.loads(row["text"]) == row["data"] == {"colour": "blue"}


def test_hostile_answers_are_complete_and_escaped(run: Run, job: str) -> None:
    done = run("results", job, "--search", "[red]")
    (row,) = done.rows
    assert row["text"].startswith("[red]x\x1b[2J\x9b31m\u202e\u2028")
    assert len(done.out.splitlines()) == 1
    assert not any(mark in done.out for mark in "\x1b\x9b\u202e\u2028")


def test_a_closed_pipe_prints_no_error(
    environment: dict[str, str], run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("".join(request_line(f"r{n}", "What is 2+2?") for n in range(3000)))
    assert run("submit", file, "--wait").code == 0
    with subprocess.Popen(
        command("results", "many"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"custom_id":"r0"')
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_output_that_cannot_be_written_is_an_error(
    environment: dict[str, str], run: Run, job: str
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("results", job),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: No space left on device\nhint: ")
    assert "Traceback" not in done.stderr


def test_export_to_json_lines_is_what_results_prints(run: Run, job: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    done = run("export", job, "-o", file, "--json")
    assert done.code == 0
    assert done.document["rows"] == 5
    assert done.document["path"] == str(file)
    exported = [json.loads(line) for line in file.read_bytes().split(b"\n") if line]
    assert exported == run("results", job).rows


def test_export_to_csv_takes_the_same_filters(run: Run, job: str, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    done = run("export", job, "-o", file, "--outcome", "failed")
    assert done.code == 0
    assert done.out == ""
    assert done.err == f"Wrote 2 rows to {file}.\n"
    with file.open(newline="", encoding="utf-8") as stream:
        assert [row["custom_id"] for row in csv.DictReader(stream)] == ["bad", "busy"]


@pytest.mark.parametrize("name", ["out.txt", "out", "gone/out.csv"])
def test_an_export_that_cannot_be_written_leaves_nothing(
    name: str, run: Run, job: str, tmp_path: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    done = run("export", job, "-o", tmp_path / name)
    assert done.code == 2
    assert done.err.startswith("error: ")
    new = {path for path in set(tmp_path.rglob("*")) - before if "home" not in path.parts}
    assert not new


def test_rows_of_a_draft_are_pending(run: Run, requests: Path, home: Path) -> None:
    run("submit", requests, "--account", "openai")
    assert {row["outcome"] for row in run("results", "requests").rows} == {"pending"}
