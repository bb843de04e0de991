"""The batches at a provider: a list per account, read a page at a time, and imports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Input, Label, Select, Static

from tui.core import formatting
from tui.core.jobs import Job, RemoteCounts
from tui.core.text import one_line, visible
from tui.engine.engine import Engine
from tui.engine.remote import RemoteEntry
from tui.errors import BatchdeckError
from tui.ui.dialogs.base import Dialog
from tui.ui.text.status import status_parts
from tui.ui.text.tones import Part, Parts, content, error_parts, key_hints
from tui.ui.widgets.basics import Field
from tui.ui.widgets.table.model import Cells, Column, ListSource
from tui.ui.widgets.table.table import VirtualTable

PAGE = 100
"""Batches per page."""

WithKey = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Runs a call for an account; asks for its key and repeats the call if the key is missing."""


class RemoteBatches:
    """Reads the list of one account at a time.

    Args:
        engine: The engine.
        with_key: Runs a call for an account, asking for its key if that is missing.
    """

    def __init__(self, engine: Engine, with_key: WithKey) -> None:
        self._engine = engine
        self._with_key = with_key
        self._account = ""
        self._entries: AsyncIterator[RemoteEntry] | None = None

    def accounts(self) -> list[str]:
        """The accounts that use batches, not direct requests."""
        engine = self._engine
        return [name for name in engine.account_names() if not engine.account(name).direct]

    async def page(self, account: str, *, fresh: bool) -> tuple[list[RemoteEntry], bool]:
        """The next page of batches, newest first, and whether there may be more.

        Args:
            account: The account whose batches are listed.
            fresh: Start again with the newest batch.

        Raises:
            UsageError: The provider cannot list batches.
            BatchdeckError: The request failed.
        """
        page: tuple[list[RemoteEntry], bool] = await self._with_key(
            account, lambda: self._page(account, fresh=fresh)
        )
        return page

    async def _page(self, account: str, *, fresh: bool) -> tuple[list[RemoteEntry], bool]:
        if fresh or self._entries is None or account != self._account:
            self._account, self._entries = account, self._engine.remote.walk(account)
        entries = self._entries
        found: list[RemoteEntry] = []
        async for entry in entries:
            found.append(entry)
            if len(found) == PAGE:
                return found, True
        self._entries = None
        return found, False

    async def adopt(self, account: str, remote_id: str) -> Job:
        """Import a batch into the history.

        Raises:
            BatchdeckError: The batch cannot be imported.
        """
        job: Job = await self._with_key(
            account, lambda: self._engine.remote.adopt(remote_id, account=account)
        )
        return job


REMOTE_COLUMNS = (
    Column("status", "Status", 14),
    Column("id", "Batch", 18, flex=3),
    Column("rows", "Rows", 13, align="right", drop=1),
    Column("created", "Created", 12, drop=2),
    Column("here", "Job", 16, flex=1),
)


def _rows(counts: RemoteCounts) -> Parts:
    """The row count, such as ``291/300``; a dash if the provider does not report it."""
    if counts.total is None:
        return (("-", "muted"),)
    done: tuple[Part, ...] = ()
    if counts.ended is not None:
        done = ((f"{counts.ended:,}", ""),)
    return (*done, (f"/{counts.total:,}" if done else f"{counts.total:,}", "muted"))


JobName = Callable[[str], str]
"""Takes a job id and returns the job's name."""


