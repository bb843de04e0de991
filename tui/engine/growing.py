"""A result file that grows on the disk while it comes in."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO

from tui.errors import HistoryError
from tui.paths import open_private


class GrowingFile:
    """Takes bytes behind those that are there; for threads, because a disk may be slow.

    A write that was called off goes on in its thread, so each waits for the one before.

    Args:
        path: The file.
        have: So many bytes of it are kept.

    Raises:
        HistoryError: It cannot be written.
    """

    def __init__(self, path: Path, have: int) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._stream = _opened(path, have)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, pending: bytearray) -> None:
        """Write what is pending and take it away.

        Raises:
            HistoryError: It cannot be written.
        """
        with self._lock:
            self._write(pending)

    def close(self, pending: bytearray) -> None:
        """Write what is pending, wait until the disk has all of it, and close.

        Raises:
            HistoryError: It cannot be written.
        """
        with self._lock:
            try:
                with self._stream:
                    try:
                        self._write(pending)
                    finally:
                        os.fsync(self._stream.fileno())
            except OSError as error:
                raise self._unwritable(error) from error

    def _write(self, pending: bytearray) -> None:
        try:
            while pending:
                # A disk that is nearly full takes a part of it.
                del pending[: self._stream.write(pending)]
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> HistoryError:
        return HistoryError(
            f"{self._path} cannot be written: {error.strerror}",
            "Free some space; what the provider has is fetched again.",
        )


def _opened(path: Path, have: int) -> BinaryIO:
    if have == 0:
        # A new file in place of an empty one: a search may have the old one mapped, and
        # a mapped file that shrinks ends the program.
        path.unlink(missing_ok=True)
    stream = os.fdopen(open_private(path, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
    stream.truncate(have)
    stream.seek(have)
    return stream
