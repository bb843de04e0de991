"""The state of the dashboard that is kept between runs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

import msgspec

from tui.files import atomic_write
from tui.paths import Paths

FILE = "dashboard.json"


class TableLayout(msgspec.Struct):
    """Columns and order of a table of rows as arranged by the user; empty is the default.

    ``columns`` are column keys in display order, ``widths`` the resized ones, in cells.
    """

    columns: list[str] = []
    widths: dict[str, int] = {}
    sort: str = "seq"
    descending: bool = False


class RowViewState(msgspec.Struct):
    """The last filter and order of the rows of a job.

    ``more`` are further columns to sort by, each with its direction; ``columns`` are the column
    keys if fields of this job's answers are among them, or a view was used, else empty; ``facet``
    is the column whose values were counted last.
    """

    where: str = ""
    sort: str = "seq"
    descending: bool = False
    more: list[tuple[str, bool]] = []
    columns: list[str] = []
    facet: str = ""


MAX_REMEMBERED_SOURCES = 8
"""Number of sources that Compose offers again."""

MAX_REMEMBERED_JOBS = 200
"""Number of jobs whose filter and order are remembered."""


class State(msgspec.Struct):
    """The saved state; if the file is missing or unreadable, the defaults are used."""

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
    looks: dict[str, TableLayout] = {}
    """Endpoint to the table layout for jobs of that kind."""
    rows: dict[str, RowViewState] = {}
    """Job id to its rows; the most recently viewed job is last."""
    filters: dict[str, str] = {}
    """Name to query; filters that were saved before there were views become views."""
    sources: list[str] = []

    @classmethod
    def load(cls, paths: Paths) -> State:
        """Load the saved state."""
        try:
            return msgspec.json.decode(_file(paths).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return cls()

    def remember_rows(self, job_id: str, asked: RowViewState | None) -> None:
        """Remember filter and order of a job's rows; ``None`` removes the entry."""
        self.rows.pop(job_id, None)
        if asked is not None:
            self.rows[job_id] = asked
        while len(self.rows) > MAX_REMEMBERED_JOBS:
            del self.rows[next(iter(self.rows))]

    def remember_source(self, spec: str) -> None:
        """Remember a source that was opened, newest first."""
        self.sources = [spec, *(known for known in self.sources if known != spec)]
        del self.sources[MAX_REMEMBERED_SOURCES:]

    def save(self, paths: Paths) -> None:
        """Save the state. Errors are ignored: losing it is only an inconvenience."""
        with contextlib.suppress(OSError):
            atomic_write(_file(paths), msgspec.json.encode(self), error=None)


def _file(paths: Paths) -> Path:
    return paths.data / FILE
