"""The summary of a job: outcomes, tokens, cost, throughput, values, lengths and words."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from tui.core import formatting
from tui.core.rows import Outcome
from tui.core.summary import ModelShare, Summary
from tui.core.text import one_line
from tui.progress import Progress
from tui.ui.commands.command_table import Scope, bindings
from tui.ui.dialogs.choose import Choice, SearchChoiceDialog
from tui.ui.screens.report import ReportReader, ReportScreen
from tui.ui.session import Session
from tui.ui.text.plots import Lines, curve_lines, fact_lines, histogram_lines, tally_lines
from tui.ui.text.status import OUTCOME_STYLES, bar_parts
from tui.ui.text.tones import Part, content
from tui.ui.widgets.cards import Card, CardColumns
from tui.ui.widgets.key_footer import SteadyFooter

_PLOT_LINES, _TALL_PLOT_LINES = 6, 11
_TALL = 45
"""Screen height in lines from which plots are tall."""

_LABELS = 12
_WORDS = 16


class SummaryScreen(ReportScreen[Summary, None]):
    """Shows the summary of a job; shows its progress, and can be stopped.

    Args:
        session: The session.
        job_id: The id of the job.
        name: The name of the job.
    """

    DEFAULT_CSS = """
    SummaryScreen #summary-cards { height: 1fr; }
    """
    SCOPE = Scope.SUMMARY
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Scope.SUMMARY),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space,ctrl+d", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("g,home", "edge(0)", "Top", show=False),
        Binding("G,end", "edge(1)", "End", show=False),
    ]

    def __init__(self, session: Session, job_id: str, name: str) -> None:
        super().__init__()
        self._session = session
        self._job_id = job_id
        self._job_name = name
        self._field = ""
        self._without_stop_words = False
        self._head = Static("", id="summary-head", classes="report-line", markup=False)
        self._cards = CardColumns(id="summary-cards")
        self.reader = ReportReader(self, self._load, self._draw_head, self._show)

    def compose(self) -> ComposeResult:
        """The head, the cards and the footer."""
        yield self._head
        yield self._cards
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Focus the cards and start reading."""
        self._cards.focus()
        self.reader.read()

    async def _load(self, progress: Progress) -> Summary:
        return await self._session.engine.results.summary(
            self._job_id,
            self._field,
            stop_words=self._without_stop_words,
            progress=progress,
            partial=self.reader.show_part,
        )

    async def _show(self, made: Summary) -> None:
        """Show the cards."""
        tall = self.size.height >= _TALL
        await self._cards.show(summary_cards(made, _TALL_PLOT_LINES if tall else _PLOT_LINES))

    def _draw_head(self) -> None:
        parts: list[Part] = [(one_line(self._job_name, 60), "strong"), ("  ", "")]
        if self.reader.is_running:
            parts += self.reader.progress_parts("reading")
        elif self.reader.report is not None:
            made = self.reader.report
            if made.is_whole:
                parts.append((formatting.counted(made.rows, "row"), "muted"))
            else:
                read = f"first {made.rows:,} of {made.counts.total:,} rows (stopped)"
                parts.append((read, "warn"))
            if made.answered:
                parts.append((f" · {made.answered:,} answers", "muted"))
                if made.json_rows:
                    share = formatting.percent(made.json_rows, made.answered)
                    parts.append((f" · {share} JSON", "muted"))
        self._head.update(content(parts), layout=False)

    def action_reload(self) -> None:
        """Read the job again, in case it has changed."""
        self.reader.read()

    def action_stop_words(self) -> None:
        """Toggle counting of stop words."""
        self._without_stop_words = not self._without_stop_words
        words = "excluded" if self._without_stop_words else "counted"
        self.app.notify(f"English stop words are {words}", markup=False, timeout=2)
        self.reader.read()

    @work(group="field", exclusive=True, exit_on_error=False)
    async def action_field(self) -> None:
        """Choose the field whose values and words are counted."""
        made = self.reader.report
        if made is None or not made.fields:
            self.app.notify("No answers yet", markup=False, timeout=3)
            return
        choices = [
            Choice(field.path, field.path, f"in {formatting.counted(field.rows, 'answer')}")
            for field in made.fields
        ]
        more = (
            f"and {formatting.counted(made.more_fields, 'more field')}" if made.more_fields else ""
        )
        dialog = SearchChoiceDialog("Count values of field", choices, more, chosen=made.field)
        field = await self.app.push_screen_wait(dialog)
        if field is not None:
            self._field = field
            self.reader.read()

    def action_scroll(self, step: int) -> None:
        """Scroll by a few lines."""
        self._cards.scroll_relative(y=2 * step, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by a page."""
        self._cards.scroll_relative(y=pages * max(1, self._cards.size.height - 2), animate=False)

    def action_edge(self, end: int) -> None:
        """Scroll to the top or to the end."""
        if end:
            self._cards.scroll_end(animate=False)
        else:
            self._cards.scroll_home(animate=False)


def summary_cards(made: Summary, plot_lines: int) -> list[Card]:
    """The cards of a summary, the most informative first."""
    cards = [Card("Outcomes", lambda width: _outcome_lines(made, width))]
    if made.field:
        title = "Answers" if made.field == "text" else one_line(made.field, 40)
        draw = made.labels
        cards.append(
            Card(
                f"Values of {title}",
                lambda width: tally_lines(draw, width, _LABELS),
                "f: other field",
            )
        )
    if made.words.items:
        title = f"Words in {one_line(made.field, 40)}"
        cards.append(Card(title, lambda width: tally_lines(made.words, width, _WORDS, "good")))
    cards.append(Card("Tokens and cost", lambda _: _cost_lines(made)))
    if made.lengths.count:
        cards.append(
            Card(
                "Length of answers",
                lambda width: histogram_lines(made.lengths, "characters", width, plot_lines),
            )
        )
    cards.append(Card("Time", lambda width: _time_lines(made, width, plot_lines - 2)))
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
        cards.append(Card("Models", lambda width: _model_lines(made.models, width)))
    return cards


def _outcome_lines(made: Summary, width: int) -> Lines:
    counts = made.counts
    lines: Lines = [bar_parts(counts, width)]
    for outcome in (*(each for each in Outcome if each is not Outcome.PENDING), Outcome.PENDING):
        count = counts.get(outcome)
        if count:
            glyph, tone = OUTCOME_STYLES[outcome]
            share = formatting.percent(count, counts.total)
            lines.append(
                (
                    (f"{glyph} {outcome.value:<10}", tone),
                    (f" {count:>11,}", "strong"),
                    (f" {share:>5}", "muted"),
                )
            )
    return lines


def _cost_lines(made: Summary) -> Lines:
    currency = made.cost.currency
    facts = [
        ("input", formatting.number(made.input_tokens)),
        ("output", formatting.number(made.output_tokens)),
        ("cached", formatting.number(made.cached_tokens)),
        *_cache_facts(made),
        ("estimated", formatting.money(made.cost.estimated, currency)),
        ("actual", formatting.money(made.cost.actual, currency)),
    ]
    if made.cost.actual is not None and made.counts.answered:
        # Of the whole job, as the cost is: not all of its rows may have been read.
        each = made.cost.actual / made.counts.answered
        facts.append(("per 1,000", formatting.money(1000 * each, currency)))
    lines = fact_lines(facts)
    if 0 < made.token_rows < made.answered:
        lines.append(((f"tokens reported for {made.token_rows:,} rows", "muted"),))
    return lines


def _cache_facts(made: Summary) -> list[tuple[str, str]]:
    """Hits, writes and savings of the prompt cache, if it was used."""
    cache = made.cache
    if cache is None or not (cache.read or cache.written or cache.written_1h):
        return []
    share = formatting.percent(cache.read, cache.input_tokens)
    facts = [("", f"{share} of the input, {cache.reading_rows:,} of {cache.rows:,} rows")]
    if cache.written:
        facts.append(("written", formatting.number(cache.written)))
    if cache.written_1h:
        facts.append(("written 1h", formatting.number(cache.written_1h)))
    if cache.saved is not None:
        amount = formatting.money(abs(cache.saved), made.cost.currency)
        facts.append(("cache lost" if cache.saved < 0 else "cache saved", amount))
    return facts


def _time_lines(made: Summary, width: int, height: int) -> Lines:
    pace = made.pace
    took = "-" if pace.seconds is None else formatting.duration(pace.seconds)
    rate = "-"
    if pace.rows_per_second is not None:
        rate = formatting.format_rate(pace.rows_per_second)
    lines = fact_lines([("took", took), ("rate", rate)])
    if pace.seconds:
        lines += curve_lines(pace.points, made.counts.total, pace.seconds, width, height)
    return lines


def _model_lines(models: tuple[ModelShare, ...], width: int) -> Lines:
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
