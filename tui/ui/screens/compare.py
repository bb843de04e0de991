"""Jobs, row by row: what is the same, what differs, and the answers side by side."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import Hashable, Sequence

import msgspec
from rich.cells import cell_len
from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.timer import Timer
from textual.widgets import Static

from tui.core import formatting
from tui.core.analysis.comparison import (
    ROW_COMPARISONS,
    CompareOptions,
    JobTotals,
    RowComparison,
    kinds_of,
)
from tui.core.rows import Row
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.progress import Progress
from tui.store.history import NO_ROW, Comparison, History
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.screens.report import ReportReader, ReportScreen
from tui.ui.session import Session
from tui.ui.text.differences import AnswerDiff, read_answers
from tui.ui.text.status import OUTCOME_STYLES
from tui.ui.text.tones import Part, Parts, Tone, content, in_cells
from tui.ui.widgets.key_footer import SteadyFooter
from tui.ui.widgets.table.model import Cells, Column, EmptySource
from tui.ui.widgets.table.table import VirtualTable
from tui.ui.widgets.text_page import Page, WrappedText

_PREVIEW = 14
_ID_AND_KIND = 28
"""Widths that decide whether the answers of all jobs have room; some alone would mislead."""


def compare_columns(names: Sequence[str]) -> tuple[Column, ...]:
    """The columns of the ids, with the names of the jobs as titles."""
    width = _ID_AND_KIND + _PREVIEW * len(names)
    previews = (
        Column(f"job-{place}", name, 10, flex=3, from_width=width)
        for place, name in enumerate(names)
    )
    return (Column("kind", "Answers", 12), Column("custom_id", "Id", 14, flex=2), *previews)


KIND_STYLES: dict[RowComparison, tuple[str, Tone]] = {
    RowComparison.SAME: ("=", "good"),
    RowComparison.DIFFERENT: ("≠", "warn"),
    RowComparison.UNANSWERED: ("✗", "bad"),
    RowComparison.ONLY_LEFT: ("◂", "live"),
    RowComparison.ONLY_RIGHT: ("▸", "live"),
    RowComparison.NOT_IN_ALL: ("◦", "live"),
}

ONLY_ONE = {RowComparison.ONLY_LEFT: 0, RowComparison.ONLY_RIGHT: 1}
"""The kinds of ids that one job alone has, and which of the two it is."""

_JOB_GLYPHS = ("◂ ", "▸ ")
"""Signs of the two jobs, as in the kinds of ids that one of them alone has."""


class CompareSource:
    """The ids of a comparison, optionally of one kind only.

    Args:
        history: The history to read rows from.
        found: The comparison.
        kind: Show only ids of this kind; ``None`` shows all.
    """

    def __init__(self, history: History, found: Comparison, kind: RowComparison | None) -> None:
        self._history = history
        self._found = found
        self._places: Sequence[int] = range(len(found)) if kind is None else found.places[kind]

    def row_count(self) -> int:
        """The number of ids shown."""
        return len(self._places)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        """The cells of a range of ids, read from the history."""
        places = self._places[start:stop]
        found = self._found
        of_jobs = [
            self._rows(totals.job_id, seqs, places)
            for totals, seqs in zip(found.jobs, found.seqs, strict=True)
        ]
        return [
            _cells(ROW_COMPARISONS[found.kinds[place]], rows)
            for place, rows in zip(places, zip(*of_jobs, strict=True), strict=True)
        ]

    def _rows(self, job_id: str, seqs: array[int], places: Sequence[int]) -> list[Row | None]:
        wanted = [seqs[place] for place in places]
        present = [seq for seq in wanted if seq != NO_ROW]
        rows = {row.seq: row for row in self._history.rows.page(job_id, present)} if present else {}
        return [rows.get(seq) for seq in wanted]

    def row_id(self, index: int) -> Hashable:
        """The position of an id among all ids."""
        return self._places[index]

    def index_of(self, row_id: Hashable) -> int | None:
        """The index of an id among those shown."""
        if not isinstance(row_id, int):
            return None
        index = bisect_left(self._places, row_id)
        return index if index < len(self._places) and self._places[index] == row_id else None


def _cells(kind: RowComparison, rows: Sequence[Row | None]) -> Cells:
    glyph, tone = KIND_STYLES[kind]
    row = next(filter(None, rows), None)
    word = "only" if kind in ONLY_ONE else kind.value
    return (
        ((f"{glyph} {word}", tone),),
        "" if row is None else one_line(row.custom_id, 120),
        *map(_preview, rows),
    )


def _preview(row: Row | None) -> Parts:
    if row is None:
        return (("-", "muted"),)
    parts: list[Part] = []
    if row.outcome.value != "succeeded":
        glyph, tone = OUTCOME_STYLES[row.outcome]
        parts.append((f"{glyph} ", tone))
    parts.append((one_line(row.preview, 160), ""))
    return tuple(parts)


READ_DELAY = 0.05
"""Seconds without a cursor move before two answers are read."""

SIDE_BY_SIDE_WIDTH = 120
"""Terminal width from which the answers of two jobs are next to the ids, not below."""

_ANSWER_WIDTH = 36
"""Width of an answer from which those of several jobs are side by side, not below each other."""

_LEAST_LINES = 5
"""Least lines of an answer that is above or below others, with its border."""

_HEAD_LINES = 4

_NARROW = 100
"""Terminal width below which chips use short labels."""

_SHORT = {
    RowComparison.SAME: "same",
    RowComparison.DIFFERENT: "differ",
    RowComparison.UNANSWERED: "none",
    RowComparison.ONLY_LEFT: "only",
    RowComparison.ONLY_RIGHT: "only",
    RowComparison.NOT_IN_ALL: "not all",
}

_MAX_CHIP_NAME = 20
"""Maximum length of the name of a job in a chip."""


class KindChip(Static):
    """The count of one kind; a click filters by it."""

    DEFAULT_CSS = """
    KindChip { width: auto; height: 1; padding: 0 1; margin-right: 1; }
    """

    def __init__(self, kind: RowComparison, key: str) -> None:
        super().__init__("", markup=False)
        self.kind = kind
        self._key = key

    def show(self, found: Comparison, chosen: bool, short: bool) -> None:
        """Update the chip.

        Args:
            found: The comparison.
            chosen: Whether the ids are filtered by this kind.
            short: Whether to use the short label.
        """
        glyph, tone = KIND_STYLES[self.kind]
        count = found.count(self.kind)
        figure = formatting.short_number(count) if short else f"{count:,}"
        word = _SHORT[self.kind] if short else self.kind.value
        if not short and self.kind in ONLY_ONE:
            side = (found.left, found.right)[ONLY_ONE[self.kind]]
            word = f"only {one_line(side.name, _MAX_CHIP_NAME)}"
        parts: list[Part] = [
            (f"{self._key} ", "accent"),
            (f"{glyph} {figure} {word}", tone if count else "muted"),
        ]
        self.update(content(parts))
        self.set_class(chosen, "-chosen")

    async def on_click(self) -> None:
        """Toggle the filter by this kind."""
        await self.run_action(f"screen.kind('{self.kind.value}')")


class CompareScreen(ReportScreen[Comparison, None]):
    """Compares two or more jobs; shows its progress, and can be stopped.

    Args:
        session: The session.
        job_ids: The ids of the jobs, in the order in which they are shown.
        options: When two answers count as the same at first.
        names: Short names of the jobs; by default their own.
    """

    DEFAULT_CSS = """
    CompareScreen #compare-sides {
        display: none; height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    CompareScreen #compare-chips { height: 1; padding: 0 1; }
    CompareScreen #compare-body { height: 1fr; layout: vertical; }
    CompareScreen #compare-rows { height: 2fr; }
    CompareScreen #compare-answers { height: 3fr; }
    CompareScreen.-two #compare-sides { display: block; }
    CompareScreen #compare-answers { layout: horizontal; }
    CompareScreen.-stacked #compare-answers { layout: vertical; overflow-y: auto; }
    CompareScreen.-stacked #compare-rows { height: 1fr; }
    CompareScreen.-beside #compare-body { layout: horizontal; }
    CompareScreen.-beside #compare-rows { height: 1fr; width: 2fr; }
    CompareScreen.-beside #compare-answers { height: 1fr; width: 3fr; }
    """
    SCOPE = Scope.COMPARE
    BINDINGS = bindings(Scope.COMPARE)

    def __init__(
        self,
        session: Session,
        job_ids: Sequence[str],
        options: CompareOptions = CompareOptions(),  # noqa: B008 - frozen
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._session = session
        self._ids = tuple(job_ids)
        self._options = options
        self._names = names
        self.set_class(len(job_ids) == 2, "-two")
        self._kind: RowComparison | None = None
        self._read_timer: Timer | None = None
        self._head = Static("", id="compare-head", classes="report-line", markup=False)
        self._sides = Static("", id="compare-sides", markup=False)
        self._chips = [
            KindChip(kind, str(number)) for number, kind in enumerate(kinds_of(len(job_ids)), 1)
        ]
        self.reader = ReportReader(self, self._load, self._draw_head, self._show)
        self._rows = VirtualTable(compare_columns(()), openable=False, id="compare-rows")
        self._rows.placeholder = (("No rows of this kind", "muted"),)
        self._pages = [Page("", f"compare-answer-{place}") for place in range(len(job_ids))]
        self.difference: AnswerDiff | None = None
        """The answers to the row under the cursor, with their differences."""

    def compose(self) -> ComposeResult:
        """The head, the chips, the ids, the answers and the footer."""
        yield self._head
        yield self._sides
        with Horizontal(id="compare-chips"):
            yield from self._chips
        with Container(id="compare-body"):
            yield self._rows
            with Container(id="compare-answers"):
                yield from self._pages
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Focus the ids and start reading."""
        self._rows.focus()
        self.reader.read()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out ids and answers side by side if the screen is wide enough."""
        jobs, width = len(self._ids), event.size.width
        self.set_class(jobs == 2 and width >= SIDE_BY_SIDE_WIDTH, "-beside")
        is_stacked = width // jobs < _ANSWER_WIDTH
        self.set_class(is_stacked, "-stacked")
        # Below each other, answers share three quarters of the screen, or are scrolled.
        lines = max(_LEAST_LINES, (event.size.height - _HEAD_LINES) * 3 // 4 // jobs)
        for page in self._pages:
            page.styles.height = lines if is_stacked else "1fr"
        self._draw_head()

    async def _load(self, progress: Progress) -> Comparison:
        engine = self._session.engine
        return await engine.results.compare(self._ids, self._options, progress=progress)

    async def _show(self, made: Comparison) -> None:
        """Show the ids, initially those with different answers."""
        names = [one_line(name, 40) for name in self._names_of(made)]
        self._rows.set_columns(compare_columns(names))
        for page, name in zip(self._pages, names, strict=True):
            page.border_title = name
        if self._kind is None and made.count(RowComparison.DIFFERENT):
            self._kind = RowComparison.DIFFERENT
            self._draw_head()
        self._show_rows()

    def _draw_head(self) -> None:
        """Draw the head, the two jobs and the chips."""
        found = self.reader.report
        parts: list[Part] = []
        if self.reader.is_running:
            parts += self.reader.progress_parts("comparing")
        elif found is not None:
            parts.append((formatting.counted(len(found), "id"), "strong"))
            if found.stopped:
                parts.append((" so far (stopped)", "warn"))
            if len(found) and not found.in_common:
                parts.append((" · the jobs have no id in common: nothing to compare", "warn"))
            else:
                share = formatting.percent(found.count(RowComparison.SAME), len(found))
                parts.append((f" · {share} same", "muted"))
            options = []
            if self._options.column:
                options.append(f"compared by {one_line(self._options.column, 24)}")
            elif self._options.as_data:
                options.append("compared as JSON")
            if self._options.ignore_space:
                options.append("whitespace ignored")
            if options:
                parts.append((" · " + ", ".join(options), "muted"))
        self._head.update(content(parts), layout=False)
        if found is None:
            return
        if len(found.jobs) == len(_JOB_GLYPHS):
            self._draw_sides(found)
        for chip in self._chips:
            chip.show(found, chip.kind is self._kind, self.size.width < _NARROW)

    def _names_of(self, found: Comparison) -> Sequence[str]:
        return self._names or [totals.name for totals in found.jobs]

    def _draw_sides(self, found: Comparison) -> None:
        """Draw the figures of two jobs; those of more are in the table of the experiment."""
        longest = 22 if self.size.width < _NARROW else 40
        names = [one_line(name, longest) for name in self._names_of(found)]
        width = max(map(cell_len, names))
        lines: list[Part] = []
        for word, name, side in zip(_JOB_GLYPHS, names, found.jobs, strict=True):
            lines += [(word, "accent"), (in_cells(name, width), "strong"), *_side(side), ("\n", "")]
        self._sides.update(content(lines[:-1]), layout=False)

    def _show_rows(self) -> None:
        found = self.reader.report
        if found is None:
            self._rows.set_source(EmptySource())
            return
        self._rows.set_source(CompareSource(self._session.engine.history, found, self._kind))
        self._read_soon()

    @on(VirtualTable.CursorMoved, "#compare-rows")
    def _moved(self) -> None:
        self._read_soon()

    def _read_soon(self) -> None:
        if self._read_timer is not None:
            self._read_timer.stop()
        self._read_timer = self.set_timer(READ_DELAY, self._read_answers)

    @work(group="answers", exclusive=True, exit_on_error=False)
    async def _read_answers(self) -> None:
        found, place = self.reader.report, self._rows.cursor_id
        if found is None or not isinstance(place, int):
            self.difference = None
            for page in self._pages:
                page.show(None)
            return
        history = self._session.engine.history
        widths = [page.text_width for page in self._pages]

        def cut() -> tuple[AnswerDiff, list[WrappedText]]:
            made = read_answers(history, found, place)
            return made, list(map(WrappedText.of, made.answers, widths))

        try:
            made, texts = await asyncio.to_thread(cut)
        except BatchdeckError as error:
            self.app.notify(error.message, markup=False, severity="error")
            return
        self.difference = made
        for page, text, note in zip(self._pages, texts, made.notes, strict=True):
            page.show(text)
            page.border_subtitle = note

    def action_kind(self, value: str) -> None:
        """Filter by a kind; the same kind again, or none, shows all."""
        kind = RowComparison(value) if value else None
        if kind in ONLY_ONE and len(self._ids) > 2:
            kind = RowComparison.NOT_IN_ALL
        self._kind = None if kind is self._kind else kind
        self._draw_head()
        self._show_rows()

    def action_ignore_space(self) -> None:
        """Toggle whether differences in whitespace are ignored."""
        self._options = msgspec.structs.replace(
            self._options, ignore_space=not self._options.ignore_space
        )
        self.reader.read()

    def action_as_json(self) -> None:
        """Toggle between comparing answers as JSON data and as text."""
        self._options = msgspec.structs.replace(self._options, as_data=not self._options.as_data)
        self.reader.read()


def _side(side: JobTotals) -> list[Part]:
    facts = [
        one_line(side.model, 24) or "-",
        formatting.money(side.cost, side.currency),
        f"{formatting.percent(side.answered, side.rows)} answered",
        _pass_rate(side),
        f"{_short(side.input_tokens)} in, {_short(side.output_tokens)} out",
    ]
    return [("  " + " · ".join(filter(None, facts)), "muted")]


def _pass_rate(side: JobTotals) -> str:
    """The share of answers that are valid; empty for a job of plain texts."""
    if not side.checked or not (side.passed or side.has_schema):
        return ""
    rate = formatting.percent(side.passed, side.checked)
    return f"{rate} {'valid' if side.has_schema else 'JSON'}"


def _short(value: int | None) -> str:
    return "-" if value is None else formatting.short_number(value)
