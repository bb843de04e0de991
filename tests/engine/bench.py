"""The engine against a provider in memory, in a time that jumps."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.direct import FakeDirect
from tests.fakes.loop import JumpingLoop
from tests.fakes.provider import FakeBatch, FakeDialect, FakeProvider
from tui.config.settings import Config
from tui.core.jobs import Counts, Job
from tui.core.rows import Outcome
from tui.engine.accounts import Accounts, base_account
from tui.engine.engine import Engine
from tui.engine.events import JobEvent
from tui.paths import Paths
from tui.providers.dialect import Capabilities, Dialect

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A place for homes that do not outlive their process; ``None``: the usual one."""


def home_in_memory(prefix: str) -> Path:
    """A new folder, for which no test waits for a disk; whoever makes it removes it."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=IN_MEMORY))


def request(custom_id: str, text: str = "hello") -> dict[str, object]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": [{"role": "user", "content": text}]},
    }


def write_requests(path: Path, texts: Sequence[str]) -> Path:
    """Requests ``r0``, ``r1`` … with these texts."""
    lines = (json.dumps(request(f"r{number}", text)) for number, text in enumerate(texts))
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


class _FakeAccounts(Accounts):
    """Accounts of which every one leads to the same provider in memory, also row by row."""

    fake: Dialect
    direct: Dialect

    async def _open(self, name: str) -> Dialect:
        self.opened = getattr(self, "opened", 0) + 1
        return self.fake if base_account(name) == name else self.direct


class Bench:
    """A home, a provider, and the engines that work on them."""

    def __init__(
        self,
        folder: Path,
        loop: JumpingLoop,
        capabilities: Capabilities | None = None,
        **dialect: bool,
    ) -> None:
        self.folder = folder
        self.loop = loop
        self.paths = Paths.find(folder / "home").ensure()
        self.provider = FakeProvider(loop.clock)
        self.dialect = FakeDialect(self.provider, capabilities, **dialect)
        self.direct = FakeDirect(self.provider)
        self.events: list[JobEvent] = []

    async def open(self, config: Config | None = None, *, watch: bool = False) -> Engine:
        """An engine on the home; close it, or use ``engine()``."""
        engine = await Engine.open(self.paths, config or Config(), clock=self.loop.clock)
        engine.accounts.__class__ = _FakeAccounts
        engine.accounts.fake = self.dialect  # type: ignore[attr-defined]
        engine.accounts.direct = self.direct  # type: ignore[attr-defined]
        engine._context.sleep = self._sleep
        engine.events.subscribe(self.events.append)
        if watch:
            engine.watch()
        return engine

    @asynccontextmanager
    async def engine(
        self, config: Config | None = None, *, watch: bool = False
    ) -> AsyncIterator[Engine]:
        engine = await self.open(config, watch=watch)
        try:
            yield engine
        finally:
            await engine.close()

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def imported(self, engine: Engine, *texts: str, name: str | None = None) -> Job:
        """A job of requests with these texts, nothing sent."""
        file = write_requests(self.folder / "requests.jsonl", texts or ("hello", "world"))
        return await engine.requests.import_file(file, name=name)

    async def sent(self, engine: Engine, *texts: str) -> tuple[Job, FakeBatch]:
        """A job that was sent, and the only batch that the provider has."""
        job = await self.imported(engine, *texts)
        await engine.submit(job.id)
        return job, self.provider.only()

    async def done(self, engine: Engine, *texts: str) -> Job:
        """A job that was sent, has ended and is collected."""
        job = await self.imported(engine, *texts)
        await engine.submit(job.id)
        await engine.wait([job.id])
        return engine.history.jobs.get(job.id)


async def until(condition: Callable[[], object], step: float = 0.1) -> None:
    """Let the engine's time go on until something is so."""
    while not condition():  # noqa: ASYNC110 - the time jumps
        await asyncio.sleep(step)


def outcomes(engine: Engine, job_id: str) -> list[Outcome]:
    total = engine.history.jobs.get(job_id).counts.total
    return [row.outcome for row in engine.history.rows.page(job_id, range(total))]


def adds_up(engine: Engine, job_id: str) -> Counts:
    counts = engine.history.jobs.get(job_id).counts
    found = outcomes(engine, job_id)
    for outcome in Outcome:
        assert counts.get(outcome) == found.count(outcome)
    assert sum(counts.get(outcome) for outcome in Outcome) == counts.total
    return counts


def timeline(engine: Engine, job_id: str) -> list[str]:
    return [entry.what for entry in engine.history.jobs.timeline(job_id)]
