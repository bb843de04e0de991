"""Requests on their way from a template into a file: how far it is, and the way to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.timer import Timer

from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui import formatting
from tui.ui.screens.compose.step import Step
from tui.ui.tones import Part

if TYPE_CHECKING:
    from tui.compose.build import BuildReport
    from tui.compose.sources.source import Source
    from tui.engine.engine import Engine
    from tui.ui.templatetext import TemplateText

REDRAW_SECONDS = 0.1


class Writing:
    """The writing of requests, one file at a time.

    Args:
        step: Whose timers and notes are used.
        say: Shows how far it is, and what went wrong.
    """

    def __init__(self, step: Step, say: Callable[[list[Part]], None]) -> None:
        self._step = step
        self._say = say
        self._progress: tuple[int, int | None] | None = None
        self._timer: Timer | None = None
        self._stopped = False

    @property
    def runs(self) -> bool:
        """Is a file being written?"""
        return self._progress is not None

    def stop(self) -> None:
        """Write no further; what is there of the file goes away."""
        self._stopped = True

    async def run(self, engine: Engine, source: Source, text: TemplateText) -> Path | None:
        """Write the requests; the answer is the file, or ``None`` when there is none."""
        self._progress, self._stopped = (0, source.count), False
        self._timer = self._step.set_interval(REDRAW_SECONDS, self._draw)
        self._draw()

        def seen(done: int, total: int | None) -> None:
            self._progress = (done, total)

        try:
            template = await asyncio.to_thread(text.template)
            report = await engine.compose(
                source, template, stop=lambda: self._stopped, progress=seen
            )
        except BatchdeckError as error:
            self._say([(f"✗ {one_line(error.message, 300)}", "bad"),
                       (f"   {one_line(error.hint or '', 300)}", "muted")])  # fmt: skip
            return None
        finally:
            self._progress = None
            self._timer.stop()
        self._tell_ids(report)
        return Path(report.path)

    def _tell_ids(self, report: BuildReport) -> None:
        """Ids that a person gave are not changed in silence."""
        ids = report.ids
        if ids.changed:
            old, new = (one_line(id, 24) for id in ids.examples[0]) if ids.examples else "--"
            count = formatting.counted(ids.changed, "id")
            self._step.app.notify(
                f"{count} changed to be legal and different: {old!r} is {new!r}", markup=False
            )

    def _draw(self) -> None:
        if self._progress is None:
            return
        done, total = self._progress
        of = f" of {total:,}" if total else ""
        self._say([(f"Writing requests  {done:,}{of}", "live"),
                   ("   esc", "accent"), (" stops", "muted")])  # fmt: skip
