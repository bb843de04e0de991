"""Watching never ends before the batch does."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from tests.engine.bench import Bench, adds_up, outcomes, until
from tests.fakes.loop import JumpingLoop, run
from tui.config.settings import Config, PollingConfig
from tui.core.jobs import BatchStatus, RemoteCounts, Submission
from tui.core.remote_batches import BatchIssue, FileVerdict, RemoteBatch
from tui.core.rows import Outcome
from tui.engine.events import BatchEnded, JobEvent, StatusChanged, StepFailed
from tui.engine.leases import LEASE_SECONDS
from tui.errors import (
    BatchdeckError,
    HistoryError,
    KeyRejectedError,
    ProviderError,
    QuotaError,
    RequestRejectedError,
    StandstillError,
    UnexpectedResponseError,
    UnreachableError,
)
from tui.processes import process_name


@pytest.mark.parametrize(
    "trouble",
    [
        UnreachableError("down"),
        ProviderError("x", status=500),
        UnexpectedResponseError("html", body="<html>"),
        RuntimeError("a bug"),
        sqlite3.OperationalError("locked"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_trouble_of_a_poll_never_ends_the_watching(tmp_path: Path, trouble: Exception) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("retrieve", *([trouble] * 12))
        async with bench.engine() as engine:
            job = await bench.done(engine)
            assert adds_up(engine, job.id).succeeded == 2
            assert job.trouble == ""
        told = [event for event in bench.events if isinstance(event, StepFailed)]
        assert len(told) == 12
        assert str(trouble) in told[0].message
        # The pauses grow, up to minutes.
        assert 300 < loop.time() < 3600

    run(test)


@pytest.mark.parametrize(
    "refusal",
    [
        RequestRejectedError("no", status=422),
        UnexpectedResponseError("no", status=200, body='{"error": "no"}'),
    ],
    ids=lambda error: type(error).__name__,
)
def test_waiting_ends_when_the_provider_goes_on_refusing(
    tmp_path: Path, refusal: ProviderError
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("retrieve", *([refusal] * 12))
        async with bench.engine() as engine:
            with pytest.raises(StandstillError, match="no"):
                await bench.done(engine)

    run(test)


def test_a_poll_that_is_called_off_is_not_repeated_at_once(tmp_path: Path) -> None:
    """A library that cancels what it should not would else ask without a pause."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        cancelled = asyncio.CancelledError()
        bench.provider.fault("retrieve", *([cancelled] * 3))  # type: ignore[list-item]
        async with bench.engine() as engine:
            job = await bench.done(engine)
            assert adds_up(engine, job.id).succeeded == 2
        assert bench.provider.calls["retrieve"] == 4
        assert loop.time() > 20

    run(test)


def slowed(tmp_path: Path, loop: JumpingLoop) -> tuple[Bench, list[float]]:
    """A provider that asks for 100 seconds of rest at the first poll; when the polls came."""
    bench = Bench(tmp_path, loop)
    bench.provider.fault("retrieve", ProviderError("slow", status=429, retry_after=100.0))
    polls: list[float] = []
    bench.provider.when_called["retrieve"] = lambda: polls.append(loop.time())
    return bench, polls


@pytest.mark.parametrize("time", range(5))
def test_retry_after_is_respected(tmp_path: Path, time: int) -> None:
    """Several times: the pauses have some chance in them."""

    async def test(loop: JumpingLoop) -> None:
        bench, polls = slowed(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine)
        assert polls[1] - polls[0] >= 100.0

    run(test)


