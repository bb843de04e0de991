"""From engine events to at most four looks a second, whatever the engine tells.

Counts that grow are looked at once a second, and more seldom while nobody looks: a dashboard
that is left open for a day must cost next to nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tui.core.status import status_words
from tui.engine.events import (
    BatchEnded,
    BatchSubmitted,
    CountsChanged,
    DownloadProgressed,
    HookEnded,
    JobDeleted,
    JobEvent,
    JobImported,
    RowsCollected,
    StatusChanged,
    SubmitPrepared,
    TroubleReported,
    UploadProgressed,
)
from tui.ui.journal import Journal
from tui.ui.signals import Changes

INTERVAL = 0.25
"""Seconds between two looks: faster than a person reads, slow enough to cost nothing."""

WATCHED, UNWATCHED = 1.0, 5.0
"""Seconds between two looks at counts that grow, while somebody looks and while nobody does."""

_GROWING = (CountsChanged, RowsCollected)


class EngineBridge:
    """Collects what the engine tells, and says now and then that there is something.

    Args:
        tell: Called on the event loop when there are changes to take.
        journal: Where events worth reading later are noted.
        name_of: What a person calls the job with an id.
    """

    def __init__(
        self, tell: Callable[[], object], journal: Journal, name_of: Callable[[str], str]
    ) -> None:
        self._tell = tell
        self._name_of = name_of
        self._journal = journal
        self._changes = Changes()
        self._timer: asyncio.TimerHandle | None = None
        self._told_at = 0.0
        self._patience = WATCHED

    def take(self) -> Changes:
        """The changes since the last call."""
        changes, self._changes = self._changes, Changes()
        return changes

    def receive(self, event: JobEvent) -> None:
        """Note an event; a subscriber of the engine's bus."""
        changes = self._changes
        if event.job_id:
            changes.jobs.add(event.job_id)
        else:
            # Another program wrote into the history: anything may be different.
            changes.listed = True
        match event:
            case JobImported() | JobDeleted():
                changes.listed = True
            case SubmitPrepared(going=going):
                changes.transfers[event.job_id] = ("preparing to send", 0, None) if going else None
            case UploadProgressed(sent=sent, total=total):
                changes.transfers[event.job_id] = ("uploading", sent, total)
            case DownloadProgressed(received=received, total=total):
                changes.transfers[event.job_id] = ("downloading", received, total)
            case RowsCollected():
                changes.collected.add(event.job_id)
                changes.transfers[event.job_id] = None
            case BatchSubmitted(remote_id=remote_id):
                self._note(event, f"the provider took the batch as {remote_id}")
                changes.transfers[event.job_id] = None
            case StatusChanged(status=status, raw_status=raw):
                changes.transfers[event.job_id] = None
                self._note(event, status_words(status, raw))
            case BatchEnded(status=status):
                changes.ended[event.job_id] = status.value
                changes.transfers[event.job_id] = None
                changes.collected.add(event.job_id)
                self._note(event, f"ended, {status_words(status)}")
            case HookEnded(what=what, good=good):
                self._note(event, f"the hook {what}", bad=not good)
            case TroubleReported(message=message, hint=hint):
                self._note(event, f"{message}. {hint}".rstrip(), bad=True)
        self._schedule(self._patience if isinstance(event, _GROWING) else INTERVAL)

    def _note(self, event: JobEvent, what: str, *, bad: bool = False) -> None:
        self._journal.note(f"{self._name_of(event.job_id)}: {what}", bad=bad)

    def watch_calmly(self, calm: bool) -> None:
        """Look seldom at what only grows, or as often as somebody wants to see it."""
        self._patience = UNWATCHED if calm else WATCHED

    def close(self) -> None:
        """Stop telling."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, pause: float) -> None:
        loop = asyncio.get_running_loop()
        due = max(loop.time(), self._told_at + pause)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._told_at = asyncio.get_running_loop().time()
        self._tell()
