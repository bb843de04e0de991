"""What the dashboard remembers from one run to the next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from tui.paths import Paths, open_private

FILE = "dashboard.json"


class TableLook(msgspec.Struct):
    """How a person has arranged a table of rows; empty means as it comes.

    ``columns`` are keys in the order shown, ``widths`` those that were resized, in cells.
    """

    columns: list[str] = []
    widths: dict[str, int] = {}
    sort: str = "seq"
    descending: bool = False


class RowsAsked(msgspec.Struct):
    """Which rows of a job were looked at last, and in which order."""

    where: str = ""
    sort: str = "seq"
    descending: bool = False


KEPT_JOBS = 200
"""Jobs of which it is remembered which rows were looked at."""


class State(msgspec.Struct):
    """Where the person was; anything missing or unreadable is simply forgotten."""

    pane: Literal["compose", "batches", "results"] = "batches"
    job_id: str = ""
    folder: str = ""
    export_folder: str = ""
    as_json: bool = False
    search: str = ""
    failed_only: bool = False
    account: str = ""
    sort: str = "age"
    descending: bool = False
    looks: dict[str, TableLook] = {}
    """The table of rows for each kind of job, by its endpoint."""
    rows: dict[str, RowsAsked] = {}
    """By the id of the job; the one looked at last is the last."""
    filters: dict[str, str] = {}
    """Queries by the names that a person gave them."""
    sources: list[str] = []

    @classmethod
    def load(cls, paths: Paths) -> State:
        """What was remembered."""
        try:
            return msgspec.json.decode(_file(paths).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return cls()

    def note_rows(self, job_id: str, asked: RowsAsked | None) -> None:
        """Remember which rows of a job were looked at; ``None`` is nothing worth keeping."""
        self.rows.pop(job_id, None)
        if asked is not None:
            self.rows[job_id] = asked
        while len(self.rows) > KEPT_JOBS:
            del self.rows[next(iter(self.rows))]

    def save(self, paths: Paths) -> None:
        """Remember it; a full disk loses it without a word, it is a convenience."""
        file = _file(paths)
        temporary = file.with_suffix(f".{os.getpid()}")
        try:
            with os.fdopen(open_private(temporary), "wb") as stream:
                stream.write(msgspec.json.encode(self))
            temporary.replace(file)
        except OSError:
            temporary.unlink(missing_ok=True)


def _file(paths: Paths) -> Path:
    return paths.data / FILE
