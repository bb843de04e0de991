"""``-`` and pipes are files for each command that reads requests."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Run, request_line

LINES = "".join(request_line(f"r{n}", "What is 2+2?") for n in range(3))


def left_behind(folder: Path) -> list[Path]:
    return list(folder.glob("batchdeck-stdin-*"))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_dash_is_standard_input(run: Run, temporary: Path) -> None:
    checked = run("check", "-", "--json", stdin=LINES)
    assert checked.code == 0 and checked.document["rows"] == 3
    tried = run("try", "-", "--line", "2", "--json", stdin=LINES)
    assert tried.code == 0 and tried.document["custom_id"] == "r1"
    sent = run("submit", "-", "--json", stdin=LINES)
    assert sent.code == 0
    assert sent.document["name"] == "stdin" and sent.document["counts"]["total"] == 3
    assert left_behind(temporary) == []


def test_a_named_pipe_is_read_once(run: Run, temporary: Path) -> None:
    pipe = temporary / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(LINES,))
    writer.start()
    done = run("check", pipe, "--json")
    writer.join()
    assert done.code == 0 and done.document["rows"] == 3
    assert left_behind(temporary) == []


def test_requests_and_answers_do_not_come_from_the_same_stream(run: Run) -> None:
    run("accounts", "add", "paid", "--provider", "openai")
    for verb in ("try", "submit"):
        done = run(verb, "-", "--account", "paid", stdin=LINES)
        assert done.code == 2
        assert "read from standard input" in done.err and "-y" in done.err
    assert run("list", "--json").document == []


def test_nothing_on_standard_input_is_an_empty_file(run: Run) -> None:
    for verb in ("check", "submit", "try"):
        assert run(verb, "-").code == 2
