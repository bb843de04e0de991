"""Deadlines: what is done is kept, the rest is sent one by one, once, whatever happens.

The books of the provider in memory show every row that was ever sent, and how often.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from tests.engine.bench import Bench, adds_up, outcomes, request, timeline, until
from tests.engine.programs import Programs, kill_at
from tests.fakes.loop import BEGIN, JumpingLoop, run
from tests.fakes.provider import FakeBatch, answered
from tui.config.settings import BudgetConfig, Config, PriceConfig
from tui.core.jobs import BatchStatus, DeadlinePhase, Job
from tui.core.rows import Outcome, RowError
from tui.engine.batches.cancel import finish_cancel
from tui.engine.engine import Engine
from tui.engine.events import DeadlineMoved
from tui.errors import (
    BatchdeckError,
    BudgetError,
    RequestRejectedError,
    UnreachableError,
    UsageError,
)
from tui.providers.dialect import Capabilities

HOUR = 3600.0
CONFIG = Config(default_account="openai")


async def half_done(bench: Bench, engine: Engine, *texts: str) -> tuple[Job, FakeBatch]:
    """A job with a deadline in an hour, of which two rows are answered and the others run."""
    bench.loop.allow(1e6)
    bench.provider.ends_after = None
    bench.provider.when_called["cancel"] = lambda: setattr(bench.provider, "ends_after", 1)
    job = await bench.imported(engine, *(texts or ("a", "b", "c", "d")))
    await engine.deadlines.set(
        job.id, await engine.deadlines.plan_for(job.id, bench.loop.clock() + HOUR)
    )
    await engine.submit(job.id)
    batch = bench.provider.only()
    bench.provider.advance(batch, 2)
    return job, batch


def phase(engine: Engine, job_id: str) -> DeadlinePhase | None:
    deadline = engine.history.jobs.get(job_id).deadline
    return None if deadline is None else deadline.phase


def paid_once(bench: Bench, ids: str = "0123") -> None:
    assert bench.provider.seen == {f"r{number}": 1 for number in ids}


def test_what_is_done_is_kept_and_the_rest_is_sent_one_by_one(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job, first = await half_done(bench, engine)
            began = loop.time()
            assert phase(engine, job.id) is DeadlinePhase.SET
            await engine.wait([job.id])
            assert HOUR <= loop.time() - began < HOUR + 400
            assert adds_up(engine, job.id).succeeded == 4
            assert phase(engine, job.id) is DeadlinePhase.SENT
            batches = engine.history.batches.of_job(job.id)
            assert [(b.account, b.rows) for b in batches] == [("openai", 4), ("openai+direct", 2)]
            assert bench.provider.calls["single"] == 2
            paid_once(bench)
            told = [event.what for event in bench.events if isinstance(event, DeadlineMoved)]
            assert told == [w for w in timeline(engine, job.id) if w.startswith("Deadline")][1:]
            assert told[-1] == "Deadline: 2 rows without an answer sent one by one"
            assert first.status == "cancelled"

    run(test)


STEPS = [
    "deadline cut", "cancel noted", "cancelling", "cancel answered", "downloaded", "collected",
    "settled", "deadline planned", "deadline stored", "reserved", "confirmed", "creating",
    "create answered", "running", "deadline sent", "row written",
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_next_program_goes_on(step: str, tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        programs = Programs(loop)
        bench = Bench(tmp_path, loop)
        died = asyncio.Event()
        opened: list[tuple[Engine, Job]] = []

        async def die() -> None:
            first = await bench.open(CONFIG)
            job, _ = await half_done(bench, first)
            opened.append((first, job))
            # Each step from here on belongs to the deadline.
            kill_at(first, step, died.set)
            await first.wait([job.id])

        running = programs.context(0).run(loop.create_task, die())
        async with asyncio.timeout(2 * HOUR):
            await died.wait()
        ((first, job),) = opened
        await programs.kill(0, first)
        await asyncio.gather(running, return_exceptions=True)
        async with bench.engine(CONFIG) as second:
            await second.wait([job.id])
            assert adds_up(second, job.id).succeeded == 4
            assert phase(second, job.id) is DeadlinePhase.SENT
        paid_once(bench)
        assert len(bench.provider.batches) == 1

    run(test)


def test_of_two_programs_one_takes_each_step(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG, watch=True) as one, bench.engine(CONFIG, watch=True) as two:
            job, _ = await half_done(bench, one)
            await asyncio.gather(one.wait([job.id]), two.wait([job.id]))
            assert adds_up(two, job.id).succeeded == 4
            # One notes what it has sent, while the other already sees that all rows are answered.
            await until(lambda: phase(one, job.id) is phase(two, job.id) is DeadlinePhase.SENT)
        paid_once(bench)
        assert len(bench.provider.batches) == 1

    run(test)


def test_nothing_is_sent_while_the_provider_cannot_be_reached(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job, batch = await half_done(bench, engine)
            down = [UnreachableError("down")] * 200
            bench.provider.fault("cancel", *down)
            bench.provider.fault("retrieve", *down)
            waiting = asyncio.ensure_future(engine.wait([job.id]))
            await until(lambda: phase(engine, job.id) is DeadlinePhase.CUT)
            await asyncio.sleep(150)
            assert phase(engine, job.id) is DeadlinePhase.CUT
            assert bench.provider.only() is batch
            bench.provider.faults.clear()
            await waiting
            assert adds_up(engine, job.id).succeeded == 4
        paid_once(bench)

    run(test)


def test_a_batch_that_ends_although_it_is_cancelled_leaves_nothing_to_send(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job, batch = await half_done(bench, engine)
            bench.provider.when_called["cancel"] = lambda: bench.provider.run(batch)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 4
            assert phase(engine, job.id) is DeadlinePhase.MET
            paid_once(bench)

    run(test)


def test_a_provider_that_refuses_to_cancel_is_waited_for(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job, batch = await half_done(bench, engine, "a", "b", "c", "flaky")
            bench.provider.when_called.clear()
            bench.provider.fault("cancel", *[RequestRejectedError("too late", status=409)] * 9)
            waiting = asyncio.ensure_future(engine.wait([job.id]))
            await until(lambda: bench.provider.calls["cancel"])
            await asyncio.sleep(100)
            assert bench.provider.calls["cancel"] == 1
            assert phase(engine, job.id) is DeadlinePhase.CUT
            bench.provider.run(batch)
            bench.provider.ends_after = 1
            await waiting
            assert adds_up(engine, job.id).succeeded == 4
            assert dict(bench.provider.seen) == {"r0": 1, "r1": 1, "r2": 1, "r3": 2}

    run(test)


@pytest.mark.parametrize("hours", [-30.0, 30.0])
def test_a_clock_that_is_set_sends_nothing_twice(hours: float, tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG, watch=True) as engine:
            job, _ = await half_done(bench, engine)
            engine._context.clock = lambda: loop.clock() + hours * HOUR
            if hours < 0:
                await asyncio.sleep(2 * HOUR)
                assert phase(engine, job.id) is DeadlinePhase.SET
                engine._context.clock = loop.clock
            await until(lambda: phase(engine, job.id) is not DeadlinePhase.SET, step=1.0)
            # And back in the middle of it.
            engine._context.clock = lambda: loop.clock() - hours * HOUR
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 4
            await asyncio.sleep(HOUR)
            # It reaches the deadline a second time.
            behind = loop.clock() - BEGIN - HOUR / 2
            engine._context.clock = lambda: loop.clock() - behind
            await asyncio.sleep(HOUR)
        paid_once(bench)
        assert len(bench.provider.batches) == 1

    run(test)


def test_a_program_that_starts_after_the_deadline_acts_on_it(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job, _ = await half_done(bench, engine)
        await asyncio.sleep(5 * HOUR)
        async with bench.engine(CONFIG, watch=True) as engine:
            await until(lambda: phase(engine, job.id) is DeadlinePhase.SENT)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 4
        paid_once(bench)

    run(test)


def test_a_job_that_ended_before_its_deadline_is_left_as_it_is(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG, watch=True) as engine:
            job, batch = await half_done(bench, engine, "a", "b", "flaky", "d")
            bench.provider.run(batch)
            await engine.wait([job.id])
            await asyncio.sleep(2 * HOUR)
            assert phase(engine, job.id) is DeadlinePhase.MET
            assert adds_up(engine, job.id).failed == 1
        paid_once(bench)

    run(test)


def test_a_cancelled_job_sends_nothing_more(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG, watch=True) as engine:
            job, _ = await half_done(bench, engine)
            bench.provider.when_called.clear()
            bench.provider.fault("cancel", *[UnreachableError("down")] * 3)
            await until(lambda: phase(engine, job.id) is DeadlinePhase.CUT)
            with pytest.raises(BatchdeckError):
                await engine.cancel(job.id)
            assert phase(engine, job.id) is None
            await engine.wait([job.id])
            await asyncio.sleep(2 * HOUR)
            counts = adds_up(engine, job.id)
            assert (counts.succeeded, counts.cancelled) == (2, 2)
            assert any("Deadline removed" in what for what in timeline(engine, job.id))
        paid_once(bench, "01")

    run(test)


def test_a_deadline_can_be_moved_and_removed(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG, watch=True) as engine:
            job, _ = await half_done(bench, engine)
            later = await engine.deadlines.plan_for(job.id, loop.clock() + 3 * HOUR)
            assert await engine.deadlines.set(job.id, later)
            assert not await engine.deadlines.set(job.id, later)
            await asyncio.sleep(2 * HOUR)
            assert phase(engine, job.id) is DeadlinePhase.SET
            assert await engine.deadlines.set(job.id, None)
            await asyncio.sleep(4 * HOUR)
            assert len(bench.provider.batches) == 1 and not bench.provider.calls["cancel"]

    run(test)


def test_rows_that_may_have_been_paid_are_left_to_the_user(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job, batch = await half_done(bench, engine)
            # The answer to one row was lost when it was sent one by one.
            lost = RowError(code="no_answer", message="connection lost", retryable=True)
            ours = engine.history.batches.of_job(job.id)[0]

            def end(request: bytes, before: int) -> bytes:
                line = answered(request, before)
                if b'"r3"' in line:
                    error = msgspec.json.encode({"code": lost.code, "message": lost.message})
                    return b'{"custom_id": "r3", "response": null, "error": ' + error + b"}"
                return line

            bench.provider.answer = end
            bench.provider.advance(batch, 2)
            bench.provider.when_called["cancel"] = lambda: setattr(bench.provider, "ends_after", 1)
            await engine.wait([job.id])
            assert ours.rows == 4
            assert outcomes(engine, job.id)[3] is Outcome.FAILED
            assert phase(engine, job.id) is DeadlinePhase.MET
        paid_once(bench)

    run(test)


@pytest.mark.parametrize("seconds", [-100.0, 100.0])
def test_a_cancel_that_waits_gives_up_no_answers_of_a_batch_that_ends(
    seconds: float, tmp_path: Path
) -> None:
    """Only one that is asked for after the end says that late answers are not wanted."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job, remote = await half_done(bench, engine)
            # Nobody else asks for the batch meanwhile.
            await engine._watcher.close()
            await engine.deadlines.close()
            # All rows are answered, and no file is there yet.
            bench.provider.advance(remote, 2)
            remote.status, remote.output = BatchStatus.COMPLETED, None
            (batch,) = engine.history.batches.of_job(job.id)
            now = loop.clock()
            changes = {"status": BatchStatus.COMPLETED, "trouble": "late", "progressed_at": now}
            await engine._context.update(batch.id, {**changes, "cancel_wanted_at": now + seconds})
            batch = engine.history.batches.get(batch.id)
            await finish_cancel(engine._context, engine._submitter, batch)
            batch = engine.history.batches.get(batch.id)
            assert batch.cancel_wanted_at is None
            assert batch.collected == (seconds > 0)

    run(test)


