"""The derived columns of a job: kept in a file in its folder, computed from other columns."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from tui.core.analysis.columns import Column
from tui.core.analysis.derived import MOST_DERIVED, DerivedColumn
from tui.core.text import quoted
from tui.errors import HistoryError, UsageError
from tui.files import atomic_write
from tui.paths import Paths
from tui.store.columns.values import NO_VALUE, UNLISTED, ColumnValues, ReadTexts

DERIVED_FILE = "columns.json"


def read_derived(paths: Paths, job_id: str) -> list[DerivedColumn]:
    """The derived columns of a job, in the order in which they were added.

    Raises:
        HistoryError: The file is damaged.
    """
    path = paths.job_folder(job_id) / DERIVED_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[DerivedColumn])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise HistoryError(
            f"{path} cannot be read: {error}", "Delete it to remove the job's derived columns."
        ) from error


def set_derived(paths: Paths, job_id: str, column: DerivedColumn) -> None:
    """Add a derived column, or replace the one of the same name.

    Raises:
        UsageError: It is not valid, or there are too many.
        HistoryError: The file cannot be read or written.
    """
    column.check()
    others = [one for one in read_derived(paths, job_id) if one.name != column.name]
    if len(others) >= MOST_DERIVED:
        raise UsageError(
            f"this job has {MOST_DERIVED} derived columns already", "Remove one of them."
        )
    _write(paths, job_id, [*others, column])


def remove_derived(paths: Paths, job_id: str, name: str) -> None:
    """Remove a derived column.

    Raises:
        UsageError: There is none of this name.
        HistoryError: The file cannot be read or written.
    """
    known = read_derived(paths, job_id)
    others = [one for one in known if one.name != name]
    if len(others) == len(known):
        names = ", ".join(one.name for one in known)
        raise UsageError(
            f"this job has no derived column {quoted(name)}",
            f"It has: {names}." if names else "It has none.",
        )
    _write(paths, job_id, others)


def _write(paths: Paths, job_id: str, columns: Sequence[DerivedColumn]) -> None:
    atomic_write(
        paths.job_folder(job_id) / DERIVED_FILE, msgspec.json.encode(columns), HistoryError
    )


def derived_column(paths: Paths, job_id: str, column: Column) -> DerivedColumn:
    """The definition of a derived column.

    Raises:
        UsageError: The job has none of this name.
        HistoryError: The file cannot be read.
    """
    for one in read_derived(paths, job_id):
        if one.name == column.name:
            return one
    raise UsageError(
        f"this job has no derived column {quoted(column.name)}",
        f"Add it: batchdeck column JOB {column.name} --of answer --match REGEX",
    )


def derive(values: ColumnValues, definition: DerivedColumn, read: ReadTexts) -> ColumnValues:
    """Compute the values of a derived column from those of the other one.

    Each different text is searched once.

    Args:
        values: The values of the other column.
        definition: The derived column.
        read: Reads the values of rows that are unlisted.

    Raises:
        UsageError: The pattern takes too long for a value.
    """
    take = definition.capture()
    made = ColumnValues(len(values.codes))
    captured = [None, None, *map(take, values.texts[2:])]
    unlisted = array("q")
    for seq, code in enumerate(values.codes):
        if code == UNLISTED:
            unlisted.append(seq)
        elif code != NO_VALUE:
            made.set(seq, captured[code])
    for seq, text in zip(unlisted, map(take, read(unlisted)), strict=True):
        made.set(seq, text)
    return made
