"""The clock of this machine is changed while batches are watched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.engine.bench import Bench
from tests.fakes.loop import JumpingLoop, run
from tui.config.settings import Config


@pytest.mark.parametrize("seconds", [-400 * 86_400.0, -86_400.0, -600.0, 86_400.0])
def test_setting_the_clock_delays_no_batch(seconds: float, tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine(Config(default_account="openai")) as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            await asyncio.sleep(3600)
            engine._context.clock = lambda: loop.clock() + seconds
            bench.provider.ends_after = 1
            began = loop.time()
            await engine.wait([job.id])
            # A pause of the profile, and the minute in which the jump is noticed.
            assert loop.time() - began < 300 * 1.1 + 60
            assert engine.history.jobs.get(job.id).counts.succeeded == 2

    run(test)


@pytest.mark.parametrize("days", [400, -400])
def test_a_batch_is_recovered_with_a_clock_that_is_years_off(days: int, tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        from tests.fakes.provider import Lost

        bench = Bench(tmp_path, loop)
        async with bench.engine(Config(default_account="openai")) as engine:
            engine._context.clock = lambda: loop.clock() + days * 86_400.0
            job = await bench.imported(engine)
            bench.provider.fault("create", Lost())
            await engine.submit(job.id)
            assert bench.provider.calls["create"] == 1
            bench.provider.only()

    run(test)
