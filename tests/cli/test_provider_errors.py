"""Providers that are down, give wrong answers or reject the key; the job is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.broken_providers import closed_port, server_answering
from tests.cli.conftest import Run

HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
REFUSED = '{"error": {"message": "Incorrect API key", "type": "x", "code": "invalid_api_key"}}'


def add_account(run: Run, name: str, base_url: str) -> None:
    done = run("accounts", "add", name, "--provider", "tensorzero", "--base-url", base_url)
    assert done.code == 0, done.err


def assert_kept(run: Run, err: str) -> str:
    """The job is a draft that can be submitted; the hint says how."""
    (job,) = run("list", "--json").document
    assert job["status"] == "draft"
    assert job["counts"]["pending"] == 3
    assert f"batchdeck submit {job['id']}" in err.splitlines()[-1]
    return str(job["id"])


def test_a_provider_that_is_down_is_exit_code_3_and_the_job_stays(
    run: Run, requests: Path, home: Path
) -> None:
    add_account(run, "down", f"http://127.0.0.1:{closed_port()}/v1")
    done = run("submit", requests, "--account", "down", "--json")
    assert done.code == 3
    assert done.out == ""
    job_id = assert_kept(run, done.err)
    config = home / "config.toml"
    config.write_text('[accounts.down]\nprovider = "sandbox"\n', "utf-8")
    again = run("submit", job_id, "--wait", "--json")
    assert again.code == 0, again.err
    assert again.document["id"] == job_id
    assert again.document["counts"]["succeeded"] == 3


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (200, HTML, "text/html", 3),
        (200, "{", "application/json", 3),
        (401, REFUSED, "application/json", 4),
        (403, REFUSED, "application/json", 4),
        (401, HTML, "text/html", 4),
        (400, REFUSED, "application/json", 4),
    ],
)
def test_a_provider_with_wrong_answers(
    status: int, body: str, kind: str, code: int, run: Run, requests: Path
) -> None:
    with server_answering(status, body, kind) as base_url:
        add_account(run, "odd", base_url)
        done = run("submit", requests, "--account", "odd", "--wait", "--json")
    assert done.code == code, done.err
    assert done.out == ""
    lines = [line.partition(" ")[0] for line in done.err.splitlines()]
    assert lines[-2:] == ["error:", "hint:"]
    assert lines.count("error:") == 1
    assert_kept(run, done.err)


def test_a_provider_that_is_busy_is_waited_for_as_long_as_the_user_says(
    run: Run, requests: Path, home: Path
) -> None:
    with server_answering(502, HTML, "text/html") as base_url:
        add_account(run, "odd", base_url)
        with (home / "config.toml").open("a", encoding="utf-8") as config:
            config.write("\n[providers.tensorzero.http]\nfirst_pause = 0.001\n")
        done = run("submit", requests, "--account", "odd", "--wait", "--timeout", "0.1s", "--json")
    assert done.code == 3, done.err
    assert "not finished after" in done.err
    (job,) = run("list", "--json").document
    assert (job["status"], job["counts"]["pending"]) == ("queued", 3)


def test_a_missing_key_is_exit_code_4(run: Run, requests: Path) -> None:
    done = run("submit", requests, "--account", "openai")
    assert done.code == 4
    assert "OPENAI_API_KEY" in done.err.splitlines()[1]
    assert_kept(run, done.err)


def test_a_history_that_cannot_be_read_is_exit_code_2(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "history.db").write_bytes(b"this is no database at all" * 100)
    done = run("list", "--json")
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