PRICED = Config(
    default_account="openai",
    prices={"m": PriceConfig(input=0, output=1000, batch_discount=0.5)},
)
"""A row of a thousand tokens costs at most half a dollar in a batch, and one dollar by itself."""


def with_usage(request: bytes, before: int) -> bytes:
    value = msgspec.json.decode(answered(request, before))
    value["response"]["body"]["usage"] = {"prompt_tokens": 10, "completion_tokens": 100}
    return msgspec.json.encode(value)


@pytest.mark.parametrize(
    ("budget", "per_submit", "is_sent"),
    [(None, None, True), (2.2, None, True), (2.05, None, False), (9.0, 2.05, False)],
)
def test_the_rest_stays_within_what_is_left_of_the_lowest_limit(
    budget: float | None, per_submit: float | None, is_sent: bool, tmp_path: Path
) -> None:
    async def test(loop: JumpingLoop) -> None:
        loop.allow(1e6)
        bench = Bench(tmp_path, loop)
        provider = bench.provider
        provider.ends_after, provider.answer = None, with_usage
        provider.when_called["cancel"] = lambda: setattr(provider, "ends_after", 1)
        file = tmp_path / "r.jsonl"
        lines = [request(f"r{number}") for number in range(4)]
        for line in lines:
            line["body"]["max_tokens"] = 1000  # type: ignore[index]
        file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        config = msgspec.structs.replace(PRICED, budget=BudgetConfig(per_submit=per_submit))
        async with bench.engine(config) as engine:
            job = await engine.requests.import_file(file)
            deadline = await engine.deadlines.plan_for(job.id, loop.clock() + HOUR, budget=budget)
            assert deadline.most == pytest.approx(4.0)
            await engine.submit_imported([job], budget=budget, deadline=deadline)
            provider.advance(provider.only(), 2)
            with patch.object(engine.costs, "estimate", wraps=engine.costs.estimate) as priced:
                await engine.wait([job.id])
            assert priced.call_count == 1, "the rest is priced once"
            # Two answers of a hundred tokens, at the price of the batch, were paid.
            first = engine.history.batches.of_job(job.id)[0]
            bill = engine.history.ledger.entry(first.id)
            assert bill is not None and bill.amount == pytest.approx(0.1)
            assert provider.calls["single"] == (2 if is_sent else 0)
            found = engine.history.jobs.get(job.id)
            assert found.deadline is not None
            if is_sent:
                assert found.deadline.phase is DeadlinePhase.SENT
                assert found.counts.succeeded == 4
            else:
                assert found.deadline.phase is DeadlinePhase.STOPPED
                assert "over the budget per submit of $1.95" in found.deadline.note
                assert (found.counts.succeeded, found.counts.cancelled) == (2, 2)
        paid_once(bench, "0123" if is_sent else "01")

    run(test)


