"""Interleaved rounds and a table of their medians, shared by the benchmarks."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Aim(NamedTuple):
    """A line's seconds against those of another line of the same table.

    ``ratio`` is the most that the quotient may be; with ``at_least``, the least.
    """

    beside: str
    ratio: float
    at_least: bool = False


def cpu_seconds() -> float:
    """A clock of the processors' work for this process and its children that have ended.

    Other programs of the machine, and waits for the disk, are left out.
    """
    return sum(os.times()[:4])


def measure(
    runs: dict[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
    tidy: Callable[[], object] | None = None,
) -> dict[str, float]:
    """The median seconds of each run; all are run once in every round, in turn.

    For work of one thread that does not wait, ``time.process_time`` as the clock leaves out
    what other programs of the machine do. ``tidy`` is called after each run, outside its time.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
            if tidy is not None:
                tidy()
    return {name: statistics.median(taken) for name, taken in times.items()}


def table(
    medians: Mapping[str, float], size: int = 0, aims: Mapping[str, Aim] | None = None
) -> str:
    """Seconds, ratio to the first line, MB/s where a size in bytes is given, and the aims."""
    floor = next(iter(medians.values()))
    rate = "   MB/s" if size else ""
    lines = [f"{'':40} {'seconds':>8} {'ratio':>6}{rate}"]
    for name, median in medians.items():
        speed = f" {size / 1e6 / median:6.0f}" if size else ""
        line = f"{name:40} {median:8.3f} {median / floor:6.2f}{speed}"
        aim = None if aims is None else aims.get(name)
        lines.append(line if aim is None else f"{line}   {_verdict(medians, name, aim)}")
    return "\n".join(lines)


def _verdict(medians: Mapping[str, float], name: str, aim: Aim) -> str:
    ratio = medians[name] / medians[aim.beside]
    met = ratio >= aim.ratio if aim.at_least else ratio <= aim.ratio
    sign = "≥" if aim.at_least else "≤"
    word = "met" if met else "MISSED"
    return f"{ratio:.2f} x {aim.beside}, aim {sign} {aim.ratio:g}: {word}"
