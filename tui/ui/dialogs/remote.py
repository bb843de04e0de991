"""The provider's own list of batches: which are here, and bringing in one that is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.widgets import Input, Label, Select, Static

from tui.core.text import one_line, visible
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import Part, content
from tui.ui.widgets.remote_source import REMOTE_COLUMNS, RemoteSource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.adopter import RemoteEntry
    from tui.ui.remotedesk import RemoteDesk

JobName = Callable[[str], str]
"""The name of a job by its id."""


class RemoteDialog(Dialog[str | None]):
    """An account, its batches, and a field for an id; the answer is a job to show, if any.

    Args:
        desk: Asks the provider.
        account: The account to begin with.
        name_of: Names the jobs that are here.
        now: The clock.
    """

    TITLE_TEXT = "Provider's list"
    DEFAULT_CSS = """
    RemoteDialog > .dialog { width: 120; height: 90%; padding: 1 1 0 1; }
    RemoteDialog Grid { grid-size: 2; grid-columns: 12 1fr; grid-rows: 1; height: 1; }
    RemoteDialog #remote-table { height: 1fr; margin: 1 0; }
    RemoteDialog #remote-told { height: auto; max-height: 4; margin-top: 1; }
    RemoteDialog #remote-keys { height: 1; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "adopt", show=False),
        Binding("m", "more", show=False),
        Binding("ctrl+r", "again", show=False),
        Binding("i", "name_one", show=False),
    ]

    def __init__(
        self,
        desk: RemoteDesk,
        account: str,
        name_of: JobName,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._desk = desk
        self._names = desk.accounts()
        self._account = account if account in self._names else self._names[0]
        self._name_of = name_of
        self._now = now
        self._entries: list[RemoteEntry] = []
        self._more = False
        self._busy = ""
        self._table = VirtualTable(REMOTE_COLUMNS, id="remote-table")
        self._told = Static("", id="remote-told", markup=False)

    def compose_inside(self) -> ComposeResult:
        """Account, list, id, what happened, keys."""
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
            yield Input(
                placeholder="or type the id of a batch, and press enter",
                compact=True,
                id="remote-id",
            )
        yield self._told
        keys: list[Part] = []
        for key, words in (
            ("enter", "brings it in"),
            ("m", "more"),
            ("i", "by id"),
            ("ctrl+r", "asks again"),
            ("esc", "leaves"),
        ):
            keys += [(key, "accent"), (f" {words}   ", "muted")]
        yield Static(content(keys), id="remote-keys", markup=False)

    def on_mount(self) -> None:
        """Ask for the first page."""
        self._table.focus()
        self._ask(fresh=True)

    def _ask(self, *, fresh: bool) -> None:
        if fresh:
            self._entries = []
            self._more = False
        self._say([("Asking the provider …", "live")])
        self._table.placeholder = (("Asking the provider …", "muted"),)
        self._draw()
        self.run_worker(self._load(self._account, fresh=fresh), group="list", exclusive=True)

    async def _load(self, account: str, *, fresh: bool) -> None:
        try:
            found, self._more = await self._desk.page(account, fresh=fresh)
        except BatchdeckError as error:
            self._table.placeholder = (("No list.", "muted"),)
            self._draw()
            self._trouble(error)
            return
        self._entries += found
        self._table.placeholder = (("The provider has no batches of this account.", "muted"),)
        self._draw()
        self._tell_count()

    def _tell_count(self) -> None:
        strange = sum(entry.job_id is None for entry in self._entries)
        parts: list[Part] = [(formatting.counted(len(self._entries), "batch", "batches"), "")]
        parts.append((f", {strange:,} not here", "accent" if strange else "muted"))
        if self._more:
            parts += [("; ", "muted"), ("m", "accent"), (" shows more", "muted")]
        self._say(parts)

    def _draw(self) -> None:
        jobs = {entry.job_id for entry in self._entries if entry.job_id is not None}
        names = {job_id: self._name_of(job_id) for job_id in jobs}
        self._table.set_source(RemoteSource(self._entries, names, self._busy, self._now()))

    def _say(self, parts: list[Part]) -> None:
        self._told.update(content(parts))

    def _trouble(self, error: BatchdeckError) -> None:
        parts: list[Part] = [(visible(error.message), "bad")]
        if error.hint:
            parts.append((f"\n{visible(error.hint)}", "muted"))
        self._say(parts)

    @on(Select.Changed, "#remote-account")
    def _account_chosen(self, event: Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, str) and event.value != self._account:
            self._account = event.value
            self._ask(fresh=True)

    @on(VirtualTable.Opened, "#remote-table")
    def _opened(self, event: VirtualTable.Opened) -> None:
        event.stop()
        self.action_adopt()

    @on(Input.Submitted, "#remote-id")
    def _id_typed(self, event: Input.Submitted) -> None:
        event.stop()
        if remote_id := event.value.strip():
            self._begin(remote_id)

    def action_adopt(self) -> None:
        """Bring in the batch under the cursor; show the job of one that is here."""
        remote_id = self._table.cursor_id
        entry = next((e for e in self._entries if e.remote.id == remote_id), None)
        if entry is None:
            return
        if entry.job_id is not None:
            self.dismiss(entry.job_id)
        else:
            self._begin(entry.remote.id)

    def action_more(self) -> None:
        """Ask for older batches."""
        if self._more:
            self._ask(fresh=False)

    def action_again(self) -> None:
        """Ask from the start."""
        self._ask(fresh=True)

    def action_name_one(self) -> None:
        """To the field for an id."""
        self.query_one("#remote-id", Input).focus()

    def _begin(self, remote_id: str) -> None:
        if self._busy:
            self._say([("One batch is being brought in already.", "warn")])
            return
        self._busy = remote_id
        self._draw()
        self._say([(f"Bringing in {one_line(remote_id, 60)} …", "live")])
        # The app's worker: leaving the dialog does not end it.
        self.app.run_worker(self._adopt(self._account, remote_id), exit_on_error=False)

    async def _adopt(self, account: str, remote_id: str) -> None:
        try:
            job = await self._desk.adopt(account, remote_id)
        except BatchdeckError as error:
            self._busy = ""
            if self.is_attached:
                self._draw()
                self._trouble(error)
            else:
                self.app.notify(visible(error.message), severity="error", markup=False)
            return
        self._busy = ""
        words = f"{one_line(job.name, 40)} is here now, with {job.counts.total:,} rows"
        if not self.is_attached:
            self.app.notify(words, markup=False)
            return
        for index, entry in enumerate(self._entries):
            if entry.remote.id == remote_id and account == self._account:
                self._entries[index] = type(entry)(entry.remote, job.id)
        self._draw()
        self.query_one("#remote-id", Input).value = ""
        self._say([(words, "good"), ("; ", "muted"), ("enter", "accent"), (" shows it", "muted")])
