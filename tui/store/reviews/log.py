"""``reviews.jsonl``: the log of what reviewers said about the answers of a job.

Reviews are written by hand and cannot be made again, so this file is the truth. Each act is one
JSON line that is appended and flushed to the disk; nothing in the file is ever changed. A program
that is killed while it writes leaves at most a line without its end: it is not read, and the next
act begins on a new line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from tui.core.reviews.review import Review
from tui.core.text import split_lines
from tui.errors import HistoryError
from tui.files import write_error
from tui.paths import open_private

LOG_FILE = "reviews.jsonl"
"""Name of the log in the folder of a job."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Review).decode


class LogLine(NamedTuple):
    """A line of the log; ``review`` is ``None`` if it cannot be read.

    ``offset`` and ``length`` are in bytes, without the end of the line.
    """

    offset: int
    length: int
    review: Review | None


def log_size(path: Path) -> int:
    """Size of the log in bytes; 0 without one."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def append_reviews(path: Path, reviews: Sequence[Review]) -> None:
    """Append reviews to the log, and wait until they are on the disk.

    The caller must hold the lock for writing of the history: two programs must not append at the
    same time.

    Raises:
        HistoryError: The file cannot be written, for example because the disk is full.
    """
    lines = b"".join(_line(review) + b"\n" for review in reviews)
    try:
        is_new = not path.exists()
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        with os.fdopen(descriptor, "r+b", buffering=0) as stream:
            size = stream.seek(0, os.SEEK_END)
            data = lines if _ends_a_line(stream, size) else b"\n" + lines
            written = 0
            while written < len(data):
                written += stream.write(data[written:]) or 0
            os.fsync(descriptor)
        if is_new:
            with suppress(OSError):
                # Not every file system can do it.
                _flush_folder(path.parent)
    except OSError as error:
        raise write_error(path, error, HistoryError) from error


def _line(review: Review) -> bytes:
    try:
        return _encode(review)
    except UnicodeEncodeError as error:
        raise HistoryError(
            f"the review of {review.custom_id!r} has characters that cannot be stored",
            "Remove lone surrogates from correction and note.",
        ) from error


def _ends_a_line(stream: BinaryIO | FileIO, size: int) -> bool:
    if not size:
        return True
    stream.seek(size - 1)
    return stream.read(1) == b"\n"


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_log(path: Path, start: int = 0) -> Iterator[LogLine]:
    """The whole lines of the log, in order.

    A last line without its end is left out: the program that wrote it was killed.

    Args:
        path: The log; a missing one has no lines.
        start: The byte offset of the line to start with.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(start)
        for offset, line in split_lines(stream, start):
            if offset + len(line) >= size:
                # The end of the line is missing, or it was appended while reading.
                return
            if line:
                yield LogLine(offset, len(line), _review(line))


def _review(line: bytes) -> Review | None:
    try:
        review = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return review if review.custom_id and review.reviewer else None


def read_reviews(path: Path, places: Sequence[tuple[int, int]]) -> list[Review | None]:
    """The reviews at some offsets with their lengths; ``None`` where there is none any more."""
    if not places:
        return []
    try:
        stream = path.open("rb")
    except OSError:
        return [None] * len(places)
    with stream:
        found: list[Review | None] = []
        for offset, length in places:
            stream.seek(offset)
            found.append(_review(stream.read(length)))
        return found


def log_problems(path: Path) -> list[str]:
    """What is wrong with a log, a sentence each: unreadable lines, and a last one that is cut."""
    unreadable = [line.offset for line in read_log(path) if line.review is None]
    problems = []
    if unreadable:
        noun = "line that cannot" if len(unreadable) == 1 else "lines that cannot"
        problems.append(
            f"{path.name} has {len(unreadable):,} {noun} be read, the first at byte"
            f" {unreadable[0]:,}"
        )
    if size := log_size(path):
        with path.open("rb") as stream:
            if not _ends_a_line(stream, size):
                problems.append(f"the last line of {path.name} is cut off; it is not counted")
    return problems
