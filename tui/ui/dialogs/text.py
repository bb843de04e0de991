"""Texts to read: job details, an error, the log, and a request that was tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Button, Static

from tui.core import formatting
from tui.core.text import one_line, visible
from tui.engine.engine import Engine
from tui.engine.try_request import TryResult
from tui.errors import BatchdeckError, InputError, ProviderError
from tui.ui.activity_log import Entry
from tui.ui.dialogs.base import Dialog
from tui.ui.external_programs import copy
from tui.ui.text.compose import trial_text
from tui.ui.text.rows import read_request
from tui.ui.text.tones import Part, content, in_cells, key_hints, plain
from tui.ui.widgets.table.model import Cells, Column, ListSource
from tui.ui.widgets.table.table import VirtualTable
from tui.ui.widgets.text_page import TextPage


class TextDialog(Dialog[None]):
    """A text to read; ``j`` and ``k`` scroll it.

    Args:
        title: The title of the dialog.
        *keys: Keys and what they do, shown below the text.
    """

    DEFAULT_CSS = """
    TextDialog VerticalScroll { height: 1fr; }
    TextDialog .dialog-keys { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, *keys: tuple[str, str]) -> None:
        super().__init__(title)
        self._hints = key_hints(*keys)

    def compose_content(self) -> ComposeResult:
        """The text and the key hints."""
        with VerticalScroll(can_focus=True):
            yield Static(content(self.text()).rstrip(), markup=False)
        if self._hints:
            yield Static(content(self._hints), classes="dialog-keys")

    def text(self) -> list[Part]:
        """The text, without control characters."""
        return []

    def action_scroll(self, step: int) -> None:
        """Scroll by a few lines."""
        self.query_one(VerticalScroll).scroll_relative(y=3 * step, animate=False)


