"""Cutting a file of requests into parts that a provider takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tui.compose.atomic import atomic_file
from tui.compose.blocks import open_bytes
from tui.core.lines import BOM, lines_of
from tui.core.parts import Part, PartLimits, plan_parts
from tui.core.text import quoted
from tui.errors import InputError


class PartFile(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was written; ``first_row`` counts from 1."""

    path: Path
    first_row: int
    rows: int
    size: int


def plan_split(path: Path, *, rows: int = 0, size: int = 0) -> list[Part]:
    """Where a file would be cut; blank lines belong to no part.

    Args:
        path: The file.
        rows: The most rows of a part; 0: as many as there are.
        size: The most bytes of a part; 0: as many as there are.

    Raises:
        InputError: The file cannot be read, or one row alone is larger than ``size``.
    """
    parts = plan_parts(
        ((seq, len(line)) for seq, line in enumerate(_rows(path))), PartLimits(rows, size)
    )
    for part in parts:
        if size and part.size > size:
            raise InputError(
                f"row {part.first_seq + 1} of {quoted(path.name)} has {part.size:,} bytes,"
                f" a part may have {size:,}",
                "Shorten the request.",
                path=path,
            )
    return parts


def split_file(
    path: Path,
    folder: Path,
    *,
    rows: int = 0,
    size: int = 0,
    stop: Callable[[], bool] | None = None,
) -> list[PartFile]:
    r"""Write the parts of a file into a folder, as ``name-1.jsonl``, ``name-2.jsonl`` and so on.

    Every row ends with ``\n`` and is otherwise untouched: the parts one after the other are
    the file, without byte order marks and blank lines.

    Args:
        path: The file.
        folder: Where the parts go; it is made when it is missing.
        rows: The most rows of a part; 0: as many as there are.
        size: The most bytes of a part; 0: as many as there are.
        stop: Asked before each part; true ends the work, and no parts are left.

    Raises:
        InputError: A file cannot be read or written, one row is larger than ``size``, or the
            work was stopped.
    """
    parts = plan_split(path, rows=rows, size=size)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    digits = len(str(len(parts)))
    written: list[PartFile] = []
    lines = _rows(path)
    try:
        for number, part in enumerate(parts, 1):
            if stop is not None and stop():
                raise InputError("the work was stopped; no part was kept", path=path)
            target = folder / f"{path.stem}-{number:0{digits}}.jsonl"
            with atomic_file(target) as file:
                for _ in range(part.rows):
                    file.write(next(lines))
                    file.write(b"\n")
            written.append(
                PartFile(path=target, first_row=part.first_seq + 1, rows=part.rows, size=part.size)
            )
    except BaseException:
        for done in written:
            done.path.unlink(missing_ok=True)
        raise
    return written


def _rows(path: Path) -> Iterator[bytes]:
    with open_bytes(path) as file:
        for _, line in lines_of(file):
            line = line.removeprefix(BOM)
            if line.strip():
                yield line
