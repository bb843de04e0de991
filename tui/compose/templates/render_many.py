"""Render many rows as request lines, a slice of a table at a time: the fast path of a build."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, NamedTuple

import msgspec

from tui.compose.requests.custom_ids import IdMaker, content_id, row_id
from tui.compose.sources.base import Source
from tui.compose.templates.fields import FieldText, UnknownFieldError
from tui.compose.templates.jinja import RENDER_ERRORS, ROW_NUMBER
from tui.compose.templates.render import Renderer
from tui.core.rows import encode_columns
from tui.errors import InputError

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_SEPARATOR = "\x7f"
"""Separates strings that are encoded together: JSON does not escape it, and data rarely has it."""

LinePart = bytes | list[bytes]
"""A part of every line of a slice: the same bytes in all lines, or one item per line."""


def encode_strings(texts: Sequence[str]) -> list[bytes]:
    """Encode each string as JSON, without the quotes.

    Raises:
        UnicodeEncodeError: A string contains a lone surrogate.
    """
    pieces: list[bytes] = _encode(_SEPARATOR.join(texts))[1:-1].split(_SEPARATOR.encode())
    if len(pieces) != len(texts):
        pieces = [_encode(text)[1:-1] for text in texts]
    return pieces


def interleave(parts: Sequence[LinePart], count: int) -> bytes:
    """Join the parts into ``count`` lines; each line has one item of every part."""
    merged: list[LinePart] = []
    for part in parts:
        if merged and isinstance(part, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    width = len(merged)
    pieces: list[bytes] = [b""] * (width * count)
    for index, part in enumerate(merged):
        pieces[index::width] = _per_row(part, count)
    return b"".join(pieces)


def _per_row(part: LinePart, count: int) -> list[bytes]:
    return part if isinstance(part, list) else [part] * count


class RowSlice:
    """Some rows of a table, with cached JSON of their columns.

    Args:
        columns: The names of the columns.
        cells: The cells of each row, in the order of the columns.
        number: The number of the first row, from 1.
    """

    def __init__(self, columns: Sequence[str], cells: list[list[str]], number: int) -> None:
        self.columns = columns
        self.cells = cells
        self.number = number
        self.count = len(cells)
        self._pieces: dict[str, list[bytes]] = {}

    def texts(self, index: int) -> list[str]:
        """The cells of the column at an index."""
        return [cells[index] for cells in self.cells]

    def pieces(self, name: str) -> list[bytes]:
        """A column encoded as JSON strings, without the quotes.

        Raises:
            KeyError: There is no such column.
            UnicodeEncodeError: A string contains a lone surrogate.
        """
        if name not in self._pieces:
            if name in self.columns:
                self._pieces[name] = encode_strings(self.texts(self.columns.index(name)))
            elif name == ROW_NUMBER:
                numbers = range(self.number, self.number + self.count)
                self._pieces[name] = [b"%d" % number for number in numbers]
        return self._pieces[name]

    def arrays(self) -> bytes:
        r"""Each row as a JSON array with ``\n``, equal to ``encode_columns`` of each row.

        Raises:
            UnicodeEncodeError: A string contains a lone surrogate.
        """
        return _encode_lines(self.cells)


class SliceRenderer:
    """Renders slices of rows like a ``Renderer``, but faster.

    Args:
        renderer: The renderer of single rows.

    Attributes:
        is_supported: Whether the template can be rendered in slices; not with images.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._slots = renderer.texts
        self._fixed = renderer.skeleton.fixed
        self._id_column = renderer.id_column
        self._id_text = renderer.id_text
        self._hashes_rows = renderer.hashes_rows
        self.is_supported = None not in self._slots

    def lines(self, rows: RowSlice, ids: IdMaker) -> bytes:
        r"""Render the request lines of the rows, each with its ``\n``.

        Raises:
            Exception: A row cannot be rendered; no id was used in that case.
        """
        slots = [self._parts(text, rows) for text in self._slots if text is not None]
        if self._id_column is not None:
            custom_ids = rows.texts(rows.columns.index(self._id_column))
        elif self._id_text is not None:
            dicts = (dict(zip(rows.columns, cells, strict=True)) for cells in rows.cells)
            custom_ids = [self._id_text.fill(row, n) for n, row in enumerate(dicts, rows.number)]
        elif self._hashes_rows:
            custom_ids = list(map(row_id, rows.cells))
        else:
            values = [
                list(map(b"".join, zip(*(_per_row(s, rows.count) for s in parts), strict=True)))
                for parts in slots
            ]
            custom_ids = list(map(content_id, zip(repeat(b"", rows.count), *values, strict=True)))
            slots = [[value] for value in values]
        made = encode_strings(ids.make_all(custom_ids, rows.number))
        parts: list[LinePart] = [self._fixed[0] + b'"', made, b'"' + self._fixed[1]]
        for slot, fixed in zip(slots, self._fixed[2:], strict=True):
            parts += [*slot, fixed]
        return interleave(parts, rows.count)

    def _parts(self, text: FieldText, rows: RowSlice) -> list[LinePart]:
        """The JSON of a slot for all rows."""
        if text.pieces is None:
            return [list(map(_encode, text.fill_all(rows.columns, rows.cells, rows.number)))]
        fields = [piece for piece, is_field in text.pieces if is_field]
        if not text.fits(sum(map(len, rows.pieces(name))) for name in fields):
            # One by one: each row may be short enough.
            raise InputError("the rows are too long for a slice", "")
        parts: list[LinePart] = [b'"']
        for piece, is_field in text.pieces:
            parts.append(rows.pieces(piece) if is_field else _encode(piece)[1:-1])
        return [*parts, b'"']


