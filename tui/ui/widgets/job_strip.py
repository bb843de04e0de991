"""What there is to know about the job under the cursor, beside what its row shows."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tui.core.jobs import Batch, Cost, TimelineEntry
from tui.core.keeping import keeping_flag, keeping_words
from tui.core.status import BatchStatus, Submission
from tui.core.text import one_line, visible
from tui.ui import formatting
from tui.ui.board import JobView
from tui.ui.status import counts_parts, status_parts
from tui.ui.tones import Part, content

_SUBMISSIONS = {
    Submission.UNCERTAIN: "submission uncertain: look at the provider, S sends it again",
    Submission.REFUSED: "refused by the provider",
    Submission.WAITING: "waits for room in the provider's queue",
}


class JobStrip(Horizontal):
    """Facts and batches on the left, the timeline on the right; one line where room is short."""

    DEFAULT_CSS = """
    JobStrip { height: 3; padding: 0 1; }
    JobStrip Static {
        width: 1fr; height: 1fr; text-wrap: nowrap; text-overflow: ellipsis;
    }
    JobStrip #strip-facts { padding-right: 2; }
    JobStrip #strip-timeline { display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts = Static("", id="strip-facts", markup=False)
        self._timeline = Static("", id="strip-timeline", markup=False)

    def compose(self) -> ComposeResult:
        """Facts and timeline."""
        yield self._facts
        yield self._timeline

    def show(
        self,
        view: JobView | None,
        batches: list[Batch],
        timeline: list[TimelineEntry],
        now: float,
    ) -> None:
        """Show a job, or nothing."""
        if view is None:
            self._facts.update("")
            self._timeline.update("")
            return
        tall = self.size.height > 2
        self._facts.update(content(_facts(view, batches, now, tall=tall)), layout=False)
        self._timeline.update(content(_timeline(timeline, now)), layout=False)


def _facts(view: JobView, batches: list[Batch], now: float, *, tall: bool) -> list[Part]:
    job = view.job
    parts: list[Part] = []
    if tall:
        parts.append((one_line(job.name, 200) + "\n", "strong"))
    parts += [*_headline(view, now), ("\n", "")]
    if view.trouble:
        parts += [("! " + visible(one_line(view.trouble, 400)), "warn"), ("\n", "")]
    if flag := keeping_flag(view.kept_until, now, collected=False):
        # On two lines: at 120 columns half of them are the timeline's.
        what, _, state = flag.partition(": ")
        parts += [(f"! {what}:\n  {state}", "bad"), ("   ctrl+r", "accent")]
        parts.append((" fetches what there is\n", "muted"))
    facts = [
        one_line(job.account, 40),
        one_line(job.model, 60),
        job.endpoint,
        f"{job.window} window" if job.window else "",
        formatting.size(job.size),
    ]
    parts += [(" · ".join(filter(None, facts)), "muted"), ("\n", "")]
    parts += [*counts_parts(job.counts), ("\n", "")]
    if told := " · ".join(filter(None, (_kept(batches, now), _cost(job.cost)))):
        parts += [(told, "muted"), ("\n", "")]
    for batch in batches[:6]:
        parts += _batch(batch)
    if len(batches) > 6:
        parts.append((f"and {len(batches) - 6} more batches", "muted"))
    return parts


def _cost(cost: Cost) -> str:
    """What is known of the money, where the column of the list may be too narrow for it."""
    told = cost.told
    if cost.actual is None and told is not None:
        return f"the provider expects {formatting.money(told, cost.currency)}"
    return ""


def _kept(batches: list[Batch], now: float) -> str:
    ends = [batch.results_expire_at for batch in batches if batch.results_expire_at is not None]
    return keeping_words(min(ends), now) if ends else ""


def _headline(view: JobView, now: float) -> list[Part]:
    job = view.job
    if job.status == BatchStatus.DRAFT:
        return [("Not sent yet: ", "muted"), ("S", "accent"), (" sends it", "muted")]
    if view.transfer is not None:
        verb, done, total = view.transfer
        of = f" of {formatting.size(total)}" if total else ""
        return [(f"{verb} {formatting.size(done)}{of}", "live")]
    if view.is_live:
        figures = [formatting.percent(view.done, job.counts.total) + " done"]
        if view.rate:
            figures.append(f"{formatting.short_number(view.rate)} rows/s")
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


def _batch(batch: Batch) -> list[Part]:
    name = f"attempt {batch.attempt}" + (f" part {batch.part}" if batch.part > 1 else "")
    parts: list[Part] = [(f"{name:<10} ", "muted"), *status_parts(batch.status, batch.raw_status)]
    parts.append((f"  {formatting.counted(batch.rows, 'row')}", ""))
    if batch.raw_status and batch.raw_status != batch.status.value:
        parts.append((f"  “{one_line(batch.raw_status, 30)}”", "muted"))
    if batch.submission in _SUBMISSIONS:
        parts.append((f"  {_SUBMISSIONS[batch.submission]}", "warn"))
    if batch.remote_id:
        parts.append((f"  {one_line(batch.remote_id, 60)}", "muted"))
    return [*parts, ("\n", "")]


def _timeline(timeline: list[TimelineEntry], now: float) -> list[Part]:
    parts: list[Part] = []
    newest = timeline[-10:][::-1]
    moments = [formatting.moment(entry.at, now) for entry in newest]
    width = max(map(len, moments), default=0)
    for entry, moment in zip(newest, moments, strict=True):
        parts += [
            (f"{moment:<{width}}  ", "muted"),
            (one_line(entry.what, 200) + "\n", ""),
        ]
    return parts
