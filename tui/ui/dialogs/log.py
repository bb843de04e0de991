"""What the program did while it was open."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.journal import Entry
from tui.ui.signals import CopyRequested
from tui.ui.tones import Part, content
from tui.ui.widgets.table_model import Cells, Column
from tui.ui.widgets.virtual_table import VirtualTable

_COLUMNS = (Column("at", "Time", 12), Column("text", "What", 20, flex=1))


class EntrySource:
    """Entries of the journal, newest first."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = list(reversed(entries))
        self._now = time.time()

    def row_count(self) -> int:
        """How many there are."""
        return len(self._entries)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of some entries."""
        return [
            (
                ((formatting.moment(entry.at, self._now), "muted"),),
                ((entry.text, "bad" if entry.bad else ""),),
            )
            for entry in self._entries[start:stop]
        ]

    def entry(self, row_id: Hashable) -> Entry | None:
        """The entry with an id."""
        index = self.index_of(row_id)
        return self._entries[index] if index is not None and index < len(self._entries) else None

    def row_id(self, index: int) -> Hashable:
        """The place, counted from the oldest."""
        return len(self._entries) - index

    def index_of(self, row_id: Hashable) -> int | None:
        """Where an entry stands."""
        return len(self._entries) - row_id if isinstance(row_id, int) else None


class LogDialog(Dialog[None]):
    """What is asked of each account, and the journal, the newest first.

    Args:
        entries: The journal; those of earlier runs come first.
        traffic: Gives the lines on top, which are read anew every second.
    """

    TITLE_TEXT = "Log"
    DEFAULT_CSS = """
    LogDialog > .dialog { width: 96%; height: 90%; padding: 0; }
    LogDialog #log-traffic { height: auto; max-height: 8; padding: 0 1; margin-bottom: 1; }
    LogDialog VirtualTable { height: 1fr; }
    LogDialog #log-entry { height: auto; max-height: 5; padding: 0 1; margin-top: 1; }
    LogDialog .dialog-keys { height: 1; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,L", "leave", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(self, entries: Sequence[Entry], traffic: Callable[[], Sequence[Part]]) -> None:
        super().__init__()
        self._traffic = traffic
        self._told = Static(id="log-traffic")
        self._entry = Static(id="log-entry", markup=False)
        self._source = EntrySource(entries)
        self._table = VirtualTable(_COLUMNS, show_header=False)
        self._table.placeholder = (("Nothing has happened yet.", "muted"),)

    def compose_inside(self) -> ComposeResult:
        """The lines about the accounts, the list, the entry under the cursor, the keys."""
        yield self._told
        yield self._table
        yield self._entry
        keys: list[Part] = [("y", "accent"), (" copies the entry   ", "muted")]
        keys += [("esc", "accent"), (" leaves", "muted")]
        yield Static(content(keys), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Tell of the accounts, now and every second."""
        self._table.set_source(self._source)
        self._table.focus()
        self._tell()
        self.set_interval(1.0, self._tell)

    @on(VirtualTable.CursorMoved)
    def _cursor_moved(self, event: VirtualTable.CursorMoved) -> None:
        """Show an entry whole: its line may be cut."""
        event.stop()
        entry = self._chosen
        if entry is not None:
            self._entry.update(content([(entry.text, "bad" if entry.bad else "")]))

    @property
    def _chosen(self) -> Entry | None:
        """The entry under the cursor."""
        return self._source.entry(self._table.cursor_id)

    def action_copy(self) -> None:
        """Copy the entry under the cursor."""
        entry = self._chosen
        if entry is not None:
            at = datetime.fromtimestamp(entry.at).astimezone().isoformat(timespec="seconds")
            self.app.post_message(CopyRequested(f"{at}  {entry.text}", "the entry"))

    def _tell(self) -> None:
        self._told.update(content(self._traffic()))
