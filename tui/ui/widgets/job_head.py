"""Two lines about a job: its name and status, and how its rows came out."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.core.jobs import Job, Strays
from tui.core.text import one_line
from tui.ui.status import (
    bar_parts,
    counts_parts,
    folded_counts_parts,
    status_parts,
    strays_parts,
)
from tui.ui.tones import Part, Parts, content, plain

_WIDEST_BAR = 24
_NARROWEST_BAR = 4


class JobHead(Vertical):
    """The head of the results: title, then a bar of the merged counts with its words."""

    DEFAULT_CSS = """
    JobHead { height: 2; }
    JobHead Static { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__(id="job-head")
        self._job: Job | None = None
        self._done = 0
        self._strays = Strays()
        self._title = Static("", id="job-title", markup=False)
        self._counts = Static("", id="job-counts", markup=False)

    def compose(self) -> ComposeResult:
        """The two lines."""
        yield self._title
        yield self._counts

    def on_resize(self) -> None:
        """Let the bar fit."""
        self._draw()

    def show(self, job: Job, done: int, strays: Strays | None = None) -> None:
        """Show a job.

        Args:
            job: The job.
            done: Rows that the provider is done with, collected or not.
            strays: Result lines that belong to no row; as before when left out.
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
        words = counts_parts(job.counts, self._done)
        if cell_len(plain(words)) > width:
            words = folded_counts_parts(job.counts, self._done)
        room = width - cell_len(plain(words)) - 2
        bar: Parts = ()
        if room >= _NARROWEST_BAR:
            bar = (*bar_parts(job.counts, min(_WIDEST_BAR, room), self._done), ("  ", ""))
        self._counts.update(content([*bar, *words]), layout=False)

    def _facts(self, job: Job, width: int) -> list[Part]:
        """The title, in the order of what may be cut off last."""
        facts: list[Part] = [(one_line(job.name, 80), "strong"), ("  ", "")]
        facts += status_parts(job.status)
        where: list[Part] = []
        for fact in (job.account, job.model):
            if fact:
                where += [(" · ", "muted"), (one_line(fact, 60), "muted")]
        if not (strays := strays_parts(self._strays)):
            return facts + where
        whole = [*facts, (" · ", "muted"), *strays, *where]
        if cell_len(plain(whole)) <= width:
            return whole
        return [*facts, (" · ", "muted"), *strays_parts(self._strays, short=True), *where]
