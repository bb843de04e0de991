"""A job as a whole: outcomes, tokens, cost, pace, labels, lengths and words, as plots."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Static

from tui.core.outcome import Outcome
from tui.core.summary import ModelShare, Summary
from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.dialogs.one_of import Choice, OneOfDialog
from tui.ui.failures import TellsFailures
from tui.ui.plots import Lines, curve_lines, fact_lines, histogram_lines, tally_lines
from tui.ui.status import OUTCOME_LOOKS, bar_parts
from tui.ui.tones import Part, content
from tui.ui.widgets.card import Card
from tui.ui.widgets.columns import CardColumns

if TYPE_CHECKING:
    from tui.engine.engine import Engine

REDRAW_SECONDS = 0.1
"""How often the progress is drawn while rows are read."""

_PLOT_LINES, _TALL_PLOT_LINES = 6, 11
_TALL = 45
"""Lines of the screen from which on plots are tall."""

_LABELS = 12
_WORDS = 16


class SummaryScreen(TellsFailures, Screen[None]):
    """Looks at a job as a whole; reading many rows shows how far it is, and can be stopped.

    Args:
        engine: Where the job is.
        job_id: The job.
        name: What it is called.
    """

    DEFAULT_CSS = """
    SummaryScreen #summary-head {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    SummaryScreen #summary-cards { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,u", "leave", "Back"),
        Binding("f", "field", "Field"),
        Binding("w", "stop_words", "Stop words"),
        Binding("r,ctrl+r", "again", "Read again"),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space,ctrl+d", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("g,home", "edge(0)", "Top", show=False),
        Binding("G,end", "edge(1)", "End", show=False),
    ]

    def __init__(self, engine: Engine, job_id: str, name: str) -> None:
        super().__init__()
        self._engine = engine
        self._job_id = job_id
        self._job_name = name
        self._field = ""
        self._without_stop_words = False
        self._stop = threading.Event()
        self._seen: tuple[int, int] | None = None
        self._timer: Timer | None = None
        self._is_reading = False
        self._head = Static("", id="summary-head", markup=False)
        self._cards = CardColumns(id="summary-cards")
        self.summary: Summary | None = None
        """What is shown."""

    def compose(self) -> ComposeResult:
        """A line about the job, the plots, the keys."""
        yield self._head
        yield self._cards
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to read."""
        self._cards.focus()
        self._timer = self.set_interval(REDRAW_SECONDS, self._draw_head, pause=True)
        self._read()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        self._stop.set()

    def _read(self) -> None:
        self._stop.set()
        self._stop = threading.Event()
        self._read_rows(self._stop)

    @work(group="summary", exclusive=True, exit_on_error=False)
    async def _read_rows(self, stop: threading.Event) -> None:
        self._is_reading = True
        self._seen = None
        self._draw_head()
        if self._timer is not None:
            self._timer.resume()

        def seen(done: int, total: int) -> None:
            # One assignment, seen whole by the thread that draws.
            self._seen = (done, total)

        try:
            made = await self._engine.summary(
                self._job_id,
                self._field,
                stop_words=self._without_stop_words,
                stop=stop.is_set,
                progress=seen,
            )
        except BatchdeckError as error:
            self.app.notify(error.message, markup=False, severity="error")
            if self.summary is None:
                self.dismiss(None)
            return
        finally:
            if stop is self._stop:
                self._is_reading = False
                if self._timer is not None:
                    self._timer.pause()
        if stop is self._stop and self.is_attached:
            self.summary = made
            self._draw_head()
            tall = self.size.height >= _TALL
            await self._cards.show(cards_of(made, _TALL_PLOT_LINES if tall else _PLOT_LINES))

    def _draw_head(self) -> None:
        parts: list[Part] = [(one_line(self._job_name, 60), "strong"), ("  ", "")]
        if self._is_reading:
            done, total = self._seen or (0, 0)
            how_far = f"reading {done:,} of {total:,} rows  " if total else "reading  "
            parts += [(how_far, "live"), ("esc", "accent"), (" stops", "muted")]
        elif self.summary is not None:
            made = self.summary
            if made.is_whole:
                parts.append((formatting.counted(made.rows, "row"), "muted"))
            else:
                read = f"of the first {made.rows:,} of {made.counts.total:,} rows: stopped"
                parts.append((read, "warn"))
            if made.answered:
                parts.append((f" · {made.answered:,} answers", "muted"))
                if made.json_rows:
                    share = formatting.percent(made.json_rows, made.answered)
                    parts.append((f" · {share} JSON", "muted"))
        self._head.update(content(parts), layout=False)

    def action_leave(self) -> None:
        """Stop the reading; else go back."""
        if self._is_reading and not self._stop.is_set():
            self._stop.set()
        else:
            self.dismiss(None)

    def action_again(self) -> None:
        """Read the rows once more, if the job has changed meanwhile."""
        self._read()

    def action_stop_words(self) -> None:
        """Leave out words that say little, or count them again."""
        self._without_stop_words = not self._without_stop_words
        words = "left out" if self._without_stop_words else "counted"
        self.app.notify(f"English stop words are {words}", markup=False, timeout=2)
        self._read()

    @work(group="field", exclusive=True, exit_on_error=False)
    async def action_field(self) -> None:
        """Choose the field whose values and words are counted."""
        made = self.summary
        if made is None or not made.fields:
            self.app.notify("There is no answer yet", markup=False, timeout=3)
            return
        choices = [
            Choice(field.path, field.path, f"in {formatting.counted(field.rows, 'answer')}")
            for field in made.fields
        ]
        more = f"and {made.more_fields} more fields" if made.more_fields else ""
        dialog = OneOfDialog("Count which field?", choices, more, chosen=made.field)
        field = await self.app.push_screen_wait(dialog)
        if field is not None:
            self._field = field
            self._read()

    def action_scroll(self, step: int) -> None:
        """Scroll by a few lines."""
        self._cards.scroll_relative(y=2 * step, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by a page."""
        self._cards.scroll_relative(y=pages * max(1, self._cards.size.height - 2), animate=False)

    def action_edge(self, end: int) -> None:
        """To the top, or to the end."""
        if end:
            self._cards.scroll_end(animate=False)
        else:
            self._cards.scroll_home(animate=False)


