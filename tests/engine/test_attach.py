"""A person says which batch of the provider an uncertain one became."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.bench import Bench, adds_up
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import Lost
from tui.config.settings import Config
from tui.core.jobs import Submission
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, ResponseLostError, UsageError
from tui.providers.dialect import Capabilities


async def uncertain(bench: Bench, engine: Engine, *texts: str) -> str:
    """A job whose create was answered into the void, at a provider without a list."""
    bench.provider.fault("create", Lost())
    job = await bench.imported(engine, *texts)
    with pytest.raises(BatchdeckError, match="may or may not"):
        await engine.submit(job.id)
    assert engine.history.batches.of_job(job.id)[0].submission is Submission.UNCERTAIN
    return job.id


def test_it_is_watched_and_collected_and_nothing_is_sent_again(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(lists=False))
        async with bench.engine() as engine:
            job_id = await uncertain(bench, engine)
            await engine.remote.attach(job_id, bench.provider.only().id)
            await engine.wait([job_id])
            assert adds_up(engine, job_id).succeeded == 2
        assert bench.provider.calls["create"] == 1

    run(test)


def test_another_batch_is_not_taken_for_it(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(lists=False))
        async with bench.engine() as engine:
            done = await bench.done(engine, "a")
            (known,) = engine.history.batches.of_job(done.id)
            job_id = await uncertain(bench, engine, "a", "b")
            with pytest.raises(UsageError, match="belongs to job"):
                await engine.remote.attach(job_id, known.remote_id or "")
            other = next(b for b in bench.provider.batches.values() if b.id != known.remote_id)
            other.lines = other.lines[:1]
            with pytest.raises(UsageError, match="has 1 rows"):
                await engine.remote.attach(job_id, other.id)
            with pytest.raises(BatchdeckError):
                await engine.remote.attach(job_id, "no such batch")
            with pytest.raises(UsageError, match="no batch of this job is uncertain"):
                await engine.remote.attach(done.id, other.id)

    run(test)


@pytest.mark.parametrize("uploads", [True, False])
def test_a_batch_of_other_rows_is_not_taken_for_it(tmp_path: Path, uploads: bool) -> None:
    """It has the same number of rows; another program made it with the same key."""

    async def test(loop: JumpingLoop) -> None:
        can = Capabilities(lists=False, metadata=False, uploads=uploads)
        bench = Bench(tmp_path, loop, can)
        async with bench.engine() as engine:
            job_id = await uncertain(bench, engine, "a", "b")
            mine = bench.provider.only()
            bench.provider.ends_after = None
            own, theirs = b'"custom_id": "', b'"custom_id": "their-'
            lines = [line.replace(own, theirs) for line in mine.lines]
            assert lines != mine.lines
            file = "their-file" if uploads else mine.file_id
            other = replace(mine, id="theirs", intent=None, file_id=file, lines=lines)
            bench.provider.batches[other.id] = other
            if uploads:
                with pytest.raises(UsageError, match="made from another file"):
                    await engine.remote.attach(job_id, other.id)
            bench.provider.run(other)
            with pytest.raises(UsageError, match="answers to other rows"):
                await engine.remote.attach(job_id, other.id)
            bench.provider.run(mine)
            await engine.remote.attach(job_id, mine.id)
            await engine.wait([job_id])
            assert adds_up(engine, job_id).succeeded == 2

    run(test)


def test_of_two_uncertain_parts_it_is_the_one_whose_rows_it_has(tmp_path: Path) -> None:
    """The first was never made; what the provider has is the second."""

    async def test(loop: JumpingLoop) -> None:
        can = Capabilities(lists=False, metadata=False, uploads=False)
        bench = Bench(tmp_path, loop, can)
        config = Config(providers={"sandbox": {"limits": {"rows": 2}}})
        async with bench.engine(config) as engine:
            bench.provider.fault("create", ResponseLostError("lost"), Lost())
            bench.provider.ends_after = None
            job = await bench.imported(engine, "a", "b", "c", "d")
            for _ in range(2):
                with suppress(BatchdeckError):
                    await engine.submit(job.id, wait_if_busy=True)
            parts = engine.history.batches.of_job(job.id)
            assert [part.submission for part in parts] == [Submission.UNCERTAIN] * 2
            there = bench.provider.only()
            with pytest.raises(UsageError, match="2 batches of this job may be"):
                await engine.remote.attach(job.id, there.id)
            bench.provider.run(there)
            await engine.remote.attach(job.id, there.id)
            parts = engine.history.batches.of_job(job.id)
            assert [part.remote_id for part in parts] == [None, there.id]

    run(test)


def test_a_job_that_is_the_only_trace_is_not_deleted_without_a_word(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(lists=False))
        async with bench.engine() as engine:
            job_id = await uncertain(bench, engine)
            [loss] = engine.remote.losses(job_id)
            assert "may be running at" in loss and "only trace" in loss
            with pytest.raises(UsageError, match="may be running") as caught:
                await engine.remote.delete(job_id)
            assert "--forget" in caught.value.hint
            assert engine.history.jobs.get(job_id)
            await engine.remote.delete(job_id, forget=True)
            assert engine.history.jobs.list() == []

    run(test)