class RemoteDialog(Dialog[str]):
    """An account, its batches, and an input for an id; the result is a job to show, if any.

    Args:
        desk: Queries the provider.
        account: The initial account.
        name_of: Returns the name of a local job.
        now: The clock.
    """

    DEFAULT_CSS = """
    RemoteDialog > .dialog { width: 120; height: 90%; padding: 1 1 0 1; }
    RemoteDialog Grid { grid-size: 2; grid-columns: 12 1fr; grid-rows: 1; height: 1; }
    RemoteDialog #remote-table { height: 1fr; margin: 1 0; }
    RemoteDialog #remote-told { height: auto; max-height: 4; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "adopt", show=False),
        Binding("m", "more", show=False),
        Binding("ctrl+r", "again", show=False),
        Binding("i", "name_one", show=False),
    ]

    def __init__(
        self,
        desk: RemoteBatches,
        account: str,
        name_of: JobName,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("Batches at the provider")
        self._desk = desk
        self._names = desk.accounts()
        self._account = account if account in self._names else self._names[0]
        self._name_of = name_of
        self._now = now
        self._entries: list[RemoteEntry] = []
        self._more = False
        self._busy = ""
        self._table = VirtualTable(REMOTE_COLUMNS, id="remote-table")
        self._status = Static("", id="remote-told", markup=False)

    def compose_content(self) -> ComposeResult:
        """The account, the list, the id input, the status line and the key hints."""
        with Grid():
            yield Label("account")
            yield Select[str](
                [(one_line(name, 60), name) for name in self._names],
                value=self._account,
                allow_blank=False,
                compact=True,
                id="remote-account",
            )
        yield self._table
        with Grid():
            yield Label("batch id")
            yield Field(
                placeholder="Type a batch id and press enter",
                compact=True,
                id="remote-id",
            )
        yield self._status
        keys = key_hints(
            ("enter", "import"), ("m", "more"), ("i", "by id"), ("ctrl+r", "refresh"),
            ("esc", "close"),
        )  # fmt: skip
        yield Static(content(keys), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Load the first page."""
        self._table.focus()
        self._fetch(fresh=True)

    def _fetch(self, *, fresh: bool) -> None:
        if fresh:
            self._entries = []
            self._more = False
        self._show_status([("Loading …", "live")])
        self._table.placeholder = (("Loading …", "muted"),)
        self._draw()
        self.run_worker(self._load(self._account, fresh=fresh), group="list", exclusive=True)

    async def _load(self, account: str, *, fresh: bool) -> None:
        try:
            found, self._more = await self._desk.page(account, fresh=fresh)
        except BatchdeckError as error:
            self._table.placeholder = (("The list could not be loaded.", "muted"),)
            self._draw()
            self._show_status(error_parts(error))
            return
        self._entries += found
        self._table.placeholder = (("This account has no batches at the provider.", "muted"),)
        self._draw()
        self._show_count()

    def _show_count(self) -> None:
        not_imported = sum(entry.job_id is None for entry in self._entries)
        parts: list[Part] = [(formatting.counted(len(self._entries), "batch", "batches"), "")]
        parts.append((f", {not_imported:,} not imported", "accent" if not_imported else "muted"))
        if self._more:
            parts += [("; ", "muted"), ("m", "accent"), (" loads more", "muted")]
        self._show_status(parts)

    def _draw(self) -> None:
        # A copy, since a page may be added while the rows are shown.
        entries = list(self._entries)
        self._table.set_source(ListSource(entries, self._cells, lambda entry: entry.remote.id))

    def _cells(self, entry: RemoteEntry) -> Cells:
        remote = entry.remote
        created = remote.created_at
        if remote.id == self._busy:
            job: Part = ("importing …", "live")
        elif entry.job_id is None:
            job = ("not imported", "muted")
        else:
            job = (one_line(self._name_of(entry.job_id), 40), "good")
        return (
            status_parts(remote.status, one_line(remote.raw_status, 12)),
            one_line(remote.id, 200),
            _rows(remote.counts),
            "-" if created is None else formatting.moment(created, self._now()),
            (job,),
        )

    def _show_status(self, parts: list[Part]) -> None:
        self._status.update(content(parts))

    @on(Select.Changed, "#remote-account")
    def _account_chosen(self, event: Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, str) and event.value != self._account:
            self._account = event.value
            self._fetch(fresh=True)

    @on(VirtualTable.Opened, "#remote-table")
    def _opened(self, event: VirtualTable.Opened) -> None:
        event.stop()
        self.action_adopt()

    @on(Input.Submitted, "#remote-id")
    def _id_typed(self, event: Input.Submitted) -> None:
        event.stop()
        if remote_id := event.value.strip():
            self._start_import(remote_id)

    def action_adopt(self) -> None:
        """Import the batch under the cursor, or open its job if it was imported before."""
        remote_id = self._table.cursor_id
        entry = next((e for e in self._entries if e.remote.id == remote_id), None)
        if entry is None:
            return
        if entry.job_id is not None:
            self.dismiss(entry.job_id)
        else:
            self._start_import(entry.remote.id)

    def action_more(self) -> None:
        """Load older batches."""
        if self._more:
            self._fetch(fresh=False)

    def action_again(self) -> None:
        """Reload the list."""
        self._fetch(fresh=True)

    def action_name_one(self) -> None:
        """Focus the id input."""
        self.query_one("#remote-id", Input).focus()

    def _start_import(self, remote_id: str) -> None:
        if self._busy:
            self._show_status([("Another batch is being imported.", "warn")])
            return
        self._busy = remote_id
        self._draw()
        self._show_status([(f"Importing {one_line(remote_id, 60)} …", "live")])
        # A worker of the app, so that closing the dialog does not stop it.
        self.app.run_worker(self._adopt(self._account, remote_id), exit_on_error=False)

    async def _adopt(self, account: str, remote_id: str) -> None:
        try:
            job = await self._desk.adopt(account, remote_id)
        except BatchdeckError as error:
            self._busy = ""
            if self.is_attached:
                self._draw()
                self._show_status(error_parts(error))
            else:
                self.app.notify(visible(error.message), severity="error", markup=False)
            return
        self._busy = ""
        words = f"{one_line(job.name, 40)} imported, {job.counts.total:,} rows"
        if not self.is_attached:
            self.app.notify(words, markup=False)
            return
        for index, entry in enumerate(self._entries):
            if entry.remote.id == remote_id and account == self._account:
                self._entries[index] = type(entry)(entry.remote, job.id)
        self._draw()
        self.query_one("#remote-id", Input).value = ""
        self._show_status(
            [(words, "good"), ("; ", "muted"), ("enter", "accent"), (" opens it", "muted")]
        )
