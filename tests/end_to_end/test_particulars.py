"""What only some systems do: live rows, cancel, foreign batches, deleting, full queues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tui.core.outcome import Outcome
from tui.core.status import BatchStatus, Submission
from tui.engine.engine import Engine
from tui.engine.events import BatchEnded, RowsCollected
from tui.errors import QuotaError, UsageError

from .conftest import KEY, Opener
from .rows import ROWS, Maker, chat, own_models, params, written
from .serving import sandbox
from .test_full_loop import CREATE, ended, submitted


async def seen(engine: Engine, what: Callable[[], bool]) -> None:
    """Wait until something holds, looking at every event."""
    moved = asyncio.Event()
    unsubscribe = engine.events.subscribe(lambda _: moved.set())
    try:
        async with asyncio.timeout(15):
            while not what():
                moved.clear()
                await moved.wait()
    finally:
        unsubscribe()


@pytest.mark.parametrize("like", ["doubleword", "doubleword-old"])
async def test_rows_can_be_read_while_the_batch_runs(
    like: str, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat)
    with sandbox(like, key=KEY, rows_per_second=150) as server:
        async with opened("doubleword", server.url) as engine:
            heard: list[str] = []
            engine.events.subscribe(
                lambda event: (
                    heard.append(type(event).__name__)
                    if isinstance(event, RowsCollected | BatchEnded)
                    else None
                )
            )
            job_id = await submitted(engine, path)
            await seen(engine, lambda: 0 < engine.history.job(job_id).counts.ended < ROWS)
            job = engine.history.job(job_id)
            assert job.status is BatchStatus.IN_PROGRESS
            assert job.counts.pending > 0
            rows = engine.history.rows(job_id, range(ROWS))
            done = [row for row in rows if row.outcome is Outcome.SUCCEEDED]
            assert done
            assert engine.history.row(job_id, done[0].seq).attempts[0].line
            job = await ended(engine, job_id)
            assert job.counts.pending == job.counts.missing == 0
            strays = engine.history.strays(job_id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)
            assert heard.index("RowsCollected") < heard.index("BatchEnded")


@pytest.mark.parametrize(
    ("like", "provider", "make"),
    [
        ("openai", "openai", chat),
        ("melious", "melious", chat),
        ("doubleword", "doubleword", chat),
        ("tensorzero", "tensorzero", chat),
        ("anthropic", "anthropic", params),
    ],
)
async def test_a_cancel_keeps_what_is_done_and_the_rest_can_be_sent_again(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", make)
    with sandbox(like, key=KEY, rows_per_second=40) as server:
        async with opened(provider, server.url) as engine:
            job_id = await submitted(engine, path)
            await seen(
                engine,
                lambda: engine.history.batches(job_id)[0].status is BatchStatus.IN_PROGRESS,
            )
            await engine.cancel(job_id)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.CANCELLED
            counts = job.counts
            assert counts.pending == counts.missing == 0
            assert counts.cancelled > 0
            assert counts.total == ROWS
            plan = await engine.plan_retry(job_id)
            assert plan.rows >= counts.cancelled
            with pytest.raises(UsageError):
                await engine.cancel(job_id)


async def test_what_cannot_be_cancelled_says_so(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", own_models, 40)
    with sandbox("scaledown", key=KEY, rows_per_second=100) as server:
        async with opened("scaledown", server.url) as engine:
            job_id = await submitted(engine, path)
            with pytest.raises(UsageError, match="cannot cancel"):
                await engine.cancel(job_id)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED


@pytest.mark.parametrize(
    ("like", "provider", "make", "has_input"),
    [
        ("openai", "openai", chat, True),
        ("melious", "melious", chat, True),
        ("doubleword", "doubleword", chat, True),
        ("tensorzero", "tensorzero", chat, True),
        ("anthropic", "anthropic", params, False),
        ("scaledown-2", "scaledown", own_models, False),
    ],
)
async def test_a_batch_made_elsewhere_comes_in_with_its_rows(
    like: str, provider: str, make: Maker, has_input: bool, tmp_path: Path, opened: Opener
) -> None:
    rows = 40
    path = written(tmp_path / "rows.jsonl", make, rows)
    with sandbox(like, key=KEY) as server:
        async with opened(provider, server.url, home=tmp_path / "elsewhere") as other:
            made = await ended(other, await submitted(other, path))
            remote_id = other.history.batches(made.id)[0].remote_id
            assert remote_id is not None
        async with opened(provider, server.url) as engine:
            if like.startswith("scaledown"):
                with pytest.raises(UsageError, match="cannot list"):
                    await engine.sync()
            else:
                (entry,) = await engine.sync()
                assert (entry.remote.id, entry.job_id) == (remote_id, None)
            job = await engine.adopt(remote_id)
            job = await ended(engine, job.id)
            assert job.counts == made.counts
            assert job.status is made.status
            lines = list(engine.history.row_lines(job.id, await engine.select(job.id)))
            assert {line.custom_id for line in lines} == {f"row-{n}" for n in range(rows)}
            request = engine.history.row(job.id, 0).request
            assert (b"Say number" in request) is has_input
            if not like.startswith("scaledown"):
                (entry,) = await engine.sync()
                assert entry.job_id == job.id
            with pytest.raises(UsageError, match="already"):
                await engine.adopt(remote_id)
            if has_input:
                plan = await engine.plan_retry(job.id)
                assert plan.rows == 4
                await engine.retry(plan)
                job = await ended(engine, job.id)
                assert job.counts.failed == 2


@pytest.mark.parametrize(
    ("like", "provider", "make", "files", "batches"),
    [
        ("openai", "openai", chat, 3, 0),
        ("melious", "melious", chat, 2, 0),
        ("doubleword", "doubleword", chat, 3, 1),
        ("tensorzero", "tensorzero", chat, 3, 0),
        ("anthropic", "anthropic", params, 0, 1),
    ],
)
@pytest.mark.parametrize("by_itself", [True, False])
async def test_nothing_is_left_at_the_provider(
    like: str,
    provider: str,
    make: Maker,
    files: int,
    batches: int,
    by_itself: bool,
    tmp_path: Path,
    opened: Opener,
) -> None:
    path = written(tmp_path / "rows.jsonl", make, 40)
    with sandbox(like, key=KEY) as server:
        async with opened(provider, server.url, clean_up=by_itself) as engine:
            job_id = await submitted(engine, path)
            job = await ended(engine, job_id)
            assert job.counts.pending == 0
            if not by_itself:
                assert not any(call.method == "DELETE" for call in server.asked)
                await engine.delete(job_id, remote=True)
                assert engine.history.jobs() == []
            else:
                await engine.drain()
                assert "Deleted" in engine.history.timeline(job_id)[-1].what
            gone = {call.path for call in server.asked if call.method == "DELETE"}
            assert sum("/files/" in path for path in gone) == files
            assert sum("/batches/" in path for path in gone) == batches
            if batches:
                assert await engine.sync() == []


async def test_a_provider_that_deletes_nothing_says_so(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", own_models, 20)
    with sandbox("scaledown", key=KEY) as server:
        async with opened("scaledown", server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            with pytest.raises(UsageError, match="cannot delete"):
                await engine.delete(job.id, remote=True)
            assert engine.history.job(job.id)


async def test_a_full_queue_is_waited_out(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 60)
    with sandbox("openai", key=KEY, full=3) as server:
        async with opened("openai", server.url, limits={"rows": 20}) as engine:
            job = await engine.import_file(path)
            with pytest.raises(QuotaError):
                await engine.submit(job.id)
        async with opened("openai", server.url, limits={"rows": 20}) as engine:
            first = engine.history.batches(job.id)[0]
            assert first.submission is Submission.WAITING
            assert first.status is BatchStatus.QUEUED
            assert "oken limit" in first.trouble
            engine.watch()
            if any(batch.is_unsent for batch in engine.history.batches(job.id)):
                await engine.submit(job.id, patient=True)
            done = await ended(engine, job.id)
            assert done.counts.pending == 0
            assert done.counts.total == 60
            assert server.count("POST", CREATE) == 3
            assert server.count("POST", CREATE, good=False) == 3
