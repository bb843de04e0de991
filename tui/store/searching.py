"""Looking for a text in the requests and result lines of a job, in the files themselves."""

from __future__ import annotations

import mmap
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import compress
from pathlib import Path

import msgspec

from tui.core.readers import READERS, Reader
from tui.core.results import UnreadableLineError, decode_lenient
from tui.paths import Paths
from tui.store.files import file_path
from tui.store.importing import REQUESTS
from tui.store.seqs import SeqFinder, look_up
from tui.store.sweeping import lines_with
from tui.store.wanted import wanted

Stop = Callable[[], bool]

Tell = Callable[[Callable[[], Sequence[int]], int], None]
"""Told how many rows were found so far, with a way to get them."""

_ROWS = 500
"""Rows looked at between two questions whether to stop."""

_FEW = 20
"""With fewer than one row in so many left by other conditions, the files are not swept."""

_LINES = 500
"""Lines whose rows are looked up at once."""

_SPARSE = 50
"""For fewer lines than this the ids that follow in the requests are not read along."""


class _Named(msgspec.Struct, gc=False):
    custom_id: str


_decode_named = msgspec.json.Decoder(_Named).decode


class TextSearch:
    """Finds the rows that hold a text in ``custom_id``, request line or result line.

    Args:
        connection: For reading, of the thread that searches.
        paths: Where the files are.
        job: Row number and id of the job.
        text: What to look for; a pattern behind ``re:``.

    Raises:
        UsageError: A pattern that is none.
    """

    def __init__(
        self, connection: sqlite3.Connection, paths: Paths, job: tuple[int, str], text: str
    ) -> None:
        self._connection = connection
        self._paths = paths
        self._job_pk, self._job_id = job
        self._wanted = wanted(text)
        self._open = ExitStack()
        self._maps: dict[int, mmap.mmap | None] = {}
        self._readers: dict[int, Reader] = {}

    def __enter__(self) -> TextSearch:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def among(
        self,
        seqs: Sequence[int],
        total: int,
        *,
        stop: Stop | None = None,
        tell: Tell | None = None,
    ) -> array[int]:
        """Those of the rows that hold the text, in the order given.

        Args:
            seqs: The rows to choose from.
            total: How many rows the job has.
            stop: Asked now and then; what was found so far is the answer.
            tell: Told now and then what was found so far.
        """
        if not self._wanted.anchors or len(seqs) * _FEW < total:
            return self._look(seqs, stop, tell)
        found = bytearray(total)
        count = 0

        def chosen() -> array[int]:
            if seqs == range(total):
                return array("q", compress(seqs, found))
            return array("q", (seq for seq in seqs if found[seq]))

        for rows in self._sweep(stop):
            for seq in rows:
                if seq < total and not found[seq]:
                    found[seq] = True
                    count += 1
            if tell is not None:
                tell(chosen, count)
        return chosen()

    def _look(self, seqs: Sequence[int], stop: Stop | None, tell: Tell | None) -> array[int]:
        """Look at each row."""
        found: array[int] = array("q")
        for start in range(0, len(seqs), _ROWS):
            if stop is not None and stop():
                break
            found.extend(self._holders(seqs[start : start + _ROWS]))
            if tell is not None:
                tell(lambda: found[:], len(found))
        return found

    def _holders(self, seqs: Sequence[int]) -> Iterator[int]:
        found = set()
        is_in = self._wanted.is_in
        requests = self._map(0)
        marks = ",".join("?" * len(seqs))
        for seq, offset, length, file, start, size in self._connection.execute(
            "SELECT q.seq, q.offset, q.length, r.file, r.offset, r.length FROM requests q"
            " LEFT JOIN results r ON r.job=q.job AND r.seq=q.seq"
            f" WHERE q.job=? AND q.seq IN ({marks})",
            (self._job_pk, *seqs),
        ):
            if requests is not None and is_in(requests, offset, offset + length):
                found.add(seq)
            elif file is not None:
                answers = self._map(file)
                if answers is not None and is_in(answers, start, start + size, self._reader(file)):
                    found.add(seq)
        return (seq for seq in seqs if seq in found)

    def _sweep(self, stop: Stop | None) -> Iterator[list[int]]:
        """Rows that hold the text, some at a time, file by file."""
        for number, size, first in [(0, None, 0), *self._files()]:
            mapped = self._map(number)
            if mapped is None:
                continue
            if stop is not None and stop():
                return
            seqs = SeqFinder(self._job_pk, first)
            lines: list[tuple[str, int]] = []
            size = len(mapped) if size is None else min(size, len(mapped))
            for place in lines_with(mapped, size, self._wanted, stop):
                if place is not None:
                    custom_id = _id_in(mapped[place[0] : place[1]])
                    if custom_id is not None:
                        lines.append((custom_id, place[0]))
                if lines and (place is None or len(lines) == _LINES):
                    yield self._rows(seqs, number, lines)
                    lines.clear()
            yield self._rows(seqs, number, lines)

    def _files(self) -> list[tuple[int, int, int]]:
        """The job's result files: number, bytes that are indexed, where its rows begin."""
        return self._connection.execute(
            "SELECT f.pk, f.indexed, coalesce(b.first_seq, 0) FROM batches b"
            " JOIN files f ON f.batch=b.pk WHERE b.job=? AND f.indexed>0 ORDER BY f.pk",
            (self._job_pk,),
        ).fetchall()

    def _rows(self, finder: SeqFinder, file: int, lines: list[tuple[str, int]]) -> list[int]:
        """The rows that lines belong to, as far as these lines are what is shown of them."""
        names = dict.fromkeys(name for name, _ in lines)
        if len(names) < _SPARSE:
            seqs = look_up(self._connection, self._job_pk, list(names))
        else:
            seqs = finder.find(self._connection, names)
        if file == 0:
            return list(seqs.values())
        marks = ",".join("?" * len(seqs))
        shown = self._connection.execute(
            f"SELECT seq, offset FROM results WHERE job=? AND seq IN ({marks}) AND file=?",
            (self._job_pk, *seqs.values(), file),
        )
        places = {(seqs.get(name), offset) for name, offset in lines}
        return [place[0] for place in shown if place in places]

    def _reader(self, file: int) -> Reader:
        if file not in self._readers:
            (style,) = self._connection.execute(
                "SELECT b.style FROM files f JOIN batches b ON b.pk=f.batch WHERE f.pk=?", (file,)
            ).fetchone()
            self._readers[file] = READERS[style]
        return self._readers[file]

    def _map(self, number: int) -> mmap.mmap | None:
        if number not in self._maps:
            try:
                stream = self._open.enter_context(self._path(number).open("rb"))
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError):
                # A file that is gone or empty holds no text; `doctor` tells about it.
                self._maps[number] = None
            else:
                self._maps[number] = self._open.enter_context(mapped)
        return self._maps[number]

    def _path(self, number: int) -> Path:
        if number == 0:
            return self._paths.job_folder(self._job_id) / REQUESTS
        return file_path(self._connection, self._paths, number)


def _id_in(line: bytes) -> str | None:
    try:
        return _decode_named(line).custom_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value = decode_lenient(line)
    except UnreadableLineError:
        return None
    name = value.get("custom_id") if isinstance(value, dict) else None
    return name if isinstance(name, str) else None
