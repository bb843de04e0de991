"""Result lines that belong to no row can be seen; long errors do not widen a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.store.bench import Desk, line
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome
from tui.paths import Paths


@pytest.fixture
def odd(home: Path) -> str:
    """A job with an answer, a failed row with a long message, a foreign and a broken line."""
    desk = Desk(Paths.find(home))
    batch = desk.batch(desk.job(["a", "b"], name="odd"))
    lines = [line("a"), b"<html>", line("z"), line("b", Outcome.FAILED, "too long " * 60)]
    desk.write(batch, b"\n".join(lines) + b"\n")
    desk.index(batch, complete=True)
    changes = {"status": BatchStatus.COMPLETED, "collected": True, "ended_at": 1.0}
    desk.history.batches.update(batch.id, changes, 1.0)
    desk.history.close()
    return "odd"


def test_stray_lines_are_printed_as_they_came(run: Run, odd: str, tmp_path: Path) -> None:
    rows = run("results", odd, "--strays").rows
    assert [(row["kind"], row["custom_id"]) for row in rows] == [
        ("unreadable", ""),
        ("unknown", "z"),
    ]
    assert rows[0]["line"] == "<html>"
    assert json.loads(rows[1]["line"]) == json.loads(line("z"))
    assert len(run("results", odd, "--strays", "--limit", "1").rows) == 1
    refused = run("results", odd, "--strays", "--outcome", "failed")
    assert (refused.code, "no conditions" in refused.err) == (2, True)
    assert run("export", odd, "--raw", "-o", tmp_path / "o.jsonl", "-y").code == 0
    assert b"<html>\n" in (tmp_path / "o.jsonl").read_bytes()


def test_a_long_message_does_not_widen_a_table_in_a_pipe(run: Run, odd: str) -> None:
    shown = run("show", odd).out
    assert "too long too long" in shown
    assert max(map(len, shown.splitlines())) < 260
    (group,) = json.loads(run("show", odd, "--json").out)["error_groups"]
    assert len(group["message"]) > 260
