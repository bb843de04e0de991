"""What there is to know about the job under the cursor, beside what its row shows."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tui.core.jobs import ErrorGroup, TimelineEntry
from tui.core.keeping import keeping_words
from tui.core.status import BatchStatus, Submission
from tui.core.tags import tag_words
from tui.core.text import one_line, visible
from tui.ui import formatting
from tui.ui.board import JobView
from tui.ui.jobfacts import batch_parts, submission_words
from tui.ui.status import bar_parts, counts_parts
from tui.ui.tones import Part, Parts, Tone, content

_BAR = 24
_MOST_BATCHES = 4
_MOST_GROUPS = 4
_LABEL = 9


class JobStrip(Horizontal):
    """Facts and batches on the left, errors and timeline on the right; three lines where short."""

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
        """Facts and story."""
        yield self._facts
        yield self._story

    def show(
        self,
        view: JobView | None,
        groups: Sequence[ErrorGroup],
        timeline: Sequence[TimelineEntry],
        now: float,
    ) -> None:
        """Show a job, or nothing.

        Args:
            view: The job with its batches.
            groups: Its errors, the largest group first.
            timeline: What happened, the oldest first.
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
        # The clock ticks every second, and mostly there is nothing new to paint.
        if self._drawn == (title, facts, story):
            return
        self._drawn = (title, facts, story)
        self.border_title = content([(title, "strong")])
        self._facts.update(content(facts), layout=False)
        self._story.update(content(story), layout=False)


def _short(view: JobView, now: float) -> list[Part]:
    """What matters most, in three lines."""
    return [
        *_headline(view, now),
        ("\n", ""),
        *counts_parts(view.job.counts, view.done),
        ("\n", ""),
        *_own_words(view, "   "),
        (" · ".join(filter(None, _whereabouts(view))), "muted"),
    ]


def _facts(view: JobView, now: float, width: int) -> list[Part]:
    job = view.job
    done = max(view.done, job.counts.ended)
    parts: list[Part] = [*_headline(view, now), ("\n\n", "")]
    parts += [*bar_parts(job.counts, _BAR, view.done), ("  ", "")]
    parts += [(formatting.percent(done, job.counts.total), "strong")]
    parts += [(f"  {done:,} of {job.counts.total:,}\n", "muted")]
    parts += [*_wrapped(counts_parts(job.counts, view.done), width), ("\n\n", "")]
    account, model, *rest = _whereabouts(view)
    cost = formatting.cost(job.cost)
    if job.cost.actual is not None and job.cost.estimated is not None:
        cost += f", thought to be ~{formatting.money(job.cost.estimated, job.cost.currency)}"
    elif job.cost.actual is None and job.cost.told is not None:
        cost = f"the provider expects {formatting.money(job.cost.told, job.cost.currency)}"
    ends = [b.results_expire_at for b in view.batches if b.results_expire_at is not None]
    rows = [
        ("account", account),
        ("model", " · ".join(filter(None, (model, *rest)))),
        ("cost", "" if cost == "-" else cost),
        ("results", keeping_words(min(ends), now).removeprefix("results ") if ends else ""),
        ("tags", tag_words(job.tags)),
        ("note", one_line(job.note, 300)),
    ]
    for label, value in rows:
        if value:
            tone: Tone = "accent" if label == "tags" else ""
            parts += [(f"{label:<{_LABEL}}", "muted"), (f"{value}\n", tone)]
    for batch in view.batches[:_MOST_BATCHES]:
        parts += [*batch_parts(batch), ("\n", "")]
    if len(view.batches) > _MOST_BATCHES:
        parts.append((f"and {len(view.batches) - _MOST_BATCHES} more batches (i)", "muted"))
    return parts


def _wrapped(parts: Parts, width: int) -> list[Part]:
    """Parts with gaps between them; where a line is full, a gap becomes its end."""
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


def _whereabouts(view: JobView) -> list[str]:
    job = view.job
    return [
        one_line(job.account, 40),
        one_line(job.model, 60),
        one_line(job.endpoint, 60),
        f"{one_line(job.window, 20)} window" if job.window else "",
        formatting.size(job.size),
    ]


def _own_words(view: JobView, after: str) -> list[Part]:
    tags, note = tag_words(view.job.tags), one_line(view.job.note, 200)
    parts: list[Part] = [(tags + after, "accent")] if tags else []
    return [*parts, (note + after, "")] if note else parts


def _headline(view: JobView, now: float) -> list[Part]:
    """What goes on, and what to look at; one line."""
    job = view.job
    parts: list[Part] = []
    for flag in view.flags(now):
        tone: Tone = "bad" if flag.urgency == "late" else "warn"
        what, colon, state = flag.text.partition(": ")
        # On two lines: at 120 columns half of them are the timeline's.
        parts += [(f"! {what}:\n  {state}   " if colon else f"! {what}   ", tone)]
        if flag.kind == "kept":
            parts += [("ctrl+r", "accent"), (" fetches what there is   ", "muted")]
        elif flag.kind == "unsure":
            parts += [("S", "accent"), (" decides   ", "muted")]
    if view.trouble and (view.is_live or job.status == BatchStatus.DRAFT):
        parts += [("! " + visible(one_line(view.trouble, 300)) + "   ", "warn")]
    for batch in view.batches:
        words = submission_words(batch)
        if words and batch.submission is not Submission.UNCERTAIN:
            parts += [(f"! {words}   ", "warn")]
    return [*parts, *_progress(view, now)]


def _progress(view: JobView, now: float) -> list[Part]:
    job = view.job
    if view.transfer is not None:
        verb, done, total = view.transfer
        amount = f" {formatting.size(done)}" if done or total else ""
        of = f" of {formatting.size(total)}" if total else ""
        return [(f"{verb}{amount}{of}", "live")]
    if job.status == BatchStatus.DRAFT:
        return [("Not sent yet: ", "muted"), ("S", "accent"), (" sends it", "muted")]
    if view.is_live:
        figures = [formatting.percent(view.done, job.counts.total) + " done"]
        if view.rate:
            pace = formatting.rate(view.rate)
            figures.append(f"{pace[:-2]} rows/h" if pace.endswith("/h") else f"{pace} rows/s")
        if view.seconds_left is not None:
            figures.append(f"~{formatting.duration(view.seconds_left)} left")
        if view.expires_at is not None:
            figures.append(f"{formatting.duration(view.expires_at - now)} of window")
        return [(" · ".join(figures), "live")]
    if job.counts.unanswered:
        return [
            (f"{formatting.counted(job.counts.unanswered, 'row')} without an answer", "bad"),
            ("   r", "accent"),
            (" sends them again", "muted"),
        ]
    return [("Every row has an answer", "good")]


def _story(
    groups: Sequence[ErrorGroup], timeline: Sequence[TimelineEntry], now: float
) -> list[Part]:
    parts: list[Part] = []
    for group in groups[:_MOST_GROUPS]:
        code = group.code or (str(group.http_status) if group.http_status else "")
        parts += [
            (f"{'✗ ' + format(group.count, ','):<9}", "bad"),
            (f"{one_line(code, 30)}  " if code else "", "strong"),
            (one_line(group.message, 200) + "\n", "muted"),
        ]
    if len(groups) > _MOST_GROUPS:
        parts.append((f"{'':<9}and {len(groups) - _MOST_GROUPS} more kinds\n", "muted"))
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