def test_retry_after_outlives_being_woken(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench, polls = slowed(tmp_path, loop)
        async with bench.engine() as engine:
            job, _ = await bench.sent(engine)
            await until(lambda: polls)
            await asyncio.sleep(1)
            # As when another program has written, or another batch of the account has ended.
            engine._watcher.adopt(engine.history.batches.of_job(job.id))
            await engine.wait([job.id])
        assert polls[1] - polls[0] >= 90.0

    run(test)


def test_the_end_of_a_batch_makes_room_for_one_that_waits(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        creates: list[float] = []
        async with bench.engine() as engine:
            first, remote = await bench.sent(engine)
            bench.provider.fault("create", *[QuotaError("queue is full")] * 100)
            bench.provider.when_called["create"] = lambda: creates.append(loop.time())
            second = await bench.imported(engine, name="second")
            await engine.submit(second.id, wait_if_busy=True)
            # The longer it waits, the more seldom it tries.
            await until(lambda: len(creates) > 1 and creates[-1] - creates[-2] > 60)
            bench.provider.faults["create"].clear()
            bench.provider.run(remote)
            await until(lambda: engine.history.jobs.get(first.id).status is BatchStatus.COMPLETED)
            ended = loop.time()
            await until(lambda: len(bench.provider.batches) == 2)
            assert creates[-1] - ended < 5

    run(test)


def test_a_batch_that_another_program_went_on_with_is_taken_back_when_that_one_is_gone(
    tmp_path: Path,
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.fault("create", *[QuotaError("queue is full")] * 3)
        async with bench.engine() as engine, asyncio.timeout(7200):
            job = await bench.imported(engine)
            await engine.submit(job.id, wait_if_busy=True)
            await until(lambda: engine._watcher._held)
            other = process_name()
            with engine.history._database.write() as connection:
                connection.execute(
                    "UPDATE batches SET lease_owner=?, lease_until=?", (other, loop.clock() + 600)
                )
            stolen = loop.time()
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            assert loop.time() - stolen > LEASE_SECONDS

    run(test)


def test_a_clock_that_is_set_back_does_not_stop_the_polls(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        ahead = 86_400.0
        clock = loop.clock
        loop.clock = lambda: clock() + ahead  # type: ignore[method-assign]
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            await asyncio.sleep(30)
            ahead = 0.0
            bench.provider.run(bench.provider.only())
            began = loop.time()
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            assert loop.time() - began < 120

    run(test)


def test_a_refused_key_ends_the_waiting_and_not_the_watching(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            bench.provider.fault("retrieve", *([KeyRejectedError("no")] * 5))
            with pytest.raises(KeyRejectedError):
                await engine.wait([job.id])
            assert 3 <= bench.provider.calls["retrieve"] <= 4
            # With a new key the watching goes on.
            await until(lambda: engine.history.batches.of_job(job.id)[0].collected)
            assert adds_up(engine, job.id).succeeded == 2

    run(test)


def test_a_job_that_is_deleted_does_not_end_the_watching_of_others(tmp_path: Path) -> None:
    """Another program may delete it at any moment."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            jobs = [await bench.imported(engine) for _ in range(5)]
            for job in jobs:
                await engine.submit(job.id)
            await asyncio.sleep(5)
            for job in jobs[:3]:
                await asyncio.to_thread(engine.history.jobs.delete, job.id)
            await asyncio.sleep(60)
            bench.provider.ends_after = 0
            await engine.wait([job.id for job in jobs])
            assert adds_up(engine, jobs[4].id).succeeded == 2
            await asyncio.sleep(60)
            assert engine._watcher.watched() == set()

    run(test)


def test_a_job_that_is_deleted_while_it_is_polled(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            first, second = [await bench.imported(engine) for _ in range(2)]
            for job in (first, second):
                await engine.submit(job.id)

            def delete() -> None:
                del bench.provider.when_called["retrieve"]
                engine.history.jobs.delete(first.id)

            bench.provider.when_called["retrieve"] = delete
            await asyncio.sleep(30)
            bench.provider.ends_after = 0
            await engine.wait([second.id])
            assert adds_up(engine, second.id).succeeded == 2
            await asyncio.sleep(60)
            assert engine._watcher.watched() == set()

    run(test)


def test_a_history_that_is_locked_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            real = type(engine.history._database).write
            left = 20

            def broken(self: object, **options: bool) -> object:
                nonlocal left
                left -= 1
                if left > 0:
                    raise HistoryError("the history is full")
                return real(self, **options)  # type: ignore[arg-type]

            monkeypatch.setattr(type(engine.history._database), "write", broken)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2

    run(test)


def test_a_subscriber_that_fails_harms_nobody(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:

            def fail(event: JobEvent) -> None:
                raise RuntimeError(f"cannot draw {event}")

            engine.events.subscribe(fail)
            seen: list[JobEvent] = []
            engine.events.subscribe(seen.append)
            job = await bench.done(engine)
            assert adds_up(engine, job.id).succeeded == 2
            assert any(isinstance(event, BatchEnded) for event in seen)
            assert engine.history.batches.of_job(job.id)[0].trouble == ""

    run(test)


def test_a_batch_that_runs_past_its_window_says_so(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, there = await bench.sent(engine)
            there.expires_at = engine._context.clock() + 300
            engine.watch()
            await until(lambda: "its window ended" in engine.history.jobs.get(job.id).trouble)
            bench.provider.run(there)
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).trouble == ""

    run(test)


def test_a_status_that_nobody_knows_is_watched_on(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            remote.status = BatchStatus.UNKNOWN
            await asyncio.sleep(30)
            assert engine.history.jobs.get(job.id).status is BatchStatus.UNKNOWN
            bench.provider.run(remote)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2

    run(test)


def test_a_batch_that_becomes_active_again_before_it_is_collected(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            remote.status = BatchStatus.COMPLETED
            remote.counts = RemoteCounts(total=2, completed=2, failed=0)
            await asyncio.sleep(0.4)
            assert engine.history.jobs.get(job.id).status is BatchStatus.COMPLETED
            assert not engine.history.batches.of_job(job.id)[0].collected
            remote.status = BatchStatus.IN_PROGRESS
            await asyncio.sleep(10)
            assert engine.history.jobs.get(job.id).status is BatchStatus.IN_PROGRESS
            bench.provider.run(remote)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
        changed = [e.status for e in bench.events if isinstance(e, StatusChanged)]
        ended = [BatchStatus.COMPLETED, BatchStatus.IN_PROGRESS, BatchStatus.COMPLETED]
        assert changed[-3:] == ended

    run(test)


@pytest.mark.parametrize("errors_first", [True, False])
@pytest.mark.parametrize("status", [BatchStatus.COMPLETED, BatchStatus.CANCELLED])
def test_a_result_file_that_is_named_late(
    tmp_path: Path, errors_first: bool, status: BatchStatus
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "good", "fail", "good")
            bench.provider.run(remote)
            remote.status = status
            output, remote.output = remote.output, None
            errors = remote.errors
            if not errors_first:
                remote.errors = None
            await asyncio.sleep(0.7)
            assert not engine.history.batches.of_job(job.id)[0].collected
            remote.output, remote.errors = output, errors
            await engine.wait([job.id])
            good, bad = Outcome.SUCCEEDED, Outcome.FAILED
            assert outcomes(engine, job.id) == [good, bad, good]

    run(test)


def test_nothing_is_waited_for_where_no_row_was_run(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            remote.status = BatchStatus.EXPIRED
            remote.counts = RemoteCounts(total=2, completed=0, failed=0)
            before = bench.provider.calls["retrieve"]
            await engine.wait([job.id])
            assert adds_up(engine, job.id).expired == 2
            assert bench.provider.calls["retrieve"] - before == 1

    run(test)


def test_completed_with_nothing_finished_is_looked_at_again(tmp_path: Path) -> None:
    """The counts are of an earlier moment, and the result file is named later."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            bench.provider.run(remote)
            output, remote.output = remote.output, None
            counts, remote.counts = remote.counts, RemoteCounts(total=2, completed=0, failed=0)
            engine.watch()
            await until(lambda: bench.provider.calls["retrieve"] >= 2)
            assert adds_up(engine, job.id).missing == 0
            remote.output, remote.counts = output, counts
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2

    run(test)


def test_a_result_file_that_is_never_named(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            bench.provider.run(remote)
            output, remote.output = remote.output, None
            with pytest.raises(StandstillError, match="has not named a result file"):
                await engine.wait([job.id])
            assert adds_up(engine, job.id).pending == 2
            # Asked for by the user, it is looked at again.
            remote.output = output
            await engine.collect(job.id)
            assert adds_up(engine, job.id).succeeded == 2

    run(test)


def test_a_batch_that_failed_as_a_whole(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            remote.status = BatchStatus.FAILED
            remote.issues = (
                BatchIssue(code="invalid_json_line", message="Not JSON", line=2),
                BatchIssue(code="x", message="Another"),
            )
            await engine.wait([job.id])
            assert adds_up(engine, job.id).failed == 2
            (group,) = engine.history.rows.error_groups(job.id)
            assert (group.code, group.message) == (
                "invalid_json_line",
                "line 2: Not JSON; Another",
            )
            assert engine.history.jobs.get(job.id).status is BatchStatus.FAILED

    run(test)


def test_a_batch_that_failed_for_one_line_blames_that_row(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine, "a", "b", "c")
            remote.status = BatchStatus.FAILED
            remote.issues = (BatchIssue(code="model_mismatch", message="Other model", line=2),)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).failed == 3
            groups = {group.code: group for group in engine.history.rows.error_groups(job.id)}
            assert (groups["model_mismatch"].count, groups["model_mismatch"].retryable) == (
                1,
                False,
            )
            assert groups["model_mismatch"].example_custom_id == "r1"
            assert (groups["batch_failed"].count, groups["batch_failed"].retryable) == (2, True)
            assert "line 2: Other model" in groups["batch_failed"].message
            plan = await engine.retries.plan(job.id)
            assert (plan.rows, plan.permanent) == (2, 1), "the good rows can go out alone"

    run(test)


def test_a_404_right_after_the_create_is_no_trouble(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        not_yet = RequestRejectedError("not found", status=404)
        bench.provider.fault("retrieve", not_yet, not_yet)
        async with bench.engine() as engine:
            job = await bench.done(engine)
            assert adds_up(engine, job.id).succeeded == 2
        assert not [event for event in bench.events if isinstance(event, StepFailed)]

    run(test)


def test_a_404_later_says_how_to_end_it(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            await engine.submit(job.id)
            await asyncio.sleep(600)
            bench.provider.batches.clear()
            await until(lambda: any(isinstance(e, StepFailed) for e in bench.events))
            (told, *_) = [e for e in bench.events if isinstance(e, StepFailed)]
            assert f"batchdeck cancel {job.id}" in told.hint
            await engine.cancel(job.id)
            assert adds_up(engine, job.id).missing == 2

    run(test)


def test_a_batch_that_failed_for_a_full_queue_is_sent_again(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, remote = await bench.sent(engine)
            remote.status = BatchStatus.FAILED
            remote.issues = (BatchIssue(code="token_limit_exceeded", message="Enqueued"),)
            waited = asyncio.create_task(engine.wait([job.id]))
            waiting = Submission.WAITING
            await until(lambda: engine.history.batches.of_job(job.id)[0].submission is waiting)
            assert engine.history.batches.of_job(job.id)[0].remote_id is None
            assert adds_up(engine, job.id).pending == 2
            bench.provider.ends_after = 1
            await waited
            assert adds_up(engine, job.id).succeeded == 2
        assert len(bench.provider.batches) == 2

    run(test)


def test_a_list_is_asked_in_place_of_many_batches(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            jobs = [await bench.imported(engine) for _ in range(6)]
            for job in jobs:
                await engine.submit(job.id)
            await asyncio.sleep(20)
            bench.provider.calls.clear()
            for remote in bench.provider.batches.values():
                bench.provider.run(remote)
            await engine.wait([job.id for job in jobs])
            assert all(adds_up(engine, job.id).succeeded == 2 for job in jobs)
            assert bench.provider.calls["list"] >= 1
            # Each end is confirmed by asking for the batch itself.
            assert bench.provider.calls["retrieve"] <= 2 * 6

    run(test)


def test_a_list_that_fails_leaves_the_single_calls(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        for number, trouble in enumerate((UnreachableError("down"), RuntimeError("a bug"))):
            folder = tmp_path / str(number)
            folder.mkdir()
            bench = Bench(folder, loop)
            async with bench.engine() as engine:
                jobs = [await bench.imported(engine) for _ in range(6)]
                bench.provider.fault("list", *([trouble] * 3))
                for job in jobs:
                    await engine.submit(job.id)
                await engine.wait([job.id for job in jobs])
                assert all(adds_up(engine, job.id).succeeded == 2 for job in jobs)

    run(test)


def test_nothing_runs_when_nothing_is_to_be_watched(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(watch=True) as engine:
            await bench.done(engine)
            bench.provider.calls.clear()
            await asyncio.sleep(300)
            assert not bench.provider.calls
            assert engine._watcher.watched() == set()

    run(test)


def test_two_engines_share_the_work(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = 3
        async with bench.engine(watch=True) as one, bench.engine(watch=True) as two:
            job = await bench.imported(one)
            await one.submit(job.id)
            await asyncio.gather(one.wait([job.id]), two.wait([job.id]))
            assert adds_up(two, job.id).succeeded == 2
        assert bench.provider.calls["retrieve"] == 3
        assert bench.provider.calls["download"] == 1

    run(test)


def test_the_work_of_an_engine_that_is_gone_is_taken_over(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        one = await bench.open(watch=True)
        job = await bench.imported(one)
        await one.submit(job.id)
        await asyncio.sleep(5)
        async with bench.engine(watch=True) as two:
            await asyncio.sleep(5)
            # It stops without a word, as a program that is stopped in a debugger does.
            stopped = [one._leases._renewer, one._observer, *one._watcher._tasks.values()]
            for task in stopped:
                assert task is not None
                task.cancel()
            bench.provider.run(bench.provider.only())
            began = loop.time()
            await two.wait([job.id])
            assert adds_up(two, job.id).succeeded == 2
            assert loop.time() - began < 60
        await one.close()
        assert bench.provider.calls["download"] == 1

    run(test)


def test_a_long_download_does_not_hold_up_other_batches(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        go_on = asyncio.Event()
        async with bench.engine() as engine:
            first = await bench.imported(engine)
            await engine.submit(first.id)
            original = engine._collector.fetch

            async def slow(*arguments: object) -> tuple[FileVerdict, ...]:
                if arguments[1].job_id == first.id:  # type: ignore[attr-defined]
                    await go_on.wait()
                return await original(*arguments)  # type: ignore[arg-type]

            engine._collector.fetch = slow  # type: ignore[method-assign]
            await asyncio.sleep(5)
            second = await bench.imported(engine)
            await engine.submit(second.id)
            await engine.wait([second.id])
            assert adds_up(engine, second.id).succeeded == 2
            assert adds_up(engine, first.id).pending == 2
            go_on.set()
            await engine.wait([first.id])

    run(test)


def test_waiting_ends_when_the_batches_are_uncertain_or_drafts(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine)
            bench.provider.fault("upload", RequestRejectedError("bad", status=400))
            with pytest.raises(BatchdeckError):
                await engine.submit(job.id)
            await engine.wait([job.id])
            assert loop.time() < 5

    run(test)


@pytest.mark.parametrize(
    ("fastest", "slowest", "least", "most"), [(40.0, None, 36, 400), (None, 2.0, 0, 8)]
)
def test_the_settings_bound_the_pauses(
    tmp_path: Path, fastest: float | None, slowest: float | None, least: float, most: float
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        config = Config(polling=PollingConfig(fastest=fastest, slowest=slowest))
        async with bench.engine(config) as engine:
            job = await bench.done(engine)
            (batch,) = engine.history.batches.of_job(job.id)
            profile = engine.accounts.profile(job.account).poll
            poller = engine._watcher._poller
            young = poller.min_poll_seconds(batch)
            assert young >= max(profile.min_seconds, fastest or 0)
            remote = RemoteBatch(id="b", status=BatchStatus.IN_PROGRESS, raw_status="x")
            old = msgspec.structs.replace(batch, submitted_at=loop.clock() - 86_400)
            assert least <= poller._pause(old, remote) <= max(most, profile.min_seconds * 1.1)

    run(test)
