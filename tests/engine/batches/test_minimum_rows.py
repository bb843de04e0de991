"""A provider that takes no small batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.bench import Bench
from tests.fakes.loop import JumpingLoop, run
from tui.config.settings import Config
from tui.errors import InputError, UsageError


def test_too_few_rows_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        config = Config(providers={"sandbox": {"limits": {"min_rows": 3}}})
        async with bench.engine(config) as engine:
            with pytest.raises(InputError, match="requires at least 3 in a batch"):
                await bench.imported(engine, "a", "b")
            assert not bench.provider.calls
            job = await bench.done(engine, "a", "fail", "c")
            assert job.counts.failed == 1
            plan = await engine.retries.plan(job.id)
            with pytest.raises(UsageError, match="got 1"):
                await engine.retry(plan)
            assert engine.history.jobs.get(job.id).counts.failed == 1

    run(test)
