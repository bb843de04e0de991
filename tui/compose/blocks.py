r"""Reading a file as blocks of whole lines, cut at ``\n`` only, in a flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from tui.core.text import quoted
from tui.errors import InputError

BLOCK = 1 << 16
"""Bytes in a block, about: it stays in the processor's cache while it is looked at."""


class LongLine:
    r"""A line over the limit, which was passed over; ``length`` is in bytes, without ``\n``."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        InputError: It is missing, a folder, or may not be read.
    """
    name = quoted(str(path), 200)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"{name} is not a regular file", "Name a file.", path=path)
        if path.is_dir():
            raise InputError(f"{name} is a folder", "Name a file of requests.", path=path)
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{name} does not exist", "Look at the path.", path=path) from None
    except PermissionError:
        raise InputError(
            f"{name} may not be read", "Look at the file's permissions.", path=path
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{name} cannot be read: {reason}", path=path) from error


def blocks_of(file: BinaryIO, longest: int) -> Iterator[bytes | LongLine]:
    r"""The file as blocks of whole lines, each ending with ``\n`` but perhaps the last.

    Args:
        file: Opened for reading bytes.
        longest: Lines that do not fit a block and are longer than this are passed over
            without being held in memory.
    """
    while block := file.read(BLOCK):
        if block.endswith(b"\n"):
            yield block
            continue
        begun = len(block) - block.rfind(b"\n") - 1
        rest = file.readline(max(longest + 2 - begun, 1))
        if rest.endswith(b"\n") or begun + len(rest) <= longest:
            yield block + rest
            continue
        if begun < len(block):
            yield block[: len(block) - begun]
        yield LongLine(begun + len(rest) + _pass_over(file))


def _pass_over(file: BinaryIO) -> int:
    """Read to the end of the line and return how many bytes it still had."""
    length = 0
    while piece := file.readline(BLOCK):
        if piece.endswith(b"\n"):
            return length + len(piece) - 1
        length += len(piece)
    return length


def lines_in(block: bytes) -> list[bytes]:
    r"""The lines of a block, each with its ``\n`` where it has one."""
    # Twice as fast as bytes.split, which does not look for its separator with memchr.
    return BytesIO(block).readlines()
