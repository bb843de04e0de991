"""Index large result files in a child process, which keeps the screen responsive.

Parsing results in a thread would block the thread that draws the screen. So a large file is
indexed by a child process, which writes to the same history. It reads commands from its
standard input, answers each on its standard output, and ends when its input is closed. If it
cannot be started, or dies, the calling thread does the work.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from tui.core.results.readers import READERS
from tui.core.retry_rules import RetryRules
from tui.errors import HistoryError
from tui.processes import child_environment
from tui.progress import Progress
from tui.store.database import Database
from tui.store.indexing.indexer import CHILD_SLICE_BYTES, ResultIndexer
from tui.store.job_folder import ResultFile

if TYPE_CHECKING:
    import subprocess

_LARGE_BYTES = 8 << 20
"""From this many bytes on, a process is worth its start time of 0.1 s."""

_NICE = 5
"""Niceness of the process: drawing the screen comes first."""

_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SystemRoot",
     "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
)  # fmt: skip
_VARIABLE_PREFIXES = ("LC_", "PYTHON", "DYLD_", "COV")
"""The environment variables that the process gets."""

_END_SECONDS = 10.0
"""How long to wait for the process to end before it is killed."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters for indexing one file.

    ``only`` limits indexing to these row numbers; ``None`` means all rows.
    """

    database: str
    batch: str
    pk: int
    path: str
    style: str
    rules: dict[str, bool]
    only: list[int] | None = None

    def indexer(self, database: Database, slice_bytes: int | None = None) -> ResultIndexer:
        """Create an indexer that continues where the history says indexing stopped."""
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
    """Indexes one file, small amounts in this process and large ones in a child process.

    Args:
        database: The history.
        task: The file and how to read it.

    Attributes:
        indexed: Number of bytes that are indexed.
        lines: Number of lines that are indexed.
    """

    def __init__(self, database: Database, task: Task) -> None:
        self._database = database
        self._task = task
        self._path = Path(task.path)
        self._indexer = task.indexer(database)
        self._process: subprocess.Popen[bytes] | None = None
        self._no_process = False
        self.indexed = self._indexer.indexed
        self.lines = self._indexer.lines

    @property
    def has_child(self) -> bool:
        """Whether a child process does the indexing."""
        return self._process is not None

    def start_if_large(self, size: int) -> None:
        """Start the process if much of a file of this size in bytes is not indexed yet."""
        if self._process is None and not self._no_process and size - self.indexed >= _LARGE_BYTES:
            self._start()

    def run(self, *, complete: bool) -> int:
        """Index the lines that were appended since the last call.

        Args:
            complete: The file will not grow: a last line without a line end is indexed too.

        Returns:
            Number of lines that were indexed.

        Raises:
            HistoryError: The rows cannot be stored.
        """
        before = self.lines
        if self._process is None:
            self._indexer.run(complete=complete, progress=Progress(stop=self._much_is_left))
            self._set_progress(self._indexer.indexed, self._indexer.lines)
        self.start_if_large(self._size())
        if self._process is not None and not self._run_in_process(self._process, complete):
            self._no_process = True
            self.close()
            self._indexer = self._task.indexer(self._database)
            self._indexer.run(complete=complete)
            self._set_progress(self._indexer.indexed, self._indexer.lines)
        return self.lines - before

    def start_over(self) -> None:
        """Start again from the beginning, after the indexed rows of the file were discarded."""
        self.close()
        self._indexer = self._task.indexer(self._database)
        self._set_progress(self._indexer.indexed, self._indexer.lines)

    def close(self) -> None:
        """End the child process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                # Closing flushes, which fails if the process has died.
                with contextlib.suppress(OSError):
                    stream.close()
        import subprocess

        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _much_is_left(self) -> bool:
        return not self._no_process and self._size() - self._indexer.indexed >= _LARGE_BYTES

    def _set_progress(self, indexed: int, lines: int) -> None:
        self.indexed = indexed
        self.lines = lines

    def _start(self) -> None:
        # Imported here: the child process does not need it, and starts sooner without it.
        import subprocess

        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tui.store.indexing.child_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # The process needs no API keys, under whatever name they are set.
                env=child_environment(_VARIABLES, _VARIABLE_PREFIXES),
                # ctrl+c must not reach the child; it ends when its input is closed.
                start_new_session=True,
            )
        except OSError:
            self._no_process = True
            return
        _send(self._process, msgspec.json.encode(self._task))

    def _run_in_process(self, process: subprocess.Popen[bytes], complete: bool) -> bool:
        """Let the process index the file; ``False`` if the process has died."""
        assert process.stdout is not None
        if not _send(process, b"end" if complete else b"go"):
            return False
        line = process.stdout.readline()
        if not line:
            return False
        answer = msgspec.json.decode(line, type=_Answer)
        if answer.message:
            raise HistoryError(answer.message, answer.hint)
        self._set_progress(answer.indexed, answer.lines)
        return True


def _send(process: subprocess.Popen[bytes], line: bytes) -> bool:
    """Send a line to the process; ``False`` if it has died."""
    assert process.stdin is not None
    try:
        process.stdin.write(line + b"\n")
        process.stdin.flush()
    except OSError:
        return False
    return True


def _set_priority() -> None:
    """Lower the priority of the process, and tune its garbage collector."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    # Rows are many objects without cycles: default thresholds cost 10 % of the time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _main(commands: BinaryIO, answers: BinaryIO) -> None:
    """Main loop of the child process: at each command, index to the end of the file."""
    parent = os.getppid()
    _set_priority()
    task = msgspec.json.decode(commands.readline(), type=Task)
    database = Database(Path(task.database))
    try:
        indexer = task.indexer(database, slice_bytes=CHILD_SLICE_BYTES)
        for command in commands:
            try:
                orphaned = Progress(stop=lambda: os.getppid() != parent)
                indexer.run(complete=command.strip() == b"end", progress=orphaned)
                answer = _Answer(indexer.indexed, indexer.lines)
            except HistoryError as error:
                answer = _Answer(message=error.message, hint=error.hint)
                indexer = task.indexer(database, slice_bytes=CHILD_SLICE_BYTES)
            except OSError as error:
                answer = _Answer(message=f"cannot read {task.path}: {error.strerror}")
            answers.write(msgspec.json.encode(answer) + b"\n")
            answers.flush()
    finally:
        database.close()


if __name__ == "__main__":
    _main(sys.stdin.buffer, sys.stdout.buffer)
    # The history is closed, so a normal interpreter shutdown would only take time.
    os._exit(0)
