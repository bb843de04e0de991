"""One of several programs on one history: random actions, as fast as possible.

Run by ``tests.faults.race.race``: ``python -m tests.faults.race.racer HOME SECONDS SEED``.
Prints one JSON
document: how often each action was done, and every unexpected error.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tui.engine.engine import Engine
from tui.errors import BatchdeckError, UnconfirmedError, UsageError
from tui.paths import Paths

ROWS = 6
_MOST_DRAFTS = 3
_LEAST_JOBS = 6
"""A race of fewer jobs says nothing: on a slow machine it takes longer than it was told."""


def request(custom_id: str, text: str) -> str:
    """One request line."""
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": text}]}
    line = {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }
    return json.dumps(line) + "\n"


class Racer:
    """Submits, collects, retries and cancels jobs of a shared history."""

    def __init__(self, engine: Engine, folder: Path, seed: int) -> None:
        self._engine = engine
        self._folder = folder
        self._chance = random.Random(seed)
        self._seed = seed
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def run(self, until: float) -> None:
        """Run until a time of ``time.monotonic``."""
        workers = (self._work(until), self._work(until))
        await asyncio.gather(*workers)

    async def _work(self, until: float) -> None:
        while time.monotonic() < until or self._is_too_short():
            verb = self._chance.choices(
                ("begin", "submit", "collect", "retry", "cancel", "read"), (4, 8, 4, 6, 1, 4)
            )[0]
            try:
                await getattr(self, f"_{verb}")()
                self.done[verb] += 1
            except UsageError:
                # The other one was faster: there is nothing left to do.
                self.done[f"{verb} (too late)"] += 1
            except UnconfirmedError:
                # Another program was killed while it created this batch: it is looked for.
                self.done[f"{verb} (unconfirmed)"] += 1
            except BatchdeckError as error:
                self.wrong.append(f"{verb}: {type(error).__name__}: {error.message}")
            except Exception as error:
                self.wrong.append(f"{verb}: {error!r}")

    def _is_too_short(self) -> bool:
        return len(self._engine.history.jobs.list(limit=_LEAST_JOBS)) < _LEAST_JOBS

    def _drafts(self) -> list[str]:
        jobs = self._engine.history.jobs.list(search="race")
        return [job.id for job in jobs if job.submitted_at is None and job.ended_at is None]

    async def _begin(self) -> None:
        if len(self._drafts()) >= _MOST_DRAFTS:
            await asyncio.sleep(0.01)
            return
        tag = f"{self._seed}-{self._chance.getrandbits(40):x}"
        file = self._folder / f"race-{tag}.jsonl"
        lines = [
            request(f"{tag}-{n}", "sandbox:flaky=500" if n % 2 else "hello") for n in range(ROWS)
        ]
        file.write_text("".join(lines))
        await self._engine.requests.import_file(file)
        file.unlink()

    async def _submit(self) -> None:
        drafts = self._drafts()
        if drafts:
            await self._engine.submit(self._chance.choice(drafts[:2]))

    async def _collect(self) -> None:
        jobs = self._engine.history.jobs.list(limit=6)
        if jobs:
            await self._engine.collect(self._chance.choice(jobs).id)

    async def _retry(self) -> None:
        jobs = [job for job in self._engine.history.jobs.list(limit=30) if job.counts.failed]
        if jobs:
            plan = await self._engine.retries.plan(self._chance.choice(jobs[:3]).id)
            await self._engine.retry(plan)

    async def _cancel(self) -> None:
        jobs = [job for job in self._engine.history.jobs.list(limit=10) if job.ended_at is None]
        if jobs:
            await self._engine.cancel(self._chance.choice(jobs).id)

    async def _read(self) -> None:
        for job in self._engine.history.jobs.list(limit=3):
            counts = self._engine.history.jobs.document(job.id)["counts"]
            named = sum(counts.values()) - counts["total"]
            if named != counts["total"] or min(counts.values()) < 0:
                self.wrong.append(f"counts do not add up: {counts}")
            list(self._engine.history.rows.page(job.id, range(ROWS)))


async def main(home: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Race for the seconds of the command line."""
    engine = await Engine.open(Paths.find(home), watch=True)
    racer = Racer(engine, home.parent, seed)
    try:
        await racer.run(time.monotonic() + seconds)
    finally:
        await engine.close()
    return {"done": dict(racer.done), "wrong": racer.wrong}


if __name__ == "__main__":
    report = asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps(report))
