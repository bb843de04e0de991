"""A source: rows from anywhere, in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]
"""One row: column name to value. Tables and texts give texts, JSON gives what it holds."""

SourceKind = Literal["table", "text", "requests"]


@dataclass(frozen=True)
class Source:
    """Rows that can be gone through more than once, each time from the start.

    Attributes:
        name: What to call it: the path, or the query.
        kind: ``requests`` holds ready-made requests, which need no template.
        columns: The names that a template may use, in order; of JSON rows, those of the
            first rows.
        count: How many rows there are, about; ``None`` where nobody knows.
        base: The folder from which relative paths in the rows are meant.
        notes: What was found out about it, such as the encoding of a table.
        delimited: Is it a text of cells, of which a person may say how it is to be read?
        open_rows: Starts a pass. Rows are numbered from 1 in errors.
        open_slices: Starts a pass over the same rows, many at a time: for each row its texts in
            the order of ``columns``. Only where all values are texts, and every row has all.
    """

    name: str
    kind: SourceKind
    columns: tuple[str, ...]
    open_rows: Callable[[], Iterator[Row]] = field(repr=False)
    count: int | None = None
    base: Path = Path()
    notes: tuple[str, ...] = ()
    delimited: bool = False
    open_slices: Callable[[], Iterator[list[list[str]]]] | None = field(default=None, repr=False)

    def rows(self) -> Iterator[Row]:
        """The rows, streamed.

        Raises:
            InputError: A row cannot be read; it names the row.
        """
        return self.open_rows()
