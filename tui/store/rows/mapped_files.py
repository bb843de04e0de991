"""The files of a job mapped into memory, for reading many of their lines."""

from __future__ import annotations

import mmap
from contextlib import ExitStack
from typing import Self

from tui.store.jobs import JobData


class MappedFiles:
    """Maps files of a job when they are first read; a context manager for one thread."""

    def __init__(self, data: JobData) -> None:
        self._data = data
        self._open = ExitStack()
        self._maps: dict[int, mmap.mmap | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    def get(self, number: int) -> mmap.mmap | None:
        """A file by its primary key, or the requests by 0; ``None`` if it is missing or empty."""
        if number not in self._maps:
            try:
                stream = self._open.enter_context(self._data.file(number).open("rb"))
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError):
                # A missing or empty file has nothing to read; `doctor` reports it.
                self._maps[number] = None
            else:
                self._maps[number] = self._open.enter_context(mapped)
        return self._maps[number]
