"""Two lines about a job: its name and status, and how its rows came out."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.core.jobs import Job, Strays
from tui.core.text import one_line
from tui.ui.status import bar_parts, counts_parts, status_parts, strays_parts
from tui.ui.tones import Part, content, plain

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
        title: list[Part] = [(one_line(job.name, 80), "strong"), ("  ", "")]
        title += status_parts(job.status)
        for fact in (job.account, job.model):
            if fact:
                title += [(" · ", "muted"), (one_line(fact, 60), "muted")]
        title += strays_parts(self._strays)
        self._title.update(content(title), layout=False)
        words = counts_parts(job.counts)
        room = self._counts.content_size.width - len(plain(words)) - 2
        bar = bar_parts(job.counts, max(_NARROWEST_BAR, min(_WIDEST_BAR, room)), self._done)
        self._counts.update(content([*bar, ("  ", ""), *words]), layout=False)
