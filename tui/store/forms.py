"""Does any request of a job ask for answers of a form? Told by a look through its bytes."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from pathlib import Path

from tui.store.history import History
from tui.store.importing import REQUESTS
from tui.store.jobs import job_pk

_FIELDS = (
    b'"response_format"', b'"format"', b'"output_config"', b'"output_format"', b'"guided_json"',
    b'"tools"',
)  # fmt: skip
"""The names under which requests ask for it, in any dialect; see ``tui.core.verdicts``."""

_WINDOW = 4 << 20
"""Bytes that are looked through at a time: a few milliseconds."""

_OVERLAP = max(map(len, _FIELDS)) - 1


def may_ask_for_a_form(
    history: History, job_id: str, stop: Callable[[], bool] | None = None
) -> bool:
    """Whether requests may ask for it, as they stand in the file or by the changes of a retry.

    False is certain; when it was stopped the answer is true.

    Args:
        history: Where the job is.
        job_id: The job.
        stop: Asked now and then.
    """
    connection = history.database.read
    changed = connection.execute(
        "SELECT 1 FROM batches WHERE job=? AND edits<>'{}' LIMIT 1", (job_pk(connection, job_id),)
    ).fetchone()
    return changed is not None or _holds_one(
        history.paths.job_folder(job_id) / REQUESTS, _FIELDS, stop
    )


def _holds_one(
    path: Path, needles: tuple[bytes, ...], stop: Callable[[], bool] | None = None
) -> bool:
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            # Piece by piece: a search holds the interpreter.
            for start in range(0, len(mapped), _WINDOW):
                if stop is not None and stop():
                    return True
                end = start + _WINDOW + _OVERLAP
                if any(mapped.find(needle, start, end) >= 0 for needle in needles):
                    return True
    except (OSError, ValueError):
        # What cannot be looked through, or is empty, is left to those who read its lines.
        return True
    return False
