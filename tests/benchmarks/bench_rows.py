"""Reading rows and checking answers: how they grow with the rows, and beside a bare decode loop.

Run it from the top of the repository: ``python tests/benchmarks/bench_rows.py [ROWS]``. It prints
ratios of one run.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import msgspec

from tests.store.bench import Desk
from tui.paths import Paths

SCHEMA = (
    b'{"type":"object","properties":{"stars":{"type":"integer"},"why":{"type":"string"}},'
    b'"required":["stars","why"]}'
)


def timed(work: Callable[[], object]) -> float:
    """Seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def line(number: int) -> bytes:
    """A result line whose answer is JSON; every tenth misses the schema."""
    stars = number % 5 if number % 10 else "many"
    content = json.dumps({"stars": stars, "why": "it arrived late, but it works " * 4})
    choice = {"index": 0, "message": {"role": "assistant", "content": content},
              "finish_reason": "stop"}  # fmt: skip
    body = {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 9}}
    return json.dumps(
        {"custom_id": f"r{number}", "response": {"status_code": 200, "body": body}, "error": None}
    ).encode()


def main(rows: int) -> None:
    """Make a job, check its answers twice, and read single rows."""
    with tempfile.TemporaryDirectory(prefix="batchdeck-bench-") as folder:
        desk = Desk(Paths.find(Path(folder) / "home").ensure())
        job = desk.job([f"r{number}" for number in range(rows)])
        lines = [line(number) for number in range(rows)]
        desk.results(desk.batch(job), lines)
        bare = timed(lambda: [msgspec.json.decode(one) for one in lines])
        history = desk.history
        found = []
        first = timed(lambda: found.append(history.rows.check_schemas(job, range(rows), SCHEMA)))
        again = timed(lambda: history.rows.check_schemas(job, range(rows), SCHEMA))
        single = timed(lambda: [history.rows.get(job, rows - 1) for _ in range(100)]) / 100
        assert len(found[0].bad) == rows // 10
        print(f"{rows:,} answers, a bare decode of their lines: 1.0 ({bare:.2f} s)")
        print(f"check of all answers                          : {first / bare:.1f}")
        print(f"the same again, from the kept verdicts        : {again / bare:.1f}")
        print(f"check, microseconds an answer                 : {first / rows * 1e6:.0f}")
        print(f"one row with all its attempts, milliseconds   : {single * 1e3:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
