"""Read fields of the answers of all rows, page by page; of large jobs in child processes.

Decoding answers in a thread takes turns with the thread that draws the screen, and uses one
processor. So the pages of a large job are read by child processes, while this one puts their
values together in input order: the result does not depend on who has read a page.
"""

from __future__ import annotations

import os
import pickle
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tui.limited_process import LimitedProcess, LimitReachedError, ProcessLostError
from tui.progress import Progress
from tui.store.columns.answers import AnswerLines, FieldDecoder, places, styles
from tui.store.columns.values import ColumnValues
from tui.store.jobs import JobData

_LARGE_BYTES = 64 << 20
"""From this many bytes of lines on, processes are worth their start time of 0.2 s."""

_PAGE_BYTES = 4 << 20
_PAGE_ROWS = 4000
"""About how much is read between two looks at ``progress.stopped``."""

_MOST_PROCESSES = 4
_NICENESS = 5
"""Drawing the screen comes first."""

_SECONDS = 60.0
"""Processor time for a page, which takes 0.02 s; what takes longer is read in this process."""

_Request = tuple[dict[int, tuple[str, str]], list[str], bytes]
"""Paths and styles of result files, paths of fields, and the packed places of a page."""


class _Page(NamedTuple):
    """A page of rows: their numbers, and what a process is asked for."""

    seqs: Sequence[int]
    request: _Request


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
        after: See ``places``.
        size: About how many bytes of lines are read.
        page_done: Called after each page with the number of rows read so far.
    """
    total = data.job.counts.total
    rows = max(1, min(_PAGE_ROWS, _PAGE_BYTES * total // max(1, size)))
    pages = _pages(data, paths, after, rows)
    reading = _Processes() if size >= _LARGE_BYTES else None
    done = 0
    try:
        read = ((page, _read(page.request)) for page in pages)
        for page, parts in read if reading is None else reading.read(pages):
            for of_field, part in zip(values, parts, strict=True):
                of_field.put(page.seqs, part)
            done += len(page.seqs)
            progress.update(done, total)
            if progress.stopped:
                return
            if page_done is not None:
                page_done(done)
    finally:
        if reading is not None:
            reading.close()


def _pages(
    data: JobData, paths: Sequence[str], after: Mapping[int, int], rows: int
) -> Iterator[_Page]:
    files = {file: (str(data.file(file)), style) for file, style in styles(data).items()}
    for found in places(data, after, rows):
        packed = array("q", chain.from_iterable(found))
        of_page = {file: files[file] for file in set(packed[1::4])}
        yield _Page(packed[::4], (of_page, list(paths), packed.tobytes()))


def _read(request: _Request) -> list[ColumnValues]:
    """The values of each field in the rows of a page, in the order of its places."""
    files, paths, packed = request
    places = array("q", packed)
    decoder = _decoder(tuple(paths))
    parts = [ColumnValues(len(places) // 4, lists_all=True) for _ in paths]
    with AnswerLines(
        lambda file: Path(files[file][0]), {file: style for file, (_, style) in files.items()}
    ) as lines:
        texts = lines.texts_of_page(places)
        if len(paths) == 1:
            parts[0].set_all(decoder.each_value(texts))
        else:
            setters = [part.set for part in parts]
            for number, text in enumerate(texts):
                for put, value in zip(setters, decoder.values(text), strict=True):
                    put(number, value)
    return parts


_decoder = lru_cache(maxsize=4)(FieldDecoder)


def answer(request: _Request) -> bytes:
    """Read a page in a child process."""
    return pickle.dumps(_read(request))


class _Processes:
    """Child processes that read pages.

    Attributes:
        started: Done when the first of them answers.
    """

    def __init__(self) -> None:
        self._count = min(_processors(), _MOST_PROCESSES)
        self._process = LimitedProcess(
            __name__, memory=0, most_idle=self._count, niceness=_NICENESS
        )
        self._threads = ThreadPoolExecutor(self._count, "read-answers")
        self.started = self._threads.submit(self._call, ({}, [], b""))

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown(cancel_futures=True)
        self._process.close()

    def read(self, pages: Iterator[_Page]) -> Iterator[tuple[_Page, list[ColumnValues]]]:
        """Read pages, and yield them in their order."""
        waiting: deque[tuple[_Page, Future[bytes]]] = deque()
        for page in pages:
            # While the first process starts, and if none can be started, pages are read here.
            if not self.started.done() or self.started.exception() is not None:
                yield page, _read(page.request)
                continue
            waiting.append((page, self._threads.submit(self._call, page.request)))
            if len(waiting) > 2 * self._count:
                yield _taken(*waiting.popleft())
        while waiting:
            yield _taken(*waiting.popleft())

    def _call(self, request: _Request) -> bytes:
        return self._process.call(request, seconds=_SECONDS)


def _taken(page: _Page, future: Future[bytes]) -> tuple[_Page, list[ColumnValues]]:
    try:
        parts: list[ColumnValues] = pickle.loads(future.result())
    except (LimitReachedError, ProcessLostError):
        return page, _read(page.request)
    return page, parts


def _processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
