"""Coalesces engine events into at most four screen updates per second.

Updates that only change counts are shown once a second, and every five seconds while the
terminal does not have the focus, because a dashboard left open for a day must cost almost
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from textual.message import Message

from tui.core import formatting
from tui.core.status_words import status_text
from tui.engine import events
from tui.ui.activity_log import ActivityLog

INTERVAL = 0.25
"""Minimum seconds between two screen updates."""

WATCHED, UNWATCHED = 1.0, 5.0
"""Seconds between two updates of growing counts, with and without focus."""

_GROWING = (events.CountsChanged, events.RowsCollected)


@dataclass
class Changes:
    """Changes reported by the engine since the last update.

    Attributes:
        jobs: Ids of changed jobs.
        collected: Ids of jobs with newly collected rows.
        ended: Job id to the final status of a batch that ended.
        transfers: Job id to the transfer in progress (word, bytes done, total bytes or
            ``None``); ``None`` when it is over.
        listed: Whether jobs were added or removed.
        deadlines: Job id to what was done about its deadline, and whether that is good.
    """

    jobs: set[str] = field(default_factory=set)
    collected: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    transfers: dict[str, tuple[str, int, int | None] | None] = field(default_factory=dict)
    listed: bool = False
    deadlines: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.jobs or self.listed)


class JobsChanged(Message, bubble=False):
    """Posted to the screens on top of the main one: jobs have changed, and can be read again."""


class EngineUpdates:
    """Collects engine events and signals, at a limited rate, that there are changes.

    Args:
        on_change: Called on the event loop when there are changes to take.
        log: The activity log, which receives the important events.
        name_of: Returns the display name of a job id.
    """

    def __init__(
        self, on_change: Callable[[], object], log: ActivityLog, name_of: Callable[[str], str]
    ) -> None:
        self._on_change = on_change
        self._name_of = name_of
        self._log = log
        self._changes = Changes()
        self._timer: asyncio.TimerHandle | None = None
        self._flushed_at = 0.0
        self._growing_interval = WATCHED

    def drain(self) -> Changes:
        """The changes since the last call."""
        changes, self._changes = self._changes, Changes()
        return changes

    def receive(self, event: events.JobEvent) -> None:
        """Record an event; subscribe this to the event bus of the engine."""
        changes = self._changes
        if event.job_id:
            changes.jobs.add(event.job_id)
        else:
            # Another process wrote to the history: any job may have changed.
            changes.listed = True
        match event:
            case events.JobImported() | events.JobDeleted():
                changes.listed = True
            case events.SubmitStarted():
                changes.transfers[event.job_id] = ("preparing to send", 0, None)
            case events.SubmitFinished():
                changes.transfers[event.job_id] = None
            case events.UploadProgressed(sent=sent, total=total):
                changes.transfers[event.job_id] = ("uploading", sent, total)
            case events.DownloadProgressed(received=received, total=total):
                changes.transfers[event.job_id] = ("downloading", received, total)
            case events.RowsCollected():
                changes.collected.add(event.job_id)
                changes.transfers[event.job_id] = None
            case events.BatchSubmitted(remote_id=remote_id):
                self._note(event, f"accepted by the provider: {remote_id}")
                changes.transfers[event.job_id] = None
            case events.StatusChanged(status=status, raw_status=raw):
                changes.transfers[event.job_id] = None
                self._note(event, status_text(status, raw))
            case events.BatchEnded(status=status):
                changes.ended[event.job_id] = status.value
                changes.transfers[event.job_id] = None
                changes.collected.add(event.job_id)
                self._note(event, f"ended, {status_text(status)}")
            case events.SendPaused(message=message, next_try=at):
                waits = f"{message}; again at {formatting.clock(at)}, c cancels"
                changes.transfers[event.job_id] = (waits, 0, None)
                self._note(event, waits)
            case events.DeadlineMoved(what=what, good=good):
                changes.deadlines[event.job_id] = (what, good)
                self._note(event, what, bad=not good)
            case events.HookEnded(what=what, good=good, event=hook):
                self._note(event, f"the hook {hook} {what}", bad=not good)
            case events.StepFailed(message=message, hint=hint):
                self._note(event, f"{message}. {hint}".rstrip(), bad=True)
        self._schedule(self._growing_interval if isinstance(event, _GROWING) else INTERVAL)

    def _note(self, event: events.JobEvent, what: str, *, bad: bool = False) -> None:
        self._log.note(f"{self._name_of(event.job_id)}: {what}", bad=bad)

    def set_slow(self, calm: bool) -> None:
        """Update growing counts less often (``calm``), or at the normal rate."""
        self._growing_interval = UNWATCHED if calm else WATCHED

    def close(self) -> None:
        """Cancel the pending update."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, pause: float) -> None:
        loop = asyncio.get_running_loop()
        due = max(loop.time(), self._flushed_at + pause)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._flushed_at = asyncio.get_running_loop().time()
        self._on_change()
