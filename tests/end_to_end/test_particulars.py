"""Features of some systems: live rows, cancel, foreign batches, deleting, full queues."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import ROWS, Maker, chat, contents, own_models, params, written
from tests.end_to_end.servers import sandbox
from tests.end_to_end.test_full_loop import CREATE, ended, submitted
from tests.fakes.server import SteppingClock
from tests.waiting import within
from tui.core.jobs import BatchStatus, Submission
from tui.core.rows import Outcome
from tui.engine.batches.spare_uploads import upload_name
from tui.engine.engine import Engine
from tui.engine.events import BatchEnded, RowsCollected
from tui.errors import QuotaError, UsageError


async def seen(engine: Engine, what: Callable[[], bool]) -> None:
    """Wait until a condition holds, checked at every event."""
    moved = asyncio.Event()
    unsubscribe = engine.events.subscribe(lambda _: moved.set())
    try:
        async with within(15):
            while not what():
                moved.clear()
                await moved.wait()
    finally:
        unsubscribe()


@pytest.mark.parametrize("like", ["doubleword", "doubleword-old", "xai"])
async def test_rows_can_be_read_while_the_batch_runs(
    like: str, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat)
    with sandbox(like, key=KEY, rows_per_second=150, clock=SteppingClock(0.05)) as server:
        async with opened(like.removesuffix("-old"), server.url) as engine:
            heard: list[str] = []
            engine.events.subscribe(
                lambda event: (
                    heard.append(type(event).__name__)
                    if isinstance(event, RowsCollected | BatchEnded)
                    else None
                )
            )
            job_id = await submitted(engine, path)
            await seen(engine, lambda: 0 < engine.history.jobs.get(job_id).counts.ended < ROWS)
            job = engine.history.jobs.get(job_id)
            assert job.status is BatchStatus.IN_PROGRESS
            assert job.counts.pending > 0
            rows = engine.history.rows.page(job_id, range(ROWS))
            done = [row for row in rows if row.outcome is Outcome.SUCCEEDED]
            assert done
            assert engine.history.rows.get(job_id, done[0].seq).attempts[0].line
            job = await ended(engine, job_id)
            assert job.counts.pending == job.counts.missing == 0
            strays = engine.history.rows.orphan_lines(job_id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)
            assert heard.index("RowsCollected") < heard.index("BatchEnded")


@pytest.mark.parametrize(
    ("like", "provider", "make"),
    [
        ("openai", "openai", chat),
        ("melious", "melious", chat),
        ("doubleword", "doubleword", chat),
        ("tensorzero", "tensorzero", chat),
        ("xai", "xai", chat),
        ("gemini", "gemini", chat),
        ("anthropic", "anthropic", params),
    ],
)
async def test_a_cancelled_job_keeps_finished_rows_and_can_be_retried(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", make)
    with sandbox(like, key=KEY, rows_per_second=1) as server:
        async with opened(provider, server.url) as engine:
            job_id = await submitted(engine, path)
            await seen(
                engine,
                lambda: engine.history.batches.of_job(job_id)[0].status is BatchStatus.IN_PROGRESS,
            )
            await engine.cancel(job_id)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.CANCELLED
            counts = job.counts
            assert counts.pending == counts.missing == 0
            assert counts.cancelled > 0
            assert counts.total == ROWS
            plan = await engine.retries.plan(job_id)
            assert plan.rows >= counts.cancelled
            with pytest.raises(UsageError):
                await engine.cancel(job_id)


async def test_cancel_without_support_is_an_error(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", own_models, 40)
    with sandbox("scaledown", key=KEY, rows_per_second=20) as server:
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
        ("xai", "xai", chat, True),
        ("gemini", "gemini", chat, False),
        ("fireworks", "fireworks", chat, True),
        ("anthropic", "anthropic", params, False),
        ("scaledown-2", "scaledown", own_models, False),
    ],
)
async def test_a_foreign_batch_is_adopted_with_its_rows(
    like: str, provider: str, make: Maker, has_input: bool, tmp_path: Path, opened: Opener
) -> None:
    rows = 40
    path = written(tmp_path / "rows.jsonl", make, rows)
    with sandbox(like, key=KEY) as server:
        async with opened(provider, server.url, home=tmp_path / "elsewhere") as other:
            made = await ended(other, await submitted(other, path))
            remote_id = other.history.batches.of_job(made.id)[0].remote_id
            assert remote_id is not None
        async with opened(provider, server.url) as engine:
            if like.startswith("scaledown"):
                with pytest.raises(UsageError, match="cannot list"):
                    await engine.remote.sync()
            else:
                (entry,) = await engine.remote.sync()
                assert (entry.remote.id, entry.job_id) == (remote_id, None)
            job = await engine.remote.adopt(remote_id)
            job = await ended(engine, job.id)
            assert job.counts == made.counts
            assert job.status is made.status
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            assert {line.custom_id for line in lines} == {f"row-{n}" for n in range(rows)}
            request = engine.history.rows.get(job.id, 0).request
            assert (b"Say number" in request) is has_input
            if not like.startswith("scaledown"):
                (entry,) = await engine.remote.sync()
                assert entry.job_id == job.id
            with pytest.raises(UsageError, match="already"):
                await engine.remote.adopt(remote_id)
            if has_input:
                plan = await engine.retries.plan(job.id)
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
        ("xai", "xai", chat, 1, 0),
        ("gemini", "gemini", contents, 1, 1),
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
                await engine.remote.delete(job_id, remote=True)
                assert engine.history.jobs.list() == []
            else:
                await engine.drain()
                assert "Deleted" in engine.history.jobs.timeline(job_id)[-1].what
            gone = {call.path for call in server.asked if call.method == "DELETE"}
            assert sum("/files/" in path for path in gone) == files
            assert sum("/batches/" in path for path in gone) == batches
            if batches:
                assert await engine.remote.sync() == []


@pytest.mark.parametrize("like", ["openai", "gemini"])
async def test_after_an_upload_that_was_answered_no_files_are_listed(
    like: str, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 20)
    with sandbox(like, key=KEY) as server:
        async with opened(like, server.url) as engine:
            await ended(engine, await submitted(engine, path))
            assert server.count("GET", "/files") == 0


@pytest.mark.parametrize("like", ["openai", "xai", "gemini"])
async def test_the_file_of_a_lost_upload_is_found_by_its_name_and_deleted(
    like: str, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 20)
    with sandbox(like, key=KEY) as server:
        async with opened(like, server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            (batch,) = engine.history.batches.of_job(job.id)
            dialect = await engine.accounts.dialect("there")
            spare = await dialect.upload(path, name=upload_name(batch))
            await dialect.upload(path, name="another.jsonl")
            named = await dialect.files_named(upload_name(batch), created_after=batch.created_at)
            assert named is not None
            assert set(named) == {spare, batch.input_file_id}
            assert await engine.remote.delete(job.id, remote=True) == []
            assert await dialect.files_named(upload_name(batch), created_after=0.0) == []
            assert await dialect.files_named("another.jsonl", created_after=0.0) != []


async def test_delete_without_support_is_an_error(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", own_models, 20)
    with sandbox("scaledown", key=KEY) as server:
        async with opened("scaledown", server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            with pytest.raises(UsageError, match="cannot delete"):
                await engine.remote.delete(job.id, remote=True)
            assert engine.history.jobs.get(job.id)


async def test_a_full_queue_delays_the_submit(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 60)
    with sandbox("openai", key=KEY, full=3) as server:
        async with opened("openai", server.url, limits={"rows": 20}) as engine:
            job = await engine.requests.import_file(path)
            with pytest.raises(QuotaError):
                await engine.submit(job.id)
        async with opened("openai", server.url, limits={"rows": 20}) as engine:
            first = engine.history.batches.of_job(job.id)[0]
            assert first.submission is Submission.WAITING
            assert first.status is BatchStatus.QUEUED
            assert "oken limit" in first.trouble
            engine.watch()
            if any(batch.is_unsent for batch in engine.history.batches.of_job(job.id)):
                await engine.submit(job.id, wait_if_busy=True)
            done = await ended(engine, job.id)
            assert done.counts.pending == 0
            assert done.counts.total == 60
            assert server.count("POST", CREATE) == 3
            assert server.count("POST", CREATE, good=False) == 3


@pytest.mark.parametrize(("like", "make"), [("xai", chat), ("gemini", chat), ("fireworks", chat)])
@pytest.mark.parametrize("step", ["upload", "create"])
async def test_a_lost_answer_makes_no_second_batch(
    like: str, make: Maker, step: str, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", make, 20)
    with sandbox(like, key=KEY, lose_answer=(f"{step}:1",)) as server:
        async with opened(like, server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            assert job.counts.pending == job.counts.missing == 0
            assert len(await engine.remote.sync()) == 1
            assert engine.history.batches.of_job(job.id)[0].creates == 1


async def test_a_gemini_batch_of_a_day_is_flagged(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 20)
    began = time.time() - 30 * 3600

    def long_ago() -> float:
        return began

    with sandbox("gemini", key=KEY, rows_per_second=1, clock=long_ago) as server:
        async with opened("gemini", server.url) as engine:
            job_id = await submitted(engine, path)
            await seen(engine, lambda: bool(engine.history.batches.of_job(job_id)[0].trouble))
            (batch,) = engine.history.batches.of_job(job_id)
            assert ", at 48 hours, it ends without any result" in batch.trouble
            assert batch.expires_at == pytest.approx(began + 48 * 3600, abs=2)
            assert "smaller parts" in engine.history.jobs.get(job_id).trouble
