"""``doctor`` and ``reindex``: damage is found, reported without secrets, and repaired."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring.core
import pytest

from tests.cli.conftest import Run, request_line

SECRET = "sk-never-post-this"


@pytest.fixture
def job(run: Run, tmp_path: Path) -> dict[str, Any]:
    """A job with rows of all outcomes, some of them retried."""
    file = tmp_path / "confidential-name.jsonl"
    words = ["hello", "sandbox:flaky=500", "sandbox:fail=400", "sandbox:truncate", "sandbox:expire"]
    lines = [request_line(f"row-{n}", f"{n} {words[n % 5]}", max_tokens=9) for n in range(40)]
    file.write_text("".join(lines), "utf-8")
    first = run("submit", file, "--wait", "--json")
    assert first.code == 1, first.err
    again = run("retry", first.document["id"], "--wait", "--json")
    assert again.code == 1, again.err
    document: dict[str, Any] = again.document
    assert document["counts"]["succeeded"] == 16
    return document


def database(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(home / "history.db", isolation_level=None)


def test_a_healthy_history_has_no_problems(
    run: Run, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever an earlier test has chosen: the environment of this one decides.
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    done = run("doctor", "--json")
    assert done.code == 0, done.err
    report = done.document
    assert report["problems"] == []
    assert report["history"] == {
        "schema": report["history"]["schema"], "integrity": "ok", "jobs": 1, "batches": 2,
    }  # fmt: skip
    assert report["keyring"] == "keyring.backends.null.Keyring"
    assert "No problems found." in run("doctor").out


def test_an_empty_home_has_no_problems(run: Run, home: Path) -> None:
    assert run("doctor").code == 0
    assert not (home / "history.db").exists()


def test_the_report_contains_nothing_private(
    run: Run, job: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("HOME", str(home.parent))
    run(
        "accounts", "add", "own", "--provider", "openai",
        "--base-url", "https://private-host.example.com/v1",
    )  # fmt: skip
    for arguments in (["doctor"], ["doctor", "--json"]):
        done = run(*arguments)
        assert done.code == 0, done.err
        text = done.out + done.err
        for word in (SECRET, "confidential-name", "private-host", str(home.parent), "hello"):
            assert word not in text
        assert "OPENAI_API_KEY" in text
    (key,) = [key for key in done.document["keys"] if key["account"] == "own"]
    assert key["source"] == "OPENAI_API_KEY"


def _cut(home: Path, job: dict[str, Any]) -> None:
    file = next((home / "jobs" / job["id"]).glob("*.output.jsonl"))
    file.write_bytes(file.read_bytes()[:-20])


def _lose(home: Path, job: dict[str, Any]) -> None:
    (home / "jobs" / job["id"] / "requests.jsonl").unlink()


def _unknown_folder(home: Path, job: dict[str, Any]) -> None:
    (home / "jobs" / "unknown").mkdir(mode=0o700)


def _no_folder(home: Path, job: dict[str, Any]) -> None:
    (home / "jobs" / job["id"]).rename(home / "elsewhere")


def _open_to_all(home: Path, job: dict[str, Any]) -> None:
    (home / "history.db").chmod(0o644)


def _no_requests(home: Path, job: dict[str, Any]) -> None:
    database(home).execute("DELETE FROM requests WHERE seq > 3")


def _bad_settings(home: Path, job: dict[str, Any]) -> None:
    (home / "config.toml").write_text("theem = 1\n", "utf-8")


def _no_database(home: Path, job: dict[str, Any]) -> None:
    (home / "history.db").write_bytes(b"this is no database at all" * 100)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_cut, "output.jsonl is truncated"),
        (_lose, "requests.jsonl is missing"),
        (_unknown_folder, "folder unknown belongs to no job"),
        (_no_folder, "has no folder"),
        (_open_to_all, "is readable by other users (mode 0644)"),
        (_no_requests, "records for 4 of its 40 requests"),
        (_bad_settings, "unknown key 'theem'"),
        (_no_database, "cannot read the history"),
    ],
)
def test_damage_is_found(
    damage: Callable[[Path, dict[str, Any]], None],
    problem: str,
    run: Run,
    job: dict[str, Any],
    home: Path,
) -> None:
    damage(home, job)
    done = run("doctor", "--json")
    assert done.code == 2
    assert any(problem in found for found in done.document["problems"])
    assert done.err.splitlines()[0].startswith("error: ")
    assert problem in run("doctor").out


def rows_of(run: Run, job_id: str) -> list[dict[str, Any]]:
    return run("results", job_id).rows


def _empty(home: Path) -> None:
    connection = database(home)
    for table in ("results", "attempts", "outcome_counts", "error_groups", "strays"):
        connection.execute(f"DELETE FROM {table}")


def _wrong_outcomes(home: Path) -> None:
    database(home).execute("UPDATE results SET outcome=1, file=NULL, preview='lie', error_group=1")


def _forget_requests(home: Path) -> None:
    connection = database(home)
    connection.execute("DELETE FROM requests")
    connection.execute("UPDATE jobs SET total=0")


def _forget_files(home: Path) -> None:
    database(home).execute("DELETE FROM files")


def _nothing(home: Path) -> None:
    return


@pytest.mark.parametrize(
    "damage", [_nothing, _empty, _wrong_outcomes, _forget_requests, _forget_files]
)
def test_the_index_is_rebuilt_from_the_files(
    damage: Callable[[Path], None], run: Run, job: dict[str, Any], home: Path
) -> None:
    before = rows_of(run, job["id"])
    damage(home)
    done = run("reindex", job["id"], "--json")
    assert done.code == 0, done.err
    assert done.document["counts"] == job["counts"]
    assert done.document["missing_files"] == []
    assert rows_of(run, job["id"]) == before
    shown = run("show", job["id"], "--json").document
    assert sorted(map(json.dumps, shown["error_groups"])) == sorted(
        map(json.dumps, job["error_groups"])
    )
    assert run("doctor").code == 0


def test_all_jobs_are_rebuilt_except_running_ones(
    run: Run, job: dict[str, Any], home: Path
) -> None:
    before = rows_of(run, job["id"])
    _empty(home)
    (done,) = run("reindex", "--json").document
    assert done["job"] == job["id"]
    assert rows_of(run, job["id"]) == before
    database(home).execute("UPDATE batches SET collected=0 WHERE attempt=2")
    assert run("reindex", "--json").document == []
    refused = run("reindex", job["id"])
    assert refused.code == 2
    assert "still runs" in refused.err


def test_a_missing_result_file_is_reported(run: Run, job: dict[str, Any], home: Path) -> None:
    lost = home / "jobs" / job["id"] / f"{job['batches'][0]['id']}.output.jsonl"
    lost.unlink()
    done = run("reindex", job["id"], "--json").document
    assert done["missing_files"] == [lost.name]
    assert done["counts"]["missing"] > 0


def test_an_account_on_the_sandbox_needs_no_key(run: Run) -> None:
    added = run("accounts", "add", "dry", "--provider", "openai", "--base-url", "sandbox:")
    assert added.code == 0, added.err
    keys = {key["account"]: key for key in run("doctor", "--json").document["keys"]}
    assert not keys["dry"]["needed"]
    assert "not needed" in run("accounts", "list").out.split("dry", 1)[1].splitlines()[0]


def test_the_cloud_credentials_of_this_machine_are_told_without_secrets(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    role = "role_arn=arn:aws:iam::111122223333:role/bd"
    for name, provider, params in (
        ("cloud", "vertex", ("region=global", "project=p", "bucket=b")),
        ("bucket", "bedrock-openai", ("region=us-east-1", "bucket=b", role)),
        ("plain", "openai", ()),
    ):
        options = [word for param in params for word in ("--param", param)]
        added = run("accounts", "add", name, "--provider", provider, *options)
        assert added.code == 0, added.err

    def told() -> dict[str, Any]:
        keys = run("doctor", "--json").document["keys"]
        return {key["account"]: key["credentials"] for key in keys}

    found = told()
    assert found["cloud"] == {"google": "none found"}
    assert found["bucket"] == {"aws": "none found"}
    assert found["plain"] == found["sandbox"] == {}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    file = tmp_path / "service.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert told()["cloud"]["google"] == "GOOGLE_APPLICATION_CREDENTIALS names no file"
    file.write_text(json.dumps({"private_key": SECRET}))
    found = told()
    assert found["cloud"]["google"] == "GOOGLE_APPLICATION_CREDENTIALS"
    assert found["bucket"]["aws"] == "env"
    report = run("doctor").out
    assert "AWS credentials for bucket" in report
    assert SECRET not in report
