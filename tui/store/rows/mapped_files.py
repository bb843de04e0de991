"""The files of a job mapped into memory, for reading many of their lines."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self


class MappedFiles:
    """Maps files of a job when they are first read; a context manager for one thread.

    Args:
        find: Where a file is, by its number; that of a job is ``JobData.file``.
    """

    def __init__(self, find: Callable[[int], Path]) -> None:
        self._find = find
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
                stream = self._open.enter_context(self._find(number).open("rb"))
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError):
                # A missing or empty file has nothing to read; `doctor` reports it.
                self._maps[number] = None
            else:
                self._maps[number] = self._open.enter_context(mapped)
        return self._maps[number]
