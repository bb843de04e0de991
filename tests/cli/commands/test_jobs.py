"""``list``, ``show``, ``watch``, ``collect``, ``retry``, ``cancel`` and ``delete``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, request_line
from tests.cli.schema import violations


@pytest.fixture
def slow_job(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A job of 400 rows that was just submitted, at one row per second."""
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "1")
    file = tmp_path / "slow.jsonl"
    file.write_text("".join(request_line(f"r{n}", "What is 2+2?") for n in range(400)))
    document: dict[str, Any] = run("submit", file, "--json").document
    return document


@pytest.fixture
def failed_job(run: Run, tmp_path: Path) -> str:
    """A job with a good row, a row that succeeds on retry, and one that never does."""
    file = tmp_path / "faults.jsonl"
    file.write_text(
        request_line("good", "What is 2+2?")
        + request_line("busy", "sandbox:flaky=429")
        + request_line("bad", "sandbox:fail=400")
        + request_line("cut", "sandbox:truncate", max_tokens=10)
    )
    assert run("submit", file, "--wait").code == 1
    return "faults"


def test_an_empty_history_is_no_error(run: Run) -> None:
    done = run("list")
    assert (done.code, done.out) == (0, "")
    assert done.err == "No jobs yet.\n"
    assert run("list", "--json").document == []


def test_list_is_newest_first_and_filters(run: Run, requests: Path) -> None:
    run("submit", requests, "--name", "alpha", "--wait")
    run("submit", requests, "--name", "beta", "--account", "openai")
    documents = run("list", "--json").document
    assert [document["name"] for document in documents] == ["beta", "alpha"]
    assert all(violations(document, "job") == [] for document in documents)

    def names(*arguments: str) -> list[str]:
        return [document["name"] for document in run("list", "--json", *arguments).document]

    assert names("--status", "completed") == ["alpha"]
    assert names("--account", "openai") == ["beta"]
    assert names("--search", "ALPH") == ["alpha"]
    assert names("--limit", "1") == ["beta"]
    assert names("--search", "gone") == []
    today = datetime.now().astimezone().strftime("%Y-%m-%d")
    assert names("--since", "12h") == ["beta", "alpha"]
    assert names("--since", "2w", "--before", "1h") == []
    assert names("--before", today) == []
    assert names("--since", "2020-01-01", "--limit", "1") == ["beta"]
    assert run("list", "--before", "3w").err == "No matching jobs.\n"
    wrong = run("list", "--since", "yesterday")
    assert wrong.code == 2
    assert "'yesterday' must be a date such as 2026-11-20, or 12h, 7d or 3w" in wrong.err
    assert run("list", "--account", "bogus").code == 2


def test_list_of_a_section_is_what_the_dashboard_shows(
    run: Run, requests: Path, failed_job: str, home: Path
) -> None:
    (home / "config.toml").write_text('[sections]\n"good ones" = "is:ended alpha"\n')
    run("submit", requests, "--name", "alpha", "--wait")
    run("submit", requests, "--name", "beta", "--account", "openai")

    def names(*arguments: str) -> list[str]:
        return [document["name"] for document in run("list", "--json", *arguments).document]

    # The first one has failed rows, the last one is a draft without a key.
    assert names("--section", "needs-me") == ["beta", failed_job]
    assert names("--section", "Needs me", "--limit", "1") == ["beta"]
    assert names("--section", "good ones") == ["alpha"]
    assert names("--section", "running") == []
    assert run("list", "--section", "running").err == "No matching jobs.\n"
    refused = run("list", "--section", "gone")
    assert refused.code == 2
    assert "All jobs, Running, Needs me, This week, good ones" in refused.err


def test_tags_and_a_note_are_written_and_found(run: Run, requests: Path) -> None:
    run("submit", requests, "--name", "alpha", "--wait")
    run("submit", requests, "--name", "beta", "--wait")
    document = run("tag", "alpha", "#weekly", "nl", "--note", "prompt of May", "--json").document
    assert (document["tags"], document["note"]) == (["weekly", "nl"], "prompt of May")
    assert run("tag", "alpha", "de", "--json").document["tags"] == ["weekly", "nl", "de"]
    shown = run("show", "alpha").out
    assert "#weekly #nl #de" in shown and "prompt of May" in shown
    assert [job["name"] for job in run("list", "--tag", "NL", "--json").document] == ["alpha"]
    assert [job["name"] for job in run("list", "--search", "may", "--json").document] == ["alpha"]
    cleared = run("tag", "alpha", "--clear", "--note", "", "--json").document
    assert (cleared["tags"], cleared["note"]) == ([], None)
    assert run("list", "--tag", "nl").err == "No matching jobs.\n"


