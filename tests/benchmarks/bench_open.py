"""What a job of a million rows costs to open, filter and sort, beside one of a thousand.

Run as ``python tests/benchmarks/bench_open.py [--rows N] [--rounds N] [--home DIR]``. Opening is
what a person sees: from the enter key on a job in the list, in a real pty, to its first rows.
What the history does for it (the job, its groups and strays, the selection, the first page) is
told apart; that is a process of its own, and its memory is the peak of that process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.histories import add_ended_job, custom_id
from tests.benchmarks.ptys import DOWN, ENTER, UP, Screen
from tests.benchmarks.rounds import measure
from tui.core.query import RowFilter, RowSort, SortColumn
from tui.paths import Paths
from tui.progress import Progress
from tui.store.history import History
from tui.ui.state import State

OPEN = """
import resource, sys, time
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tui.paths import Paths
from tui.store.history import History
history = History(Paths.find(Path(sys.argv[1])))
start = time.perf_counter()
job = history.jobs.get(sys.argv[2])
history.rows.error_groups(job.id)
history.rows.orphan_lines(job.id)
selection = history.rows.select(job.id)
history.rows.page(job.id, selection.seqs[:100])
history.rows.page(job.id, selection.seqs[-100:])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

SORTS: tuple[SortColumn, ...] = ("custom_id", "outcome", "code", "input_tokens", "output_tokens")


def opened(home: Path, job: str) -> tuple[float, float]:
    """Seconds and MB of one opening."""
    command = [sys.executable, "-c", OPEN, str(home), job, str(Path(__file__).resolve().parents[2])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def seen(home: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds from enter on each job to its first rows on the screen."""
    State(pane="batches", job_id="big").save(Paths.find(home))
    times: dict[str, list[float]] = {"big": [], "small": []}
    screen = Screen(home, home / "nothing")
    try:
        screen.until(b"big")
        screen.settle()
        for _ in range(rounds):
            # The job that was made last stands above the other.
            for job, other in (("big", DOWN), ("small", UP)):
                start = time.perf_counter()
                screen.press(ENTER)
                screen.until(custom_id(3).encode())
                times[job].append(time.perf_counter() - start)
                for key in (b"2", other):
                    screen.settle()
                    screen.press(key)
                screen.settle()
    finally:
        screen.close()
    return times


def verdict(met: bool) -> str:
    """One word."""
    return "met" if met else "MISSED"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        home = options.home or Path(name)
        history = History(Paths.find(home))
        known = {job.id for job in history.jobs.list()}
        for job, rows in (("small", 1000), ("big", options.rows)):
            if job not in known:
                add_ended_job(history, job, rows, 5)
        times: dict[str, list[tuple[float, float]]] = {"small": [], "big": []}
        for _ in range(options.rounds):
            for job, taken in times.items():
                taken.append(opened(home, job))
        small, big = (
            [statistics.median(x) for x in zip(*times[job], strict=True)] for job in times
        )
        runs: dict[str, Callable[[], object]] = {
            "errors only": lambda: history.rows.select("big", RowFilter.errors_only())
        }
        for column in SORTS:
            order = RowSort(column=column, descending=True)
            runs[f"sort by {column}"] = lambda order=order: history.rows.select("big", order=order)
        medians = measure(runs, 3)
        stopped = stopping(history)
        history.close()
        shown = {job: statistics.median(taken) for job, taken in seen(home, options.rounds).items()}
    part, ratio, more = shown["big"] / shown["small"], big[0] / small[0], big[1] - small[1]
    print(f"{options.rows:,} rows beside 1,000; median of {options.rounds} processes")
    print(f"first rows of 1,000      {shown['small'] * 1e3:8.1f} ms on the screen")
    print(f"first rows of {options.rows:,}  {shown['big'] * 1e3:8.1f} ms on the screen")
    print(f"  time {part:.2f} x, aim ≤ 1.3: {verdict(part <= 1.3)}")
    print(f"history: open 1,000 rows          {small[0] * 1e3:8.1f} ms  {small[1]:6.1f} MB")
    print(f"history: open {options.rows:,} rows  {big[0] * 1e3:8.1f} ms  {big[1]:6.1f} MB")
    print(f"  time {ratio:.2f} x")
    print(f"  memory {more:+.1f} MB, aim ≤ +15: {verdict(more <= 15)}")
    for name, seconds in medians.items():
        aim = f"  aim ≤ 100: {verdict(seconds <= 0.1)}" if name == "errors only" else ""
        print(f"{name:24} {seconds * 1e3:8.1f} ms{aim}")
    print(f"a sort that is stopped   {stopped * 1e3:8.1f} ms")


def stopping(history: History) -> float:
    """Seconds that a sort takes that nobody wants any more."""
    start = time.perf_counter()
    history.rows.select("big", order=RowSort(column="cost"), progress=Progress(stop=lambda: True))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