def cards_of(made: Summary, plot_lines: int) -> list[Card]:
    """Everything there is to show of a summary, the most telling first."""
    cards = [Card("Outcomes", lambda width: _outcomes(made, width))]
    if made.field:
        title = "Answers" if made.field == "text" else one_line(made.field, 40)
        draw = made.labels
        cards.append(
            Card(f"Values of {title}", lambda width: tally_lines(draw, width, _LABELS), "f another")
        )
    if made.words.items:
        title = f"Words in {one_line(made.field, 40)}"
        cards.append(Card(title, lambda width: tally_lines(made.words, width, _WORDS, "good")))
    cards.append(Card("Tokens and cost", lambda _: _money(made)))
    if made.lengths.count:
        cards.append(
            Card(
                "Length of answers",
                lambda width: histogram_lines(made.lengths, "characters", width, plot_lines),
            )
        )
    cards.append(Card("Time", lambda width: _time(made, width, plot_lines - 2)))
    if made.output.count:
        cards.append(
            Card(
                "Output tokens",
                lambda width: histogram_lines(made.output, "tokens", width, plot_lines, "live"),
            )
        )
    if made.finish.items:
        cards.append(
            Card("Finish reasons", lambda width: tally_lines(made.finish, width, 8, "live"))
        )
    if len(made.models) > 1:
        cards.append(Card("Models", lambda width: _models(made.models, width)))
    return cards


def _outcomes(made: Summary, width: int) -> Lines:
    counts = made.counts
    lines: Lines = [bar_parts(counts, width)]
    for outcome in (*(each for each in Outcome if each is not Outcome.PENDING), Outcome.PENDING):
        count = counts.get(outcome)
        if count:
            glyph, tone = OUTCOME_LOOKS[outcome]
            share = formatting.percent(count, counts.total)
            lines.append(
                (
                    (f"{glyph} {outcome.value:<10}", tone),
                    (f" {count:>11,}", "strong"),
                    (f" {share:>5}", "muted"),
                )
            )
    return lines


def _money(made: Summary) -> Lines:
    currency = made.cost.currency
    facts = [
        ("input", formatting.number(made.input_tokens)),
        ("output", formatting.number(made.output_tokens)),
        ("cached", formatting.number(made.cached_tokens)),
        ("estimated", formatting.money(made.cost.estimated, currency)),
        ("actual", formatting.money(made.cost.actual, currency)),
    ]
    if made.cost.actual is not None and made.answered:
        each = made.cost.actual / made.answered
        facts.append(("per 1,000", formatting.money(1000 * each, currency)))
    lines = fact_lines(facts)
    if 0 < made.token_rows < made.answered:
        lines.append(((f"tokens of {made.token_rows:,} rows that tell them", "muted"),))
    return lines


def _time(made: Summary, width: int, height: int) -> Lines:
    pace = made.pace
    took = "-" if pace.seconds is None else formatting.duration(pace.seconds)
    rate = "-"
    if pace.rows_per_second is not None:
        speed = pace.rows_per_second
        rate = f"{speed:.1f} rows/s" if speed < 10 else f"{formatting.short_number(speed)} rows/s"
    lines = fact_lines([("took", took), ("pace", rate)])
    if pace.seconds:
        lines += curve_lines(pace.points, made.counts.total, pace.seconds, width, height)
    return lines


def _models(models: tuple[ModelShare, ...], width: int) -> Lines:
    lines: Lines = []
    for share in models[:8]:
        tokens = formatting.number(share.output_tokens)
        lines.append(((one_line(share.model, max(8, width - 2)), "strong"),))
        lines.append(
            (
                (f"  {formatting.counted(share.rows, 'row')}", ""),
                (f" · {tokens} tokens out · {formatting.money(share.cost)}", "muted"),
            )
        )
    if len(models) > 8:
        lines.append(((f"and {len(models) - 8} more", "muted"),))
    return lines
