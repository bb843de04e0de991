"""What the dashboard costs while it is left open: 20 batches that run, nobody at the keys.

    python -m tests.benchmarks.bench_idle [seconds] [rounds]

Headless, with the real engine and the sandbox at a slow rate. Each round measures the
processor time of the process over some seconds: the dashboard with nothing that runs; the
engine alone, watching 20 batches, with the sandbox that answers it in the same process; and
the dashboard on top of that, at two sizes and without the focus. The figure is per cent of
one core; rounds alternate, and medians are told.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tui.config import Config
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp

BATCHES = 20
ROWS = 5_000
RATE = 0.2
"""Rows a second: a row ends every five seconds in each batch, as at a busy provider."""

AGE = 3 * 3600.0
"""Seconds ago at which the batches were sent."""


async def prepare(paths: Paths, batches: int) -> None:
    """Send jobs that will run for hours."""
    file = paths.ensure().data / "requests.jsonl"
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    base = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    lines = (json.dumps({"custom_id": f"r{n}", **base}) for n in range(ROWS))
    await asyncio.to_thread(file.write_text, "".join(f"{line}\n" for line in lines))

    # Sent hours ago: a batch is young for a short part of its life.
    def clock() -> float:
        return time.time() - AGE

    engine = await Engine.open(paths, Config(), clock=clock, sandbox_rate=RATE)
    for number in range(batches):
        job = await engine.import_file(file, name=f"job {number}")
        await engine.submit(job.id)
    await engine.close()


@asynccontextmanager
async def dashboard(paths: Paths, size: tuple[int, int]) -> AsyncIterator[BatchdeckApp]:
    """The app on a home, with everything started."""

    async def open_engine() -> Engine:
        return await Engine.open(paths, Config(), sandbox_rate=RATE)

    app = BatchdeckApp(paths, Config(), open_engine)
    async with app.run_test(size=size) as pilot:
        while app.deck is None:
            await pilot.pause(0.05)
        yield app
        assert app.engine is not None
        await app.engine.close()


async def measure(paths: Paths, size: tuple[int, int], seconds: float, *, focused: bool) -> float:
    """Per cent of one core over some seconds, once everything has settled."""
    async with dashboard(paths, size) as app:
        app.app_focus = focused
        await asyncio.sleep(4)
        begun, clock = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        return 100 * (time.process_time() - begun) / (time.monotonic() - clock)


async def measure_engine(paths: Paths, seconds: float) -> float:
    """The same without a dashboard."""
    engine = await Engine.open(paths, Config(), watch=True, sandbox_rate=RATE)
    await asyncio.sleep(4)
    begun, clock = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    used = 100 * (time.process_time() - begun) / (time.monotonic() - clock)
    await engine.close()
    return used


async def main(seconds: float, rounds: int) -> None:
    """Measure all states in turn, and print the medians."""
    cases = {
        "nothing runs, 120x36": (0, (120, 36), True),
        f"{BATCHES} run, 120x36": (BATCHES, (120, 36), True),
        f"{BATCHES} run, 200x60": (BATCHES, (200, 60), True),
        f"{BATCHES} run, 120x36, not focused": (BATCHES, (120, 36), False),
    }
    figures: dict[str, list[float]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory(prefix="batchdeck-idle-") as folder:
        homes = {}
        for count in (0, BATCHES):
            homes[count] = Paths.find(Path(folder) / str(count))
            await prepare(homes[count], count)
        alone = figures.setdefault(f"{BATCHES} watched, no dashboard", [])
        for _ in range(rounds):
            alone.append(await measure_engine(homes[BATCHES], seconds))
            for name, (count, size, focused) in cases.items():
                figures[name].append(await measure(homes[count], size, seconds, focused=focused))
    for name, values in figures.items():
        print(f"{name:<34} {statistics.median(values):5.2f} %   of {len(values)} rounds")


if __name__ == "__main__":
    given = [float(argument) for argument in sys.argv[1:]]
    asyncio.run(main(given[0] if given else 15.0, int(given[1]) if len(given) > 1 else 3))
