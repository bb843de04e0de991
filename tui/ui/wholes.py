"""The work on jobs as wholes that panes ask for: export, summary, compare."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.filtering import RowSelection
from tui.core.jobs import Job
from tui.core.text import one_line, shortened, visible
from tui.store.inputs import InputColumns
from tui.ui import formatting
from tui.ui.dialogs.export import ExportDialog, ExportFacts
from tui.ui.dialogs.one_of import Choice, OneOfDialog
from tui.ui.dialogs.progress import with_progress
from tui.ui.messages import ExportRequested, JobRequested
from tui.ui.verbs import Verbs
from tui.ui.widgets.path_list import start_folder

_MOST_CHOICES = 1000
"""The newest jobs, of which one is chosen to compare with."""


class WholeJobs(Verbs):
    """The verbs that look at whole jobs, or take them home."""

    async def export(self, asked: ExportRequested) -> None:
        """Ask where to, as what and which rows, and write them."""
        job = self._engine.history.job(asked.job_id)
        with InputColumns(self._engine.paths, job.id) as inputs:
            has_inputs = bool(inputs.columns)
        total = job.counts.total
        sets: list[tuple[str, Sequence[int]]] = [("all rows", range(total))]
        if asked.shown is not None:
            sets.insert(0, ("the rows shown", asked.shown))
        if asked.marked is not None:
            sets.insert(0, ("the marked rows", asked.marked))
        folder = start_folder(self._app.state.export_folder)
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in job.name) or job.id
        suffix = "-part" if len(sets) > 1 else ""
        proposed = folder / f"{shortened(name, 60)}{suffix}.jsonl"
        facts = ExportFacts([(words, len(seqs)) for words, seqs in sets], has_inputs)
        answer = await self._app.push_screen_wait(ExportDialog(proposed, facts))
        if answer is None:
            return
        path = answer.path
        self._app.state.export_folder = str(path.absolute().parent)
        selection = RowSelection(seqs=sets[answer.rows][1], total=total)
        written, _ = await with_progress(
            self._app,
            f"Writing {one_line(path.name, 40)}",
            "row",
            lambda progress: self._engine.export(
                job.id,
                path,
                selection,
                answer.options,
                stop=progress.is_stopped,
                progress=progress.show,
            ),
        )
        if written is None:
            self._say("Stopped: nothing was written", warn=True)
        else:
            noun = "line" if answer.options.raw else "row"
            if answer.options.attempts:
                noun = "attempt"
            size = formatting.size(path.stat().st_size)
            told = f"{formatting.counted(written, noun)} written to {visible(str(path))}, {size}"
            self._say(told)

    async def summary(self, asked: JobRequested) -> None:
        """Show a job as a whole."""
        from tui.ui.screens.summary import SummaryScreen

        job = self._engine.history.job(asked.job_id)
        await self._app.push_screen(SummaryScreen(self._engine, job.id, job.name))

    async def compare(self, asked: JobRequested) -> None:
        """Let the other job be chosen where it is not, and show both."""
        from tui.ui.screens.compare import CompareScreen

        job = self._engine.history.job(asked.job_id)
        other = asked.other
        if not other:
            jobs = await asyncio.to_thread(self._engine.history.jobs, limit=_MOST_CHOICES)
            others = [entry for entry in jobs if entry.id != job.id]
            # The same requests are what is most worth comparing.
            others.sort(key=lambda entry: entry.counts.total != job.counts.total)
            dialog = OneOfDialog(
                f"Compare {one_line(job.name, 30)} with",
                [Choice(entry.id, entry.name, _about(entry)) for entry in others],
            )
            answer = await self._app.push_screen_wait(dialog)
            if answer is None:
                return
            other = answer
        await self._app.push_screen(CompareScreen(self._engine, job.id, other))


def _about(job: Job) -> str:
    rows = formatting.counted(job.counts.total, "row")
    return f"{one_line(job.model, 24) or '-'} · {rows} · {job.id}"
