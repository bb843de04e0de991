"""How far a piece of work is that one waits for, with a way to stop it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import ComposeResult
from textual.widgets import ProgressBar, Static

from tui.ui import formatting
from tui.ui.dialogs.dialog import Dialog
from tui.ui.tones import content

if TYPE_CHECKING:
    from textual.app import App

T = TypeVar("T")

PATIENCE_SECONDS = 0.4
"""Work that is over sooner is done without a dialog."""

REDRAW_SECONDS = 0.1


class Progress:
    """What work in a thread is told, and what it asks.

    Attributes:
        seen: What is done and what there is in all; one assignment, made by the thread.
    """

    def __init__(self) -> None:
        self.seen: tuple[int, int] = (0, 0)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask the work to end."""
        self._stop.set()

    def is_stopped(self) -> bool:
        """Is the work to end?"""
        return self._stop.is_set()

    def show(self, done: int, total: int) -> None:
        """Take note of how far it is."""
        self.seen = (done, total)


class ProgressDialog(Dialog[None]):
    """A bar and a figure; ``escape`` stops the work.

    Args:
        title: What is done.
        progress: How far it is.
        noun: What is counted.
    """

    DEFAULT_CSS = """
    ProgressDialog > .dialog { width: 60; }
    ProgressDialog ProgressBar { width: 1fr; margin-bottom: 1; }
    ProgressDialog Bar { width: 1fr; }
    """

    def __init__(self, title: str, progress: Progress, noun: str) -> None:
        super().__init__()
        self.TITLE_TEXT = title
        self._progress = progress
        self._noun = noun

    def compose_inside(self) -> ComposeResult:
        """Words and bar."""
        yield Static("", classes="dialog-text", id="progress-words", markup=False)
        yield ProgressBar(show_eta=False, show_percentage=False)

    def on_mount(self) -> None:
        """Draw now and then."""
        self._draw()
        self.set_interval(REDRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        done, total = self._progress.seen
        words = f"{done:,} of {formatting.counted(total, self._noun)}" if total else "Beginning"
        if self._progress.is_stopped():
            words = "Stopping"
        parts = content([(words, ""), ("    ", ""), ("esc", "accent"), (" stops", "muted")])
        self.query_one("#progress-words", Static).update(parts)
        self.query_one(ProgressBar).update(total=total or None, progress=done)

    def action_leave(self) -> None:
        """Stop the work; the dialog goes when it has ended."""
        self._progress.stop()


async def with_progress(
    app: App[Any],
    title: str,
    noun: str,
    start: Callable[[Progress], Awaitable[T]],
) -> tuple[T, bool]:
    """Wait for work; when it takes a moment, show how far it is and let it be stopped.

    Returns:
        What the work gave, and whether it was asked to stop.
    """
    progress = Progress()
    work = asyncio.ensure_future(start(progress))
    done, _ = await asyncio.wait({work}, timeout=PATIENCE_SECONDS)
    if not done:
        dialog = ProgressDialog(title, progress, noun)
        await app.push_screen(dialog)
        try:
            await asyncio.wait({work})
        finally:
            if dialog.is_attached and dialog.is_current:
                dialog.dismiss(None)
    return await work, progress.is_stopped()
