"""Summaries of jobs, computed in a thread and kept while the job does not change."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from tui.core.jobs import Job
from tui.core.summary import Summary
from tui.engine.threads import Stop, stoppable, told_on_loop
from tui.store.history import History
from tui.store.summarizing import summarize

_KEPT = 32

Key = tuple[object, ...]


class Summaries:
    """Makes summaries, and remembers those of jobs that are as they were.

    Args:
        history: Where the jobs are.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._kept: OrderedDict[Key, Summary] = OrderedDict()

    def known(self, job_id: str, field: str = "", *, stop_words: bool = False) -> Summary | None:
        """A summary that is there already; ``None`` when it has to be computed."""
        return self._kept.get(self._key(self._history.job(job_id), field, stop_words))

    async def of(
        self,
        job_id: str,
        field: str = "",
        *,
        stop_words: bool = False,
        stop: Stop | None = None,
        progress: Callable[[int, int], None] | None = None,
        partial: Callable[[Summary], None] | None = None,
    ) -> Summary:
        """The summary of a job; arguments as for ``summarize``.

        ``partial`` is called on this event loop.
        One that was stopped tells of the rows that were read, and is not kept.
        """
        key = self._key(await asyncio.to_thread(self._history.job, job_id), field, stop_words)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        with told_on_loop(partial) as tell:
            made = await stoppable(
                lambda asked: summarize(
                    self._history,
                    job_id,
                    field,
                    stop_words=stop_words,
                    stop=asked,
                    progress=progress,
                    partial=tell,
                ),
                stop,
            )
        if made.is_whole:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    @staticmethod
    def _key(job: Job, field: str, stop_words: bool) -> Key:
        # The job's record tells of every change of its rows: counts, cost, status and end.
        return (job, field, stop_words)
