"""Repeats while a job runs, in the direct lane, with partial results, and for two programs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.engine.batches.test_repeats import answers, sent
from tests.engine.bench import Bench, adds_up, outcomes
from tests.fakes.loop import JumpingLoop, run
from tui.core.query import query_filter
from tui.core.rows import Outcome
from tui.core.send_plans import ReuseOptions, Saving
from tui.errors import ResultsNotReadyError

GOOD = Outcome.SUCCEEDED
DEDUPE = Saving(dedupe=True)


def test_two_programs_send_each_request_once(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as one, bench.engine() as two:
            await bench.done(one, "known")
            job = await bench.imported(one, "a", "a", "b", "known")
            saving = Saving(dedupe=True, reuse=ReuseOptions())
            await asyncio.gather(
                one.submit(job.id, saving=saving), two.submit(job.id), return_exceptions=True
            )
            await one.wait([job.id])
            rows = [row for ids in sent(bench)[1:] for row in ids]
            assert len(rows) == len(set(rows))
            assert adds_up(one, job.id).pending == 0
            assert outcomes(one, job.id) == [GOOD] * 4

    run(test)


def test_partial_results_are_shared_as_they_grow(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            job = await bench.imported(engine, "a", "b", "a", "c", "b", "c")
            await engine.submit(job.id, saving=DEDUPE)
            batch = bench.provider.only()
            bench.provider.run(batch)
            whole = batch.output or b""
            lines = whole.splitlines(keepends=True)
            for known in (1, 2):
                batch.output = b"".join(lines[:known])
                with pytest.raises(ResultsNotReadyError):
                    await engine.collect(job.id)
                adds_up(engine, job.id)
            batch.output = whole
            await engine.collect(job.id)
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD] * 6
            assert answers(engine, job.id)[2:] == [f"answer to r{n}" for n in (0, 3, 1, 3)]

    run(test)


def test_facets_and_search_see_shared_and_reused_rows(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "known", "other")
            job = await bench.imported(engine, "a", "known", "a", "fail", "fail", "other", "a")
            await engine.submit(job.id, saving=Saving(dedupe=True, reuse=ReuseOptions()))
            await engine.wait([job.id])
            adds_up(engine, job.id)

            for query, rows in (
                ("answer", [0, 1, 2, 5, 6]),
                ("outcome:failed", [3, 4]),
                ('"answer to r1"', [5]),
                ('"answer to r0"', [0, 1, 2, 6]),
            ):
                found = engine.history.rows.select(job.id, query_filter(query)).seqs
                assert list(found) == rows, query

    run(test)
