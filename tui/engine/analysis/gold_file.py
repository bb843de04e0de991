"""True values from a file: a table with a column of ids and a column of values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tui.compose.sources.base import Source
from tui.core.analysis.columns import as_text
from tui.core.text import quoted
from tui.errors import UsageError

ID_COLUMN = "custom_id"
_ID_COLUMNS = (ID_COLUMN, "id")


def open_gold(path: Path, column: str = "") -> Iterator[tuple[str, str | None]]:
    """Read ids and true values from a table; call it in a thread.

    Args:
        path: A table in any form that ``compose`` reads.
        column: The column with the values; by default the only one besides the id.

    Returns:
        Pairs of id and value; an empty cell is ``None``.

    Raises:
        InputError: The file cannot be read.
        UsageError: It lacks one of the columns, or has several and none is named.
    """
    source, ids, others = _opened(path)
    if not column and len(others) == 1:
        column = others[0]
    if column not in source.columns:
        raise UsageError(
            f"{quoted(path.name)} has no column {quoted(column)}"
            if column
            else f"{quoted(path.name)} has several columns",
            f"Name one with --gold: {', '.join(quoted(name, 30) for name in others[:12])}.",
        )
    return _pairs(source, ids, column)


def value_columns(path: Path) -> list[str]:
    """The columns of a table besides the ids; call it in a thread.

    Raises:
        InputError: The file cannot be read.
        UsageError: It has no column with ids, or no other one.
    """
    _, ids, others = _opened(path)
    if not others:
        raise UsageError(
            f"{quoted(path.name)} has only the column {quoted(ids)}", "Add one with the values."
        )
    return others


def _opened(path: Path) -> tuple[Source, str, list[str]]:
    """The table, the name of its column of ids, and the names of the others."""
    from tui.compose.sources.open import open_source

    source = open_source(str(path))
    ids = next((name for name in _ID_COLUMNS if name in source.columns), None)
    if ids is None:
        listed = ", ".join(quoted(name, 30) for name in source.columns[:12])
        raise UsageError(
            f"{quoted(path.name)} has no column '{ID_COLUMN}'",
            f"Its columns: {listed}. Name the one with the ids {ID_COLUMN}.",
        )
    return source, ids, [name for name in source.columns if name != ids]


def _pairs(source: Source, ids: str, column: str) -> Iterator[tuple[str, str | None]]:
    for row in source.rows():
        yield as_text(row.get(ids)) or "", as_text(row.get(column)) or None
