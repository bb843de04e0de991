"""The index of requests is filled in the background while jobs are watched."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from tests.engine.bench import Bench, until
from tests.fakes.loop import JumpingLoop, run
from tui.core.requests import request_identity
from tui.engine.batches import reuse
from tui.store.reuse.index import RequestIndex
from tui.store.rows.repeats import request_hash


def test_old_and_new_jobs_are_indexed_in_small_steps(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            old = await bench.imported(engine, *(f"text {n}" for n in range(25)))
        async with bench.engine(watch=True) as engine:
            step = engine.history.rows.index_requests
            asked: list[int] = []

            def counted(rows: int) -> bool:
                asked.append(rows)
                return step(rows)

            with patch.object(engine.history.rows, "index_requests", counted):
                await until(lambda: len(asked) >= 4)
                new = await bench.imported(engine, "another text")
                await until(lambda: jobs_found(bench, engine, new.id) == [new.id])
                assert jobs_found(bench, engine, old.id) == [old.id]
            assert set(asked) == {10}

    with patch.object(reuse, "_STEP_ROWS", 10):
        run(test)


def jobs_found(bench: Bench, engine: object, job_id: str) -> list[str]:
    """The jobs that the index has for the last request of a job."""
    file = engine.history.jobs.requests_file(job_id)  # type: ignore[attr-defined]
    line = file.read_bytes().splitlines()[-1]
    key = request_hash(request_identity(line))
    with RequestIndex(bench.paths) as index:
        return [job for job, _ in index.find([key]).get(key, ())]
