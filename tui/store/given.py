"""The schema that a person has given for the answers of a job; it lies beside its files."""

from __future__ import annotations

import os
from pathlib import Path

from tui.core.schemas import MOST_BYTES, Schema
from tui.errors import HistoryError
from tui.paths import Paths, open_private

NAME = "schema.json"


def given_schema(paths: Paths, job_id: str) -> bytes:
    """The schema of a job; empty when each request's own counts."""
    path = paths.job_folder(job_id) / NAME
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError:
        return b""


def give_schema(paths: Paths, job_id: str, schema: bytes) -> None:
    """Keep a schema for a job, or with an empty one let each request's own count again.

    Raises:
        SchemaError: It cannot be used; the one before stays.
        HistoryError: It cannot be written.
    """
    path = paths.job_folder(job_id) / NAME
    if schema:
        Schema(schema)
    try:
        if schema:
            _write(path, schema)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise HistoryError(f"{path} cannot be written: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(open_private(temporary), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
