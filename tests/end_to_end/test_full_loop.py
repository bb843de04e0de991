"""Import, submit, watch, collect, retry, merge: the whole loop with each of the core systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import ROWS, Maker, chat, contents, expected, own_models, params, written
from tests.end_to_end.servers import sandbox
from tests.waiting import within
from tui.core.jobs import BatchStatus, Job
from tui.core.rows import Outcome
from tui.engine.engine import Engine

CREATE = "/batches"
"""The end of the path of a create call, with all of them."""


GEMINI = ":batchGenerateContent"
"""The end of the path of a create call of Gemini."""


FIREWORKS = "/batchInferenceJobs"
"""The end of the path of a create call of Fireworks."""


@dataclass(frozen=True)
class System:
    """One of the core systems and the expected result for 300 rows.

    Attributes:
        like: The provider that the sandbox imitates.
        provider: The profile.
        make: Makes a request.
        first, again: The number of batches of the first attempt and of the retry.
        changes: Changes of the profile.
        again_by: The end of the path of the request that retries rows, if it is another one.
        create: The end of the path of a create call.
    """

    like: str
    provider: str
    make: Maker
    first: int = 1
    again: int = 1
    again_by: str = ""
    create: str = CREATE
    changes: Mapping[str, Any] = field(default_factory=dict)


SYSTEMS = {
    "openai": System("openai", "openai", chat),
    "scaledown, generation 1": System(
        "scaledown",
        "scaledown",
        own_models,
        changes={"limits": {"rows": 1000}},
    ),
    "scaledown, generation 1 split": System("scaledown", "scaledown", own_models, first=6),
    "scaledown, generation 2": System("scaledown-2", "scaledown", own_models, first=6),
    "melious": System("melious", "melious", chat),
    "doubleword": System("doubleword", "doubleword", chat, again_by="/retry-requests"),
    "doubleword, older": System("doubleword-old", "doubleword", chat, again_by="/retry-requests"),
    "anthropic, params": System("anthropic", "anthropic", params),
    "anthropic, converted": System("anthropic", "anthropic", chat),
    "anthropic, split": System(
        "anthropic", "anthropic", params, first=3, changes={"limits": {"rows": 100}}
    ),
    "tensorzero": System("tensorzero", "tensorzero", chat),
    "xai": System("xai", "xai", chat),
    "fireworks": System("fireworks", "fireworks", chat, create=FIREWORKS),
    "gemini": System("gemini", "gemini", chat, create=GEMINI),
    "gemini, own rows": System("gemini", "gemini", contents, create=GEMINI),
    "gemini, rows of OpenAI": System(
        "gemini", "gemini", chat, create=GEMINI, changes={"gemini": {"rows": "openai"}}
    ),
}


async def submitted(engine: Engine, path: Path, **options: Any) -> str:
    job = await engine.requests.import_file(path, **options)
    await engine.submit(job.id)
    return job.id


async def ended(engine: Engine, job_id: str) -> Job:
    """The job once it has ended; fails with the errors of its batches otherwise."""
    try:
        async with within(15):
            await engine.wait([job_id])
    except TimeoutError:
        raise AssertionError(
            [(batch.status, batch.trouble) for batch in engine.history.batches.of_job(job_id)]
        ) from None
    return engine.history.jobs.get(job_id)


@pytest.mark.parametrize("name", SYSTEMS)
async def test_the_whole_loop(name: str, tmp_path: Path, opened: Opener) -> None:
    system = SYSTEMS[name]
    path = written(tmp_path / "rows.jsonl", system.make)
    again_by = system.again_by or system.create
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
            assert server.count("POST", system.create) == system.first
            assert sum(batch.rows for batch in engine.history.batches.of_job(job_id)) == ROWS

            plan = await engine.retries.plan(job_id)
            assert (plan.rows, plan.permanent) == (flaky, bad)
            before = server.count("POST", again_by)
            await engine.retry(plan)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED
            assert job.counts.total == ROWS
            assert job.counts.pending == job.counts.missing == 0
            assert job.counts.failed == bad
            assert job.counts.succeeded == counts.succeeded + flaky
            assert server.count("POST", again_by) == before + system.again
            if again_by != system.create:
                assert server.count("POST", system.create) == system.first
            assert len(engine.history.batches.of_job(job_id)) == system.first + system.again
            strays = engine.history.rows.orphan_lines(job_id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)

            lines = list(engine.history.rows.lines(job_id, await engine.results.select(job_id)))
            assert [line.custom_id for line in lines] == [f"row-{n}" for n in range(ROWS)]
            for number, line in enumerate(lines):
                assert line.attempt == (2 if number % 20 in (7, 8) else line.attempt)
                if line.outcome is Outcome.SUCCEEDED:
                    assert line.text or line.data
