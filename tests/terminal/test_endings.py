"""Terminals that go away, and programs that are stopped from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.terminal import SECONDS, Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal("--demo", home=tmp_path)
    try:
        yield one
    finally:
        one.kill()


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in told.split()]


def test_a_window_that_is_closed_ends_the_program(tmp_path: Path) -> None:
    # A shell in between, as in a terminal: the program gets SIGHUP and SIGCONT when that ends.
    terminal = Terminal("--demo", home=tmp_path, shell=True)
    terminal.see("Batches", "completed")
    (program,) = _children(terminal.child.pid)
    terminal.close_window()
    end = time.monotonic() + SECONDS
    try:
        while Path(f"/proc/{program}").exists():
            assert time.monotonic() < end, "it lives on without a terminal"
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGKILL)


@pytest.mark.parametrize("times", [1, 2])
def test_being_stopped_from_outside_changes_nothing(terminal: Terminal, times: int) -> None:
    terminal.see("Batches", "completed")
    for _ in range(times):
        for number in (signal.SIGSTOP, signal.SIGCONT):
            os.kill(terminal.child.pid, number)
    # Two readers of one keyboard would each get some of the keys.
    for _ in range(3):
        for key, words in (("1", "Source"), ("2", "Progress"), ("?", "Send the requests")):
            terminal.press(key)
            terminal.see(words)
        terminal.press("\x1b")
        terminal.until(lambda text: "Send the requests" not in text)
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
