"""Import, submit, watch, collect, retry, merge: the whole loop with each of the core systems."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tui.core.jobs import Job
from tui.core.outcome import Outcome
from tui.core.status import BatchStatus
from tui.engine.engine import Engine

from .conftest import KEY, Opener
from .rows import ROWS, Maker, chat, expected, own_models, params, written
from .serving import sandbox

CREATE = "/batches"
"""The end of the path of a create call, with all of them."""


@dataclass(frozen=True)
class System:
    """One of the core systems and what is to come of 300 rows.

    Attributes:
        like: What the sandbox speaks.
        provider: The profile.
        make: Makes a request.
        tells_permanent: Do its codes say which rows cannot succeed unchanged?
        first, again: Batches of the first sending and of the retry.
        changes: Changes of the profile.
        again_by: The end of the path of the call that sends rows again.
    """

    like: str
    provider: str
    make: Maker
    tells_permanent: bool = True
    first: int = 1
    again: int = 1
    again_by: str = CREATE
    changes: Mapping[str, Any] = field(default_factory=dict)


SYSTEMS = {
    "openai": System("openai", "openai", chat),
    "scaledown, generation 1": System(
        "scaledown",
        "scaledown",
        own_models,
        tells_permanent=False,
        changes={"limits": {"rows": 1000}},
    ),
    "scaledown, generation 1 split": System(
        "scaledown", "scaledown", own_models, first=6, tells_permanent=False
    ),
    "scaledown, generation 2": System(
        "scaledown-2", "scaledown", own_models, first=6, tells_permanent=False
    ),
    "melious": System("melious", "melious", chat),
    "doubleword": System("doubleword", "doubleword", chat, again_by="/retry-requests"),
    "doubleword, older": System("doubleword-old", "doubleword", chat, again_by="/retry-requests"),
    "anthropic, params": System("anthropic", "anthropic", params),
    "anthropic, converted": System("anthropic", "anthropic", chat),
    "anthropic, split": System(
        "anthropic", "anthropic", params, first=3, changes={"limits": {"rows": 100}}
    ),
    "tensorzero": System("tensorzero", "tensorzero", chat),
}


async def submitted(engine: Engine, path: Path, **options: Any) -> str:
    job = await engine.import_file(path, **options)
    await engine.submit(job.id)
    return job.id


async def ended(engine: Engine, job_id: str) -> Job:
    """The job once it has ended; what troubles its batches, when it does not."""
    try:
        async with asyncio.timeout(15):
            await engine.wait([job_id])
    except TimeoutError:
        raise AssertionError(
            [(batch.status, batch.trouble) for batch in engine.history.batches(job_id)]
        ) from None
    return engine.history.job(job_id)


@pytest.mark.parametrize("name", SYSTEMS)
async def test_the_whole_loop(name: str, tmp_path: Path, opened: Opener) -> None:
    system = SYSTEMS[name]
    path = written(tmp_path / "rows.jsonl", system.make)
    words = expected()
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    bad = words["sandbox:fail=400"]
    with sandbox(system.like, key=KEY) as server:
        async with opened(system.provider, server.url, **system.changes) as engine:
            job_id = await submitted(engine, path)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED
            counts = job.counts
            assert counts.failed == flaky + bad
            assert counts.truncated == words["sandbox:truncate"]
            assert counts.refused == words["sandbox:refuse"]
            assert counts.succeeded == ROWS - counts.failed - counts.truncated - counts.refused
            assert server.count("POST", CREATE) == system.first
            assert sum(batch.rows for batch in engine.history.batches(job_id)) == ROWS

            plan = await engine.plan_retry(job_id)
            if system.tells_permanent:
                assert (plan.rows, plan.permanent) == (flaky, bad)
            else:
                assert (plan.rows, plan.permanent) == (flaky + bad, 0)
            before = server.count("POST", system.again_by)
            await engine.retry(plan)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED
            assert job.counts.total == ROWS
            assert job.counts.pending == job.counts.missing == 0
            assert job.counts.failed == bad
            assert job.counts.succeeded == counts.succeeded + flaky
            assert server.count("POST", system.again_by) == before + system.again
            if system.again_by != CREATE:
                assert server.count("POST", CREATE) == system.first
            assert len(engine.history.batches(job_id)) == system.first + system.again
            strays = engine.history.strays(job_id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)

            lines = list(engine.history.row_lines(job_id, await engine.select(job_id)))
            assert [line.custom_id for line in lines] == [f"row-{n}" for n in range(ROWS)]
            for number, line in enumerate(lines):
                assert line.attempt == (2 if number % 20 in (7, 8) else line.attempt)
                if line.outcome is Outcome.SUCCEEDED:
                    assert line.text or line.data
