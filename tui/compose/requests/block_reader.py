r"""Read a file in blocks of whole lines, split at ``\n`` only, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from tui.core.text import quoted
from tui.errors import InputError

BLOCK_BYTES = 1 << 16
"""The approximate bytes of a block, small enough for the processor's cache."""


class SkippedLine:
    r"""A skipped line over the limit; ``length`` is in bytes, without ``\n``."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        InputError: The file is missing, is not a regular file, or cannot be read.
    """
    name = quoted(str(path), 200)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"{name} is not a regular file", "Use the path of a file.", path=path)
        if path.is_dir():
            raise InputError(f"{name} is a folder", "Use the path of a requests file.", path=path)
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{name} does not exist", "Check the path.", path=path) from None
    except PermissionError:
        raise InputError(
            f"no permission to read {name}", "Check the file permissions.", path=path
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{name} cannot be read: {reason}", path=path) from error


def read_blocks(file: BinaryIO, longest: int) -> Iterator[bytes | SkippedLine]:
    r"""Yield blocks of whole lines, each ending with ``\n`` except perhaps the last.

    Args:
        file: The file, opened for reading bytes.
        longest: Lines longer than this that do not fit in a block are skipped without being
            held in memory, and yielded as ``SkippedLine``.
    """
    while block := file.read(BLOCK_BYTES):
        if block.endswith(b"\n"):
            yield block
            continue
        unfinished = len(block) - block.rfind(b"\n") - 1
        rest = file.readline(max(longest + 2 - unfinished, 1))
        if rest.endswith(b"\n") or unfinished + len(rest) <= longest:
            yield block + rest
            continue
        if unfinished < len(block):
            yield block[: len(block) - unfinished]
        yield SkippedLine(unfinished + len(rest) + _skip_line(file))


def _skip_line(file: BinaryIO) -> int:
    """Skip the rest of the line and return its length."""
    length = 0
    while piece := file.readline(BLOCK_BYTES):
        if piece.endswith(b"\n"):
            return length + len(piece) - 1
        length += len(piece)
    return length


def split_block(block: bytes) -> list[bytes]:
    r"""Split a block into lines, each with its ``\n`` if it has one."""
    # Twice as fast as bytes.split, which does not use memchr.
    return BytesIO(block).readlines()