def test_list_prints_an_aligned_table(run: Run, requests: Path) -> None:
    run("submit", requests, "--wait")
    head, row = run("list").out.splitlines()
    assert head.split() == [
        "STATUS", "JOB", "NAME", "ACCOUNT", "ROWS", "FAILED", "COST", "CREATED"
    ]  # fmt: skip
    assert row.index("requests") == head.index("NAME")
    assert "✓ completed" in row
    assert "3/3" in row


def test_a_hostile_name_is_shown_harmlessly(run: Run, requests: Path) -> None:
    name = "\x1b]0;owned\x07[red]\u202e"
    run("submit", requests, "--name", name, "--wait")
    assert run("list", "--json").document[0]["name"] == name
    for done in (run("list"), run("show", name), run("show", "gone\x1b[2J")):
        text = done.out + done.err
        assert not any(mark in text for mark in "\x1b\x07\u202e")
    assert "\\x1b]0;owned\\x07[red]⟨U+202E⟩" in run("list").out


def test_jobs_are_named_by_id_prefix_or_name(run: Run, requests: Path) -> None:
    document = run("submit", requests, "--wait", "--json").document
    for ref in (document["id"], document["id"][:4], "requests"):
        assert run("show", ref, "--json").document["id"] == document["id"]
    run("submit", requests, "--name", "requests")
    for ref in ("requests", "nothing"):
        done = run("show", ref, "--json")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: ")


def test_show_prints_batches_errors_and_timeline(run: Run, failed_job: str) -> None:
    done = run("show", failed_job)
    assert done.code == 0
    for word in ("1 succeeded, 1 truncated, 2 failed", "rate_limit_exceeded", "Imported 4", "1.1"):
        assert word in done.out
    assert violations(run("show", failed_job, "--json").document, "job") == []


def test_retry_sends_only_what_can_succeed(run: Run, failed_job: str) -> None:
    done = run("retry", failed_job, "--wait", "--json")
    assert done.code == 1
    assert "1 row skipped" in done.err
    document = done.document
    assert violations(document, "job") == []
    assert document["counts"]["total"] == 4
    assert document["counts"]["succeeded"] == 2
    assert [batch["rows"] for batch in document["batches"]] == [4, 1]
    attempts = {row["custom_id"]: row["attempt"] for row in run("results", failed_job).rows}
    assert attempts == {"good": 1, "busy": 2, "bad": 1, "cut": 1}
    again = run("retry", failed_job)
    assert again.code == 2
    assert "--all" in again.err


def test_retry_with_edits_and_chosen_rows(run: Run, failed_job: str) -> None:
    done = run("retry", failed_job, "--outcome", "truncated", "--set", "max_tokens=2000", "--wait")
    assert done.code == 1
    (row,) = run("results", failed_job, "--search", "cut").rows
    assert (row["outcome"], row["attempt"]) == ("succeeded", 2)
    done = run("retry", failed_job, "--code", "429", "--model", "gpt-4o", "--json", "--wait")
    assert done.document["batches"][-1]["edits"] == {"model": "gpt-4o"}
    (row,) = run("results", failed_job, "--search", "flaky").rows
    assert row["outcome"] == "succeeded"
    assert row["model"] == "gpt-4o"


def test_retry_takes_a_query(run: Run, failed_job: str) -> None:
    done = run("retry", failed_job, "--where", "code:400")
    assert done.code == 2
    assert "would fail again unchanged" in done.err
    done = run("retry", failed_job, "--where", "group:truncated", "--model", "gpt-4o", "--wait")
    rows = run("results", failed_job, "--where", "attempt:>1").rows
    assert [row["custom_id"] for row in rows] == ["cut"]


def test_retry_with_a_code_sends_permanent_failures_too(run: Run, failed_job: str) -> None:
    done = run("retry", failed_job, "--code", "400", "--wait", "--json")
    assert done.code == 1
    assert done.document["batches"][-1]["rows"] == 1
    done = run("retry", failed_job, "--all", "--wait", "--json")
    assert done.document["batches"][-1]["rows"] == 2


