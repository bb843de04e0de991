"""The task of a review: ask which rows, make the queue, and show it."""

from __future__ import annotations

from collections.abc import Sequence

from tui.core import formatting
from tui.engine.reviews.service import column_problem
from tui.ui.dialogs.export import with_progress
from tui.ui.dialogs.review import ReviewDialog
from tui.ui.screens.review import ReviewScreen
from tui.ui.tasks.context import TaskContext


async def review(
    context: TaskContext,
    job_id: str,
    shown: Sequence[int] | None = None,
    marked: Sequence[int] | None = None,
) -> None:
    """Ask for the rows, and review their answers one by one."""
    engine = context.engine
    job = engine.history.jobs.get(job_id)
    sets: list[tuple[str, Sequence[int]]] = [("all rows", range(job.counts.total))]
    if shown is not None:
        sets.insert(0, ("filtered rows", shown))
    if marked is not None:
        sets.insert(0, ("marked rows", marked))
    counts = [(name, len(seqs)) for name, seqs in sets]
    answer = await context.ask(ReviewDialog(counts, engine.reviews.reviewer, column_problem))
    if answer is None:
        return
    queue = await with_progress(
        context.session.app,
        "Choosing rows",
        lambda progress: engine.reviews.queue(
            job.id,
            sets[answer.rows][1],
            sample=answer.sample,
            seed=answer.seed,
            by=answer.by,
            progress=progress,
        ),
    )
    if queue is None:
        return
    if not len(queue):
        context.say("No row to review", warn=True)
        return
    await context.session.app.push_screen_wait(ReviewScreen(context.session, queue, job.name))
    context.main.results.reload_rows()
    done = formatting.counted(queue.done, "row")
    context.say(f"{done} of {len(queue):,} reviewed; filter with review:")
