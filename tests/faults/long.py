"""Many batches watched for days on a clock that jumps: ``python -m tests.faults.long``.

Real time passes only while the program works, so the cost of a simulated day is visible.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.engine.bench import Bench
from tests.fakes import loop as looping
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import FakeBatch
from tui.config.settings import Config
from tui.core.jobs import Batch, BatchStatus, Submission, new_batch_id
from tui.core.remote_batches import RemoteBatch
from tui.engine.engine import Engine
from tui.store.batches import NewBatch
from tui.store.job_records import update_batch

PAGE = 100
"""Batches on a page of a provider's list: so many are one request."""

HOUR = 3600.0


@dataclass
class Watched:
    """The cost of watching.

    ``per_minute`` is the largest number of requests in a simulated minute; memory in bytes.
    """

    batches: int
    hours: float
    requests: int = 0
    per_minute: int = 0
    turns: int = 0
    cpu_seconds: float = 0.0
    grown: int = 0
    collected: int = 0

    @property
    def cpu_share(self) -> float:
        """The share of one processor over the simulated time."""
        return self.cpu_seconds / (self.hours * HOUR)


class Meter:
    """Counts a provider's requests by simulated minute."""

    def __init__(self, bench: Bench, ends: dict[str, float]) -> None:
        self._bench = bench
        self._minutes: Counter[int] = Counter()
        provider = bench.provider
        remote = provider.remote

        def tell(batch: FakeBatch) -> RemoteBatch:
            if batch.status is BatchStatus.IN_PROGRESS and provider.clock() >= ends[batch.id]:
                provider.run(batch)
            return remote(batch)

        provider.remote = tell  # type: ignore[method-assign]
        provider.when_called["retrieve"] = self.count
        walk = bench.dialect.list_batches

        async def by_page(*, created_after: float | None = None) -> AsyncIterator[RemoteBatch]:
            number = 0
            async for found in walk(created_after=created_after):
                if number % PAGE == 0:
                    self.count()
                number += 1
                yield found

        bench.dialect.list_batches = by_page  # type: ignore[method-assign]

    def count(self) -> None:
        """Count a request."""
        self._minutes[int(self._bench.loop.time() // 60)] += 1

    @property
    def requests(self) -> int:
        """The number of all requests."""
        return self._minutes.total()

    @property
    def worst(self) -> int:
        """The largest number in one minute."""
        return max(self._minutes.values(), default=0)


def memory() -> int:
    """The resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def begin(bench: Bench, engine: Engine, number: int, hours: float) -> dict[str, float]:
    """Start a job with one batch per row; returns when each batch ends."""
    job = await bench.imported(engine, *(["hello"] * number))
    chance = random.Random(7)
    now = bench.loop.clock()
    ends: dict[str, float] = {}
    requests = [line for _, line in engine.history.rows.requests(job.id, range(number))]
    batches = [
        Batch(
            id=new_batch_id(),
            job_id=job.id,
            account=job.account,
            part=seq + 1,
            rows=1,
            first_seq=seq,
            last_seq=seq,
            created_at=now,
        )
        for seq in range(number)
    ]
    engine.history.batches.begin_first_attempt([NewBatch(batch) for batch in batches])
    with engine.history._database.write() as connection:
        for seq, batch in enumerate(batches):
            remote = FakeBatch(
                id=f"batch-{seq}",
                file_id=None,
                intent=batch.id,
                lines=[requests[seq]],
                created_at=now,
            )
            bench.provider.batches[remote.id] = remote
            ends[remote.id] = now + chance.uniform(0.05, 1.3) * hours * HOUR
            changes = {
                "submission": Submission.RUNNING,
                "status": BatchStatus.IN_PROGRESS,
                "remote_id": remote.id,
                "submitted_at": now,
            }
            update_batch(connection, batch.id, changes)
    return ends


def watch(number: int, hours: float, folder: Path) -> Watched:
    """Watch batches for some simulated hours."""
    watched = Watched(number, hours)

    async def whole(loop: JumpingLoop) -> None:
        bench = Bench(folder, loop)
        bench.provider.ends_after = None
        turns = Counter[str]()
        select = loop._jumping.select

        def counted(timeout: float | None = None) -> object:
            turns["all"] += 1
            return select(timeout)

        loop._jumping.select = counted  # type: ignore[method-assign, assignment]
        async with bench.engine(Config(default_account="openai")) as engine:
            ends = await begin(bench, engine, number, hours)
            meter = Meter(bench, ends)
            engine.watch()
            await asyncio.sleep(hours * HOUR / 4)
            before, cpu, first = memory(), time.process_time(), turns["all"]
            asked = meter.requests
            await asyncio.sleep(hours * HOUR / 2)
            quarter = 0.5
            watched.cpu_seconds = (time.process_time() - cpu) / quarter
            watched.grown = memory() - before
            watched.turns = int((turns["all"] - first) / quarter)
            watched.requests = int((meter.requests - asked) / quarter)
            watched.per_minute = meter.worst
            (job,) = engine.history.jobs.list()
            watched.collected = job.counts.succeeded
            now = loop.clock()
            late = [
                b.remote_id
                for b in engine.history.batches.unfinished()
                if ends[b.remote_id or ""] < now - 1800
            ]
            assert not late, f"{len(late)} ended half an hour ago and nobody noticed"

    kept, looping.LONGEST = looping.LONGEST, float("inf")
    try:
        run(whole)
    finally:
        looping.LONGEST = kept
    return watched


def main() -> int:
    """Print the cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--hours", type=float, default=72.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchdeck-long-") as folder:
        watched = watch(options.batches, options.hours, Path(folder))
    print(watched)
    print(f"{watched.requests / watched.hours:.0f} requests an hour, {watched.cpu_share:.2%} CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