def test_a_search_alone_never_retries_succeeded_rows(run: Run, failed_job: str) -> None:
    done = run("retry", failed_job, "--search", "2+2")
    assert done.code == 2
    assert len(run("show", failed_job, "--json").document["batches"]) == 1


def test_retry_of_a_good_job_is_exit_code_2(run: Run, requests: Path) -> None:
    run("submit", requests, "--wait")
    done = run("retry", "requests", "--json")
    assert (done.code, done.out) == (2, "")
    assert "no failed rows" in done.err


def test_watch_without_jobs_waits_for_all_that_run(run: Run, requests: Path) -> None:
    nothing = run("watch", "--json")
    assert (nothing.code, nothing.document) == (0, [])
    assert nothing.err == "Nothing is running.\n"
    for name in ("one", "two"):
        run("submit", requests, "--name", name)
    done = run("watch", "--json")
    assert done.code == 0
    assert {document["name"] for document in done.document} == {"one", "two"}
    assert {document["status"] for document in done.document} == {"completed"}


def test_watch_sets_the_exit_code(run: Run, failed_job: str) -> None:
    done = run("watch", failed_job, "--json")
    assert done.code == 1
    assert violations(done.document, "job") == []


def test_a_draft_cannot_be_watched(run: Run, requests: Path) -> None:
    run("submit", requests, "--account", "openai")
    done = run("watch", "requests")
    assert done.code == 2
    assert "was not submitted yet" in done.err
    assert "batchdeck submit" in done.err


def test_collect_downloads_the_results_so_far(run: Run, requests: Path) -> None:
    run("submit", requests)
    done = run("collect", "requests", "--json")
    assert done.code == 0
    assert violations(done.document, "job") == []
    assert done.document["counts"]["succeeded"] == 3


def test_a_cancelled_job_can_be_watched_to_its_end(run: Run, slow_job: dict[str, Any]) -> None:
    done = run("cancel", slow_job["id"], "--json")
    assert done.code == 0
    assert done.document["status"] in ("cancelling", "cancelled")
    done = run("watch", slow_job["id"], "--json")
    assert done.code == 1
    assert done.document["status"] == "cancelled"
    assert done.document["counts"]["pending"] == 0
    assert done.document["counts"]["cancelled"] > 300


def test_cancel_of_an_ended_job_is_exit_code_2(run: Run, requests: Path) -> None:
    run("submit", requests, "--wait")
    assert run("cancel", "requests").code == 2


def test_delete_needs_yes_without_a_terminal(run: Run, requests: Path, home: Path) -> None:
    job_id = run("submit", requests, "--wait", "--json").document["id"]
    refused = run("delete", job_id)
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err.splitlines()[1]
    done = run("delete", job_id, "-y", "--json")
    assert done.code == 0
    assert done.document == {"deleted": job_id, "name": "requests"}
    assert run("list", "--json").document == []
    assert not (home / "jobs" / job_id).exists()


def test_a_running_job_is_not_deleted(run: Run, slow_job: dict[str, Any]) -> None:
    done = run("delete", slow_job["id"], "--yes")
    assert done.code == 2
    assert "still running" in done.err


def test_progress_in_a_pipe_is_plain_lines(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "100")
    file = tmp_path / "few.jsonl"
    file.write_text("".join(request_line(f"r{n}", "What is 2+2?") for n in range(200)))
    done = run("submit", file, "--wait", "--json")
    assert done.code == 0
    lines = done.err.splitlines()
    assert all(line.startswith(f"few ({done.document['id']}): ") for line in lines)
    messages = [line.partition("): ")[2] for line in lines]
    assert messages[0] == "submitting"
    assert "in progress" in messages
    assert any("of 200 rows done" in line for line in messages)
    assert messages[-1] == "completed: 200 succeeded"
    assert len(messages) == len(set(messages))


def test_one_line_for_a_status_line(
    run: Run, requests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("list", "--short").out == "nothing running\n"
    run("submit", requests, "--name", "done", "--wait")
    run("submit", requests, "--name", "some", "--sample", "1", "--wait")
    assert run("list", "--short").out == "nothing running · 1 draft\n"
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0.01")
    run("submit", requests, "--name", "slow")
    assert run("list", "--short").out == "1 running, 0% · 1 draft\n"
    found = run("list", "--short", "--json").document
    assert found == {"running": 1, "rows": 3, "done": 0, "attention": 0, "drafts": 1}
    assert run("list", "--short", "--search", "done").out == "nothing running\n"
