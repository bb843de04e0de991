"""How long the dashboard takes to its first paint, beside a bare Textual app.

Run as ``python tests/benchmarks/bench_startup.py [--rounds N]``. Each start is a process of
its own on a pseudo-terminal; the time runs from the start of the process to the first byte
of a frame (the alternate screen, then text).
"""

from __future__ import annotations

import argparse
import os
import pty
import select
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.rounds import measure, table

ROOT = Path(__file__).resolve().parents[2]

BARE = """
from textual.app import App
from textual.widgets import Footer, Header, Static
class Bare(App):
    def compose(self):
        yield Header()
        yield Static("first paint")
        yield Footer()
Bare().run()
"""


def first_paint(command: list[str], mark: bytes, environment: dict[str, str]) -> None:
    """Run a program on a pseudo-terminal until a mark is on the screen, then end it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (36, 120))
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=ROOT, close_fds=True
    )
    os.close(slave)
    seen = b""
    try:
        deadline = time.monotonic() + 60
        while mark not in seen:
            if not select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise SystemExit(f"{command}: no {mark!r} on the screen: {seen[-500:]!r}")
            seen += os.read(master, 65536)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "BATCHDECK_HOME": home, "TERM": "xterm-256color"}
        medians = measure(
            {
                "bare Textual app": lambda: first_paint(
                    [sys.executable, "-c", BARE], b"first paint", environment
                ),
                "batchdeck": lambda: first_paint(
                    [sys.executable, "-m", "tui"], b"Batches", environment
                ),
            },
            options.rounds,
        )
    print(f"first paint, median of {options.rounds} starts")
    print(table(medians))


if __name__ == "__main__":
    main()
