"""Equal requests are sent once, and every row of them has the answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.bench import Bench, adds_up, home_in_memory, outcomes, timeline
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import Lost
from tui.core.jobs import BatchStatus, Job, Submission
from tui.core.rows import Outcome
from tui.core.send_plans import Saving
from tui.engine.engine import Engine
from tui.errors import RequestRejectedError, UsageError

GOOD, BAD = Outcome.SUCCEEDED, Outcome.FAILED


async def deduped(bench: Bench, engine: Engine, *texts: str) -> Job:
    job = await bench.imported(engine, *texts)
    await engine.submit(job.id, saving=Saving(dedupe=True))
    await engine.wait([job.id])
    return engine.history.jobs.get(job.id)


def answers(engine: Engine, job_id: str) -> list[str]:
    rows = engine.history.rows
    return [line.text for line in rows.lines(job_id, rows.select(job_id))]


def sent(bench: Bench) -> list[list[str]]:
    return [batch.ids for batch in bench.provider.batches.values()]


def test_each_distinct_request_is_sent_once(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await deduped(bench, engine, "n/a", "good", "n/a", "bad", "n/a", "good")
            assert sent(bench) == [["r0", "r1", "r3"]]
            assert job.status is BatchStatus.COMPLETED
            assert outcomes(engine, job.id) == [GOOD] * 6
            assert adds_up(engine, job.id).total == 6
            of = ["r0", "r1", "r0", "r3", "r0", "r1"]
            assert answers(engine, job.id) == [f"answer to {row}" for row in of]
            (batch,) = engine.history.batches.of_job(job.id)
            assert (batch.rows, batch.repeats) == (3, 3)

    run(test)


def test_without_the_option_or_without_repeats_all_rows_are_sent(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a", "a")
            await deduped(bench, engine, "a", "b")
            assert sent(bench) == [["r0", "r1"], ["r0", "r1"]]

    run(test)


def test_a_failed_answer_is_that_of_all_its_rows_and_a_retry_sends_one(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await deduped(bench, engine, "flaky", "a", "flaky", "fail", "fail")
            assert outcomes(engine, job.id) == [BAD, GOOD, BAD, BAD, BAD]
            plan = await engine.retries.plan(job.id)
            assert (list(plan.seqs), plan.repeats) == ([0, 3], ((2, 0), (4, 3)))
            job = await engine.retry(plan)
            assert adds_up(engine, job.id).pending == 4
            await engine.wait([job.id])
            assert sent(bench)[1] == ["r0", "r3"]
            assert outcomes(engine, job.id) == [GOOD, GOOD, GOOD, BAD, BAD]
            rows = engine.history.rows.page(job.id, range(5))
            assert [row.attempt for row in rows] == [2, 1, 2, 2, 2]
            adds_up(engine, job.id)
            # Chosen alone, a repeat is sent itself.
            alone = await engine.retries.plan(job.id, [4])
            assert (list(alone.seqs), alone.repeats) == ([4], ())

    run(test)


def test_rows_that_were_edited_apart_are_no_repeats_any_more(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await deduped(bench, engine, "fail", "fail", "fail")
            plan = await engine.retries.plan(job.id, [1, 2], {"model": "big"})
            await engine.retry(plan)
            await engine.wait([job.id])
            assert sent(bench)[1] == ["r1"]
            plan = await engine.retries.plan(job.id)
            assert (list(plan.seqs), plan.repeats) == ([0, 1], ((2, 1),))
            await engine.retry(plan)
            await engine.wait([job.id])
            newest = dict(engine.history.rows.newest_requests(job.id, [0, 1, 2]))
            assert [b'"big"' in newest[seq] for seq in range(3)] == [False, True, True]

    run(test)


@pytest.mark.parametrize("call", ["upload", "create"])
def test_a_retry_that_is_refused_gives_repeats_their_outcome_back(
    tmp_path: Path, call: str
) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await deduped(bench, engine, "flaky", "flaky")
            before = engine.history.rows.page(job.id, range(2))
            bench.provider.fault(call, RequestRejectedError("no", status=400))
            with pytest.raises(RequestRejectedError):
                await engine.retry(await engine.retries.plan(job.id))
            assert engine.history.rows.page(job.id, range(2)) == before
            assert adds_up(engine, job.id).pending == 0

    run(test)


def test_a_cancelled_job_has_no_pending_repeats(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine, "a", "a", "b")
            await engine.submit(job.id, saving=Saving(dedupe=True))
            await engine.cancel(job.id)
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [Outcome.CANCELLED] * 3
            adds_up(engine, job.id)

    run(test)


def test_a_missing_line_is_missing_for_all_its_rows_until_it_comes(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine, "a", "b", "a")
            await engine.submit(job.id, saving=Saving(dedupe=True))
            batch = bench.provider.only()
            bench.provider.run(batch)
            whole, batch.output = batch.output, (batch.output or b"").split(b"\n", 1)[1]
            await engine.wait([job.id])
            assert Outcome.SUCCEEDED not in outcomes(engine, job.id)[::2]
            assert outcomes(engine, job.id)[1] is GOOD
            batch.output = whole
            await engine.collect(job.id)
            assert outcomes(engine, job.id) == [GOOD] * 3
            assert answers(engine, job.id)[2] == "answer to r0"
            adds_up(engine, job.id)

    run(test)


def test_the_index_is_rebuilt_with_the_repeats(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await deduped(bench, engine, "flaky", "a", "flaky", "fail", "fail", "a")
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            before = [
                (row.outcome, row.attempt) for row in engine.history.rows.page(job.id, range(6))
            ]
            texts = answers(engine, job.id)
        for name in ("history.db", "history.db-wal", "history.db-shm"):
            (bench.paths.data / name).unlink(missing_ok=True)
        async with bench.engine() as engine:
            engine.history.jobs.restore(engine._context.clock())
            engine.history.jobs.reindex(job.id, rules_of=lambda _: {}, now=1.0)
            rows = engine.history.rows.page(job.id, range(6))
            assert [(row.outcome, row.attempt) for row in rows] == before
            assert answers(engine, job.id) == texts
            adds_up(engine, job.id)

    run(test)


def test_a_draft_that_was_over_budget_can_be_planned_in_the_other_way(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine, "a", "a")
            bench.provider.fault("upload", RequestRejectedError("no", status=400))
            with pytest.raises(RequestRejectedError):
                await engine.submit(job.id)
            await engine.submit(job.id, saving=Saving(dedupe=True))
            await engine.wait([job.id])
            assert sent(bench) == [["r0"]]
            assert outcomes(engine, job.id) == [GOOD] * 2
            with pytest.raises(UsageError):
                await engine.submit(job.id, saving=Saving(dedupe=True))

    run(test)


def test_a_lost_create_is_found_and_not_paid_twice(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await bench.imported(engine, "a", "a", "b")
            bench.provider.fault("create", Lost())
            await engine.submit(job.id, saving=Saving(dedupe=True))
            await engine.wait([job.id])
            assert sent(bench) == [["r0", "r2"]]
            assert outcomes(engine, job.id) == [GOOD] * 3

    run(test)


TEXTS = st.lists(st.sampled_from(["a", "b", "flaky", "flaky c", "fail", "fail d"]), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=TEXTS.filter(bool), retries=st.lists(st.booleans(), max_size=3))
def test_rows_shown_are_rows_in_and_no_request_is_paid_twice(
    texts: list[str], retries: list[bool]
) -> None:
    """For any mix of repeats, failures and retries."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(folder, loop)
        async with bench.engine() as engine:
            job = await deduped(bench, engine, *texts)
            shown = [set[str]()]
            for is_edited in retries:
                failed = {
                    text
                    for text, outcome in zip(texts, outcomes(engine, job.id), strict=True)
                    if outcome is BAD
                }
                if not failed:
                    break
                edits = {"temperature": len(shown)} if is_edited else None
                await engine.retry(await engine.retries.plan(job.id, edits=edits))
                await engine.wait([job.id])
                shown.append(failed)
            expected = [set(texts), *shown[1:]]
            for ids, wanted in zip(sent(bench), expected, strict=True):
                of = [texts[int(row.removeprefix("r"))] for row in ids]
                assert sorted(of) == sorted(wanted)
            assert adds_up(engine, job.id).total == len(texts)
            by_text: dict[str, set[tuple[Outcome, int]]] = {}
            for text, row in zip(
                texts, engine.history.rows.page(job.id, range(len(texts))), strict=True
            ):
                by_text.setdefault(text, set()).add((row.outcome, row.attempt))
            assert all(len(alike) == 1 for alike in by_text.values())

    folder = home_in_memory("batchdeck-repeats-")
    try:
        run(test)
    finally:
        shutil.rmtree(folder)


def test_the_timeline_says_how_many_share(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await deduped(bench, engine, "flaky", "flaky")
            await engine.retry(await engine.retries.plan(job.id))
            words = "Retrying 1 row for 2 with equal requests"
            assert any(words in entry for entry in timeline(engine, job.id))
            (first, _) = engine.history.batches.of_job(job.id)
            assert first.submission is Submission.RUNNING

    run(test)
