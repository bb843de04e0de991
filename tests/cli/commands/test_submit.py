"""``submit``: the quick start, failed rows, edits, fixes, and what is rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import REQUESTS, Run, request_line
from tests.cli.schema import violations


def sent_bodies(home: Path, job_id: str) -> list[dict[str, Any]]:
    file = home / "jobs" / job_id / "requests.jsonl"
    return [json.loads(line)["body"] for line in file.read_bytes().split(b"\n") if line]


def test_the_quick_start(batchdeck: Run, requests: Path) -> None:
    done = batchdeck("submit", requests, "--wait", "--json")
    assert done.code == 0, done.err
    document = done.document
    assert violations(document, "job") == []
    assert document["name"] == "requests"
    assert document["status"] == "completed"
    assert document["counts"]["succeeded"] == document["counts"]["total"] == 3
    assert document["ended_at"] is not None
    assert "completed: 3 succeeded" in done.err
    assert "\x1b" not in done.err
    rows = batchdeck("results", document["id"]).rows
    assert [row["custom_id"] for row in rows] == ["req-1", "req-2", "req-3"]
    assert all(row["text"] for row in rows)


def test_without_wait_the_job_is_running(run: Run, requests: Path) -> None:
    done = run("submit", requests, "--json", "--name", "first")
    assert done.code == 0
    assert violations(done.document, "job") == []
    assert done.document["name"] == "first"
    assert done.document["batches"][0]["remote_id"]
    assert run("watch", "first", "--json").document["counts"]["succeeded"] == 3


def test_text_output_has_figures_and_no_json(run: Run, requests: Path) -> None:
    done = run("submit", requests, "--wait")
    assert done.code == 0
    assert "rows      3: 3 succeeded" in done.out
    assert "✓ completed" in done.out
    assert "{" not in done.out
    assert "\x1b" not in done.out


def test_failed_rows_give_exit_code_1(run: Run, tmp_path: Path) -> None:
    words = {
        "bad": "sandbox:fail=400",
        "busy": "sandbox:flaky=429",
        "cut": "sandbox:truncate",
        "no": "sandbox:refuse",
        "late": "sandbox:expire",
        "good": "What is 2+2?",
    }
    file = tmp_path / "faults.jsonl"
    file.write_text("".join(request_line(key, text, max_tokens=9) for key, text in words.items()))
    done = run("submit", file, "--wait", "--json")
    assert done.code == 1
    assert violations(done.document, "job") == []
    outcomes = {row["custom_id"]: row["outcome"] for row in run("results", "faults").rows}
    assert outcomes == {
        "bad": "failed",
        "busy": "failed",
        "cut": "truncated",
        "no": "refused",
        "late": "expired",
        "good": "succeeded",
    }
    groups = done.document["error_groups"]
    assert {group["example_custom_id"]: group["class"] for group in groups} == {
        "bad": "fix the request",
        "busy": "transient",
        "late": "expired",
        "cut": "truncated",
        "no": "refused",
    }


def test_edits_apply_to_every_request(run: Run, requests: Path, home: Path) -> None:
    done = run(
        "submit", requests, "--json",
        "--set", "max_tokens=5",
        "--set", "model=gpt-4o",
        "--set", "response_format.type=json_object",
        "--set", "user=a=b",
        "--set", "seed=NaN",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.document["model"] == "gpt-4o"
    for body in sent_bodies(home, done.document["id"]):
        assert body["max_tokens"] == 5
        assert body["model"] == "gpt-4o"
        assert body["response_format"] == {"type": "json_object"}
        assert body["user"] == "a=b"
        assert body["seed"] == "NaN"


ONE = REQUESTS.split("\n")[0]

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "bad.jsonl"),
    "not json": (f"{ONE}\nxx\n".encode(), "line 2"),
    "cut json": (ONE[:40].encode(), "line 1"),
    "not an object": (f"{ONE}\n[1]\n".encode(), "line 2"),
    "no custom_id": (b'{"method": "POST", "url": "/v1/chat/completions", "body": {}}', "line 1"),
    "same custom_id": (f"{ONE}\n{ONE}\n".encode(), "line 2"),
    "no body": (b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}', "line 1"),
    "no url": (b'{"custom_id": "a", "method": "POST", "body": {"model": "m"}}', "line 1"),
    "not utf-8": (ONE.replace("2+2", "\xff").encode("latin-1"), "line 1"),
    "mixed endpoints": (
        f"{ONE}\n{request_line('b', 'x').replace('chat/completions', 'embeddings')}".encode(),
        "line 2",
    ),
    "stream": (request_line("a", "x", stream=True).encode(), "line 1"),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_an_invalid_file_is_rejected_with_its_line(kind: str, run: Run, tmp_path: Path) -> None:
    raw, place = BAD[kind]
    file = tmp_path / "bad.jsonl"
    file.write_bytes(raw)
    for arguments in (["--json"], ["--json", "--wait", "--fix"]):
        done = run("submit", file, *arguments)
        lines = done.err.splitlines()
        assert done.code == 2
        assert done.out == ""
        assert [line.partition(" ")[0] for line in lines] == ["error:", "hint:"]
        assert place in lines[0]
    assert run("list", "--json").document == []


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + REQUESTS.encode(),
        REQUESTS.replace("\n", "\r\n").encode(),
        REQUESTS.replace("\n", "\n\n").encode(),
    ],
    ids=["bom", "crlf", "blank lines"],
)
def test_fix_repairs_harmless_faults(raw: bytes, run: Run, tmp_path: Path, home: Path) -> None:
    file = tmp_path / "soft.jsonl"
    file.write_bytes(raw)
    refused = run("submit", file)
    assert refused.code == 2
    assert "line" in refused.err.splitlines()[0]
    assert "--fix" in refused.err
    done = run("submit", file, "--fix", "--wait", "--json")
    assert done.code == 0
    kept = (home / "jobs" / done.document["id"] / "requests.jsonl").read_bytes()
    assert kept == REQUESTS.encode()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["gone.jsonl"], "no such file: gone.jsonl"),
        (["folder/gone"], "no such file: folder/gone"),
        (["."], ". is a folder"),
        (["nothing"], "no such file, and"),
        (["{file}", "--account", "bogus"], "there is no account 'bogus'"),
        (["{file}", "--window", "7h"], "has no window '7h'"),
        (["{file}", "--set", "model.x=1"], "'model.x' does not exist"),
    ],
)
def test_a_wrong_submit_is_exit_code_2(
    arguments: list[str], error: str, run: Run, requests: Path
) -> None:
    done = run("submit", *(word.format(file=requests) for word in arguments))
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert error in done.err.splitlines()[0]
    assert run("list", "--json").document == []


def test_a_submitted_job_is_not_submitted_again(run: Run, requests: Path) -> None:
    run("submit", requests)
    again = run("submit", "requests")
    assert again.code == 2
    assert "already submitted" in again.err
    assert len(run("list", "--json").document) == 1


def test_options_of_a_file_are_rejected_for_a_job(run: Run, requests: Path) -> None:
    run("submit", requests)
    done = run("submit", "requests", "--set", "max_tokens=1")
    assert done.code == 2
    assert "has its account" in done.err


def test_the_same_file_twice_is_two_jobs(run: Run, requests: Path) -> None:
    names = [run("submit", requests, "--json").document["name"] for _ in range(2)]
    assert names == ["requests", "requests-2"]
