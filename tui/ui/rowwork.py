"""The work on rows that panes ask for: send them again, save what is in them, check them."""

from __future__ import annotations

import asyncio

from tui.core.jobs import Job
from tui.core.text import one_line, visible
from tui.errors import UsageError
from tui.ui import formatting
from tui.ui.dialogs.path import media_dialog, schema_dialog
from tui.ui.dialogs.retry import RetryDialog
from tui.ui.dialogs.retry_choices import RetryAnswer
from tui.ui.dialogs.retry_edit import RetryEditDialog
from tui.ui.messages import MediaRequested, RetryRequested, SchemaRequested
from tui.ui.retrydesk import RetryDesk
from tui.ui.savefiles import kinds_in_words, save_media
from tui.ui.verbs import Verbs
from tui.ui.widgets.path_list import expand, start_folder


class RowWork(Verbs):
    """The verbs of the Results pane that need more than one step."""

    async def retry(self, asked: RetryRequested) -> None:
        """Plan, ask, and send rows again."""
        job = self._engine.history.job(asked.job_id)
        desk = RetryDesk(self._engine, asked)
        facts = await desk.facts()
        dialog: RetryDialog | RetryEditDialog
        if asked.edit:
            dialog = RetryEditDialog(facts, await desk.proposed(), desk.rehearse, desk.price)
        else:
            dialog = RetryDialog(facts, desk.price_unchanged)
        answer: RetryAnswer | None = await self._app.push_screen_wait(dialog)
        if answer is None:
            return
        plan = await desk.fitted(answer.edits, answer.with_permanent, direct=answer.direct)
        self._app.main.results.clear_marks()
        await self._keyed(plan.account, lambda: self._engine.retry(plan))
        left = f"; {plan.left_out:,} could not be changed so" if plan.left_out else ""
        sent = formatting.counted(plan.rows, "row")
        self._say(f"{sent} of {title_of(job)} on the way again{left}", warn=bool(left))

    async def save_media(self, asked: MediaRequested) -> None:
        """Ask where to, and save images and sounds."""
        folder = start_folder(self._app.state.export_folder)
        typed = await self._app.push_screen_wait(media_dialog(folder, kinds_in_words(asked.media)))
        if typed is not None:
            where = expand(typed)
            self._app.state.export_folder = str(where.absolute())
            written = await asyncio.to_thread(save_media, asked.media, where, asked.name)
            names = ", ".join(visible(path.name) for path in written[:3])
            self._say(f"Saved {names}" + (" and more" if len(written) > 3 else ""))

    async def check_schema(self, asked: SchemaRequested) -> None:
        """Ask for a schema, keep it for the job, and check all answers by it."""
        job = self._engine.history.job(asked.job_id)
        before = await self._engine.given_schema(job.id)
        typed = await self._app.push_screen_wait(schema_dialog("", bool(before)))
        if typed is None:
            return
        schema = b""
        if typed.strip():
            path = expand(typed)
            try:
                schema = await asyncio.to_thread(path.read_bytes)
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        await self._engine.give_schema(job.id, schema)
        with self._app.main.top_bar.meter("Checking", formatting.number) as seen:
            found = await self._engine.check_schema(job.id, progress=seen)
        self._app.main.results.show_anew()
        bad = len(found.bad)
        if not found.checked:
            self._say(f"No answer of {title_of(job)} was asked for by a schema", warn=True)
        else:
            told = f"{found.checked:,} answers of {title_of(job)} checked: {bad:,} do not fit"
            self._say(f"{told}; the filter schema:bad shows them" if bad else told, warn=bool(bad))


def title_of(job: Job) -> str:
    """The name of a job, as notes and questions have it."""
    return one_line(job.name, 40)
