"""A retry that the provider runs in its own batch runs no row again that was answered elsewhere."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.servers import Served, sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chat, file_of
from tui.core.jobs import Job
from tui.engine.engine import Engine


async def failed(engine: Engine, path: Path, rows: int) -> Job:
    """A job that has ended, all of whose rows failed and would succeed now."""
    requests = [chat(f"row-{n}", f"sandbox:flaky=500 {n}", max_tokens=20) for n in range(rows)]
    job = await engine.requests.import_file(file_of(path, *requests))
    await engine.submit(job.id)
    await engine.wait([job.id])
    assert engine.history.jobs.get(job.id).counts.failed == rows
    return job


async def answered_by_first(engine: Engine, job: Job) -> int | None:
    """How many rows the provider has answered in the first batch of a job."""
    first = engine.history.batches.of_job(job.id)[0]
    assert first.remote_id is not None
    dialect = await engine.accounts.dialect(job.account)
    return (await dialect.retrieve(first.remote_id)).counts.completed


def retries(server: Served) -> list[str]:
    return [one.path.rpartition("/")[2] for one in server.asked if "/retry" in one.path]


async def test_rows_that_were_answered_in_another_batch(opened: Opener, tmp_path: Path) -> None:
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            job = await failed(engine, tmp_path / "a.jsonl", 3)
            # Two of the three are sent in another batch, with more tokens.
            await engine.retry(await engine.retries.plan(job.id, [0, 1], {"max_tokens": 40}))
            await engine.wait([job.id])
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.succeeded == 3
            assert await answered_by_first(engine, job) == 1
            assert retries(server) == ["retry-requests"]


async def test_rows_that_run_in_another_batch(opened: Opener, tmp_path: Path) -> None:
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            job = await failed(engine, tmp_path / "a.jsonl", 3)
            await engine.retry(await engine.retries.plan(job.id, [0], {"max_tokens": 40}))
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.succeeded == 3
            assert await answered_by_first(engine, job) == 2


async def test_some_rows_in_place_and_then_the_others(opened: Opener, tmp_path: Path) -> None:
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            job = await failed(engine, tmp_path / "a.jsonl", 3)
            for rows in ([0], None):
                await engine.retry(await engine.retries.plan(job.id, rows))
                await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.succeeded == 3
            assert await answered_by_first(engine, job) == 3
            assert retries(server) == ["retry-requests", "retry"]


async def test_cancelled_rows_that_were_sent_one_by_one(opened: Opener, tmp_path: Path) -> None:
    """They have no line with an id, so the provider could only run all of them again."""
    with sandbox("doubleword", rows_per_second=0.01) as server:
        async with opened("doubleword", server.url) as engine:
            rows = [chat(f"row-{n}", f"hello {n}", max_tokens=20) for n in range(3)]
            job = await engine.requests.import_file(file_of(tmp_path / "a.jsonl", *rows))
            await engine.submit(job.id)
            await engine.cancel(job.id)
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.cancelled == 3
            await engine.retry(await engine.retries.plan(job.id, [0, 1], direct=True))
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.succeeded == 2
            await engine.retry(await engine.retries.plan(job.id))
            assert retries(server) == []
            newest = engine.history.batches.of_job(job.id)[-1]
            assert (newest.native_of, newest.rows) == (None, 1)


async def test_a_row_that_has_an_answer_is_sent_in_a_new_batch(
    opened: Opener, tmp_path: Path
) -> None:
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            row = chat("row-0", "sandbox:truncate hello", max_tokens=20)
            job = await engine.requests.import_file(file_of(tmp_path / "a.jsonl", row))
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.truncated == 1
            await engine.retry(await engine.retries.plan(job.id, [0]))
            await engine.wait([job.id])
            assert retries(server) == []
            assert len(engine.history.batches.of_job(job.id)) == 2
