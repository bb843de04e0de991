"""What a person looks up or writes about a job, and whose jobs are listed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.tags import parse_tags, tag_words
from tui.core.text import one_line
from tui.ui import formatting
from tui.ui.board import JobView
from tui.ui.dialogs.ask import AskDialog
from tui.ui.dialogs.choose import Choice, ChooseDialog
from tui.ui.dialogs.details import DetailsDialog
from tui.ui.jobfacts import job_text
from tui.ui.messages import AnnotateRequested, DetailsRequested

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.app import BatchdeckApp


async def annotate(app: BatchdeckApp, engine: Engine, asked: AnnotateRequested) -> None:
    """Let tags or a note be written on a job."""
    job = engine.history.job(asked.job_id)
    name = one_line(job.name, 30)
    if asked.what == "tags":
        hint = "Words with spaces between them. / finds them, with or without the #."
        dialog = AskDialog(f"Tags of {name}", hint, tag_words(job.tags))
    else:
        hint = "A line for yourself: which prompt, which idea. / finds it."
        dialog = AskDialog(f"Note on {name}", hint, " ".join(job.note.split()))
    text = await app.push_screen_wait(dialog)
    if text is None:
        return
    if asked.what == "tags":
        await engine.annotate(job.id, tags=parse_tags(text))
    else:
        await engine.annotate(job.id, note=text)


async def show_details(app: BatchdeckApp, engine: Engine, asked: DetailsRequested) -> None:
    """Show all facts about a job as text."""
    history = engine.history
    job = history.job(asked.job_id)
    board = app.main.batches.board
    view = board.view(job.id) if board is not None else None
    batches = history.batches(job.id)
    text = job_text(
        view or JobView(job, batches=batches),
        batches,
        history.error_groups(job.id),
        history.timeline(job.id),
        time.time(),
    )
    await app.push_screen_wait(DetailsDialog(one_line(job.name, 60), text))


async def choose_account(app: BatchdeckApp) -> None:
    """Let an account be chosen whose jobs are listed."""
    batches = app.main.batches
    if batches.board is None:
        return
    counts = batches.board.accounts()
    choices = [Choice("", "All accounts", formatting.counted(len(batches.board), "job"))]
    choices += [
        Choice(name, name, formatting.counted(count, "job"))
        for name, count in sorted(counts.items())
    ]
    dialog = ChooseDialog("Jobs of", choices, batches.account, next_key="a")
    chosen = await app.push_screen_wait(dialog)
    if chosen is not None:
        batches.show_account(chosen)
