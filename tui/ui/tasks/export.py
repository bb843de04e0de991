"""Tasks on the rows of a job: export, save media, summary, values of columns, comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path, PurePath

from tui.core import formatting
from tui.core.jobs import Job
from tui.core.query import RowSelection
from tui.core.results.media import Medium
from tui.core.text import one_line, shorten, visible
from tui.paths import working_folder
from tui.store.export.options import format_of
from tui.ui.dialogs.choose import Choice, SearchChoiceDialog
from tui.ui.dialogs.confirm import overwrite_dialog
from tui.ui.dialogs.export import ExportAnswer, ExportDialog, with_progress
from tui.ui.dialogs.input import save_media_dialog
from tui.ui.dialogs.pick_file import expand_path, start_folder
from tui.ui.dialogs.rows.images import ImagesDialog
from tui.ui.external_programs import media_counts
from tui.ui.external_programs import save_media as write_media
from tui.ui.models.half_cells import can_draw
from tui.ui.models.row_search import FacetAnswer, RowQuery
from tui.ui.screens.compare import CompareScreen
from tui.ui.screens.costs import CostsScreen
from tui.ui.screens.evaluation import EvaluationScreen
from tui.ui.screens.experiment import ExperimentScreen, ShownJob
from tui.ui.screens.facets import FacetScreen
from tui.ui.screens.summary import SummaryScreen
from tui.ui.tasks.context import TaskContext

_TABLE_ENDINGS = (".csv", ".tsv", ".parquet")
"""Endings of tables; the results of a job that was made from one are proposed as such a table."""

_MOST_CHOICES = 1000
"""Maximum number of jobs, newest first, offered for a comparison."""


async def export(
    context: TaskContext,
    job_id: str,
    shown: Sequence[int] | None = None,
    marked: Sequence[int] | None = None,
) -> None:
    """Ask for file, format and rows, and export them."""
    job = context.engine.history.jobs.get(job_id)
    with closing(context.engine.history.rows.inputs(job.id)) as inputs:
        has_input_columns = bool(inputs.columns)
        table = PurePath(inputs.source).suffix.lower()
    total = job.counts.total
    sets: list[tuple[str, Sequence[int]]] = [("all rows", range(total))]
    # A filter without rows, as "errors only" is after a retry, is no choice.
    if shown:
        sets.insert(0, ("filtered rows", shown))
    if marked:
        sets.insert(0, ("marked rows", marked))
    folder = start_folder(context.state.export_folder)
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in job.name) or job.id
    suffix = "-part" if len(sets) > 1 else ""
    # Without "-results" it would be the file of requests that many jobs are named after.
    ending = table if table in _TABLE_ENDINGS else ".jsonl"
    wanted = folder / f"{shorten(name, 60)}-results{suffix}{ending}"
    counts = [(words, len(seqs)) for words, seqs in sets]
    dialog = ExportDialog(wanted, counts, has_input_columns=has_input_columns)
    answer = await context.ask(dialog)
    if answer is None:
        return
    selection = RowSelection(seqs=sets[answer.rows][1], total=total)
    if answer.address:
        await _export_to_bucket(context, job_id, selection, answer)
        return
    path = answer.path
    context.state.export_folder = str((working_folder() / path).parent)
    count = await _write(context, job_id, path, selection, answer)
    if count and not len(selection.seqs):
        context.say(f"{visible(str(path))} was written, without a row", warn=True)
    elif count:
        size = formatting.size(path.stat().st_size)
        context.say(f"{count} written to {visible(str(path))}, {size}")


async def _write(
    context: TaskContext, job_id: str, path: Path, selection: RowSelection, answer: ExportAnswer
) -> str:
    """Write the rows to a file; returns their count in words, empty if that was stopped."""
    written = await with_progress(
        context.session.app,
        f"Writing {one_line(path.name, 40)}",
        lambda progress: context.engine.results.export(
            job_id, path, selection, answer.options, progress=progress
        ),
        octets=format_of(path)[0] == "archive",
    )
    if written is None:
        context.say("Stopped: no file was written", warn=True)
        return ""
    noun = "line" if answer.options.raw else "row"
    if answer.options.attempts:
        noun = "attempt"
    return formatting.counted(written, noun)


async def _export_to_bucket(
    context: TaskContext, job_id: str, selection: RowSelection, answer: ExportAnswer
) -> None:
    """Write the rows to a file, and upload it; a file that is there is replaced after a yes."""
    async with context.engine.results.open_target(answer.address) as target:
        shown = visible(target.address.shown)
        if await target.exists() and not await context.ask(overwrite_dialog("file", shown)):
            return
        count = await _write(context, job_id, target.path, selection, answer)
        if not count:
            return
        await with_progress(
            context.session.app,
            f"Uploading {one_line(visible(target.path.name), 40)}",
            target.upload,
            octets=True,
        )
        size = formatting.size((await asyncio.to_thread(target.path.stat)).st_size)
        context.say(f"{count} written to {shown}, {size}")


async def save_media(context: TaskContext, media: Sequence[Medium], name: str) -> None:
    """Show the images where that is possible, ask for a folder, and save images and audio there."""
    images = [medium for medium in media if medium.kind == "image"]
    if images and can_draw() and not await context.ask(ImagesDialog(images)):
        return
    folder = start_folder(context.state.export_folder)
    typed = await context.ask(save_media_dialog(folder, media_counts(media)))
    if typed is None:
        return
    target = expand_path(typed)
    context.state.export_folder = str(working_folder() / target)
    written = await asyncio.to_thread(write_media, media, target, name)
    names = ", ".join(visible(path.name) for path in written[:3])
    context.say(f"Saved {names}" + (" and more" if len(written) > 3 else ""))


async def summary(context: TaskContext, job_id: str) -> None:
    """Show the summary of a job."""
    job = context.engine.history.jobs.get(job_id)
    await context.session.app.push_screen(SummaryScreen(context.session, job.id, job.name))


async def facets(
    context: TaskContext,
    job_id: str,
    query: RowQuery,
    column: str,
    answered: Callable[[str, FacetAnswer], None],
) -> None:
    """Show the values of a job's columns; ``answered`` gets the job and what was chosen."""
    job = context.engine.history.jobs.get(job_id)
    answer = await context.ask(FacetScreen(context.session, job, query, column))
    if answer is not None:
        answered(job_id, answer)


