"""Rows that are sent again join the job that they came from."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.engine.bench import Bench, adds_up, outcomes
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import Lost, failed_line, good_line
from tui.core.jobs import BatchStatus, Submission
from tui.core.query import RowFilter
from tui.core.rows import Outcome
from tui.errors import (
    BatchdeckError,
    KeyRejectedError,
    QuotaError,
    RequestRejectedError,
    ResponseLostError,
    UnreachableError,
    UsageError,
)

GOOD, BAD = Outcome.SUCCEEDED, Outcome.FAILED


def test_failed_rows_are_sent_again_and_merged(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "flaky", "fail", "flaky")
            assert outcomes(engine, job.id) == [GOOD, BAD, BAD, BAD]
            plan = await engine.retries.plan(job.id)
            assert (list(plan.seqs), plan.rows, plan.permanent) == ([1, 2, 3], 3, 0)
            job = await engine.retry(plan)
            assert job.status is BatchStatus.IN_PROGRESS
            assert job.counts.pending == 3
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD, BAD, GOOD]
            assert adds_up(engine, job.id).total == 4
            rows = engine.history.rows.page(job.id, range(4))
            assert [row.attempt for row in rows] == [1, 2, 2, 2]
            assert len(engine.history.batches.of_job(job.id)) == 2
            assert bench.provider.batches["batch-1"].ids == ["r1", "r2", "r3"]

    run(test)


def test_rows_that_cannot_succeed_unchanged_are_left_out(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "fail permanent", "fail", "good")
            plan = await engine.retries.plan(job.id)
            assert (list(plan.seqs), plan.permanent) == ([1], 1)
            with_edits = await engine.retries.plan(job.id, edits={"model": "n"})
            assert list(with_edits.seqs) == [0, 1]
            all_of_them = await engine.retries.plan(job.id, include_permanent=True)
            assert list(all_of_them.seqs) == [0, 1]
            with pytest.raises(UsageError, match="unchanged"):
                await engine.retries.plan(job.id, [0])
            named = await engine.retries.plan(job.id, [2, 1, 1, 99, 2])
            assert list(named.seqs) == [1, 2]
            with pytest.raises(UsageError):
                await engine.retries.plan(job.id, RowFilter(code="none"))

    run(test)


def test_edits_reach_the_provider_and_nothing_else(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "fail", "ok")
            before = (bench.paths.job_folder(job.id) / "requests.jsonl").read_bytes()
            plan = await engine.retries.plan(job.id, edits={"model": "big", "max_tokens": 9})
            assert plan.model == "big"
            await engine.retry(plan)
            await engine.wait([job.id])
            (sent,) = bench.provider.batches["batch-1"].lines
            body = json.loads(sent)["body"]
            assert (body["model"], body["max_tokens"]) == ("big", 9)
            assert (bench.paths.job_folder(job.id) / "requests.jsonl").read_bytes() == before

    run(test)


@pytest.mark.parametrize(
    "error",
    [RequestRejectedError("no", status=400), UnreachableError("down"), KeyRejectedError("key")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("call", ["upload", "create"])
def test_a_retry_that_is_not_taken_gives_its_rows_back(
    tmp_path: Path, error: BatchdeckError, call: str
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "flaky")
            before = engine.history.rows.page(job.id, range(2))
            plan = await engine.retries.plan(job.id)
            bench.provider.fault(call, error)
            with pytest.raises(type(error)):
                await engine.retry(plan)
            assert engine.history.rows.page(job.id, range(2)) == before
            assert adds_up(engine, job.id).pending == 0
            assert engine.history.jobs.get(job.id).status is BatchStatus.COMPLETED
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]

    run(test)


def test_rows_that_an_edit_does_not_fit_are_left_out_and_counted(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "fail", "fail", "fail")
            # From then on the second row has a text where the others have nothing.
            plan = await engine.retries.plan(job.id, [1], edits={"tags": "x"})
            await engine.retry(plan)
            await engine.wait([job.id])
            edits = {"tags.a": 1}
            plan = await engine.retries.plan(job.id, edits=edits, include_permanent=True)
            assert (plan.rows, plan.left_out) == (3, 0)
            rehearsal = await engine.retries.preview(plan, edits)
            assert (rehearsal.refused, rehearsal.problem) == (1, "")
            assert [bool(row.problem) for row in rehearsal.rows] == [False, True, False]
            fitted = await engine.retries.fit(plan)
            assert (list(fitted.seqs), fitted.left_out) == ([0, 2], 1)
            assert "does not exist" in fitted.left_out_reason
            assert await engine.retries.fit(fitted) is fitted
            assert not fitted.changed({"top_p": 1}).fitted
            await engine.retry(plan)
            await engine.wait([job.id])
            sent = [batch.rows for batch in engine.history.batches.of_job(job.id)]
            assert sent == [3, 1, 2] and adds_up(engine, job.id).pending == 0

    run(test)


def test_an_edit_that_leads_nowhere_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "fail")
            plan = await engine.retries.plan(job.id, edits={"messages.7.content": "x"})
            with pytest.raises(UsageError, match="does not exist"):
                await engine.retry(plan)
            assert outcomes(engine, job.id) == [GOOD, BAD]
            assert adds_up(engine, job.id).pending == 0
            folder = bench.paths.job_folder(job.id)
            assert [p.name for p in folder.iterdir() if ".input" in p.name] == []

    run(test)


def test_a_retry_whose_answer_is_lost_is_found(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "flaky")
            bench.provider.fault("create", Lost())
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]
        assert len(bench.provider.batches) == 2

    run(test)


def test_a_retry_that_waits_for_room_keeps_its_rows(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "flaky")
            bench.provider.fault("create", QuotaError("full"), QuotaError("full"))
            with pytest.raises(QuotaError):
                await engine.retry(await engine.retries.plan(job.id))
            assert adds_up(engine, job.id).pending == 1
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]

    run(test)


def test_a_retry_that_waited_and_is_refused_in_the_end_gives_its_rows_back(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "flaky")
            refused = RequestRejectedError("gone", status=400)
            bench.provider.fault("create", QuotaError("full"), refused)
            with pytest.raises(QuotaError):
                await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, BAD]
            assert adds_up(engine, job.id).pending == 0

    run(test)


def test_two_retries_of_the_same_rows_pay_once(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine, bench.engine() as other:
            job = await bench.done(engine, "a", "flaky", "flaky")
            plans = [await each.retries.plan(job.id) for each in (engine, other, engine)]
            results = await asyncio.gather(
                engine.retry(plans[0]),
                other.retry(plans[1]),
                engine.retry(plans[2]),
                return_exceptions=True,
            )
            assert sum(isinstance(result, UsageError) for result in results) == 2
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD] * 3
        assert bench.provider.calls["create"] == 2

    run(test)


def test_an_uncertain_retry_keeps_its_rows_waiting(tmp_path: Path) -> None:
    from tui.providers.dialect import Capabilities

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(lists=False))
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "flaky")
            bench.provider.fault("create", Lost())
            with pytest.raises(ResponseLostError):
                await engine.retry(await engine.retries.plan(job.id))
            assert adds_up(engine, job.id).pending == 1
            assert engine.history.batches.of_job(job.id)[1].submission is Submission.UNCERTAIN
            await engine.submit(job.id, resend=True)
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]

    run(test)


def test_a_retry_is_split_like_a_first_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.config.settings import Config

    config = Config(providers={"sandbox": {"limits": {"rows": 2}}})

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine(config) as engine:
            job = await bench.imported(engine, *["flaky"] * 5)
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert [batch.rows for batch in engine.history.batches.of_job(job.id)] == [2, 2, 1]
            assert adds_up(engine, job.id).failed == 5
            bench.provider.fault("create", None, RequestRejectedError("no", status=400))
            with pytest.raises(RequestRejectedError):
                await engine.retry(await engine.retries.plan(job.id))
            # The first part is on its way, the others are given back.
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD, BAD, BAD, BAD]
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 5

    run(test)


def test_attempts_that_answer_in_the_wrong_order(tmp_path: Path) -> None:
    """The first batch is cancelled, its rows are retried, and its answers come after all."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.answer = lambda request, before: (
            failed_line(json.loads(request)["custom_id"])
            if before == 0
            else good_line(json.loads(request)["custom_id"], "late")
        )
        async with bench.engine() as engine:
            job = await bench.done(engine, "a", "b")
            assert adds_up(engine, job.id).failed == 2
            await engine.retry(await engine.retries.plan(job.id, [0]))
            await engine.retry(await engine.retries.plan(job.id, [1]))
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]
            attempts = [batch.attempt for batch in engine.history.batches.of_job(job.id)]
            assert attempts == [1, 2, 3]

    run(test)


