"""Comparing two jobs, beside a bare loop that holds all answers of one of them in memory.

    .venv/bin/python tests/benchmarks/bench_compare.py [ROWS]

The second figure is how much memory the comparison took at its peak, for two sizes of jobs:
it holds 13 bytes for each id, and the order of the ids (8 bytes) of both jobs.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.store.bench import Desk, line
from tui.paths import Paths

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000


def seeded(desk: Desk, rows: int, step: int) -> tuple[str, Path]:
    ids = [f"row-{number:07}" for number in range(rows)]
    job = desk.job(ids, name=f"{rows}-{step}")
    batch = desk.batch(job)
    answers = (
        line(id, text=f'{{"label": {n % step}, "why": "{"because " * 20}"}}')
        for n, id in enumerate(ids)
    )
    desk.results(batch, answers)
    return job, desk.file(batch).path


def bare(left: Path, right: Path) -> int:
    def text(one: bytes) -> tuple[str, str]:
        value = msgspec.json.decode(one)
        return value["custom_id"], value["response"]["body"]["choices"][0]["message"]["content"]

    with left.open("rb") as lines:
        held = dict(map(text, lines))
    same = 0
    with right.open("rb") as lines:
        for id, said in map(text, lines):
            same += msgspec.json.decode(held[id]) == msgspec.json.decode(said)
    return same


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="batchdeck-bench-") as folder:
        desk = Desk(Paths.find(Path(folder) / "home"))
        for rows in (ROWS // 10, ROWS):
            (left, left_file), (right, right_file) = seeded(desk, rows, 7), seeded(desk, rows, 5)
            start = time.perf_counter()
            bare(left_file, right_file)
            floor = time.perf_counter() - start
            start = time.perf_counter()
            desk.history.rows.compare([left, right])
            took = time.perf_counter() - start
            tracemalloc.start()
            desk.history.rows.compare([left, right])
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            print(
                f"2 x {rows:>9,} rows: {took:6.2f} s, {took / floor:4.1f} x the bare loop,"
                f" {peak / 1e6:5.1f} MB at the peak"
            )
        desk.history.close()


if __name__ == "__main__":
    main()
