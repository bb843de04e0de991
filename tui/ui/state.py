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
