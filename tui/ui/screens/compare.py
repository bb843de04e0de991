"""Two jobs beside each other: counts by kind, the ids, and both answers with what differs."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Static

from tui.core.comparing import KINDS, CompareOptions, Kind, Side
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.store.comparing import Comparison
from tui.ui import formatting
from tui.ui.differences import Difference, read_difference
from tui.ui.failures import TellsFailures
from tui.ui.tones import Part, content
from tui.ui.widgets.compare_source import COMPARE_COLUMNS, KIND_LOOKS, CompareSource
from tui.ui.widgets.row_page import Cut, Page
from tui.ui.widgets.table_model import EmptySource
from tui.ui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from tui.engine.engine import Engine

REDRAW_SECONDS = 0.1
READ_PAUSE = 0.05
"""Seconds for which the cursor rests before two answers are read."""

BESIDE_WIDTH = 120
"""Columns from which on the answers stand beside the ids, not below them."""


_NARROW = 100
"""Columns below which chips are short."""

_SHORT = {
    Kind.SAME: "same",
    Kind.DIFFERENT: "differ",
    Kind.UNANSWERED: "none",
    Kind.ONLY_LEFT: "left",
    Kind.ONLY_RIGHT: "right",
}


class Chip(Static):
    """The count of one kind; a click filters to it."""

    DEFAULT_CSS = """
    Chip { width: auto; height: 1; padding: 0 1; margin-right: 1; }
    """

    def __init__(self, kind: Kind, key: str) -> None:
        super().__init__("", markup=False)
        self.kind = kind
        self._key = key

    def show(self, count: int, chosen: bool, short: bool) -> None:
        """Show how many there are, and whether only these are shown.

        Args:
            count: How many.
            chosen: Are only these shown?
            short: Is there little room?
        """
        glyph, tone = KIND_LOOKS[self.kind]
        figure = formatting.short_number(count) if short else f"{count:,}"
        word = _SHORT[self.kind] if short else self.kind.value
        parts: list[Part] = [
            (f"{self._key} ", "accent"),
            (f"{glyph} {figure} {word}", tone if count else "muted"),
        ]
        self.update(content(parts))
        self.set_class(chosen, "-chosen")

    def on_click(self) -> None:
        """Show only these, or all again."""
        screen = self.screen
        if isinstance(screen, CompareScreen):
            screen.action_kind(self.kind.value)


class CompareScreen(TellsFailures, Screen[None]):
    """Compares two jobs; reading many rows shows how far it is, and can be stopped.

    Args:
        engine: Where the jobs are.
        left_id: One job.
        right_id: The other.
    """

    DEFAULT_CSS = """
    CompareScreen #compare-head {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    CompareScreen #compare-sides {
        height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    CompareScreen #compare-chips { height: 1; padding: 0 1; }
    CompareScreen #compare-body { height: 1fr; layout: vertical; }
    CompareScreen #compare-rows { height: 2fr; }
    CompareScreen #compare-answers { height: 3fr; }
    CompareScreen.-beside #compare-body { layout: horizontal; }
    CompareScreen.-beside #compare-rows { height: 1fr; width: 2fr; }
    CompareScreen.-beside #compare-answers { height: 1fr; width: 3fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,equals_sign", "leave", "Back"),
        *(Binding(str(n), f"kind('{kind.value}')", show=False) for n, kind in enumerate(KINDS, 1)),
        Binding("0", "kind('')", "All"),
        Binding("w", "space", "White space"),
        Binding("d", "data", "As data"),
        Binding("tab", "app.focus_next", "Answers"),
    ]

    def __init__(self, engine: Engine, left_id: str, right_id: str) -> None:
        super().__init__()
        self._engine = engine
        self._ids = (left_id, right_id)
        self._options = CompareOptions()
        self._kind: Kind | None = None
        self._stop = threading.Event()
        self._seen: tuple[int, int] | None = None
        self._is_reading = False
        self._timer: Timer | None = None
        self._read_timer: Timer | None = None
        self._head = Static("", id="compare-head", markup=False)
        self._sides = Static("", id="compare-sides", markup=False)
        self._chips = [Chip(kind, str(number)) for number, kind in enumerate(KINDS, 1)]
        self._rows = VirtualTable(COMPARE_COLUMNS, openable=False, id="compare-rows")
        self._rows.placeholder = (("Nothing of this kind", "muted"),)
        self._left = Page("Left", "compare-left")
        self._right = Page("Right", "compare-right")
        self.found: Comparison | None = None
        """What is shown."""
        self.difference: Difference | None = None
        """The two answers under the cursor."""

    def compose(self) -> ComposeResult:
        """Facts, chips, ids, answers, keys."""
        yield self._head
        yield self._sides
        with Horizontal(id="compare-chips"):
            yield from self._chips
        with Container(id="compare-body"):
            yield self._rows
            with Horizontal(id="compare-answers"):
                yield self._left
                yield self._right
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to read."""
        self._rows.focus()
        self._timer = self.set_interval(REDRAW_SECONDS, self._draw_head, pause=True)
        self._read()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        self._stop.set()

    def on_resize(self, event: events.Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width >= BESIDE_WIDTH, "-beside")
        self._draw_head()

    def _read(self) -> None:
        self._stop.set()
        self._stop = threading.Event()
        self._read_jobs(self._stop)

    @work(group="compare", exclusive=True, exit_on_error=False)
    async def _read_jobs(self, stop: threading.Event) -> None:
        self._is_reading = True
        self._seen = None
        self._draw_head()
        if self._timer is not None:
            self._timer.resume()

        def seen(done: int, total: int) -> None:
            self._seen = (done, total)

        try:
            found = await self._engine.compare(
                *self._ids, self._options, stop=stop.is_set, progress=seen
            )
        except BatchdeckError as error:
            self.app.notify(error.message, markup=False, severity="error")
            if self.found is None:
                self.dismiss(None)
            return
        finally:
            if stop is self._stop:
                self._is_reading = False
                if self._timer is not None:
                    self._timer.pause()
        if stop is self._stop and self.is_attached:
            self.found = found
            if self._kind is None and found.count(Kind.DIFFERENT):
                # What one came to see.
                self._kind = Kind.DIFFERENT
            self._draw_head()
            self._show_rows()

    def _draw_head(self) -> None:
        found = self.found
        parts: list[Part] = []
        if self._is_reading:
            done, total = self._seen or (0, 0)
            how_far = f"comparing {done:,} of {total:,} rows  " if total else "comparing  "
            parts += [(how_far, "live"), ("esc", "accent"), (" stops", "muted")]
        elif found is not None:
            parts.append((formatting.counted(len(found), "id"), "strong"))
            if found.stopped:
                parts.append((" so far: stopped", "warn"))
            share = formatting.percent(found.count(Kind.SAME), len(found))
            parts.append((f" · {share} the same", "muted"))
            told = []
            if self._options.as_data:
                told.append("JSON as data")
            if self._options.ignore_space:
                told.append("white space ignored")
            if told:
                parts.append((" · " + ", ".join(told), "muted"))
        self._head.update(content(parts), layout=False)
        if found is None:
            return
        both = (found.left, found.right)
        longest = 22 if self.size.width < _NARROW else 40
        names = [one_line(side.name, longest) for side in both]
        width = max(map(len, names))
        lines: list[Part] = []
        for word, name, side in zip(("left  ", "right "), names, both, strict=True):
            lines += [(word, "accent"), (f"{name:<{width}}", "strong"), *_side(side), ("\n", "")]
        self._sides.update(content(lines[:-1]), layout=False)
        for chip in self._chips:
            chip.show(found.count(chip.kind), chip.kind is self._kind, self.size.width < _NARROW)

    def _show_rows(self) -> None:
        if self.found is None:
            self._rows.set_source(EmptySource())
            return
        source = CompareSource(self._engine.history, self.found, self._kind)
        self._rows.set_source(source)
        self._read_soon()

    @on(VirtualTable.CursorMoved, "#compare-rows")
    def _moved(self) -> None:
        self._read_soon()

    def _read_soon(self) -> None:
        if self._read_timer is not None:
            self._read_timer.stop()
        self._read_timer = self.set_timer(READ_PAUSE, self._read_answers)

    @work(group="answers", exclusive=True, exit_on_error=False)
    async def _read_answers(self) -> None:
        found, place = self.found, self._rows.cursor_id
        if found is None or not isinstance(place, int):
            self.difference = None
            self._left.show(None)
            self._right.show(None)
            return
        history = self._engine.history
        widths = self._left.text_width, self._right.text_width

        def cut() -> tuple[Difference, Cut, Cut]:
            made = read_difference(history, found, place)
            return made, Cut.of(made.left, widths[0]), Cut.of(made.right, widths[1])

        try:
            made, left, right = await asyncio.to_thread(cut)
        except BatchdeckError as error:
            self.app.notify(error.message, markup=False, severity="error")
            return
        self.difference = made
        self._left.show(left)
        self._right.show(right)
        self._left.border_subtitle, self._right.border_subtitle = made.notes

    def action_leave(self) -> None:
        """Stop the reading; else show all kinds; else go back."""
        if self._is_reading and not self._stop.is_set():
            self._stop.set()
        else:
            self.dismiss(None)

    def action_kind(self, value: str) -> None:
        """Show only ids of a kind; the same again, or none, shows all."""
        kind = Kind(value) if value else None
        self._kind = None if kind is self._kind else kind
        self._draw_head()
        self._show_rows()

    def action_space(self) -> None:
        """Let white space alone make a difference, or not."""
        self._options = replace(self._options, ignore_space=not self._options.ignore_space)
        self._read()

    def action_data(self) -> None:
        """Compare JSON answers as data, or as text."""
        self._options = replace(self._options, as_data=not self._options.as_data)
        self._read()


def _side(side: Side) -> list[Part]:
    facts = [
        one_line(side.model, 24) or "-",
        formatting.money(side.cost, side.currency),
        f"{formatting.percent(side.answered, side.rows)} answered",
        f"{_short(side.input_tokens)} in, {_short(side.output_tokens)} out",
        _passes(side),
    ]
    return [("  " + " · ".join(facts), "muted")]


def _passes(side: Side) -> str:
    rate = formatting.percent(side.passed, side.checked) if side.checked else "-"
    return f"{rate} {'fit' if side.has_schema else 'JSON'}"


def _short(value: int | None) -> str:
    return "-" if value is None else formatting.short_number(value)
