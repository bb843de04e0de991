from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.engine.bench import Bench, adds_up, outcomes, until
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import Lost
from tui.config.settings import Config
from tui.core.jobs import BatchStatus, RemoteCounts, Submission
from tui.core.remote_batches import RemoteBatch
from tui.core.rows import Outcome
from tui.engine.engine import Engine
from tui.errors import (
    BatchdeckError,
    RequestRejectedError,
    StandstillError,
    UnconfirmedError,
    UnreachableError,
    UsageError,
)
from tui.providers.dialect import Capabilities


def test_rows_that_are_done_stay(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b", "c")
            bench.provider.run(remote)
            output = remote.output or b""
            remote.output = output.split(b"\n")[0] + b"\n"
            remote.counts = RemoteCounts(total=3, completed=1, failed=0)
            remote.status = BatchStatus.IN_PROGRESS
            job = await engine.cancel(job.id)
            assert job.status in (BatchStatus.CANCELLING, BatchStatus.CANCELLED)
            await engine.wait([job.id])
            gone = Outcome.CANCELLED
            assert outcomes(engine, job.id) == [Outcome.SUCCEEDED, gone, gone]
            assert engine.history.jobs.get(job.id).status is BatchStatus.CANCELLED
            plan = await engine.retries.plan(job.id)
            assert list(plan.seqs) == [1, 2]
            with pytest.raises(UsageError, match="this job is not running"):
                await engine.cancel(job.id)
        assert bench.provider.calls["cancel"] == 1

    run(test)


def test_a_batch_that_has_ended_is_not_asked_to(tmp_path: Path) -> None:
    """Doubleword would turn it into a cancelled one."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            bench.provider.run(bench.provider.only())
            await engine.cancel(job.id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
        assert bench.provider.calls["cancel"] == 0

    run(test)


def test_a_provider_that_cannot_cancel(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(cancels=False))
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            with pytest.raises(UsageError, match="cannot cancel"):
                await engine.cancel(job.id)

    run(test)


def test_a_cancel_that_does_not_get_through_changes_nothing(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            bench.provider.fault("cancel", UnreachableError("down"))
            with pytest.raises(UnreachableError):
                await engine.cancel(job.id)
            assert engine.history.jobs.get(job.id).status is BatchStatus.IN_PROGRESS
            await engine.cancel(job.id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).cancelled == 2

    run(test)


def test_a_job_that_was_never_sent(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(UsageError):
                await engine.cancel(job.id)
            bench.provider.fault("upload", UnreachableError("down"))
            with pytest.raises(UnreachableError):
                await engine.submit(job.id)
            job = await engine.cancel(job.id)
            assert job.status is BatchStatus.CANCELLED
            assert adds_up(engine, job.id).cancelled == 2
            with pytest.raises(UsageError):
                await engine.submit(job.id)
        assert not bench.provider.batches

    run(test)


@pytest.mark.parametrize("from_another", [False, True], ids=["same engine", "another engine"])
def test_a_cancel_during_the_upload_creates_nothing(tmp_path: Path, from_another: bool) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine, bench.engine() as other:
            job = await bench.imported(engine)
            uploading, go_on = asyncio.Event(), asyncio.Event()
            upload = bench.dialect.upload

            async def slow(path: Path, *, name: str, progress: object = None) -> str:
                uploading.set()
                await go_on.wait()
                return await upload(path, name=name)

            bench.dialect.upload = slow  # type: ignore[method-assign,assignment]
            sending = asyncio.create_task(engine.submit(job.id))
            await uploading.wait()
            await (other if from_another else engine).cancel(job.id)
            go_on.set()
            with pytest.raises(BatchdeckError, match="cancelled"):
                await sending
            await engine.wait([job.id])
            assert adds_up(engine, job.id).cancelled == 2
            assert engine.history.jobs.get(job.id).status is BatchStatus.CANCELLED
        assert not bench.provider.batches

    run(test)


def test_a_cancel_during_the_create_reaches_the_provider(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            creating, go_on = asyncio.Event(), asyncio.Event()
            create = bench.dialect.create

            async def slow(draft: object, *, progress: object = None) -> object:
                creating.set()
                await go_on.wait()
                return await create(draft)  # type: ignore[arg-type]

            bench.dialect.create = slow  # type: ignore[method-assign,assignment]
            sending = asyncio.create_task(engine.submit(job.id))
            await creating.wait()
            cancelling = asyncio.create_task(engine.cancel(job.id))
            await asyncio.sleep(1)
            go_on.set()
            await sending
            await cancelling
            await engine.wait([job.id])
            assert bench.provider.only().status is BatchStatus.CANCELLED
            assert adds_up(engine, job.id).cancelled == 2

    run(test)


def test_a_cancel_of_an_unconfirmed_batch_is_noted(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(lists=False))
        bench.provider.ends_after = None
        bench.provider.fault("create", Lost())
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(BatchdeckError):
                await engine.submit(job.id)
            with pytest.raises(UnconfirmedError, match="may or may not"):
                await engine.cancel(job.id)
            (batch,) = engine.history.batches.of_job(job.id)
            assert batch.submission is Submission.UNCERTAIN
            assert batch.cancel_wanted_at is not None
            # As soon as somebody knows which batch it is, it is cancelled.
            await engine.remote.attach(job.id, bench.provider.only().id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).cancelled == 2

    run(test)


def test_a_batch_that_the_provider_does_not_know_any_more(tmp_path: Path) -> None:
    """Right after the create that proves nothing; the cancel is noted, and carried out later."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            bench.provider.batches.clear()
            # Right after the create a provider may not know it yet.
            with pytest.raises(RequestRejectedError):
                await engine.cancel(job.id)
            assert not engine.history.batches.of_job(job.id)[0].collected
            await asyncio.sleep(1000)
            assert adds_up(engine, job.id).missing == 2
            assert engine.history.batches.of_job(job.id)[0].collected
            await engine.wait([job.id])
            await engine.remote.delete(job.id)

    run(test)


def test_a_waiting_batch_is_cancelled_here(tmp_path: Path) -> None:
    from tui.errors import QuotaError

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("create", *[QuotaError("full")] * 50)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            with pytest.raises(QuotaError):
                await engine.submit(job.id)
            await engine.cancel(job.id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).cancelled == 2
            calls = bench.provider.calls["create"]
            await asyncio.sleep(2000)
            assert bench.provider.calls["create"] == calls

    run(test)


class _Dead(BaseException):
    """The program is gone at this step."""


def _die_at(engine: Engine, step: str) -> None:
    def reach(passed: str) -> None:
        if passed == step:

            def dead(**_: bool) -> Any:
                raise _Dead("it writes no more")

            engine.history._database.write = dead  # type: ignore[method-assign,assignment]
            raise _Dead(step)

    engine._context.reach = reach  # type: ignore[method-assign]


@pytest.mark.parametrize("step", ["cancel noted", "cancelling", "cancel answered"])
def test_a_cancel_that_a_person_asked_for_outlives_a_crash(tmp_path: Path, step: str) -> None:
    """All parts of a job are stopped, though the program died at the first."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        config = Config(providers={"sandbox": {"limits": {"rows": 1}}})
        engine = await bench.open(config)
        job = await bench.imported(engine, "a", "b", "c")
        await engine.submit(job.id)
        _die_at(engine, step)
        with pytest.raises(_Dead):
            await engine.cancel(job.id)
        with contextlib.suppress(_Dead):
            await engine.close()
        async with bench.engine(config) as again:
            await again.wait([job.id])
            assert adds_up(again, job.id).cancelled == 3
        for remote in bench.provider.batches.values():
            assert remote.status is BatchStatus.CANCELLED

    run(test)


def test_a_cancel_outlives_a_crash_in_the_middle_of_a_create(tmp_path: Path) -> None:
    """What is found out to be absent is not created after all."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        engine = await bench.open()
        job = await bench.imported(engine)
        _die_at(engine, "creating")
        with pytest.raises(_Dead):
            await engine.submit(job.id)
        with contextlib.suppress(_Dead):
            await engine.close()
        async with bench.engine() as second:
            (batch,) = second.history.batches.of_job(job.id)
            second.history.batches.request_cancel([batch.id], loop.clock())
        async with bench.engine() as again:
            await again.wait([job.id])
            assert adds_up(again, job.id).cancelled == 2
        assert not bench.provider.batches

    run(test)


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (UnreachableError("down"), BatchStatus.CANCELLED),
        (RequestRejectedError("not in this status", status=400), BatchStatus.IN_PROGRESS),
    ],
    ids=["unreachable", "refused"],
)
def test_a_cancel_is_asked_for_again_until_the_provider_answers(
    tmp_path: Path, error: BatchdeckError, ends: BatchStatus
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine(watch=True) as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            bench.provider.fault("cancel", error)
            with pytest.raises(type(error)):
                await engine.cancel(job.id)
            await asyncio.sleep(2000)
            assert engine.history.jobs.get(job.id).status is ends
            assert bench.provider.calls["cancel"] == (1 if ends is BatchStatus.IN_PROGRESS else 2)

    run(test)


def test_an_answer_that_is_older_than_the_cancel_does_not_undo_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            remote.counts = RemoteCounts(total=2, completed=0, failed=0)
            retrieve = bench.dialect.retrieve
            seen: list[BatchStatus] = []

            async def slowly(batch_id: str) -> RemoteBatch:
                answer = await retrieve(batch_id)
                monkeypatch.undo()
                # A person cancels while the answer of a poll is on its way.
                seen.append((await engine.cancel(job.id)).status)
                engine.events.subscribe(
                    lambda _: seen.append(engine.history.jobs.get(job.id).status)
                )
                return answer

            monkeypatch.setattr(bench.dialect, "retrieve", slowly)
            await engine.wait([job.id])
            assert seen[0] is BatchStatus.CANCELLING
            assert BatchStatus.IN_PROGRESS not in seen
            assert engine.history.jobs.get(job.id).status is BatchStatus.CANCELLED

    run(test)


def test_waiting_ends_where_a_cancel_never_does(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(watch=True) as engine:
            job, _ = await bench.sent(engine, "hello", "world")
            bench.provider.touch = lambda batch: None  # type: ignore[method-assign]
            await engine.cancel(job.id)
            began = loop.time()
            with pytest.raises(StandstillError, match="has said cancelling for 1 h") as caught:
                await engine.wait([job.id])
            assert 3600 < loop.time() - began < 7200
            assert job.id in caught.value.hint
            del bench.provider.touch
            await until(lambda: engine.history.jobs.get(job.id).status is BatchStatus.CANCELLED)
            await engine.wait([job.id])

    run(test)
