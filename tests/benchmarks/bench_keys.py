"""How long after a key the screen has changed, in a real pty, while results are indexed.

Run as ``python tests/benchmarks/bench_keys.py [--rows N] [--size MB] [--keys N] [--home DIR]``.
The dashboard shows a job of a million rows. Each key brings one more row onto the screen; the
time runs from the writing of the key to the arrival of that row's id. Measured at rest, and
while 200 MB of results of another job are collected and indexed over and over. A home that is
kept (``--home``) saves the minute that it takes to make one.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.histories import add_ended_job, add_job, custom_id, write_results
from tests.benchmarks.ptys import DOWN, Screen
from tui.paths import Paths
from tui.store.history import History
from tui.ui.state import State

ID = re.compile(rb"row-(\d{7})")
WORDS = 220
ROW_BYTES = 2036


def prepare(home: Path, rows: int, size: int) -> Path:
    """A home with an ended job and one that waits; the answer is the file of its results."""
    results = home / "incoming.jsonl"
    if results.exists():
        return results
    history = History(Paths.find(home))
    add_ended_job(history, "big", rows, 5)
    incoming = size * 1_000_000 // ROW_BYTES
    add_job(history, "incoming", incoming)
    history.close()
    write_results(results, incoming, WORDS)
    return results


def delays(screen: Screen, bottom: int, keys: int) -> tuple[list[float], list[float]]:
    """Seconds from each key to the row that it brings onto the screen.

    The second list leaves out what the main thread waited for a processor meanwhile, mostly
    because of other programs of the machine.
    """
    found: list[float] = []
    undisturbed: list[float] = []
    for number in range(bottom + 1, bottom + 1 + keys):
        while screen.read(0.0):
            pass
        waited = screen.waits()
        start = time.perf_counter()
        screen.press(DOWN)
        screen.until(custom_id(number).encode())
        found.append(time.perf_counter() - start)
        undisturbed.append(max(0.0, found[-1] - (screen.waits() - waited)))
        # A person does not type in step with the program.
        time.sleep(0.02 + (number * 7919 % 31) / 1000)
    return found, undisturbed


def to_the_bottom(screen: Screen, seen: bytes) -> int:
    """Move the cursor to the last row that is shown; the answer is its number."""
    bottom = max(int(number) for number in ID.findall(seen))
    for _ in range(bottom):
        screen.press(DOWN)
    more = screen.settle()
    return max([bottom, *(int(number) for number in ID.findall(more))])


def line(name: str, found: list[float]) -> str:
    """One line of the table, in milliseconds."""
    cuts = statistics.quantiles(found, n=100)
    shown = (cuts[49], cuts[94], cuts[98], max(found))
    return f"{name:32} " + " ".join(f"{seconds * 1e3:7.1f}" for seconds in shown)


def verdict(found: list[float]) -> str:
    """Is the aim met?"""
    p99 = statistics.quantiles(found, n=100)[98] * 1e3
    return f"  p99 aim ≤ 50: {'met' if p99 <= 50 else 'MISSED'}"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=200, help="MB of results that come in")
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        home = options.home or Path(name)
        home.mkdir(exist_ok=True)
        results = prepare(home, options.rows, options.size)
        for left in ("go", "collected"):
            (home / left).unlink(missing_ok=True)
        State(pane="results", job_id="big").save(Paths.find(home))
        screen = Screen(home, results)
        try:
            seen = screen.until(custom_id(3).encode())
            bottom = to_the_bottom(screen, seen + screen.settle())
            at_rest = delays(screen, bottom, options.keys)
            (home / "go").touch()
            deadline = time.monotonic() + 30
            while not (home / "collected").exists() and time.monotonic() < deadline:
                screen.read(0.1)
            start = time.monotonic()
            busy = delays(screen, bottom + options.keys, options.keys)
            seconds = time.monotonic() - start
            times = (home / "collected").read_text().count("\n") if seconds else 0
        finally:
            screen.close()
    print(f"{options.rows:,} rows, {options.keys} keys; {times} x {options.size} MB collected")
    print(f"{'milliseconds':32} {'median':>7} {'p95':>7} {'p99':>7} {'most':>7}")
    print(line("at rest", at_rest[0]))
    print(line("  without waits for a processor", at_rest[1]))
    print(line("while results are indexed", busy[0]), verdict(busy[0]))
    print(line("  without waits for a processor", busy[1]), verdict(busy[1]))


if __name__ == "__main__":
    main()
