"""Ten reviews in a real terminal, with a kill in between: nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.bench import Desk
from tests.terminal.terminal import Terminal
from tests.ui.jobs_with_answers import add_job
from tui.paths import Paths
from tui.store.reviews.log import read_log

pytestmark = pytest.mark.long

ESCAPE = "\x1b"


def start(home: Path) -> Terminal:
    terminal = Terminal(home=home, more={"BATCHDECK_HOME": str(home / "home")}, size=(80, 24))
    terminal.see("letters", "1 of 1")
    terminal.press("\r")
    terminal.see("letter-00", "succeeded")
    terminal.press("V")
    terminal.see("Review answers", "Reviewer: anna")
    terminal.press("\r")
    return terminal


def test_ten_reviews_and_a_kill(tmp_path: Path) -> None:
    paths = Paths.find(tmp_path / "home").ensure()
    paths.config_file.write_text('[review]\nname = "anna"\n')
    desk = Desk(paths)
    answers: dict[str, str | None] = {
        f"letter-{n:02}": json.dumps({"label": "refund", "n": n}) for n in range(10)
    }
    job = add_job(desk, "letters", answers)
    log = desk.history.reviews.log_file(job)
    desk.history.close()

    terminal = start(tmp_path)
    try:
        terminal.see("1 of 10", "letter-00", '"n": 0')
        # In one breath, as somebody types who knows the rows.
        terminal.press("yynysy")
        terminal.see("7 of 10", "letter-06")
        terminal.child.kill(signal.SIGKILL)
    finally:
        terminal.kill()
    assert [each.review.label for each in read_log(log) if each.review] == [
        "right", "right", "wrong", "right", "right",
    ]  # fmt: skip

    terminal = start(tmp_path)
    try:
        terminal.see("5 of 10 · 5 done", "letter-04")
        terminal.press("s")
        terminal.see("7 of 10", "letter-06")
        terminal.press("e")
        terminal.see("Correct the answer", "Saving calls it wrong")
        terminal.press("\x1b[B\x1b[C\x1b[C" + " " + "\x13")
        terminal.see("8 of 10", "letter-07")
        terminal.press("t")
        terminal.see("Note on this answer")
        terminal.press("odd\r")
        terminal.see("note: odd")
        terminal.press("ny")
        terminal.see("10 of 10 · 8 done")
        terminal.press("u")
        terminal.see("9 of 10 · 7 done")
        terminal.press("yy")
        terminal.told("1 skipped row")
        terminal.see("5 of 10 · 9 done", "letter-04")
        terminal.press("n")
        terminal.told("All done: 10 answers reviewed")
        terminal.press(ESCAPE)
        terminal.told("10 rows of 10 reviewed")
        terminal.press("/review:wrong\r")
        terminal.see("4 of 10")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()

    done = subprocess.run(
        [sys.executable, "-m", "tui", "review", "letters", "--json", "--home", str(paths.data)],
        capture_output=True,
        check=True,
    )
    [anna] = json.loads(done.stdout)["reviewers"]
    assert anna.pop("right")["share"] == 0.6
    assert anna == {
        "reviewer": "anna", "rows": 10, "labels": {"right": 6, "wrong": 4}, "corrected": 1,
    }  # fmt: skip
