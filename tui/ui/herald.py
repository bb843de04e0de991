"""Tells that jobs ended: one toast for many, a bell, the desktop, and the terminal's title."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.timer import Timer

from tui.core.jobs import Job
from tui.ui.endings import describe_jobs, ended_jobs
from tui.ui.terminal import Terminal

if TYPE_CHECKING:
    from tui.config import NotificationsConfig
    from tui.ui.board import Board
    from tui.ui.endings import JobReader

GATHERING = 0.6
"""Seconds for which endings are gathered: batches that end together make one toast."""


class Herald:
    """Gathers what ended, and tells it once.

    Args:
        app: Shows toasts, rings the bell, knows whether anybody looks.
        history: Where the jobs are read.
        settings: What the person wants, asked at every time.
    """

    def __init__(
        self, app: App[Any], history: JobReader, settings: Callable[[], NotificationsConfig]
    ) -> None:
        self._app = app
        self._history = history
        self._settings = settings
        self._ended: dict[str, Job] = {}
        self._timer: Timer | None = None
        self._unseen_failures = 0
        self.terminal = Terminal(self._write)

    def take(self, ended: dict[str, str]) -> None:
        """Tell of these jobs soon, together with what else ends meanwhile."""
        # Read at once: when it is told, the history may be closed already.
        self._ended |= {job.id: job for job in ended_jobs(self._history, ended)}
        if not self._ended:
            return
        if self._timer is None:
            self._timer = self._app.set_timer(GATHERING, self._tell)

    def show_title(self, board: Board | None) -> None:
        """Keep the terminal's title up to date: what runs, what failed unseen, what hangs."""
        if board is None or not self._settings().title:
            return
        if self._app.app_focus:
            self._unseen_failures = 0
        facts = []
        if running := len(board.live()):
            facts.append(f"{running} running")
        if stuck := board.stuck():
            facts.append(f"{stuck} to look at")
        if self._unseen_failures:
            facts.append(f"{self._unseen_failures} failed")
        self.terminal.set_title(" · ".join(facts) + " - Batchdeck" if facts else "Batchdeck")

    def _tell(self) -> None:
        self._timer = None
        ended, self._ended = self._ended, {}
        note = describe_jobs(list(ended.values()))
        if note is None:
            return
        text, good = note
        self._app.notify(text, markup=False, severity="information" if good else "warning")
        if self._app.app_focus:
            return
        settings = self._settings()
        self._unseen_failures += 0 if good else 1
        if settings.bell:
            self._app.bell()
        self.terminal.notify(settings.desktop, "Batchdeck", text)

    def _write(self, sequence: str) -> None:
        # A browser has no title and no desktop of ours, and a test has no terminal.
        driver = self._app._driver
        if driver is not None and not driver.is_web and not driver.is_headless:
            driver.write(sequence)
