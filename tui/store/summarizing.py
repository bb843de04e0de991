"""One pass over the rows of a job, to look at them as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice

from tui.core.filtering import ALL_ROWS, RowFilter
from tui.core.jobs import Job
from tui.core.rows import RowLine
from tui.core.summary import Pace, Summarizer, Summary
from tui.store.history import History
from tui.store.samples import read_samples

_EVERY = 500

_FIRST_SECONDS = 0.4
"""After which something is told of what was read so far."""

_PARTIAL_SECONDS = 1.0
"""Between two tellings at the least."""

_PARTIAL_SHARE = 20
"""A telling may take one part in so many of the time."""

Stop = Callable[[], bool]


def summarize(
    history: History,
    job_id: str,
    field: str = "",
    *,
    rows: RowFilter = ALL_ROWS,
    stop_words: bool = False,
    stop: Stop | None = None,
    progress: Callable[[int, int], None] | None = None,
    partial: Callable[[Summary], None] | None = None,
) -> Summary:
    """Read all rows of a job once; call it in a thread.

    Args:
        history: Where the rows are.
        job_id: Whose rows.
        field: The path of the field whose labels and words are counted; see ``Summarizer``.
        rows: Only these rows.
        stop_words: Leave out words that say little.
        stop: Asked now and then; true ends it, and what was read so far is the answer.
        progress: Called with rows read and rows in all.
        partial: Called now and then with what the rows read so far come to.
    """
    job = history.job(job_id)
    selection = history.select(job_id, rows, stop=stop)
    summarizer = Summarizer(field, stop_words=stop_words)
    lines = history.row_lines(job_id, selection)
    pace = pace_of(history, job)

    def so_far() -> Summary:
        return summarizer.summary(job_id, job.name, job.counts, job.cost, pace)

    if partial is not None:
        progress = _telling(so_far, partial, progress)
    read_into(summarizer, lines, len(selection), stop, progress)
    return so_far()


def _telling(
    so_far: Callable[[], Summary],
    partial: Callable[[Summary], None],
    progress: Callable[[int, int], None] | None,
) -> Callable[[int, int], None]:
    """A progress that also tells what was read so far, at most once in a while."""
    following = time.monotonic() + _FIRST_SECONDS

    def seen(done: int, total: int) -> None:
        nonlocal following
        if progress is not None:
            progress(done, total)
        start = time.monotonic()
        if start >= following and done < total:
            partial(so_far())
            now = time.monotonic()
            following = now + max(_PARTIAL_SECONDS, (now - start) * _PARTIAL_SHARE)

    return seen


def read_into(
    summarizer: Summarizer,
    lines: Iterable[RowLine],
    total: int,
    stop: Stop | None,
    progress: Callable[[int, int], None] | None,
) -> bool:
    """Read rows to their end; false when it was stopped before."""
    flow = iter(lines)
    done = 0
    while page := list(islice(flow, _EVERY)):
        summarizer.add(page)
        done += len(page)
        if progress is not None:
            progress(done, total)
        if stop is not None and done < total and stop():
            return False
    return True


def pace_of(history: History, job: Job) -> Pace:
    """How fast a job went, from what the provider told while it was watched."""
    if job.submitted_at is None:
        return Pace()
    samples = read_samples(history, job.id)
    start = job.submitted_at
    points = [(max(0.0, at - start), done) for at, done in samples]
    last = job.ended_at or (samples[-1][0] if samples else None)
    seconds = None if last is None else max(0.0, last - start)
    rate = job.counts.ended / seconds if seconds and job.ended_at is not None else None
    return Pace(points=tuple(points), seconds=seconds, rows_per_second=rate)
