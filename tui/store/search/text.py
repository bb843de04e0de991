"""Find the rows that contain a text: sweep through the files, or search row by row."""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress

import msgspec

from tui.core.results.google.row_ids import is_repeated
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient, identity_of
from tui.core.results.readers import READERS, Reader
from tui.progress import NO_PROGRESS, Progress
from tui.store.database import chunked
from tui.store.job_records import JobData
from tui.store.rows.lookup import RowLookup, find_row_numbers
from tui.store.rows.mapped_files import MappedFiles
from tui.store.search.matchers import Matcher, compile_matcher

_WINDOW_BYTES = 1 << 16
"""Bytes converted to lower case at a time; they fit into the processor's L1 or L2 cache."""

_STOP_EVERY = 32
"""Windows between two calls of ``stop``: about 10 ms."""


def matching_lines(
    mapped: mmap.mmap,
    size: int,
    matcher: Matcher,
    progress: Progress = NO_PROGRESS,
) -> Iterator[tuple[int, int] | None]:
    """Find each line that matches, in file order.

    Args:
        mapped: The file.
        size: Number of bytes to search, from the start of the file.
        matcher: The matcher; it must have anchors.
        progress: Can stop the search.

    Yields:
        Start and end of a matching line, or ``None`` every 10 ms or so without one.
    """
    anchors = matcher.anchors
    overlap = max(map(len, anchors)) - 1
    done = 0
    windows = 0
    while done < size:
        windows += 1
        if windows % _STOP_EVERY == 0:
            if progress.stopped:
                return
            yield None
        window = mapped[done : min(done + _WINDOW_BYTES + overlap, size)].lower()
        window_end = min(done + _WINDOW_BYTES, size)
        at = 0
        places = [window.find(anchor) for anchor in anchors]
        while True:
            for number, place in enumerate(places):
                if 0 <= place < at:
                    places[number] = window.find(anchors[number], at)
            place = min((place for place in places if place >= 0), default=-1)
            if place < 0:
                break
            start = done + window.rfind(b"\n", 0, place) + 1
            if start == done:
                # The line begins in an earlier window.
                start = mapped.rfind(b"\n", 0, done + place) + 1
            newline = window.find(b"\n", place)
            end = done + newline if newline >= 0 else mapped.find(b"\n", done + place, size)
            if end < 0:
                end = size
            if matcher.exact or matcher.is_match(mapped, start, end):
                yield start, end
            # Windows overlap: continue after this line, so it is not found twice.
            window_end = max(window_end, end + 1)
            at = end + 1 - done
            if at >= len(window):
                break
        done = window_end


ReportFound = Callable[[Callable[[], Sequence[int]], int], None]
"""Called with a function that returns the rows found so far, and their number."""

_PAGE = 500
"""Rows searched between two calls of ``stop``."""

_MIN_SHARE = 20
"""If other conditions leave fewer than one row in 20, rows are searched one by one."""

_LINES_PER_QUERY = 500
"""Lines whose rows are looked up in one query."""

_FEW_LINES = 50
"""For fewer lines than this, ids are looked up in the index without reading ahead."""


def search_in_pages(
    seqs: Sequence[int],
    matching: Callable[[Sequence[int]], Iterable[int]],
    progress: Progress,
    report: ReportFound | None,
) -> array[int]:
    """Search rows page by page.

    Args:
        seqs: Row numbers to search.
        matching: Returns those of a page that match, in the given order.
        progress: Can stop the search; the rows found so far are then returned.
        report: Called after each page with what was found so far.
    """
    found: array[int] = array("q")
    for start in range(0, len(seqs), _PAGE):
        if progress.stopped:
            break
        found.extend(matching(seqs[start : start + _PAGE]))
        if report is not None:
            report(lambda: found[:], len(found))
    return found


class _Named(msgspec.Struct, gc=False):
    custom_id: str


_decode_named = msgspec.json.Decoder(_Named).decode


