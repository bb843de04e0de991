"""The work that panes ask for: each piece a worker of the app, whatever screen is shown.

A method here asks what must be asked, calls the engine, and says how it went. Closing a
dialog or leaving a pane ends none of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

from tui import keys
from tui.core.jobs import Job
from tui.core.text import one_line, shortened, visible
from tui.errors import AccountKeyError, BatchdeckError, UsageError
from tui.ui import formatting
from tui.ui.composework import ComposeWork
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.error import ErrorDialog
from tui.ui.dialogs.export import ExportDialog
from tui.ui.dialogs.key import KeyAnswer, KeyDialog
from tui.ui.dialogs.retry import RetryAnswer, RetryDialog, RetryFacts
from tui.ui.external import show_outside
from tui.ui.messages import (
    ComposeRequested,
    DraftSubmitRequested,
    ExportRequested,
    ExternalRequested,
    FileRequested,
    JobRequested,
    RetryRequested,
    SubmitRequested,
)
from tui.ui.widgets.path_list import start_folder

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.app import BatchdeckApp

T = TypeVar("T")

_VERBS = {"cancel": "Cancelling", "collect": "Collecting", "delete": "Deleting"}

_UNCERTAIN = (
    "It is not certain whether the provider has it already: it cannot be asked. "
    "If it has, sending it again is paid twice."
)


class Work:
    """The verbs of the dashboard.

    Args:
        app: Where dialogs and notes are shown.
        engine: What does the work.
    """

    def __init__(self, app: BatchdeckApp, engine: Engine) -> None:
        self._app = app
        self._engine = engine
        self._composing = ComposeWork(app, engine, self._keyed)

    def take(self, asked: Message) -> None:
        """Start the work that a message asks for."""
        match asked:
            case FileRequested() | SubmitRequested() | ComposeRequested():
                self._start(*self._composing.piece(asked))
            case DraftSubmitRequested():
                self._start("submit", self.submit_draft(asked), "Submitting")
            case RetryRequested():
                self._start("retry", self.retry(asked), "Sending rows again")
            case JobRequested(verb=verb):
                self._start(verb, self.on_job(asked), _VERBS[verb])
            case ExportRequested():
                self._start("export", self.export(asked), "Exporting")
            case ExternalRequested():
                show_outside(self._app, asked)

    def _start(self, group: str, work: Awaitable[None], what: str) -> None:
        """Run a piece of work as a worker; what goes wrong is shown, not thrown."""
        self._app.run_worker(
            self._guarded(work, what), group=group, exit_on_error=False, description=what
        )

    async def _guarded(self, work: Awaitable[None], what: str) -> None:
        try:
            await work
        except BatchdeckError as error:
            self._app.journal.note(f"{what}: {error.message}", bad=True)
            self._app.push_screen(ErrorDialog(error, what))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._app.journal.note_crash(error)
            told = BatchdeckError(
                f"{type(error).__name__}: {error}",
                f"This is a fault of Batchdeck; the details are in {self._engine.paths.log_file}.",
            )
            self._app.push_screen(ErrorDialog(told, what))

    async def _keyed(self, account: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do something; when its key is missing or refused, ask for one and do it again."""
        while True:
            try:
                return await work()
            except AccountKeyError as error:
                hint = self._engine.accounts.key_hint(account)
                asked = KeyDialog(account, error.message, error.hint or hint)
                answer = await self._app.push_screen_wait(asked)
                if answer is None:
                    raise
                await self._take_key(account, answer)

    async def _take_key(self, account: str, answer: KeyAnswer) -> None:
        keys.remember_key(account, answer.value)
        if answer.keep:
            try:
                await asyncio.to_thread(keys.store_key, account, answer.value)
            except keys.KeyringTroubleError as error:
                self._say(f"{error.message}: the key is kept for this session", warn=True)
            else:
                self._say(f"The key of {visible(account)} is in the keyring")
        await self._engine.accounts.forget(account)

    def _say(self, text: str, *, warn: bool = False) -> None:
        self._app.journal.note(text)
        self._app.notify(text, markup=False, severity="warning" if warn else "information")

    async def submit_draft(self, asked: DraftSubmitRequested) -> None:
        """Ask, and send a job that was not sent."""
        job = self._engine.history.job(asked.job_id)
        account = self._engine.account(job.account)
        facts = [
            ("requests", f"{job.counts.total:,}"),
            ("provider", _name(account.provider_name, job.account)),
            ("model", one_line(job.model, 44) or "-"),
            ("window", job.window or "-"),
        ]
        title = f"Submit {one_line(job.name, 36)}?"
        if await self._app.push_screen_wait(ConfirmDialog(title, facts, "Submit")):
            await self._keyed(job.account, lambda: self._engine.submit(job.id, patient=True))
            self._say(f"{_title(job)} is on its way")

    async def retry(self, asked: RetryRequested) -> None:
        """Plan, ask, and send rows again."""
        job = self._engine.history.job(asked.job_id)
        whole = await self._engine.plan_retry(job.id, asked.rows, permanent_too=True)
        facts = RetryFacts(
            subject=asked.subject,
            rows=whole.rows - whole.permanent,
            permanent=whole.permanent,
            provider=whole.provider_name,
            account=whole.account,
            model=whole.model,
        )
        answer: RetryAnswer | None = await self._app.push_screen_wait(
            RetryDialog(facts, edit=asked.edit)
        )
        if answer is None:
            return
        plan = await self._engine.plan_retry(
            job.id, asked.rows, answer.edits, permanent_too=answer.with_permanent
        )
        self._app.main.results.clear_marks()
        await self._keyed(plan.account, lambda: self._engine.retry(plan))
        self._say(f"{formatting.counted(plan.rows, 'row')} of {_title(job)} on the way again")

    async def on_job(self, asked: JobRequested) -> None:
        """Cancel, collect or delete."""
        job = self._engine.history.job(asked.job_id)
        if asked.verb == "collect":
            await self._keyed(job.account, lambda: self._engine.collect(job.id))
            self._say(f"{_title(job)}: everything that there is now is here")
        elif asked.verb == "cancel":
            await self._cancel(job)
        elif asked.verb == "delete":
            await self._delete(job)

    async def _cancel(self, job: Job) -> None:
        facts = [
            ("job", one_line(job.name, 44)),
            ("open rows", f"{job.counts.pending:,} of {job.counts.total:,}"),
            ("account", one_line(job.account, 44)),
        ]
        note = "Answers that exist are kept; the open rows can be sent later with r."
        dialog = ConfirmDialog("Stop this job?", facts, "Stop it", note, dangerous=True)
        if await self._app.push_screen_wait(dialog):
            await self._keyed(job.account, lambda: self._engine.cancel(job.id))
            self._say(f"{_title(job)} is being cancelled")

    async def _delete(self, job: Job) -> None:
        facts = [
            ("job", one_line(job.name, 44)),
            ("rows", f"{job.counts.total:,}, {job.counts.answered:,} with an answer"),
        ]
        note = "Its requests and answers on this machine are lost. The provider is not asked."
        dialog = ConfirmDialog("Delete from the history?", facts, "Delete", note, dangerous=True)
        if await self._app.push_screen_wait(dialog):
            await self._engine.delete(job.id)
            self._say(f"{_title(job)} is deleted")

    async def export(self, asked: ExportRequested) -> None:
        """Ask where to, and write rows."""
        job = self._engine.history.job(asked.job_id)
        folder = start_folder(self._app.state.export_folder)
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in job.name) or job.id
        suffix = "-part" if not asked.rows.is_empty else ""
        proposed = folder / f"{shortened(name, 60)}{suffix}.jsonl"
        dialog = ExportDialog(proposed, asked.count, asked.subject)
        path = await self._app.push_screen_wait(dialog)
        if path is None:
            return
        self._app.state.export_folder = str(path.absolute().parent)
        try:
            with self._app.main.top_bar.meter("Writing", formatting.number) as seen:
                written = await self._engine.export(job.id, path, asked.rows, progress=seen)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
        if written is not None:
            self._say(f"{formatting.counted(written, 'row')} written to {visible(str(path))}")


def _name(provider: str, account: str) -> str:
    return f"{one_line(provider, 30)} (account {one_line(account, 20)})"


def _title(job: Job) -> str:
    return one_line(job.name, 40)