class DetailsDialog(TextDialog):
    """A long text; ``y`` copies it, ``v`` opens it in the pager.

    Args:
        title: The title of the dialog.
        text: The text, without control characters.
        open_pager: Opens the text in the pager.
    """

    DEFAULT_CSS = """
    DetailsDialog > .dialog { width: 100; height: 92%; padding: 0 1; }
    DetailsDialog VerticalScroll { margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "leave", show=False),
        Binding("y", "copy", show=False),
        Binding("v", "pager", show=False),
    ]

    def __init__(self, title: str, text: str, open_pager: Callable[[str], None]) -> None:
        super().__init__(title, ("y", "copy all"), ("v", "pager"), ("esc", "close"))
        self._text = text
        self._open_pager = open_pager

    def text(self) -> list[Part]:
        """The text."""
        return [(self._text, "")]

    def action_copy(self) -> None:
        """Copy the text."""
        copy(self.app, self._text, "the details")

    def action_pager(self) -> None:
        """Open the text in the pager."""
        self._open_pager(self._text)


class TryDialog(Dialog[None]):
    """The request and its answer, side by side.

    Args:
        trial: The request and its response.
    """

    DEFAULT_CSS = """
    TryDialog > .dialog { width: 96%; height: 90%; padding: 1 1 0 1; }
    TryDialog #trial-pages { height: 1fr; layout: horizontal; }
    TryDialog .dialog-buttons { margin-top: 1; }
    """

    def __init__(self, trial: TryResult) -> None:
        name = one_line(trial.provider_name, 24)
        super().__init__(f"{one_line(trial.custom_id, 40)} sent to {name}")
        self._trial = trial
        self._request = TextPage("Request", "trial-request")
        self._answer = TextPage("Answer", "trial-answer")

    def compose_content(self) -> ComposeResult:
        """Both pages and the close button."""
        with Container(id="trial-pages"):
            yield self._request
            yield self._answer
        with Horizontal(classes="dialog-buttons"):
            yield Button("Close  esc", id="no", compact=True)

    def on_mount(self) -> None:
        """Fill the pages."""
        self._request.show_content(read_request(self._trial.request, as_json=False).shown)
        self._answer.show_content(trial_text(self._trial))
        self._answer.focus()


_SCROLL_KEYS = frozenset({"up", "down", "pageup", "pagedown", "home", "end"})


class ErrorDialog(TextDialog):
    """An error to read; ``c`` copies it, any other key closes the dialog.

    Args:
        error: The error.
        what: What was being done, as the title.
    """

    DEFAULT_CSS = """
    ErrorDialog > .dialog { width: 76; }
    ErrorDialog VerticalScroll { height: auto; max-height: 16; }
    ErrorDialog .dialog-keys { margin: 1 0; }
    """

    def __init__(self, error: BatchdeckError, what: str = "") -> None:
        super().__init__(what or error.title, ("c", "copy"))
        self._hints.append(("press any key to close", "muted"))
        self._error = error
        self._heading = error.title if what else ""

    def text(self) -> list[Part]:
        """The message, the hint, where it happened, and what the provider answered."""
        error = self._error
        parts: list[Part] = []
        if self._heading:
            parts.append((self._heading + "\n", "bad"))
        parts.append((visible(error.message, newlines=True) + "\n", "strong"))
        if error.hint:
            parts.append(("\n" + visible(error.hint, newlines=True) + "\n", ""))
        if isinstance(error, InputError) and error.path is not None:
            line = f", line {error.line:,}" if error.line else ""
            parts.append((f"\n{visible(str(error.path))}{line}\n", "muted"))
        if isinstance(error, ProviderError):
            facts = [f"HTTP {error.status}" if error.status else "", error.code or ""]
            if error.request_id:
                facts.append(f"request {error.request_id}")
            facts_line = " · ".join(visible(fact) for fact in facts if fact)
            if facts_line:
                parts.append((f"\n{facts_line}\n", "muted"))
            if error.body:
                parts.append(("\nResponse from the provider:\n", "muted"))
                parts.append((visible(error.body, newlines=True), ""))
        return parts

    def on_key(self, event: events.Key) -> None:
        """Copy, scroll, or close."""
        event.stop()
        event.prevent_default()
        if event.key == "c":
            copy(self.app, plain(self.text()), "the error")
        elif event.key in _SCROLL_KEYS:
            scroll = self.query_one(VerticalScroll)
            if event.key in ("up", "pageup", "home"):
                scroll.scroll_page_up(animate=False)
            else:
                scroll.scroll_page_down(animate=False)
        else:
            self.dismiss(None)


_COLUMNS = (Column("at", "Time", 12), Column("text", "What", 20, flex=1))


class LogDialog(Dialog[None]):
    """The request counts of each account and the log, newest first.

    Args:
        entries: The log, oldest first, including earlier runs.
        traffic: Returns the request counts; called every second.
    """

    DEFAULT_CSS = """
    LogDialog > .dialog { width: 96%; height: 90%; padding: 0; }
    LogDialog #log-traffic { height: auto; max-height: 8; padding: 0 1; margin-bottom: 1; }
    LogDialog VirtualTable { height: 1fr; }
    LogDialog #log-entry { height: auto; max-height: 5; padding: 0 1; margin-top: 1; }
    LogDialog .dialog-keys { margin: 0; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,L", "leave", show=False),
        Binding("y", "copy", show=False),
    ]

    def __init__(self, entries: Sequence[Entry], traffic: Callable[[], Sequence[Part]]) -> None:
        super().__init__("Log")
        self._entries = entries
        self._traffic = traffic
        self._traffic_line = Static(id="log-traffic")
        self._entry = Static(id="log-entry", markup=False)
        self._table = VirtualTable(_COLUMNS, show_header=False)
        self._table.placeholder = (("No activity yet.", "muted"),)

    def compose_content(self) -> ComposeResult:
        """The request counts, the log, the entry under the cursor and the key hints."""
        yield self._traffic_line
        yield self._table
        yield self._entry
        keys = key_hints(("y", "copy entry"), ("esc", "close"))
        yield Static(content(keys), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Fill the table, and refresh the request counts every second."""
        now = time.time()
        newest_first = range(len(self._entries) - 1, -1, -1)
        self._table.set_source(ListSource(newest_first, lambda place: self._cells(place, now)))
        self._table.focus()
        self._draw_traffic()
        self.set_interval(1.0, self._draw_traffic)

    def _cells(self, place: int, now: float) -> Cells:
        entry = self._entries[place]
        return (
            ((formatting.moment(entry.at, now), "muted"),),
            ((entry.text, "bad" if entry.bad else ""),),
        )

    @on(VirtualTable.CursorMoved)
    def _cursor_moved(self, event: VirtualTable.CursorMoved) -> None:
        """Show the full entry: its table row may be truncated."""
        event.stop()
        entry = self._chosen
        if entry is not None:
            self._entry.update(content([(entry.text, "bad" if entry.bad else "")]))

    @property
    def _chosen(self) -> Entry | None:
        """The entry under the cursor."""
        place = self._table.cursor_id
        return self._entries[place] if isinstance(place, int) else None

    def action_copy(self) -> None:
        """Copy the entry under the cursor."""
        entry = self._chosen
        if entry is not None:
            at = datetime.fromtimestamp(entry.at).astimezone().isoformat(timespec="seconds")
            copy(self.app, f"{at}  {entry.text}", "the entry")

    def _draw_traffic(self) -> None:
        self._traffic_line.update(content(self._traffic()))


_NAME = 24


def traffic_parts(engine: Engine, now: float) -> list[Part]:
    """One line per account that has sent requests or will be polled.

    The last minute covers the current minute and the one before. Requests to the sandbox inside
    this process are not counted: ``-``.
    """
    polls: dict[str, float] = {}
    for batch in engine.history.batches.unfinished():
        due = batch.next_poll_at
        if due is not None:
            polls[batch.account] = min(due, polls.get(batch.account, due))
    traffic = engine.accounts.traffic
    names = sorted(traffic.keys() | polls.keys())
    if not names:
        return [("No requests so far, and no polls scheduled.", "muted")]
    head = f"{'Requests to':<{_NAME}}{'minute':>8}{'hour':>9}{'since start':>13}   next poll"
    parts: list[Part] = [(head, "muted")]
    for name in names:
        sent = traffic.get(name)
        figures = [None] * 3 if sent is None else [sent.last_minute, sent.last_hour, sent.total]
        minute, hour, total = (formatting.number(figure) for figure in figures)
        parts += [
            (f"\n{in_cells(name, _NAME - 1)} ", "strong"),
            (f"{minute:>8}{hour:>9}{total:>13}", ""),
            (f"   {_when(polls.get(name), now)}", "muted"),
        ]
    return parts


def _when(due: float | None, now: float) -> str:
    if due is None:
        return "-"
    return f"in {formatting.duration(due - now)}" if due > now else "now"
