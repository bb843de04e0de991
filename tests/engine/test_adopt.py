"""Batches that were not made here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.bench import Bench, adds_up, outcomes, request
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import Broken, FakeBatch
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome
from tui.errors import BatchdeckError, RequestRejectedError, UsageError
from tui.providers.dialect import Capabilities
from tui.store.rows import importer


def foreign(bench: Bench, *texts: str, file: bool = True) -> FakeBatch:
    """A batch that another program has made."""
    lines = [json.dumps(request(f"r{n}", text)).encode() for n, text in enumerate(texts)]
    if file:
        bench.provider.files["file-x"] = b"\n".join(lines) + b"\n"
    batch = FakeBatch(
        id="batch-x",
        file_id="file-x",
        intent=None,
        lines=lines,
        created_at=bench.provider.clock() - 100,
    )
    bench.provider.batches[batch.id] = batch
    return batch


def test_a_running_batch_becomes_a_job(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            remote = foreign(bench, "a", "flaky", "c")
            job = await engine.remote.adopt("batch-x", name="mine")
            assert (job.name, job.status, job.model) == ("mine", BatchStatus.IN_PROGRESS, "m")
            with pytest.raises(UsageError, match="already in the history"):
                await engine.remote.adopt("batch-x")
            with pytest.raises(UsageError, match="already submitted"):
                await engine.submit(job.id)
            bench.provider.run(remote)
            await engine.wait([job.id])
            good = Outcome.SUCCEEDED
            assert outcomes(engine, job.id) == [good, Outcome.FAILED, good]
            bench.provider.ends_after = 1
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 3
            known = {entry.remote.id: entry.job_id for entry in await engine.remote.sync()}
            assert known == {"batch-x": job.id, "batch-1": job.id}

    run(test)


def test_an_ended_batch_without_its_input_is_known_by_its_results(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            remote = foreign(bench, "a", "fail", file=False)
            with pytest.raises(UsageError, match="still running"):
                await engine.remote.adopt("batch-x")
            bench.provider.run(remote)
            job = await engine.remote.adopt("batch-x")
            await engine.wait([job.id])
            counts = adds_up(engine, job.id)
            assert (counts.succeeded, counts.failed) == (1, 1)

    run(test)


def test_a_batch_that_names_no_row_leaves_nothing(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            remote = foreign(bench, "a", file=False)
            remote.status = BatchStatus.FAILED
            with pytest.raises(UsageError, match="has no rows"):
                await engine.remote.adopt("batch-x")
            assert engine.history.jobs.list() == []
            assert list(bench.paths.jobs.iterdir()) == []

    run(test)


def test_results_that_cannot_be_read_are_not_taken_for_none(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            remote = foreign(bench, "a", file=False)
            bench.provider.run(remote)
            remote.output = b"<html>busy</html>\n"
            with pytest.raises(UsageError, match="results cannot be read"):
                await engine.remote.adopt("batch-x")
            assert engine.history.jobs.list() == []

    run(test)


def test_what_breaks_on_the_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a draft, which would look as if it could be sent."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            foreign(bench, "a", "b")
            bench.provider.fault("download", Broken(20))
            with pytest.raises(BatchdeckError):
                await engine.remote.adopt("batch-x")
            with pytest.raises(RequestRejectedError):
                await engine.remote.adopt("nothing")

            def crash(*_: object) -> None:
                raise KeyError("it dies just before its batch is noted")

            monkeypatch.setattr(importer, "_store_sent", crash)
            with pytest.raises(KeyError):
                await engine.remote.adopt("batch-x")
            assert engine.history.jobs.list() == []
            assert list(bench.paths.jobs.iterdir()) == []
            monkeypatch.undo()
            job = await engine.remote.adopt("batch-x")
            assert job.counts.total == 2

    run(test)


def test_ids_that_come_twice_and_lines_that_are_none(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine() as engine:
            foreign(bench, "a", "b")
            first = bench.provider.files["file-x"]
            bench.provider.files["file-x"] = b"\xef\xbb\xbf" + first + first + b"\n[]\n{}\nx\n"
            job = await engine.remote.adopt("batch-x")
            rows = engine.history.rows.page(job.id, range(9))
            assert [row.custom_id for row in rows] == ["r0", "r1"]

    run(test)


def test_a_provider_without_a_list(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop, Capabilities(lists=False))
        async with bench.engine() as engine:
            with pytest.raises(UsageError, match="cannot list"):
                await engine.remote.sync()

    run(test)
