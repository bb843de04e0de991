"""What screens share that read all rows of a job for a report, with progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, TypeVar

from textual.screen import Screen
from textual.timer import Timer

from tui.errors import BatchdeckError
from tui.progress import Progress
from tui.ui.commands.dispatch import CommandTarget
from tui.ui.text.tones import Part

T = TypeVar("T")
Answer = TypeVar("Answer")

REDRAW_SECONDS = 0.1
"""Seconds between progress updates."""


class ReportReader(Generic[T]):
    """Makes the report of a screen in a worker, again whenever an option of it changes.

    Args:
        screen: The screen, which is closed if there is no report at all.
        load: Reads the rows; when the progress says stop, returns the report of those read so far.
        draw: Draws the head of the screen, with the progress while ``is_running``.
        show: Shows a report; the head is drawn already.
    """

    def __init__(
        self,
        screen: Screen[Any],
        load: Callable[[Progress], Awaitable[T]],
        draw: Callable[[], None],
        show: Callable[[T], Awaitable[None]],
    ) -> None:
        self._screen = screen
        self._load, self._draw, self._show = load, draw, show
        self._progress = Progress()
        self._timer: Timer | None = None
        self.is_running = False
        """Whether rows are being read."""
        self.report: T | None = None
        """The report shown."""

    def read(self) -> None:
        """Read the rows; ends the read that is running."""
        self._progress.stop()
        self._progress = Progress()
        self._screen.run_worker(
            self._read(self._progress), group="report", exclusive=True, exit_on_error=False
        )

    async def _read(self, progress: Progress) -> None:
        self.is_running = True
        self._draw()
        if self._timer is None:
            self._timer = self._screen.set_interval(REDRAW_SECONDS, self._draw)
        self._timer.resume()
        try:
            report = await self._load(progress)
        except BatchdeckError as error:
            self._screen.app.notify(error.message, markup=False, severity="error")
            if self.report is None:
                self._screen.dismiss(None)
            return
        finally:
            if progress is self._progress:
                self.is_running = False
                self._timer.pause()
        if progress is self._progress and self._screen.is_attached:
            await self._display(report)

    def show_part(self, report: T) -> None:
        """Show the report of the rows read so far."""
        if self.is_running and self._screen.is_attached:
            self._screen.run_worker(self._display(report), group="part", exit_on_error=False)

    async def _display(self, report: T) -> None:
        self.report = report
        self._draw()
        await self._show(report)

    def stop(self) -> bool:
        """Stop reading; ``False`` if nothing is read, or it was stopped already."""
        if not self.is_running or self._progress.stopped:
            return False
        self._progress.stop()
        self._draw()
        return True

    def close(self) -> None:
        """Stop reading, for a screen that is closed."""
        self._progress.stop()

    def progress_parts(self, verb: str) -> list[Part]:
        """The progress with a key hint, such as ``reading 500 of 1,000 rows  esc stop``."""
        done, total = self._progress.done, self._progress.total
        if self._progress.stopped:
            return [(f"stopping after {done:,} rows", "warn")]
        words = f"{verb} {done:,} of {total:,} rows  " if total else f"{verb}  "
        return [(words, "live"), ("esc", "accent"), (" stop", "muted")]


class ReportScreen(CommandTarget, Screen[Answer], Generic[T, Answer]):
    """A screen with a report that is read in the background, and read again with other options.

    A subclass makes the reader, and calls its ``read`` as soon as it knows what to read.
    Texts of one line have the class ``report-line``: they are cut with an ellipsis.
    """

    DEFAULT_CSS: ClassVar[str] = """
    ReportScreen .report-line {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    ReportScreen CellTable { padding: 1 1 0 1; }
    """

    reader: ReportReader[T]
    """The reader, made by the subclass, with the report shown."""

    def on_unmount(self) -> None:
        """Stop reading."""
        self.reader.close()

    def action_leave(self) -> None:
        """Stop reading, else go back."""
        if not self.reader.stop():
            self.dismiss(None)