LineMaker = Callable[[Mapping[str, Any], int, IdMaker], bytes]
"""Makes the request line of a row from the row, its number (from 1) and the id maker."""

_MAX_ROWS = 64
_MAX_BYTES = 1 << 16


class Portion(NamedTuple):
    r"""Some rows: their number, their request lines, and their columns as JSON arrays.

    Every line ends with ``\n``. ``arrays`` holds the lines of ``encode_columns``; it is empty if
    the columns are not kept.
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
    """Render the rows of a source in order, some rows at a time.

    Args:
        source: The rows.
        make: Makes the request line of one row.
        renderer: The renderer that ``make`` belongs to, if any.
        ids: Makes the ids.
        kept: Whether to keep the columns.
        limit: The maximum number of rows.

    Raises:
        InputError: A row cannot be used; the error names it.
    """
    slices = None if renderer is None else SliceRenderer(renderer)
    done = 0
    if source.open_slices is None or slices is None or not slices.is_supported:
        rows = islice(source.rows(), limit)
        while (portion := _one_by_one(rows, done + 1, source, make, ids, kept, _MAX_ROWS)).rows:
            yield portion
            done += portion.rows
        return
    for cells in source.open_slices():
        if limit is not None:
            cells = cells[: limit - done]
        some = RowSlice(source.columns, cells, done + 1)
        try:
            arrays = some.arrays() if kept else b""
            portion = Portion(some.count, slices.lines(some, ids), arrays)
        except (*RENDER_ERRORS, InputError, UnknownFieldError):
            # Rendering the rows one by one finds the bad row and the reason.
            dicts = (dict(zip(source.columns, values, strict=True)) for values in cells)
            portion = _one_by_one(dicts, done + 1, source, make, ids, kept)
        yield portion
        done += portion.rows
        if done == limit:
            return


def _one_by_one(
    rows: Iterator[Mapping[str, Any]],
    first: int,
    source: Source,
    make: LineMaker,
    ids: IdMaker,
    kept: bool,
    most: int | None = None,
) -> Portion:
    """Render the next rows, at most ``most`` of them; fewer if the rows are long."""
    lines: list[bytes] = []
    arrays: list[bytes] = []
    size = 0
    for number, row in enumerate(rows, first):
        line = make(row, number, ids)
        lines.append(line)
        if kept:
            arrays.append(encode_columns(row, source.columns))
        size += len(line)
        if most is not None and (len(lines) == most or size > _MAX_BYTES):
            break
    return Portion(len(lines), b"".join(lines), b"".join(arrays))
