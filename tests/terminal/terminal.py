"""A terminal to test a program in: a pty, and a screen that interprets its output."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pexpect
import pyte

from tests.waiting import Patience

SECONDS = 40.0
"""Seconds that anything may take; generous, as the machine may be busy."""


class Terminal:
    """A program in its own terminal.

    Args:
        arguments: What follows ``python -m tui``.
        home: The folder that the program may use.
        more: Additional environment variables.
        size: Columns and lines.
        shell: Start the program from a shell, as users do.
        redirect: A redirection for the shell, such as ``2>&-``.
        prefix: A command that starts the program, such as ``unshare``.
    """

    def __init__(
        self,
        *arguments: str,
        home: Path,
        more: Mapping[str, str] | None = None,
        size: tuple[int, int] = (100, 30),
        shell: bool = False,
        redirect: str = "",
        prefix: Sequence[str] = (),
    ) -> None:
        columns, lines = size
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._drawn: set[str] = set()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(sys.path),
            **(more or {}),
        }
        command = [*prefix, sys.executable, "-m", "tui", *arguments]
        if shell or redirect:
            command = ["sh", "-c", f"{shlex.join(command)} {redirect}; exit $?"]
        self.child = pexpect.spawn(
            command[0],
            command[1:],
            env=environment,
            dimensions=(lines, columns),
            cwd=str(home),
        )

    @property
    def text(self) -> str:
        """The current text of the screen."""
        return "\n".join(self.screen.display)

    def until(self, ready: Callable[[str], object]) -> None:
        """Read until the screen meets a condition.

        Raises:
            AssertionError: It did not in time; the message has the screen.
        """
        patience = self._patience()
        while not ready(self.text):
            assert not patience.is_over, f"not in {patience}:\n{self.text}"
            self._read()

    def see(self, *words: str) -> None:
        """Read until all these words are on the screen."""
        self.until(lambda text: all(word in text for word in words))

    def told(self, *words: str) -> None:
        """Read until each of these words was on a line of the screen, now or before.

        For toasts, which a busy machine may be too late to see beside what comes after them.
        """
        self.until(lambda _: all(any(word in line for line in self._drawn) for word in words))

    def press(self, keys: str | bytes) -> None:
        """Type; all of it arrives in one read."""
        self.child.send(keys)

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size."""
        self.child.setwinsize(lines, columns)
        self.screen.resize(lines, columns)

    def quiet_bytes(self, seconds: float) -> int:
        """Read for so many seconds; returns how much was drawn."""
        before, end = len(self.raw), time.monotonic() + seconds
        while time.monotonic() < end:
            self._read()
        return len(self.raw) - before

    def comes_to_rest(self, most: int = 30_000) -> None:
        """Read until at most so many bytes are drawn in a second; one that loops never does.

        Raises:
            AssertionError: It goes on drawing.
        """
        patience = self._patience()
        while (drawn := self.quiet_bytes(1.0)) > most:
            assert not patience.is_over, f"{drawn:,} bytes a second after {patience}:\n{self.text}"

    def end(self) -> int | None:
        """Read until the program ends; returns its exit code."""
        patience = self._patience()
        while self.child.isalive():
            assert not patience.is_over, f"still running after {patience}:\n{self.text}"
            self._read()
        self._read()
        self.child.close()
        code: int | None = self.child.exitstatus
        return code

    def close_window(self) -> None:
        """Close the terminal, and nothing else; it cannot be used afterwards."""
        self.child.ptyproc.fileobj.close()
        self.child.closed = self.child.ptyproc.closed = True

    def ended(self) -> int | None:
        """Wait until the program ends after its terminal was closed; returns its exit code.

        Raises:
            AssertionError: It is still running.
        """
        patience = self._patience()
        while self.child.isalive():
            assert not patience.is_over, f"still running, without a terminal, after {patience}"
            time.sleep(0.05)
        code: int | None = self.child.exitstatus
        return code

    def kill(self) -> None:
        """Kill the program; not by ``close``, which gives a slow machine too little time."""
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        if not self.child.closed:
            self.child.close()

    def _patience(self) -> Patience:
        return Patience(SECONDS, self.child.pid)

    def _read(self) -> None:
        try:
            chunk = self.child.read_nonblocking(65536, timeout=0.2)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.raw += chunk
        # pyte takes the private sequences of the kitty protocol for text.
        for known in (b"\x1b[>25u", b"\x1b[<u", b"\x1b[?25u"):
            chunk = chunk.replace(known, b"")
        self._stream.feed(chunk)
        self._drawn.update(self.screen.display)
