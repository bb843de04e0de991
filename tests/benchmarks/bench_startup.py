"""How long the dashboard takes to its first paint, beside a bare Textual app.

Run as ``python tests/benchmarks/bench_startup.py [--rounds N] [--posting VENV]
[--harlequin VENV]``. Each start is a process of its own on a pseudo-terminal; the time runs
from the start of the process until a word of its frame is on the screen: for the others one
that their first complete frame holds. Modules are compiled to bytecode beforehand, as installers
do. Of Batchdeck also the time until the list of jobs is there is told, with one job in it; and that
of two commands beside ``python -c pass``.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.rounds import Aim, measure, table

JOB = "zebra-week"
"""The name of the only job: a word that is nowhere else on the screen."""

OTHERS = {"posting": b"Collection", "harlequin": b"Data Catalog"}
"""Programs to measure beside, with a word of their first frame."""

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
            try:
                seen += os.read(master, 65536)
            except OSError:
                raise SystemExit(f"{command} has ended: {seen[-500:]!r}") from None
    finally:
        process.kill()
        process.wait()
        os.close(master)


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command to its end."""
    subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def prepare(home: Path, environment: dict[str, str]) -> None:
    """A history with one job, which is over."""
    file = home / "requests.jsonl"
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file.write_text(json.dumps(line) + "\n", "utf-8")
    words = ["submit", str(file), "--account", "sandbox", "--name", JOB, "--wait", "-y"]
    run([sys.executable, "-m", "tui", *words], environment)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    for name in OTHERS:
        parser.add_argument(f"--{name}", type=Path, metavar="VENV", help=f"where {name} is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = {**os.environ, "BATCHDECK_HOME": folder, "TERM": "xterm-256color"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(home / "bytecode")
        # A home of their own for the others too, where they may write what they like.
        environment |= {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}
        prepare(home, environment)
        ours, python = [sys.executable, "-m", "tui"], [sys.executable, "-c"]
        runs: dict[str, Callable[[], object]] = {
            "bare Textual app": lambda: first_paint([*python, BARE], b"first paint", environment),
            "batchdeck": lambda: first_paint(ours, b"Batches", environment),
            "batchdeck, the list with a job": lambda: first_paint(ours, JOB.encode(), environment),
        }
        aims = {"batchdeck": Aim("bare Textual app", 1.3)}
        for name, mark in OTHERS.items():
            venv = getattr(options, name)
            if venv is not None:
                program = [str(venv / "bin" / name)]
                runs[name] = partial(first_paint, program, mark, environment)
                aims[name] = Aim("batchdeck", 1.0, at_least=True)
        for start in runs.values():
            start()
        paints = measure(runs, options.rounds)
        commands = measure(
            {
                "python -c pass": lambda: run([*python, "pass"], environment),
                "batchdeck --help": lambda: run([*ours, "--help"], environment),
                "batchdeck list": lambda: run([*ours, "list"], environment),
            },
            options.rounds,
        )
    print(f"first paint, median of {options.rounds} starts")
    print(table(paints, aims=aims))
    print(f"commands, median of {options.rounds} runs")
    print(table(commands))


if __name__ == "__main__":
    main()
