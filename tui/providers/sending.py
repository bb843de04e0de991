"""Sending a file from disk: never read whole, and told about as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tui.errors import InputError
from tui.providers.base import SendProgress


class WatchedFile:
    """A file opened for reading that tells how much of it was read.

    httpx asks it for its length and reads it in pieces of 64 KiB while it writes to the
    socket, so that the memory stays flat and the loop is held for microseconds only.
    """

    def __init__(self, path: Path, progress: SendProgress | None) -> None:
        try:
            self._file: BinaryIO = path.open("rb")
            self._size = path.stat().st_size
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
        self._progress = progress
        self._sent = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes; tells the progress."""
        data = self._file.read(size)
        self._sent += len(data)
        if self._progress is not None and data:
            self._progress(self._sent, self._size)
        return data

    def fileno(self) -> int:
        """The system's number of the file, by which httpx learns the length."""
        return self._file.fileno()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; a file that is sent again is told from the start again."""
        self._sent = 0
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the file is read next."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def form_body(
    file: WatchedFile, *, field: str, name: str, content_type: str, form: Mapping[str, str]
) -> dict[str, Any]:
    """A multipart body: the plain fields first, because some servers read in order."""
    return {"data": dict(form), "files": {field: (name, file, content_type)}}
