"""Deadlines on the command line: set, shown, changed, removed, and acted on by ``watch``."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import Run, request_line
from tui.engine.engine import Engine


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four requests, which a batch of the sandbox would answer in an hour."""
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0.001")
    path = tmp_path / "r.jsonl"
    path.write_text("".join(request_line(f"r{n}", f"Say {n}", max_tokens=9) for n in range(4)))
    return path


def test_a_deadline_is_set_shown_changed_and_removed(run: Run, file: Path) -> None:
    sent = run("submit", file, "--deadline", "+6h", "--json")
    assert sent.code == 0, sent.err
    assert "what has no answer then is cancelled and sent one by one" in sent.err
    deadline = sent.document["deadline"]
    assert (deadline["phase"], deadline["most"]) == ("set", None)
    assert "in 5 h" in run("show", "r").out
    assert "DEADLINE" in run("list").out
    later = run("deadline", "r", "2099-12-01T18:00Z", "--json")
    assert later.document["deadline"]["at"] == "2099-12-01T18:00:00Z"
    assert run("deadline", "r", "none", "--json").document["deadline"] is None
    assert "DEADLINE" not in run("list").out
    again = run("deadline", "r", "none")
    assert again.code == 2 and "has no deadline" in again.err
    assert "Deadline set: " in run("show", "r").out


def test_a_job_that_is_composed_anew_has_a_deadline(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, made = tmp_path / "t.csv", tmp_path / "t.jsonl"
    table.write_text("id,text\n1,good\n", "utf-8")
    run("compose", table, "-t", "Say {text}", "-m", "gpt-5-mini", "--id", "id", "-o", made)
    assert run("submit", made, "--wait").code == 0
    table.write_text("id,text\n1,good\n2,bad\n", "utf-8")
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0.001")
    sent = run("again", "t", "--name", "new", "--deadline", "+6h", "--json")
    assert sent.code == 0, sent.err
    assert "what has no answer then is cancelled and sent one by one" in sent.err
    assert sent.document["deadline"]["phase"] == "set"
    refused = run("again", "t", "--name", "late", "--deadline", "2020-01-01T00:00")
    assert refused.code == 2 and "has passed" in refused.err


def test_watch_sends_the_rest_one_by_one_when_it_has_passed(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = run("submit", file, "--deadline", "+10m")
    assert sent.code == 0, sent.err
    # The batch takes an hour.
    opened = partial(Engine.open, clock=lambda: time.time() + 900)
    monkeypatch.setattr(Engine, "open", opened)
    watched = run("watch", "r", "--json")
    assert watched.code == 0, watched.err
    assert "Deadline: 4 rows without an answer sent one by one" in watched.err
    assert watched.document["deadline"]["phase"] == "sent"
    first, rest = watched.document["batches"]
    assert (first["status"], rest["account"], rest["rows"]) == ("cancelled", "sandbox+direct", 4)
    assert watched.document["counts"]["succeeded"] == 4


def test_the_most_that_it_costs_is_said_before_the_submit(run: Run, file: Path) -> None:
    # gpt-4 has no batch price of its own: half the regular one is assumed.
    said = run("submit", file, "--account", "openai", "--deadline", "+6h", "--budget", "0", "-y")
    assert said.code == 5
    assert "at the price of single requests (up to $" in said.err
    assert "if the job stays within $0.00" in said.err
    assert run("list", "--json").document == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--deadline", "soon"), "must be a time such as 18:00"),
        (("--deadline", "2020-01-01T00:00"), "has passed"),
        (("--deadline", "+6h", "--account", "fireworks"), "cannot cancel batches"),
        (("--deadline", "+6h", "--account", "sandbox+direct"), "one by one already"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_stored(
    run: Run, file: Path, words: tuple[str, ...], reason: str
) -> None:
    refused = run("submit", file, *words)
    assert refused.code == 2 and reason in refused.err and "hint: " in refused.err
    assert run("list", "--json").document == []


def test_a_job_that_ended_before_has_nothing_to_wait_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    path = tmp_path / "r.jsonl"
    path.write_text(request_line("r0", "Say 0", max_tokens=9))
    sent = run("submit", path, "--deadline", "+6h", "--wait")
    assert sent.code == 0, sent.err
    assert ": the job ended before" in run("show", "r").out
    assert "DEADLINE" not in run("list").out
    # Nor does an archive of it bring one along.
    run("export", "r", "-o", tmp_path / "r.batchdeck")
    run("delete", "r", "-y")
    assert run("import-results", tmp_path / "r.batchdeck", "--json").document["deadline"] is None
