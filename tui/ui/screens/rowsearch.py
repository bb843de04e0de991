"""Looking for the rows of a query, off the event loop; the newest question counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.widget import Widget

from tui.core.filtering import RowSelection
from tui.errors import BatchdeckError
from tui.ui.rowquery import RowQuery

if TYPE_CHECKING:
    from tui.engine.engine import Engine

BUSY_PAUSE = 0.2
"""Seconds after which a search says that it goes on."""

_REST = 0.5
_REST_FACTOR = 4
"""While data arrives rows are looked for again, but most of the time is left to other things."""


@dataclass(frozen=True)
class Question:
    """What is looked for: rows of a job, as a query asks."""

    job_id: str
    query: RowQuery


class RowSearch:
    """One search at a time, told in parts while it goes on.

    Args:
        host: Whose worker it is.
        found: Called with the rows found, and whether these are all.
        told: Called with a word for the count: ``looking``, ``stopped`` or nothing.
        failed: Called with what went wrong.
    """

    def __init__(
        self,
        host: Widget,
        found: Callable[[RowSelection, bool], None],
        told: Callable[[str], None],
        failed: Callable[[BatchdeckError], None],
    ) -> None:
        self._host = host
        self._found = found
        self._told = told
        self._failed = failed
        self._generation = 0
        self._running = False
        self._stopped = False
        self._again = False
        self._rest_until = 0.0
        self._timer: Timer | None = None
        self._engine: Engine | None = None
        self._question: Question | None = None

    @property
    def is_running(self) -> bool:
        """Is something being looked for?"""
        return self._running

    def ask(self, engine: Engine, question: Question) -> None:
        """Look for rows; what was looked for before is let go."""
        self._engine, self._question = engine, question
        self._start(streaming=True)

    def look_again(self) -> None:
        """Look for the same rows in data that has changed, soon."""
        if self._stopped or self._question is None:
            return
        if self._running:
            self._again = True
        elif self._timer is None:
            pause = max(0.01, self._rest_until - time.monotonic())
            self._timer = self._host.set_timer(pause, lambda: self._start(streaming=False))

    def forget(self) -> None:
        """Look for nothing any more."""
        self._generation += 1
        self._question = None
        self._running = self._stopped = self._again = False
        self._rest()

    def stop(self) -> bool:
        """End the search with what it has found; false when there is none."""
        if not self._running:
            return False
        self._stopped = True
        return True

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _start(self, *, streaming: bool) -> None:
        self._rest()
        self._generation += 1
        self._running, self._stopped, self._again = True, False, False
        self._host.run_worker(
            self._run(self._generation, streaming),
            group="select",
            exclusive=True,
            exit_on_error=False,
        )

    async def _run(self, generation: int, streaming: bool) -> None:
        engine, question = self._engine, self._question
        if engine is None or question is None:
            return

        def partial(found: RowSelection) -> None:
            if generation == self._generation and not self._stopped:
                self._found(found, False)

        began = time.monotonic()
        busy = self._host.set_timer(BUSY_PAUSE, lambda: self._told("looking"))
        try:
            selection = await engine.select(
                question.job_id,
                question.query.rows,
                question.query.sort,
                stop=lambda: generation != self._generation or self._stopped,
                partial=partial if streaming else None,
            )
        except BatchdeckError as error:
            if generation == self._generation:
                self._failed(error)
            return
        finally:
            busy.stop()
            if generation == self._generation:
                self._running = False
        if generation != self._generation:
            return
        now = time.monotonic()
        self._rest_until = now + max(_REST, _REST_FACTOR * (now - began))
        self._found(selection, not self._stopped)
        self._told("stopped" if self._stopped else "")
        if self._again:
            self._again = False
            self.look_again()
