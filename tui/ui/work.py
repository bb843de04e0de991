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
from tui.core.text import one_line, visible
from tui.errors import AccountKeyError, BatchdeckError, ConfigError
from tui.ui.composework import ComposeWork
from tui.ui.deciding import Deciding, uncertain_of
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.delete import DeleteDialog
from tui.ui.dialogs.error import ErrorDialog
from tui.ui.dialogs.key import KeyAnswer, KeyDialog
from tui.ui.external import show_outside
from tui.ui.messages import (
    AccountFilterRequested,
    AnnotateRequested,
    ComposeRequested,
    DetailsRequested,
    DraftSubmitRequested,
    ExportRequested,
    ExternalRequested,
    FileRequested,
    JobRequested,
    MediaRequested,
    RemoteRequested,
    RetryRequested,
    SchemaRequested,
    SettingsRequested,
    SubmitRequested,
)
from tui.ui.pencil import annotate, choose_account, show_details
from tui.ui.remotedesk import RemoteDesk
from tui.ui.rowwork import RowWork, title_of
from tui.ui.tuning import change_settings
from tui.ui.wholes import WholeJobs

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.ui.app import BatchdeckApp

T = TypeVar("T")

_VERBS = {"cancel": "Cancelling", "collect": "Collecting", "delete": "Deleting"}


class Work(RowWork, WholeJobs, Deciding):
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
            case JobRequested(verb="summary"):
                self._start("dialog", self.summary(asked), "Looking at the whole")
            case JobRequested(verb="compare"):
                self._start("dialog", self.compare(asked), "Comparing")
            case JobRequested(verb=verb):
                self._start(verb, self.on_job(asked), _VERBS[verb])
            case RemoteRequested(account=account):
                self._start("dialog", self.remote(account), "Reading the provider's list")
            case ExportRequested():
                self._start("export", self.export(asked), "Exporting")
            case AnnotateRequested():
                self._start("dialog", annotate(self._app, self._engine, asked), "Writing")
            case DetailsRequested():
                self._start("dialog", show_details(self._app, self._engine, asked), "Details")
            case AccountFilterRequested():
                self._start("dialog", choose_account(self._app), "Choosing an account")
            case SettingsRequested():
                self._start("dialog", change_settings(self._app, self._engine), "Settings")
            case MediaRequested():
                self._start("media", self.save_media(asked), "Saving files")
            case SchemaRequested():
                self._start("schema", self.check_schema(asked), "Checking answers")
            case ExternalRequested():
                show_outside(self._app, asked)

    def complain(self, error: BatchdeckError) -> None:
        """Tell what is wrong with the settings that the program started with."""
        self._app.journal.note(error.message, bad=True)
        hint = (
            f"{error.hint}\nBatchdeck goes on with what is right in the file, and with defaults."
            " Where the budget is not known, only what is free is sent."
        )
        told = ConfigError(error.message, hint)
        self._app.push_screen(ErrorDialog(told, "The settings have a fault"))

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
        if uncertain_of(self._engine, job.id):
            await self.decide(job)
            return
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
            self._say(f"{title_of(job)} is on its way")

    async def remote(self, account: str | None) -> None:
        """Show what the provider has, and the job that was chosen there."""
        from tui.ui.dialogs.remote import RemoteDialog

        history = self._engine.history
        chosen = account or next(iter(self._engine.account_names()))
        desk = RemoteDesk(self._engine, self._keyed)
        job_id = await self._app.push_screen_wait(
            RemoteDialog(desk, chosen, lambda job_id: history.job(job_id).name)
        )
        if job_id is not None:
            self._app.main.show_in_list(job_id)

    async def on_job(self, asked: JobRequested) -> None:
        """Cancel, collect or delete."""
        job = self._engine.history.job(asked.job_id)
        if asked.verb == "collect":
            await self._keyed(job.account, lambda: self._engine.collect(job.id))
            self._say(f"{title_of(job)}: everything that there is now is here")
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
            self._say(f"{title_of(job)} is being cancelled")

    async def _delete(self, job: Job) -> None:
        facts = [
            ("job", one_line(job.name, 44)),
            ("rows", f"{job.counts.total:,}, {job.counts.answered:,} with an answer"),
        ]
        provider = one_line(self._engine.account(job.account).provider_name, 30)
        files, batches = self._engine.deletable(job.id)
        kept = [word for word, there in (("files", files), ("batches", batches)) if there]
        there = f"its {' and '.join(kept)} at {provider}" if kept else ""
        why_not = "The provider keeps nothing of it, or cannot delete it."
        also: bool | None = await self._app.push_screen_wait(DeleteDialog(facts, there, why_not))
        if also is None:
            return
        await self._keyed(job.account, lambda: self._engine.delete(job.id, remote=also))
        where = f" here and at {provider}" if also else ""
        self._say(f"{title_of(job)} is deleted{where}")


def _name(provider: str, account: str) -> str:
    return f"{one_line(provider, 30)} (account {one_line(account, 20)})"
