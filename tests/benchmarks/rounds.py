"""Interleaved rounds and a table of their medians, shared by the benchmarks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def measure(
    runs: dict[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """The median seconds of each run; all are run once in every round, in turn.

    For work of one thread that does not wait, ``time.process_time`` as the clock leaves out
    what other programs of the machine do.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def table(medians: dict[str, float], size: int = 0) -> str:
    """Seconds, ratio to the first line, and MB/s where a size in bytes is given."""
    floor = next(iter(medians.values()))
    rate = "   MB/s" if size else ""
    lines = [f"{'':40} {'seconds':>8} {'ratio':>6}{rate}"]
    for name, median in medians.items():
        speed = f" {size / 1e6 / median:6.0f}" if size else ""
        lines.append(f"{name:40} {median:8.3f} {median / floor:6.2f}{speed}")
    return "\n".join(lines)
