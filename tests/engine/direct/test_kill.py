"""Killed in the middle: no row is lost, and none is sent twice without a yes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run, batchdeck, environment, home, run  # noqa: F401
from tests.engine.direct.counter import ModelServer, written
from tui.engine.context import KILL_VARIABLE

pytestmark = pytest.mark.long

ROWS = 60
AT_ONCE = 4


def test_kill_and_go_on(
    batchdeck: Run,  # noqa: F811
    environment: dict[str, str],  # noqa: F811
    home: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "rows.jsonl", [f"fine {number}" for number in range(ROWS)])
    model = ModelServer(seconds=0.005)
    with model.running() as server:
        added = batchdeck(
            "accounts", "add", "local", "--provider", "direct", "--base-url", f"{server.url}/v1",
            "--concurrency", str(AT_ONCE),
        )  # fmt: skip
        assert added.code == 0, added.err
        tested = batchdeck("accounts", "test", "local")
        assert (tested.code, tested.out) == (0, "local works: 1 model available.\n")
        command = [sys.executable, "-m", "tui", "submit", str(path), "--account", "local", "--wait"]
        for kill_at in ("row written:10", "row written:25"):
            died = subprocess.run(
                command,
                env={**environment, KILL_VARIABLE: kill_at},
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert died.returncode == -9, died.stderr
            listed = batchdeck("list", "--json")
            assert listed.code == 0, listed.err
            job_id = listed.document[0]["id"]
            command = [sys.executable, "-m", "tui", "watch", job_id]
            # A kill may also leave a torn line; the next start takes it away.
            (output,) = home.rglob("*.output.jsonl")
            assert output.read_bytes().count(b"\n") >= 10
            with output.open("ab") as stream:
                stream.write(b'{"custom_id": "row-0", "respo')
                os.fsync(stream.fileno())
        done = batchdeck("watch", job_id, "--json")
        counts = done.document["counts"]
        assert (counts["total"], counts["pending"]) == (ROWS, 0)
        assert counts["failed"] <= 2 * AT_ONCE, "no more than what was under way at each kill"
        assert counts["succeeded"] == ROWS - counts["failed"]
        assert done.document["strays"] == {"unknown": 0, "duplicate": 0, "unreadable": 0}
        assert max(model.sent.values()) == 1, "none is sent twice by itself"
        if counts["failed"]:
            groups = batchdeck("show", job_id, "--json").document["error_groups"]
            assert {group["code"] for group in groups} == {"no_answer"}
            again = batchdeck("retry", job_id, "--wait", "--yes", "--json")
            assert again.document["counts"]["succeeded"] == ROWS
        rows = batchdeck("results", job_id).rows
        assert [row["text"] for row in rows] == [f"Answer to fine {n}" for n in range(ROWS)]


def test_without_waiting_it_says_who_sends_the_rows(
    run: Run,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "rows.jsonl", ["one", "two", "sandbox:flaky=429"])
    sent = run("submit", path, "--account", "sandbox+direct")
    assert sent.code == 0, sent.err
    assert "Rows are sent while Batchdeck runs" in sent.err
    job = run("watch", "--json")
    assert job.code == 0, job.err
    shown = run("show", "rows", "--json").document
    assert shown["batches"][0]["remote_id"] is None
    assert shown["account"] == "sandbox+direct" and shown["counts"]["succeeded"] == 3
    failed = written(tmp_path / "more.jsonl", ["sandbox:flaky=429 x", "fine"])
    assert run("submit", failed, "--wait").code == 1
    again = run("retry", "more", "--direct", "--wait", "--json")
    assert again.code == 0, again.err
    assert again.document["batches"][1]["account"] == "sandbox+direct"