def test_with_a_budget_a_cost_that_is_not_known_is_refused(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            job = await bench.imported(engine)
            at = loop.clock() + HOUR
            assert (await engine.deadlines.plan_for(job.id, at)).most is None
            with pytest.raises(BudgetError, match="not known"):
                await engine.deadlines.plan_for(job.id, at, budget=5.0)

    run(test)


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("fireworks", "cannot cancel batches"),
        ("gemini", "returns nothing of a cancelled batch"),
        ("azure-openai", "takes no single requests"),
        ("openai+direct", "one by one already"),
    ],
)
def test_what_a_deadline_cannot_do_is_said_at_once(
    account: str, reason: str, tmp_path: Path
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(CONFIG) as engine:
            with pytest.raises(UsageError, match=reason) as raised:
                engine.deadlines.plan(account, loop.clock() + HOUR, None)
            assert raised.value.hint
            with pytest.raises(UsageError, match="has passed"):
                engine.deadlines.plan("openai", loop.clock() - 1, None)

    run(test)


def test_what_can_be_cancelled_is_said_by_profile_and_dialect_alike(tmp_path: Path) -> None:
    """``require_lane`` reads the profile; the open dialect must not say something else."""
    from tui.providers.profiles.load import find_profile, shipped_ids

    for name in shipped_ids():
        profile = find_profile(name)
        if profile.can.cancel and not profile.direct:
            assert profile.paths.cancel, name
    assert Capabilities().cancels
