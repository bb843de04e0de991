"""Looking for a text in the requests and result lines of a job, in the files themselves."""

from __future__ import annotations

import mmap
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from tui.paths import Paths
from tui.store.files import file_path
from tui.store.importing import REQUESTS

_ESCAPED = frozenset("\"\\/<>&'")
"""Printable ASCII that JSON writers escape, by need or for the sake of HTML."""


class TextSearch:
    """A literal, case-insensitive, in ``custom_id``, request line and result line.

    JSON may write a character itself or as an escape: both are found.

    Args:
        connection: For reading, of the thread that searches.
        paths: Where the files are.
        job: Row number and id of the job.
        text: What to look for.
    """

    def __init__(
        self, connection: sqlite3.Connection, paths: Paths, job: tuple[int, str], text: str
    ) -> None:
        self._connection = connection
        self._paths = paths
        self._job_pk, self._job_id = job
        self._pattern = re.compile(_spellings(text), re.IGNORECASE)
        self._open = ExitStack()
        self._maps: dict[int, mmap.mmap | None] = {}

    def __enter__(self) -> TextSearch:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __call__(self, seqs: Sequence[int]) -> Iterator[int]:
        """Those of the rows that hold the text, in the order given."""
        found = {}
        search = self._pattern.search
        requests = self._map(0, self._paths.job_folder(self._job_id) / REQUESTS)
        marks = ",".join("?" * len(seqs))
        for seq, offset, length, file, start, size in self._connection.execute(
            "SELECT q.seq, q.offset, q.length, r.file, r.offset, r.length FROM requests q"
            " LEFT JOIN results r ON r.job=q.job AND r.seq=q.seq"
            f" WHERE q.job=? AND q.seq IN ({marks})",
            (self._job_pk, *seqs),
        ):
            if requests is not None and search(requests, offset, offset + length):
                found[seq] = True
            elif file is not None:
                answers = self._map(file, None)
                if answers is not None and search(answers, start, start + size):
                    found[seq] = True
        return (seq for seq in seqs if seq in found)

    def _map(self, number: int, path: Path | None) -> mmap.mmap | None:
        if number not in self._maps:
            if path is None:
                path = file_path(self._connection, self._paths, number)
            try:
                stream = self._open.enter_context(path.open("rb"))
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError):
                # A file that is gone or empty holds no text; `doctor` tells about it.
                self._maps[number] = None
            else:
                self._maps[number] = self._open.enter_context(mapped)
        return self._maps[number]


def _spellings(text: str) -> bytes:
    """A pattern for the text, each character as itself or as JSON may write it."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return b"".join(_spelling(character) for character in clean)


def _spelling(character: str) -> bytes:
    if character.isascii() and character.isprintable() and character not in _ESCAPED:
        # Nobody escapes these; case is left to the flag of the pattern.
        return re.escape(character.encode())
    found = [re.escape(character.encode())]
    # The flag folds ASCII only.
    for form in dict.fromkeys((character, character.lower(), character.upper())):
        written = {msgspec.json.encode(form)[1:-1], *_escapes(form)}
        found += (re.escape(spelling) for spelling in sorted(written))
    return b"(?:" + b"|".join(dict.fromkeys(found)) + b")"


def _escapes(text: str) -> Iterator[bytes]:
    units = text.encode("utf-16-be")
    yield "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)).encode()
    if text == "/":
        yield b"\\/"
