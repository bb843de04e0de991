"""Indexing large files in a process of their own, so that no key waits for it.

Reading results takes an interpreter for itself: in a thread it would hold up the one that
draws the screen. So a file with much left to read is given to a child process, which writes
into the same history. It is told on its standard input to go on, answers on its standard
output, and ends when its input ends. Where it cannot be started, or dies, the work is done
in the thread that asked for it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from tui.core.readers import READERS
from tui.core.rules import RetryRules
from tui.errors import HistoryError
from tui.store.database import Database
from tui.store.indexing import SLICE_BYTES_ALONE, ResultFile, ResultIndexer

if TYPE_CHECKING:
    import subprocess

_LARGE = 8 << 20
"""Bytes left to read for which a process is worth its start, a tenth of a second."""

_NICE = 5
"""How far the process stands back: the screen is drawn first."""

_SECONDS = 10.0
"""How long a process may take to end."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a process has to know to index one file.

    ``only`` names the rows that the file may speak of; ``None`` stands for all.
    """

    database: str
    batch: str
    pk: int
    path: str
    style: str
    rules: dict[str, bool]
    only: list[int] | None = None

    def indexer(self, database: Database, slice_bytes: int | None = None) -> ResultIndexer:
        """An indexer that goes on where the history says that the file is known."""
        indexed, lines = database.read.execute(
            "SELECT indexed, lines FROM files WHERE pk=?", (self.pk,)
        ).fetchone()
        return ResultIndexer(
            database,
            self.batch,
            ResultFile(self.pk, Path(self.path), indexed, indexed, lines, complete=False),
            reader=READERS[self.style],
            rules=RetryRules(self.rules),
            only=None if self.only is None else frozenset(self.only),
            slice_bytes=slice_bytes,
        )


class _Answer(msgspec.Struct):
    indexed: int = 0
    lines: int = 0
    message: str = ""
    hint: str = ""


class FileIndexer:
    """Indexes one file: a little at a time here, much of it in a process of its own.

    Args:
        database: The history.
        task: The file and how it is read.

    Attributes:
        indexed: How far the file is known, in bytes.
        lines: How many lines that are.
    """

    def __init__(self, database: Database, task: Task) -> None:
        self._database = database
        self._task = task
        self._path = Path(task.path)
        self._indexer = task.indexer(database)
        self._process: subprocess.Popen[bytes] | None = None
        self._alone = False
        self.indexed = self._indexer.indexed
        self.lines = self._indexer.lines

    @property
    def is_aided(self) -> bool:
        """Does a process of its own write into the history?"""
        return self._process is not None

    def expect(self, size: int) -> None:
        """Start the process now if a file of so many bytes, or what is left of it, is large."""
        if self._process is None and not self._alone and size - self.indexed >= _LARGE:
            self._start()

    def run(self, *, complete: bool) -> int:
        """Index what is on the disk and not indexed yet; the answer is the number of lines.

        Args:
            complete: The file will not grow: a last line without an end is a line.

        Raises:
            HistoryError: It cannot be stored.
        """
        before = self.lines
        if self._process is None:
            self._indexer.run(complete=complete, stop=self._is_much_left)
            self._take(self._indexer.indexed, self._indexer.lines)
        self.expect(self._size())
        if self._process is not None and not self._run_aside(self._process, complete):
            self._alone = True
            self.close()
            self._indexer = self._task.indexer(self._database)
            self._indexer.run(complete=complete)
            self._take(self._indexer.indexed, self._indexer.lines)
        return self.lines - before

    def begin_anew(self) -> None:
        """Take note that the history has forgotten what was indexed of the file."""
        self.close()
        self._indexer = self._task.indexer(self._database)
        self._take(self._indexer.indexed, self._indexer.lines)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                # What was not sent yet to a process that died is of no use any more.
                with contextlib.suppress(OSError):
                    stream.close()
        import subprocess

        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _is_much_left(self) -> bool:
        return not self._alone and self._size() - self._indexer.indexed >= _LARGE

    def _take(self, indexed: int, lines: int) -> None:
        self.indexed = indexed
        self.lines = lines

    def _start(self) -> None:
        # Not above: the process itself has no use for it, and starts sooner without.
        import subprocess

        root = str(Path(__file__).resolve().parents[2])
        # A key is of no use there.
        kept = {name: value for name, value in os.environ.items() if "KEY" not in name}
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tui.store.aside"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**kept, "PYTHONPATH": os.pathsep.join(paths)},
                # ctrl+c is for this process; the other ends with its input.
                start_new_session=True,
            )
        except OSError:
            self._alone = True
            return
        _say(self._process, msgspec.json.encode(self._task))

    def _run_aside(self, process: subprocess.Popen[bytes], complete: bool) -> bool:
        """Let the process go on; ``False`` when it is not there any more."""
        assert process.stdout is not None
        if not _say(process, b"end" if complete else b"go"):
            return False
        line = process.stdout.readline()
        if not line:
            return False
        answer = msgspec.json.decode(line, type=_Answer)
        if answer.message:
            raise HistoryError(answer.message, answer.hint)
        self._take(answer.indexed, answer.lines)
        return True


def _say(process: subprocess.Popen[bytes], line: bytes) -> bool:
    """Tell a process something; ``False`` when it is not there any more."""
    assert process.stdin is not None
    try:
        process.stdin.write(line + b"\n")
        process.stdin.flush()
    except OSError:
        return False
    return True


def _stand_back() -> None:
    """Arrange the process for its only work."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    # Rows are many objects and no cycles: looking for some is a tenth of the work.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """What the process does: index to the end of the file at each order."""
    parent = os.getppid()
    _stand_back()
    task = msgspec.json.decode(orders.readline(), type=Task)
    database = Database(Path(task.database))
    try:
        indexer = task.indexer(database, slice_bytes=SLICE_BYTES_ALONE)
        for order in orders:
            try:
                indexer.run(complete=order.strip() == b"end", stop=lambda: os.getppid() != parent)
                answer = _Answer(indexer.indexed, indexer.lines)
            except HistoryError as error:
                answer = _Answer(message=error.message, hint=error.hint)
                indexer = task.indexer(database, slice_bytes=SLICE_BYTES_ALONE)
            except OSError as error:
                answer = _Answer(message=f"{task.path} cannot be read: {error.strerror}")
            answers.write(msgspec.json.encode(answer) + b"\n")
            answers.flush()
    finally:
        database.close()


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
    # The history is closed: nothing is left that an orderly end would tidy.
    os._exit(0)
