"""A terminal to drive a program in: a pty on one side, a screen that remembers on the other."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pyte

from tests.patience import Patience

SECONDS = 40.0
"""How long anything may take; a machine with other work is no failure."""


class Terminal:
    """A program in a terminal of its own.

    Args:
        arguments: What follows ``python -m tui``.
        home: The folder that the program may use.
        more: Environment variables beside the few that it gets.
        size: Columns and lines.
        shell: Put a shell between terminal and program, as people have it.
    """

    def __init__(
        self,
        *arguments: str,
        home: Path,
        more: Mapping[str, str] | None = None,
        size: tuple[int, int] = (100, 30),
        shell: bool = False,
    ) -> None:
        columns, lines = size
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(sys.path),
            **(more or {}),
        }
        command = [sys.executable, "-m", "tui", *arguments]
        if shell:
            command = ["sh", "-c", f"{shlex.join(command)}; exit $?"]
        self.child = pexpect.spawn(
            command[0],
            command[1:],
            env=environment,
            dimensions=(lines, columns),
            cwd=str(home),
        )

    @property
    def text(self) -> str:
        """What stands on the screen now."""
        return "\n".join(self.screen.display)

    def until(self, ready: Callable[[str], object]) -> None:
        """Read on until the screen is as wanted.

        Raises:
            AssertionError: It did not become so in time; the screen is in the message.
        """
        patience = self._patience()
        while not ready(self.text):
            assert not patience.is_over, f"not in {patience}:\n{self.text}"
            self._read()

    def see(self, *words: str) -> None:
        """Read on until all these words are on the screen."""
        self.until(lambda text: all(word in text for word in words))

    def press(self, keys: str) -> None:
        """Type."""
        self.child.send(keys)

    def end(self) -> int | None:
        """Read on until the program ends; its exit code."""
        patience = self._patience()
        while self.child.isalive():
            assert not patience.is_over, f"still running after {patience}:\n{self.text}"
            self._read()
        self._read()
        self.child.close()
        code: int | None = self.child.exitstatus
        return code

    def close_window(self) -> None:
        """Take the terminal away, and nothing else; afterwards it is of no use."""
        self.child.ptyproc.fileobj.close()
        self.child.closed = self.child.ptyproc.closed = True

    def ended(self) -> int | None:
        """Wait until the program ends that nobody looks at any more; its exit code.

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
        """End the program whatever it does."""
        self.child.close(force=True)

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
