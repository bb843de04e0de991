"""The rows of a source as portions of the file that is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from tui.compose.fields import FAILURES, UnknownFieldError
from tui.compose.ids import IdMaker
from tui.compose.renderer import Renderer
from tui.compose.slices import Slice, SliceRenderer
from tui.compose.sources.source import Source
from tui.core.columns import columns_line
from tui.errors import InputError

LineMaker = Callable[[Mapping[str, Any], int, IdMaker], bytes]
"""Makes the request line of a row; takes the row's number from 1, and the ids made so far."""

_ROWS = 64
_BYTES = 1 << 16


class Portion(NamedTuple):
    r"""Some rows: how many, their request lines, and their columns as ``columns_line`` has them.

    Every line ends with ``\n``; ``arrays`` is empty where the columns are not kept.
    """

    rows: int
    lines: bytes
    arrays: bytes


def portions(
    source: Source,
    make: LineMaker,
    renderer: Renderer | None,
    ids: IdMaker,
    *,
    kept: bool,
    limit: int | None = None,
) -> Iterator[Portion]:
    """The requests of a source, in order, some rows at a time.

    Args:
        source: The rows.
        make: Makes the line of one row.
        renderer: Whose method ``make`` is, if it is one's.
        ids: Takes in all ids.
        kept: Are the columns kept?
        limit: Only so many rows.

    Raises:
        InputError: A row cannot be used; it names the row.
    """
    if source.open_slices is not None and renderer is not None:
        quick = SliceRenderer(renderer)
        if quick.can:
            return _by_slices(source, make, quick, ids, kept, limit)
    return _by_rows(source, make, ids, kept, limit)


def _by_slices(
    source: Source,
    make: LineMaker,
    quick: SliceRenderer,
    ids: IdMaker,
    kept: bool,
    limit: int | None,
) -> Iterator[Portion]:
    assert source.open_slices is not None
    done = 0
    for cells in source.open_slices():
        if limit is not None:
            cells = cells[: limit - done]
        rows = Slice(source.columns, cells, done + 1)
        try:
            arrays = rows.arrays() if kept else b""
            lines = quick.lines(rows, ids)
        except (*FAILURES, InputError, UnknownFieldError):
            # One by one, the row that is at fault is found, and what is wrong with it is told.
            dicts = (dict(zip(source.columns, each, strict=True)) for each in cells)
            portion = _one_by_one(dicts, done + 1, source, make, ids, kept)
        else:
            portion = Portion(rows.count, lines, arrays)
        yield portion
        done += portion.rows
        if done == limit:
            return


def _by_rows(
    source: Source, make: LineMaker, ids: IdMaker, kept: bool, limit: int | None
) -> Iterator[Portion]:
    rows = islice(source.rows(), limit)
    done = 0
    while True:
        portion = _one_by_one(rows, done + 1, source, make, ids, kept, most=_ROWS)
        if not portion.rows:
            return
        yield portion
        done += portion.rows


def _one_by_one(
    rows: Iterator[Mapping[str, Any]],
    first: int,
    source: Source,
    make: LineMaker,
    ids: IdMaker,
    kept: bool,
    most: int | None = None,
) -> Portion:
    """The next rows, all of them or up to ``most``, or less where they are long."""
    lines: list[bytes] = []
    arrays: list[bytes] = []
    size = 0
    for number, row in enumerate(rows, first):
        line = make(row, number, ids)
        lines.append(line)
        if kept:
            arrays.append(columns_line(row, source.columns))
        size += len(line)
        if most is not None and (len(lines) == most or size > _BYTES):
            break
    return Portion(len(lines), b"".join(lines), b"".join(arrays))
