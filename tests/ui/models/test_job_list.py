"""The figures of running jobs."""

from __future__ import annotations

from pathlib import Path

from tests.engine.bench import Bench
from tests.fakes.loop import JumpingLoop, run
from tui.core.jobs import RemoteCounts
from tui.core.send_plans import ReuseOptions, Saving
from tui.ui.models.job_list import JobList


def test_rows_that_wait_for_the_answer_of_another_are_not_done(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "known")
            bench.provider.ends_after = None
            job = await bench.imported(engine, "a", "a", "a", "a", "b", "b", "b", "b", "known")
            await engine.submit(job.id, saving=Saving(dedupe=True, reuse=ReuseOptions()))
            listed = JobList(engine.history, loop.clock)

            def done() -> int:
                listed.reload()
                (view,) = listed.live()
                return view.done

            assert done() == 1
            (batch,) = (b for b in engine.history.batches.of_job(job.id) if not b.reuses)
            for ended, rows in ((1, 5), (2, 9)):
                counts = RemoteCounts(total=2, completed=ended, failed=0)
                engine.history.batches.update(batch.id, {"remote_counts": counts}, now=loop.clock())
                assert done() == rows

    run(test)
