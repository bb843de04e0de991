"""Cells of a binary Excel workbook (``.xlsb``) that calamine does not read.

Excel writes the column of each cell, and keeps all texts in one table. SheetJS writes cells that
follow each other without their column, and texts in the cells themselves.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, NamedTuple
from xml.etree.ElementTree import fromstring

_BOOK = "xl/workbook.bin"
_ROW, _SHEET, _SHARED_TEXT = 0, 156, 19
_PLACED = range(1, 12)
"""Kinds of cells that have their column; calamine reads them, but for the next two."""

_TEXT, _RICH_TEXT = 6, 62
_NUMBER, _ERROR, _BOOLEAN, _REAL, _SHORT_TEXT, _SHARED = range(13, 19)
"""Kinds of cells without a column: it is the one after the last cell."""

_BLANK = 12
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?",
    0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip


class OtherCell(NamedTuple):
    """A cell that calamine does not read; row and column are counted from 0."""

    row: int
    column: int
    value: Any


def is_binary_workbook(path: Path) -> bool:
    """Whether a file is a binary Excel workbook, whatever its name ends with."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return _BOOK in archive.namelist()


def other_cells(path: Path, sheet: str) -> Iterator[OtherCell]:
    """Stream the cells of a sheet that calamine does not read, row by row."""
    with zipfile.ZipFile(path) as archive:
        place = _place_of(archive, sheet)
        if place not in archive.namelist():
            return
        shared: list[str] | None = None
        with closing(archive.open(place)) as file:
            row = column = 0
            for kind, content in _records(file):
                if kind == _ROW:
                    (row,) = struct.unpack_from("<I", content)
                    column = -1
                elif kind in _PLACED or kind == _RICH_TEXT:
                    (column,) = struct.unpack_from("<I", content)
                    if kind in (_TEXT, _RICH_TEXT):
                        text, _ = _string(content, 8 + (kind == _RICH_TEXT))
                        yield OtherCell(row, column, text)
                elif _BLANK <= kind <= _SHARED:
                    column += 1
                    if kind == _SHARED and shared is None:
                        shared = _shared_texts(archive)
                    if kind != _BLANK:
                        yield OtherCell(row, column, _value(kind, content, shared or []))


def _value(kind: int, content: bytes, shared: list[str]) -> Any:
    """The value of a cell without a column."""
    start = 4
    if kind == _SHORT_TEXT:
        return _string(content, start)[0]
    if kind == _SHARED:
        return shared[struct.unpack_from("<I", content, start)[0]]
    if kind == _BOOLEAN:
        return bool(content[start])
    if kind == _ERROR:
        return _ERRORS.get(content[start], "#ERR!")
    if kind == _REAL:
        return struct.unpack_from("<d", content, start)[0]
    return _short_number(struct.unpack_from("<I", content, start)[0])


def _short_number(packed: int) -> float:
    """A number in 30 bits: whole or the first bits of a float, perhaps in hundredths."""
    hundredths, is_whole = packed & 1, packed & 2
    if is_whole:
        number: float = struct.unpack("<i", struct.pack("<I", packed))[0] >> 2
    else:
        (number,) = struct.unpack("<d", struct.pack("<II", 0, packed & ~3))
    return number / 100 if hundredths else number


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    with closing(archive.open("xl/sharedStrings.bin")) as file:
        return [_string(content, 1)[0] for kind, content in _records(file) if kind == _SHARED_TEXT]


def _place_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """The path of a sheet inside the workbook; empty if it has none of this name."""
    relations = {
        each.get("Id", ""): each.get("Target", "")
        for each in fromstring(archive.read("xl/_rels/workbook.bin.rels"))
    }
    with closing(archive.open(_BOOK)) as file:
        for kind, content in _records(file):
            if kind == _SHEET:
                relation, after = _string(content, 8)
                if _string(content, after)[0] == sheet:
                    target = relations.get(relation, "")
                    return target[1:] if target.startswith("/") else f"xl/{target}"
    return ""


def _records(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The records of a part: their kind and content."""
    while first := file.read(1):
        kind = first[0]
        if kind & 0x80:
            kind = (kind & 0x7F) | (file.read(1)[0] & 0x7F) << 7
        size = shift = 0
        while True:
            (byte,) = file.read(1)
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift > 21:
                break
        yield kind, file.read(size)


def _string(content: bytes, start: int) -> tuple[str, int]:
    """The text at a place of a record, and the place after it."""
    (length,) = struct.unpack_from("<I", content, start)
    end = start + 4 + 2 * length
    return content[start + 4 : end].decode("utf-16-le", "replace"), end
