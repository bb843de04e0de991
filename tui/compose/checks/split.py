"""Split a requests file into parts that fit a provider's limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tui.compose.requests.block_reader import open_bytes
from tui.core.send_plans import Limits, Part, plan_parts
from tui.core.text import BOM, quoted, split_lines
from tui.errors import InputError
from tui.files import atomic_file
from tui.progress import NO_PROGRESS, Progress


class PartFile(msgspec.Struct, frozen=True, kw_only=True):
    """A written part; ``first_row`` counts from 1, ``size`` is in bytes."""

    path: Path
    first_row: int
    rows: int
    size: int


def plan_split(path: Path, *, rows: int = 0, size: int = 0) -> list[Part]:
    """Plan where to split a file; blank lines belong to no part.

    Args:
        path: The file.
        rows: The maximum rows of a part; 0 for no limit.
        size: The maximum bytes of a part; 0 for no limit.

    Raises:
        InputError: The file cannot be read, or a single row is larger than ``size``.
    """
    parts = plan_parts(
        ((seq, len(line)) for seq, line in enumerate(_rows(path))), Limits(rows=rows, bytes=size)
    )
    for part in parts:
        if size and part.size > size:
            raise InputError(
                f"row {part.first_seq + 1} of {quoted(path.name)} has {part.size:,} bytes;"
                f" the limit for a part is {size:,}",
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
    progress: Progress = NO_PROGRESS,
) -> list[PartFile]:
    r"""Write the parts of a file to a folder as ``name-1.jsonl``, ``name-2.jsonl`` and so on.

    Every row ends with ``\n`` and is otherwise unchanged: the concatenated parts equal the
    file without byte order marks and blank lines.

    Args:
        path: The file.
        folder: The folder for the parts; created if missing.
        rows: The maximum rows of a part; 0 for no limit.
        size: The maximum bytes of a part; 0 for no limit.
        progress: Asked before each part whether to stop, which removes all parts.

    Raises:
        InputError: A file cannot be read or written, a row is larger than ``size``, or the
            work was stopped.
    """
    parts = plan_split(path, rows=rows, size=size)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    digits = len(str(len(parts)))
    written: list[PartFile] = []
    lines = _rows(path)
    try:
        for number, part in enumerate(parts, 1):
            if progress.stopped:
                raise InputError("stopped; no part was kept", path=path)
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
        for _, line in split_lines(file):
            line = line.removeprefix(BOM)
            if line.strip():
                yield line