class TextSearch:
    """Finds the rows that contain a text in their ``custom_id``, request or result line.

    Args:
        data: The job, for the thread that searches.
        text: The text, or ``re:`` and a regular expression.

    Raises:
        UsageError: The regular expression is not valid.
    """

    def __init__(self, data: JobData, text: str) -> None:
        self._data = data
        self._connection = data.connection
        self._matcher = compile_matcher(text)
        self._files_read = MappedFiles(data.file)
        self._readers: dict[int, Reader] = {}

    def __enter__(self) -> TextSearch:
        return self

    def __exit__(self, *_: object) -> None:
        self._files_read.close()

    def among(
        self,
        seqs: Sequence[int],
        progress: Progress = NO_PROGRESS,
        report: ReportFound | None = None,
    ) -> array[int]:
        """Rows that contain the text, in the given order.

        Args:
            seqs: Row numbers to search.
            progress: Can stop the search; the rows found so far are then returned.
            report: Called repeatedly with what was found so far.
        """
        total = self._data.job.counts.total
        if not self._matcher.anchors or len(seqs) * _MIN_SHARE < total:
            return search_in_pages(seqs, self._matching, progress, report)
        found = bytearray(total)
        count = 0

        def found_so_far() -> array[int]:
            if seqs == range(total):
                return array("q", compress(seqs, found))
            return array("q", (seq for seq in seqs if found[seq]))

        for rows in self._search_files(progress):
            for seq in rows:
                if seq < total and not found[seq]:
                    found[seq] = True
                    count += 1
            if report is not None:
                report(found_so_far, count)
        return found_so_far()

    def _matching(self, seqs: Sequence[int]) -> Iterator[int]:
        found = set()
        is_match = self._matcher.is_match
        requests = self._files_read.get(0)
        ((marks, part),) = chunked(seqs)
        for seq, offset, length, file, start, size in self._connection.execute(
            "SELECT q.seq, q.offset, q.length, r.file, r.offset, r.length FROM requests q"
            " LEFT JOIN results r ON r.job=q.job AND r.seq=q.seq"
            f" WHERE q.job=? AND q.seq IN ({marks})",
            (self._data.pk, *part),
        ):
            if requests is not None and is_match(requests, offset, offset + length):
                found.add(seq)
            elif file is not None:
                answers = self._files_read.get(file)
                if answers is not None and is_match(
                    answers, start, start + size, self._reader(file)
                ):
                    found.add(seq)
        return (seq for seq in seqs if seq in found)

    def _search_files(self, progress: Progress) -> Iterator[list[int]]:
        """Search file by file; yields row numbers, some at a time."""
        for number, size, first in [(0, None, 0), *self._files()]:
            mapped = self._files_read.get(number)
            if mapped is None:
                continue
            if progress.stopped:
                return
            seqs = RowLookup(self._data.pk, first)
            lines: list[tuple[str, int]] = []
            size = len(mapped) if size is None else min(size, len(mapped))
            for place in matching_lines(mapped, size, self._matcher, progress):
                if place is not None:
                    custom_id = _id_in(mapped[place[0] : place[1]])
                    if custom_id is not None:
                        lines.append((custom_id, place[0]))
                if lines and (place is None or len(lines) == _LINES_PER_QUERY):
                    yield self._rows(seqs, number, lines)
                    lines.clear()
            yield self._rows(seqs, number, lines)

    def _files(self) -> list[tuple[int, int, int]]:
        """Result files of the job: primary key, indexed bytes, and first row number."""
        return self._connection.execute(
            "SELECT f.pk, f.indexed, coalesce(b.first_seq, 0) FROM batches b"
            " JOIN files f ON f.batch=b.pk WHERE b.job=? AND f.indexed>0 ORDER BY f.pk",
            (self._data.pk,),
        ).fetchall()

    def _rows(self, finder: RowLookup, file: int, lines: list[tuple[str, int]]) -> list[int]:
        """Row numbers of lines, without lines of attempts that are not shown."""
        names = dict.fromkeys(name for name, _ in lines)
        if len(names) < _FEW_LINES:
            seqs = find_row_numbers(self._connection, self._data.pk, list(names))
        else:
            seqs = finder.find(self._connection, names)
        if file == 0:
            return list(seqs.values())
        # Lines without an id, or with one that the server changed.
        unnamed = [offset for name, offset in lines if is_repeated(name) or name not in seqs]
        places = {(seqs.get(name), offset) for name, offset in lines}
        found: list[int] = []
        for marks, part in chunked(seqs.values()):
            shown = self._connection.execute(
                f"SELECT seq, offset FROM results WHERE job=? AND seq IN ({marks}) AND file=?",
                (self._data.pk, *part, file),
            )
            found += (place[0] for place in shown if place in places)
        for marks, part in chunked(unnamed):
            # Their row is known by the place of the line alone.
            shown = self._connection.execute(
                f"SELECT seq FROM results WHERE job=? AND file=? AND offset IN ({marks})",
                (self._data.pk, file, *part),
            )
            found += (seq for (seq,) in shown)
        return found

    def _reader(self, file: int) -> Reader:
        if file not in self._readers:
            (style,) = self._connection.execute(
                "SELECT b.style FROM files f JOIN batches b ON b.pk=f.batch WHERE f.pk=?", (file,)
            ).fetchone()
            self._readers[file] = READERS[style]
        return self._readers[file]


def _id_in(line: bytes) -> str | None:
    try:
        return _decode_named(line).custom_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value = decode_lenient(line)
    except UnreadableLineError:
        return None
    name = identity_of(value) if isinstance(value, dict) else None
    return name if isinstance(name, str) else None
