"""What the dashboard costs while it is left open: 20 batches that run, nobody at the keys.

    python -m tests.benchmarks.bench_idle [seconds] [rounds]

Headless, with the real engine; the provider is a sandbox at a slow rate, served by a process
of its own as a provider is elsewhere. Each round measures the processor time of the process
over some seconds: the dashboard with nothing that runs; the engine alone, watching 20 batches;
and the dashboard on top of that, at two sizes and without the focus. The figure is per cent
of one core, for the whole program; rounds alternate, and medians are told.

At the pace of a usual profile an old batch is asked for every minute or two. To see the rest,
all is measured at ``slowest = 5`` too: every count is read, stored and shown every five
seconds, which is as often as that profile lets anybody ask.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from tui.config.settings import AccountConfig, Config, PollingConfig
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp

BATCHES = 20
ROWS = 5_000
RATE = 0.2
"""Rows a second: a row ends every five seconds in each batch, as at a busy provider."""

AGE = 3 * 3600.0
"""Seconds ago at which the batches were sent."""


ACCOUNT = "provider"
KEY = "BENCH_IDLE_KEY"
BRISK = ", asked every 5 s"


def config(address: str) -> Config:
    """An account at an address; ``sandbox:`` is the sandbox inside the process."""
    table = AccountConfig(provider="control-layer", base_url=address, key_env=KEY)
    return Config(default_account=ACCOUNT, accounts={ACCOUNT: table})


@contextmanager
def provider(paths: Paths) -> Iterator[Config]:
    """Serve the batches of a home in a process of their own; gives the settings to reach it."""
    words = ["-m", "tui", "sandbox", "serve", "--rows-per-second", str(RATE)]
    # The state of the sandbox inside the process, which took the batches.
    words += ["--home", str(paths.sandbox)]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address is not None
            yield config(f"{address.group().rstrip('/')}/v1")
        finally:
            server.terminate()


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

    engine = await Engine.open(paths, config("sandbox:"), clock=clock, sandbox_rate=RATE)
    for number in range(batches):
        job = await engine.requests.import_file(file, name=f"job {number}", account=ACCOUNT)
        await engine.submit(job.id)
    await engine.close()


@asynccontextmanager
async def dashboard(
    paths: Paths, settings: Config, size: tuple[int, int]
) -> AsyncIterator[BatchdeckApp]:
    """The app on a home, with everything started."""

    async def open_engine() -> Engine:
        return await Engine.open(paths, settings)

    app = BatchdeckApp(paths, settings, open_engine)
    async with app.run_test(size=size) as pilot:
        while not app.session.ready.is_set():
            await pilot.pause(0.05)
        yield app
        assert app.engine is not None
        await app.engine.close()


async def measure(
    paths: Paths, settings: Config, size: tuple[int, int], seconds: float, *, focused: bool
) -> float:
    """Per cent of one core over some seconds, once everything has settled."""
    async with dashboard(paths, settings, size) as app:
        app.app_focus = focused
        await asyncio.sleep(4)
        begun, clock = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        return 100 * (time.process_time() - begun) / (time.monotonic() - clock)


async def measure_engine(paths: Paths, settings: Config, seconds: float) -> float:
    """The same without a dashboard."""
    engine = await Engine.open(paths, settings, watch=True)
    await asyncio.sleep(4)
    begun, clock = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    used = 100 * (time.process_time() - begun) / (time.monotonic() - clock)
    await engine.close()
    return used


async def main(seconds: float, rounds: int) -> None:
    """Measure all states in turn, and print the medians."""
    sizes = [((120, 36), True), ((200, 60), True), ((120, 36), False)]
    cases = {"nothing runs, 120x36": (0, (120, 36), True, False)}
    for brisk in (False, True):
        for size, focused in sizes:
            name = f"{BATCHES} run, {size[0]}x{size[1]}" + ("" if focused else ", not focused")
            cases[name + (BRISK if brisk else "")] = (BATCHES, size, focused, brisk)
    figures: dict[str, list[float]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory(prefix="batchdeck-idle-") as folder:
        homes = {}
        for count in (0, BATCHES):
            homes[count] = Paths.find(Path(folder) / str(count))
            await prepare(homes[count], count)
        with provider(homes[BATCHES]) as usual:
            often = msgspec.structs.replace(usual, polling=PollingConfig(slowest=5.0))
            for _ in range(rounds):
                for name, settings in (("", usual), (BRISK, often)):
                    share = await measure_engine(homes[BATCHES], settings, seconds)
                    figures.setdefault(f"{BATCHES} watched, no dashboard{name}", []).append(share)
                for name, (count, size, focused, brisk) in cases.items():
                    settings = often if brisk else usual
                    share = await measure(homes[count], settings, size, seconds, focused=focused)
                    figures[name].append(share)
    for name, values in figures.items():
        print(f"{name:<46} {statistics.median(values):5.2f} %   of {len(values)} rounds")


if __name__ == "__main__":
    os.environ[KEY] = "none is asked for"
    given = [float(argument) for argument in sys.argv[1:]]
    asyncio.run(main(given[0] if given else 15.0, int(given[1]) if len(given) > 1 else 3))
