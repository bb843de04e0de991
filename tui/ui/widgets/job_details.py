"""A job in detail: the head of its results, and the strip below the list of jobs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tui.core import formatting, jobs
from tui.core.alerts import retention_text
from tui.core.rows import Outcome
from tui.core.status_words import ran_text, ran_words, submission_text
from tui.core.text import one_line, visible
from tui.ui.models.job_details import batch_parts
from tui.ui.models.job_list import JobView
from tui.ui.text import status
from tui.ui.text.tones import Part, Parts, Tone, content, plain

_WIDEST_BAR = 24
_NARROWEST_BAR = 4


class JobHead(Vertical):
    """Two lines: the title, then a bar with the counts of all attempts merged."""

    DEFAULT_CSS = """
    JobHead { height: 2; }
    JobHead Static { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__(id="job-head")
        self._job: jobs.Job | None = None
        self._done = 0
        self._strays = jobs.OrphanLines()
        self._title = Static("", id="job-title", markup=False)
        self._counts = Static("", id="job-counts", markup=False)

    def compose(self) -> ComposeResult:
        """The two lines."""
        yield self._title
        yield self._counts

    def on_resize(self) -> None:
        """Fit the bar to the width."""
        self._draw()

    def show(self, job: jobs.Job, done: int, strays: jobs.OrphanLines | None = None) -> None:
        """Show a job.

        Args:
            job: The job.
            done: Rows that the provider has finished, collected or not.
            strays: Result lines without a matching row; ``None`` keeps the previous value.
        """
        self._job = job
        self._done = done
        if strays is not None:
            self._strays = strays
        self._draw()

    def _draw(self) -> None:
        job = self._job
        if job is None:
            return
        width = self._counts.content_size.width
        self._title.update(content(self._facts(job, width)), layout=False)
        words = status.counts_parts(job.counts, self._done)
        if cell_len(plain(words)) > width:
            words = status.compact_counts_parts(job.counts, self._done)
        space = width - cell_len(plain(words)) - 2
        bar: Parts = ()
        if space >= _NARROWEST_BAR:
            bar = (*status.bar_parts(job.counts, min(_WIDEST_BAR, space), self._done), ("  ", ""))
        self._counts.update(content([*bar, *words]), layout=False)

    def _facts(self, job: jobs.Job, width: int) -> list[Part]:
        """The title, the most important facts first: the end may be cut off."""
        facts: list[Part] = [(one_line(job.name, 80), "strong"), ("  ", "")]
        facts += status.status_parts(job.status)
        details: list[Part] = []
        for fact in (ran_words(job), job.account, job.model):
            if fact:
                details += [(" · ", "muted"), (one_line(fact, 60), "muted")]
        if not (strays := status.orphan_parts(self._strays)):
            return facts + details
        full = [*facts, (" · ", "muted"), *strays, *details]
        if cell_len(plain(full)) <= width:
            return full
        return [*facts, (" · ", "muted"), *status.orphan_parts(self._strays, short=True), *details]


_BAR = 24
_MAX_BATCHES = 4
_MAX_GROUPS = 4
_LABEL = 9
_GROUP_SIGNS = {outcome.value: style for outcome, style in status.OUTCOME_STYLES.items()}


class JobStrip(Horizontal):
    """Facts and batches on the left, errors and timeline on the right; three lines if small."""

    DEFAULT_CSS = """
    JobStrip { height: 4; padding: 0 1; }
    JobStrip Static { width: 1fr; height: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    JobStrip #strip-facts { padding-right: 2; }
    JobStrip #strip-story { display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts = Static("", id="strip-facts", markup=False)
        self._drawn: tuple[str, list[Part], list[Part]] | None = None
        self._story = Static("", id="strip-story", markup=False)

    def compose(self) -> ComposeResult:
        """The facts, and the errors with the timeline."""
        yield self._facts
        yield self._story

    def show(
        self,
        view: JobView | None,
        groups: Sequence[jobs.ErrorGroup],
        timeline: Sequence[jobs.TimelineEntry],
        now: float,
    ) -> None:
        """Show a job, or clear the strip.

        Args:
            view: The job with its batches; ``None`` clears the strip.
            groups: Its error groups, the largest first.
            timeline: Its events, the oldest first.
            now: Unix seconds.
        """
        if view is None:
            self._drawn = None
            self._facts.update("")
            self._story.update("")
            self.border_title = None
            return
        tall = self.size.height > 4
        facts = _facts(view, now, self._facts.size.width) if tall else _short(view, now)
        story = _story(groups, timeline, now)
        title = f" {one_line(view.job.name, 120)} "
        # This runs every second, and mostly nothing has changed, or only the time that is left.
        was_title, was_facts, was_story = self._drawn or (None, None, None)
        self._drawn = (title, facts, story)
        if title != was_title:
            self.border_title = content([(title, "strong")])
        if facts != was_facts:
            self._facts.update(content(facts), layout=False)
        if story != was_story:
            self._story.update(content(story), layout=False)


def _short(view: JobView, now: float) -> list[Part]:
    """The most important facts in three lines."""
    return [
        *_headline(view, now),
        ("\n", ""),
        *status.counts_parts(view.job.counts, view.done),
        ("\n", ""),
        *_tags_and_note(view),
        (" · ".join(filter(None, _settings_and_cost(view))), "muted"),
    ]


def _facts(view: JobView, now: float, width: int) -> list[Part]:
    job = view.job
    done = max(view.done, job.counts.ended)
    parts: list[Part] = [*_headline(view, now), ("\n\n", "")]
    parts += [*status.bar_parts(job.counts, _BAR, view.done), ("  ", "")]
    parts += [(formatting.percent(done, job.counts.total), "strong")]
    parts += [(f"  {done:,} of {job.counts.total:,}\n", "muted")]
    parts += [*_wrapped(status.counts_parts(job.counts, view.done), width), ("\n\n", "")]
    account, model, *rest = _settings(view)
    cost = formatting.format_cost(job.cost)
    if job.cost.actual is not None and job.cost.estimated is not None:
        cost += f" (estimated ~{formatting.money(job.cost.estimated, job.cost.currency)})"
    elif job.cost.actual is None and job.cost.told is not None:
        cost = f"quoted {formatting.money(job.cost.told, job.cost.currency)}"
    ends = [b.results_expire_at for b in view.batches if b.results_expire_at is not None]
    rows = [
        ("account", account),
        ("model", " · ".join(filter(None, (model, *rest)))),
        ("cost", "" if cost == "-" else cost),
        ("results", retention_text(min(ends), now).removeprefix("results ") if ends else ""),
        ("tags", jobs.format_tags(job.tags)),
        ("note", one_line(job.note, 300)),
        ("part", "" if job.sample is None else one_line(job.sample.text, 300)),
        ("ran", ran_text(job)),
    ]
    for label, value in rows:
        if value:
            tone: Tone = "accent" if label == "tags" else ""
            parts += [(f"{label:<{_LABEL}}", "muted"), (f"{value}\n", tone)]
    for batch in view.batches[:_MAX_BATCHES]:
        parts += [*batch_parts(batch), ("\n", "")]
    if len(view.batches) > _MAX_BATCHES:
        more = len(view.batches) - _MAX_BATCHES
        words = formatting.counted(more, "more batch", "more batches")
        parts.append((f"and {words} (i)", "muted"))
    return parts


def _wrapped(parts: Parts, width: int) -> list[Part]:
    """Wrap parts at ``width``, with two spaces between those on one line."""
    lines: list[Part] = []
    used = 0
    for text, tone in parts:
        if not text.strip():
            continue
        gap = 2 if used else 0
        if used and used + gap + len(text) > width:
            lines.append(("\n", ""))
            used = gap = 0
        lines.append((" " * gap + text, tone))
        used += gap + len(text)
    return lines


def _settings(view: JobView) -> list[str]:
    job = view.job
    return [
        one_line(job.account, 40),
        one_line(job.model, 60),
        one_line(job.endpoint, 60),
        f"{one_line(job.window, 20)} window" if job.window else "",
        formatting.size(job.size),
    ]


def _settings_and_cost(view: JobView) -> list[str]:
    """The settings with the cost before those that a narrow terminal cuts."""
    account, model, *rest = _settings(view)
    cost = formatting.format_cost(view.job.cost)
    return [ran_words(view.job), account, model, "" if cost == "-" else cost, *rest]


def _tags_and_note(view: JobView) -> list[Part]:
    tags, note = jobs.format_tags(view.job.tags), one_line(view.job.note, 200)
    parts: list[Part] = [(f"{tags}   ", "accent")] if tags else []
    return [*parts, (f"{note}   ", "")] if note else parts


def _headline(view: JobView, now: float) -> list[Part]:
    """Warnings and progress, on one line."""
    job = view.job
    parts: list[Part] = []
    for flag in view.flags(now):
        tone: Tone = "bad" if flag.urgency == "late" else "warn"
        what, colon, state = flag.text.partition(": ")
        # On two lines: at 120 columns half of the width belongs to the timeline.
        parts += [(f"! {what}:\n  {state}   " if colon else f"! {what}   ", tone)]
        if flag.kind == "kept":
            parts += [("ctrl+r", "accent"), (" fetch available results   ", "muted")]
        elif flag.kind == "unsure":
            parts += [("S", "accent"), (" resolve   ", "muted")]
    if view.trouble and (view.is_live or job.status == jobs.BatchStatus.DRAFT):
        parts += [("! " + visible(one_line(view.trouble, 300)) + "   ", "warn")]
    for batch in view.batches:
        words = submission_text(batch)
        if words and batch.submission is not jobs.Submission.UNCERTAIN:
            parts += [(f"! {words}   ", "warn")]
    return [*parts, *_progress(view, now)]


def _progress(view: JobView, now: float) -> list[Part]:
    job = view.job
    if view.transfer is not None:
        verb, done, total = view.transfer
        amount = f" {formatting.size(done)}" if done or total else ""
        of = f" of {formatting.size(total)}" if total else ""
        return [(f"{verb}{amount}{of}", "live")]
    if job.status == jobs.BatchStatus.DRAFT:
        return [("Not submitted: ", "muted"), ("S", "accent"), (" submit", "muted")]
    if view.is_live:
        figures = [formatting.percent(view.done, job.counts.total) + " done"]
        if view.rate:
            pace = formatting.rate(view.rate)
            figures.append(f"{pace[:-2]} rows/h" if pace.endswith("/h") else f"{pace} rows/s")
        if view.seconds_left is not None:
            figures.append(f"~{formatting.duration(view.seconds_left)} left")
        if view.expires_at is not None:
            figures.append(f"window ends in {formatting.duration(view.expires_at - now)}")
        return [(" · ".join(figures), "live")]
    if job.counts.unanswered:
        return [
            (f"{formatting.counted(job.counts.unanswered, 'row')} failed", "bad"),
            ("   r", "accent"),
            (" retry", "muted"),
        ]
    if job.counts.pending:
        # The batch has ended, and its results are being collected, or are late.
        rows = formatting.counted(job.counts.pending, "row")
        return [(f"{rows} without a result so far", "live")]
    return [("All rows answered", "good")]


def _story(
    groups: Sequence[jobs.ErrorGroup], timeline: Sequence[jobs.TimelineEntry], now: float
) -> list[Part]:
    parts: list[Part] = []
    for group in groups[:_MAX_GROUPS]:
        code = group.code or (str(group.http_status) if group.http_status else "")
        # Classes that are outcomes have the sign that these have among the counts.
        glyph, tone = _GROUP_SIGNS.get(group.kind.value, status.OUTCOME_STYLES[Outcome.FAILED])
        parts += [
            (f"{glyph + ' ' + format(group.count, ','):<9}", tone),
            (f"{one_line(code, 30)}  " if code else "", "strong"),
            (one_line(group.message, 200) + "\n", "muted"),
        ]
    if len(groups) > _MAX_GROUPS:
        more = formatting.counted(len(groups) - _MAX_GROUPS, "more kind")
        parts.append((f"{'':<9}and {more}\n", "muted"))
    if groups:
        parts.append(("\n", ""))
    newest = timeline[-12:][::-1]
    moments = [formatting.moment(entry.at, now) for entry in newest]
    width = max(map(len, moments), default=0)
    for entry, moment in zip(newest, moments, strict=True):
        parts += [
            (f"{moment:<{width}}  ", "muted"),
            (one_line(entry.what, 200) + "\n", ""),
        ]
    return parts
