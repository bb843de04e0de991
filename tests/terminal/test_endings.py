"""Terminals that are closed, and programs that are suspended."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import SECONDS, Terminal
from tests.waiting import Patience

pytestmark = pytest.mark.long


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal("--demo", home=tmp_path)
    try:
        yield one
    finally:
        one.kill()


def _children(pid: int) -> list[int]:
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in pids.split()]


def test_closing_the_window_ends_the_program(tmp_path: Path) -> None:
    # A shell in between, as in a terminal: the program gets SIGHUP and SIGCONT when that ends.
    terminal = Terminal("--demo", home=tmp_path, shell=True)
    terminal.see("Batches", "completed")
    (program,) = _children(terminal.child.pid)
    terminal.close_window()
    patience = Patience(SECONDS, program)
    try:
        while Path(f"/proc/{program}").exists():
            assert not patience.is_over, f"it lives on without a terminal after {patience}"
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGKILL)


def test_a_terminal_that_goes_away_without_a_signal_ends_the_program(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (30, 100))
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", "--home", str(tmp_path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color"},
        # A session of its own, and no controlling terminal: nobody sends SIGHUP.
        start_new_session=True,
    )
    os.close(slave)
    patience = Patience(SECONDS, process.pid)
    seen = b""
    try:
        while b"Compose" not in seen:
            assert not patience.is_over, f"no screen after {patience}"
            seen += os.read(master, 1 << 16)
        os.close(master)
        patience = Patience(SECONDS, process.pid)
        while process.poll() is None:
            assert not patience.is_over, f"it lives on without a terminal after {patience}"
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("times", [1, 2])
def test_suspending_from_outside_changes_nothing(terminal: Terminal, times: int) -> None:
    terminal.see("Batches", "completed")
    for _ in range(times):
        for number in (signal.SIGSTOP, signal.SIGCONT):
            os.kill(terminal.child.pid, number)
    # Two readers of one keyboard would each get some of the keys.
    for _ in range(3):
        for key, words in (("1", "Source"), ("2", "Progress"), ("?", "Toggle errors only")):
            terminal.press(key)
            terminal.see(words)
        terminal.press("\x1b")
        terminal.until(lambda text: "Toggle errors only" not in text)
    terminal.press("q")
    assert terminal_is_as_before(terminal)


def terminal_is_as_before(terminal: Terminal) -> bool:
    descriptor = os.dup(terminal.child.child_fd)
    try:
        terminal.end()
        flags = termios.tcgetattr(descriptor)[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)
    finally:
        os.close(descriptor)
