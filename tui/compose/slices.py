"""Rows of a table to request lines, a slice at a time.

What a row alone takes, ``Renderer`` does; here the rows of a slice are filled in column by
column, with one call for all of them in place of one for each. The lines are the same, byte for
byte, and where a row is out of order nothing is made, so that the renderer may say which.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import msgspec

from tui.compose.compiled import ROW_NUMBER
from tui.compose.fields import FieldText
from tui.compose.ids import IdMaker, content_id
from tui.compose.renderer import Renderer

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_MARK = "\x7f"
"""Stands between texts that are encoded as one: JSON has it as it is, and texts have it not."""

Strand = bytes | list[bytes]
"""A part of all lines of a slice: the same in each, or one for each."""


def encoded(texts: Sequence[str]) -> list[bytes]:
    """What stands between the quotes of each text in JSON.

    Raises:
        UnicodeEncodeError: A text holds half a character.
    """
    pieces: list[bytes] = _encode(_MARK.join(texts))[1:-1].split(_MARK.encode())
    if len(pieces) != len(texts):
        pieces = [_encode(text)[1:-1] for text in texts]
    return pieces


def woven(strands: Sequence[Strand], count: int) -> bytes:
    """The lines of ``count`` rows, of which each is all the strands, one behind the other."""
    merged: list[Strand] = []
    for strand in strands:
        if merged and isinstance(strand, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += strand
        else:
            merged.append(strand)
    width = len(merged)
    pieces: list[bytes] = [b""] * (width * count)
    for place, strand in enumerate(merged):
        pieces[place::width] = _each(strand, count)
    return b"".join(pieces)


def _each(strand: Strand, count: int) -> list[bytes]:
    return strand if isinstance(strand, list) else [strand] * count


class Slice:
    """Some rows of a table, with their JSON.

    Args:
        columns: The names.
        cells: For each row its texts, in the order of the columns.
        number: Of the first row, from 1.
    """

    def __init__(self, columns: Sequence[str], cells: list[list[str]], number: int) -> None:
        self.columns = columns
        self.cells = cells
        self.number = number
        self.count = len(cells)
        self._pieces: dict[str, list[bytes]] = {}

    def texts(self, place: int) -> list[str]:
        """A column, as it is."""
        return [each[place] for each in self.cells]

    def pieces(self, name: str) -> list[bytes]:
        """A column, as it stands between the quotes of JSON.

        Raises:
            KeyError: There is no such column.
            UnicodeEncodeError: A text holds half a character.
        """
        if name not in self._pieces:
            if name in self.columns:
                self._pieces[name] = encoded(self.texts(self.columns.index(name)))
            elif name == ROW_NUMBER:
                numbers = range(self.number, self.number + self.count)
                self._pieces[name] = [b"%d" % number for number in numbers]
        return self._pieces[name]

    def arrays(self) -> bytes:
        r"""Each row as a JSON array, with ``\n``: the lines that ``columns_line`` makes.

        Raises:
            UnicodeEncodeError: A text holds half a character.
        """
        return _encode_lines(self.cells)


class SliceRenderer:
    """A renderer's work for the rows of a table.

    Args:
        renderer: Which can do it row by row.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._slots = renderer.texts
        self._fixed = renderer.skeleton.fixed
        self._id_column = renderer.id_column
        self._id_text = renderer.id_text
        self.can = None not in self._slots

    def lines(self, rows: Slice, ids: IdMaker) -> bytes:
        r"""The request lines of the rows, each with its ``\n``.

        Raises:
            Exception: A row is out of order; no id was made then.
        """
        slots = [self._strands(text, rows) for text in self._slots if text is not None]
        if self._id_column is not None:
            wanted = rows.texts(rows.columns.index(self._id_column))
        elif self._id_text is not None:
            wanted = self._wanted(self._id_text, rows)
        else:
            values = [
                list(map(b"".join, zip(*(_each(s, rows.count) for s in strands), strict=True)))
                for strands in slots
            ]
            wanted = list(map(content_id, zip(repeat(b"", rows.count), *values, strict=True)))
            slots = [[value] for value in values]
        made = encoded(ids.make_all(wanted, rows.number))
        strands: list[Strand] = [self._fixed[0] + b'"', made, b'"' + self._fixed[1]]
        for slot, fixed in zip(slots, self._fixed[2:], strict=True):
            strands += [*slot, fixed]
        return woven(strands, rows.count)

    def _strands(self, text: FieldText, rows: Slice) -> list[Strand]:
        """The JSON of a slot for all rows."""
        if text.pieces is None:
            return [list(map(_encode, text.fill_all(rows.columns, rows.cells, rows.number)))]
        strands: list[Strand] = [b'"']
        for piece, is_field in text.pieces:
            strands.append(rows.pieces(piece) if is_field else _encode(piece)[1:-1])
        return [*strands, b'"']

    def _wanted(self, text: FieldText, rows: Slice) -> list[str]:
        return [
            text.fill(dict(zip(rows.columns, cells, strict=True)), number)
            for number, cells in enumerate(rows.cells, rows.number)
        ]
