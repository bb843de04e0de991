"""Read fields of the answers of all rows, page by page; of large jobs in child processes.

Decoding answers in a thread takes turns with the thread that draws the screen, and uses one
processor. So the pages of a large job are read by child processes, while this one puts their
values together in input order: the result does not depend on who has read a page.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from tui.limited_process import LimitedProcess, LimitReachedError, ProcessLostError
from tui.progress import Progress
from tui.store.columns import answer_fields
from tui.store.columns.answer_fields import Page, PageValues, read_page
from tui.store.columns.answers import styles
from tui.store.columns.values import ColumnValues
from tui.store.job_records import JobData

_LARGE_BYTES = 64 << 20
"""From this many bytes of lines on, processes are worth their start time of 0.2 s."""

_PAGE_BYTES = 8 << 20
_PAGE_ROWS = 8000
"""About how much is read between two looks at ``progress.stopped``."""

_MOST_PROCESSES = 4
_NICENESS = 5
"""Drawing the screen comes first."""

_SECONDS = 60.0
"""Processor time for a page, which takes 0.04 s; what takes longer is read in this process."""


def read_fields(
    data: JobData,
    paths: Sequence[str],
    values: Sequence[ColumnValues],
    progress: Progress,
    after: Mapping[int, int],
    size: int,
    page_done: Callable[[int], None] | None = None,
) -> None:
    """Read fields of the answers of all rows.

    Args:
        data: The job.
        paths: Paths of the fields; ``ANSWER`` for the answer itself.
        values: The values of each field, which are set.
        progress: Told the rows read; can stop it.
        after: For each file, the offset from which lines are wanted; 0 for other files.
        size: About how many bytes of lines are read.
        page_done: Called after each page with the number of rows looked at so far.
    """
    total = data.job.counts.total
    rows = max(1, min(_PAGE_ROWS, _PAGE_BYTES * total // max(1, size)))
    pages = _pages(data, paths, after, rows)
    reading = _Processes(data) if size >= _LARGE_BYTES else None
    try:
        read = (
            ((page, read_page(data.connection, page)) for page in pages)
            if reading is None
            else reading.read(pages)
        )
        for page, (seqs, parts) in read:
            for of_field, part in zip(values, parts, strict=True):
                of_field.put(seqs, part)
            progress.update(page.end, total)
            if progress.stopped:
                return
            if page_done is not None:
                page_done(page.end)
    finally:
        if reading is not None:
            reading.close()


def _pages(
    data: JobData, paths: Sequence[str], after: Mapping[int, int], rows: int
) -> Iterator[Page]:
    files = {file: (str(data.file(file)), style) for file, style in styles(data).items()}
    total = data.job.counts.total
    for first in range(0, total, rows):
        end = min(total, first + rows)
        yield Page(data.pk, first, end, dict(after), files, tuple(paths))


class _Processes:
    """Child processes that read pages.

    Args:
        data: The job.

    Attributes:
        started: Done when the processes answer, or cannot be started.
    """

    def __init__(self, data: JobData) -> None:
        self._connection = data.connection
        (self._database,) = (
            path
            for _, name, path in data.connection.execute("PRAGMA database_list")
            if name == "main"
        )
        self._count = min(_processors(), _MOST_PROCESSES)
        self._process = LimitedProcess(
            answer_fields.__name__, memory=0, most_idle=self._count, niceness=_NICENESS
        )
        self._threads = ThreadPoolExecutor(self._count, "read-answers")
        # One in each thread, so that all of them start at the same time.
        self.started = [self._threads.submit(self._call, None) for _ in range(self._count)]

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown(cancel_futures=True)
        self._process.close()

    def read(self, pages: Iterator[Page]) -> Iterator[tuple[Page, PageValues]]:
        """Read pages, and yield them in their order."""
        waiting: deque[tuple[Page, Future[bytes]]] = deque()
        for page in pages:
            # While the first process starts, and if none can be started, pages are read here.
            if not any(one.done() and one.exception() is None for one in self.started):
                yield page, read_page(self._connection, page)
                continue
            request = (self._database, tuple(page))
            waiting.append((page, self._threads.submit(self._call, request)))
            if len(waiting) > 2 * self._count:
                yield self._taken(*waiting.popleft())
        while waiting:
            yield self._taken(*waiting.popleft())

    def _call(self, request: object) -> bytes:
        return self._process.call(request, seconds=_SECONDS)

    def _taken(self, page: Page, future: Future[bytes]) -> tuple[Page, PageValues]:
        try:
            answered = future.result()
        except (LimitReachedError, ProcessLostError):
            answered = b""
        if not answered:
            return page, read_page(self._connection, page)
        made: PageValues = pickle.loads(answered)
        return page, made


def _processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
