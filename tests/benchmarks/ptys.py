"""The dashboard on a pseudo-terminal, as a person has it in front of them."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

DRIVER = Path(__file__).with_name("dashboard.py")
UP, DOWN, ENTER = b"\x1b[A", b"\x1b[B", b"\r"


class Screen:
    """The program on a pseudo-terminal."""

    def __init__(self, home: Path, results: Path) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 140))
        environment = {**os.environ, "TERM": "xterm-256color"}
        self._process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(home), str(results)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            close_fds=True,
        )
        os.close(slave)

    def read(self, seconds: float) -> bytes:
        """What it writes within a time, at once when there is something."""
        if not select.select([self._master], [], [], seconds)[0]:
            return b""
        return os.read(self._master, 1 << 16)

    def until(self, mark: bytes, seconds: float = 30.0) -> bytes:
        """What it writes until a mark is on the screen."""
        seen = b""
        end = time.monotonic() + seconds
        while mark not in seen:
            if time.monotonic() > end:
                raise SystemExit(f"no {mark!r} on the screen: {seen[-2000:]!r}")
            seen += self.read(0.5)
        return seen

    def settle(self) -> bytes:
        """What it writes until it is still for a moment."""
        seen = b""
        while chunk := self.read(0.7):
            seen += chunk
        return seen

    def press(self, key: bytes) -> None:
        """Type."""
        os.write(self._master, key)

    def waits(self) -> float:
        """Seconds that its main thread was ready so far and had no processor; Linux tells it."""
        try:
            told = Path(f"/proc/{self._process.pid}/schedstat").read_text()
        except OSError:
            return 0.0
        return int(told.split()[1]) / 1e9

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)
