"""Job-ended notes: toast, bell, desktop, title."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from textual.timer import Timer

from tui.core.jobs import Job, is_terminal
from tui.core.text import one_line
from tui.errors import UnknownJobError
from tui.store.history import History
from tui.ui.models.job_list import JobList
from tui.ui.session import Session


def ended_jobs(history: History, ended: Mapping[str, str]) -> list[Job]:
    """The jobs whose batches ended, without deleted jobs and those with running batches.

    Args:
        history: The history to read the jobs from.
        ended: Job id to the final status of its batch.
    """
    jobs: list[Job] = []
    for job_id in ended:
        try:
            job = history.jobs.get(job_id)
        except UnknownJobError:
            continue
        # Other batches of the job may still be running, or a deadline has ended this one.
        goes_on = job.deadline is not None and job.deadline.is_under_way
        if is_terminal(job.status) and not goes_on:
            jobs.append(job)
    return jobs


def describe_ended_jobs(jobs: Sequence[Job]) -> tuple[str, bool] | None:
    """The text for jobs that ended, and whether no row failed; ``None`` without jobs."""
    if not jobs:
        return None
    good = all(not job.counts.unanswered for job in jobs)
    if len(jobs) > 1:
        failed = sum(job.counts.unanswered for job in jobs)
        rest = f", {failed:,} {'row' if failed == 1 else 'rows'} failed" if failed else ""
        return f"{len(jobs)} jobs ended{rest}", good
    job = jobs[0]
    text = f"{one_line(job.name, 40)}: {job.counts.answered:,} of {job.counts.total:,} answered"
    if job.counts.unanswered:
        text += f", {job.counts.unanswered:,} failed"
    return text, good


Style = Literal["auto", "off", "osc9", "osc777"]

_BEL, _ST = "\x07", "\x1b\\"
_MAX_TEXT = 160
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def known_style(environment: Mapping[str, str]) -> Style:
    """The notification style that the terminal supports; ``off`` if that is not known.

    iTerm2, WezTerm, Ghostty and kitty support OSC 9 (text); foot and rxvt support OSC 777
    (title and text). tmux and screen do not pass either on without extra configuration.
    """
    if environment.get("TMUX") or environment.get("STY"):
        return "off"
    program, term = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if program in ("iTerm.app", "WezTerm", "ghostty") or term in ("xterm-kitty", "xterm-ghostty"):
        return "osc9"
    if term.startswith(("foot", "rxvt")):
        return "osc777"
    return "off"


def strip_control_characters(text: str) -> str:
    """The text without control characters, which could end the escape sequence around it."""
    return _CONTROL_CHARACTERS.sub("", one_line(text, _MAX_TEXT))


def notification(style: Style, title: str, text: str) -> str:
    """The escape sequence of a notification; empty for ``off``."""
    if style == "osc9":
        # A title first: ConEmu and Windows Terminal read a leading digit as another command.
        return f"\x1b]9;{strip_control_characters(f'{title}: {text}')}{_BEL}"
    if style == "osc777":
        title, text = (strip_control_characters(part).replace(";", ",") for part in (title, text))
        return f"\x1b]777;notify;{title};{text}{_ST}"
    return ""


class Terminal:
    """Sets the title of the terminal and sends desktop notifications through it.

    Args:
        write: Writes a sequence to the terminal, in order with the screen output.
        environment: The environment variables that identify the terminal.
    """

    def __init__(
        self, write: Callable[[str], object], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._write = write
        self._known = known_style(environment)
        self._title: str | None = None

    def set_title(self, text: str) -> None:
        """Set the title; the first call saves the previous one for ``restore_title``."""
        if text == self._title:
            return
        if self._title is None:
            self._write("\x1b[22;2t")
        self._title = text
        self._write(f"\x1b]2;{strip_control_characters(text)}{_BEL}")

    def restore_title(self) -> None:
        """Restore the title that was set before Batchdeck started."""
        if self._title is not None:
            self._title = None
            self._write("\x1b[23;2t")

    def notify(self, style: Style, title: str, text: str) -> None:
        """Show a desktop notification, if the style (or the terminal for ``auto``) allows it."""
        sequence = notification(self._known if style == "auto" else style, title, text)
        if sequence:
            self._write(sequence)


GATHER_SECONDS = 0.6
"""Seconds to wait for more jobs to end, so that they share one toast."""


class Notifications:
    """Collects jobs that ended and notifies the user once for all of them.

    Args:
        session: The session; its app shows toasts, rings the bell and knows whether the terminal
            has the focus.
    """

    def __init__(self, session: Session) -> None:
        self._app = session.app
        self._session = session
        self._ended: dict[str, Job] = {}
        self._timer: Timer | None = None
        self._unseen_failures = 0
        self.terminal = Terminal(self._write)

    def notify_ended(self, ended: dict[str, str]) -> None:
        """Schedule a notification for these jobs (job id to final batch status)."""
        # Read the jobs now: the history may be closed by the time the toast is shown.
        self._ended |= {job.id: job for job in ended_jobs(self._session.engine.history, ended)}
        if not self._ended:
            return
        if self._timer is None:
            self._timer = self._app.set_timer(GATHER_SECONDS, self._notify)

    def show_title(self, board: JobList | None) -> None:
        """Update the terminal title: running jobs, jobs that need attention, unseen failures."""
        if board is None or not self._session.config.notifications.title:
            return
        if self._app.app_focus:
            self._unseen_failures = 0
        facts = []
        if running := len(board.live()):
            facts.append(f"{running} running")
        if count_stuck := board.count_stuck():
            facts.append(f"{count_stuck} need{'s' if count_stuck == 1 else ''} attention")
        if self._unseen_failures:
            facts.append(f"{self._unseen_failures} failed")
        self.terminal.set_title(" · ".join(facts) + " - Batchdeck" if facts else "Batchdeck")

    def _notify(self) -> None:
        self._timer = None
        ended, self._ended = self._ended, {}
        described = describe_ended_jobs(list(ended.values()))
        if described is None:
            return
        text, good = described
        self._app.notify(text, markup=False, severity="information" if good else "warning")
        if self._app.app_focus:
            return
        settings = self._session.config.notifications
        self._unseen_failures += 0 if good else 1
        if settings.bell:
            self._app.bell()
        self.terminal.notify(settings.desktop, "Batchdeck", text)

    def _write(self, sequence: str) -> None:
        # In a browser the sequences have no meaning, and a headless test has no terminal.
        driver = self._app._driver
        if driver is not None and not driver.is_web and not driver.is_headless:
            driver.write(sequence)