async def evaluate(context: TaskContext, job_id: str) -> None:
    """Compare the answers of a job with true values, then show the rows of a chosen cell.

    In Results, those of the rows that match the filter.
    """
    job = context.engine.history.jobs.get(job_id)
    main = context.main
    is_shown = main.pane == "results" and main.results.job_id == job_id
    where = main.results.where if is_shown else ""
    screen = EvaluationScreen(context.session, job.id, job.name, where)
    query = await context.session.app.push_screen_wait(screen)
    if query:
        context.main.open_job(job.id)
        context.main.results.show_where(query)


async def costs(context: TaskContext) -> None:
    """Show where the money went."""
    await context.session.app.push_screen_wait(CostsScreen(context.session))


async def compare(context: TaskContext, job_id: str, *others: str) -> None:
    """Compare two jobs row by row, or more in a table; ask for the second one if none is given."""
    history = context.engine.history
    job = history.jobs.get(job_id)
    if len(others) > 1:
        found = [job, *map(history.jobs.get, others)]
        await _show_experiment(context, [ShownJob(one.id, one.name) for one in found])
        return
    if not others:
        jobs = await asyncio.to_thread(history.jobs.list, limit=_MOST_CHOICES)
        choices = [entry for entry in jobs if entry.id != job.id]
        # Jobs with as many rows come first: most likely the same requests.
        choices.sort(key=lambda entry: entry.counts.total != job.counts.total)
        dialog = SearchChoiceDialog(
            f"Compare {one_line(job.name, 30)} with",
            [Choice(entry.id, entry.name, _about(entry)) for entry in choices],
        )
        answer = await context.ask(dialog)
        if answer is None:
            return
        others = (answer,)
    await context.session.app.push_screen(CompareScreen(context.session, (job.id, *others)))


async def experiment(context: TaskContext, job_id: str) -> None:
    """Compare the jobs of the experiment that a job belongs to."""
    name = context.engine.history.jobs.get(job_id).experiment
    jobs = context.engine.experiments.jobs(name)
    if len(jobs) == 1:
        context.say(f"{one_line(name, 40)} has only one job: nothing to compare", warn=True)
        return
    await _show_experiment(context, [ShownJob(job.id, job.name) for job in jobs], name)


async def _show_experiment(context: TaskContext, jobs: Sequence[ShownJob], name: str = "") -> None:
    """Compare jobs in a table, then show the rows of a chosen one."""
    chosen = await context.ask(ExperimentScreen(context.session, jobs, name))
    if chosen is not None:
        context.main.open_job(chosen)


def _about(job: Job) -> str:
    rows = formatting.counted(job.counts.total, "row")
    return f"{one_line(job.model, 24) or '-'} · {rows} · {job.id}"