def test_an_edit_that_changes_no_row_is_refused(tmp_path: Path) -> None:
    """The same rows would be paid for again."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.done(engine, "fail", "flaky")
            doubled = await engine.retries.plan(job.id, edits={"@max_tokens": "x2"})
            with pytest.raises(UsageError, match="no max_tokens") as caught:
                await engine.retries.fit(doubled)
            assert "400" in caught.value.hint
            plan = await engine.retries.plan(job.id, edits={"@max_tokens": 400})
            assert (await engine.retries.fit(plan)).rows == plan.rows

    run(test)


@pytest.mark.parametrize("chosen", [False, True], ids=["failed rows", "these rows"])
def test_a_row_that_is_answered_while_the_user_is_asked_is_not_sent(
    tmp_path: Path, chosen: bool
) -> None:
    """The provider completes the result file between the plan of a retry and the yes to it."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job, batch = await bench.sent(engine, "a", "b", "c")
            bench.provider.advance(batch, 1)
            batch.growing, batch.status = False, BatchStatus.EXPIRED
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, Outcome.EXPIRED, Outcome.EXPIRED]
            plan = await engine.retries.plan(job.id, [0, 1, 2] if chosen else None)
            bench.provider.advance(batch, 1)
            batch.growing = False
            await engine.collect(job.id)
            assert outcomes(engine, job.id) == [GOOD, GOOD, Outcome.EXPIRED]
            await engine.retry(plan)
            again = list(bench.provider.batches.values())[-1]
            assert again.ids == (["r0", "r2"] if chosen else ["r2"])

    run(test)
