r"""Cutting a stream of bytes into lines, at ``\n`` and nowhere else.

U+2028, U+0085 and form feed occur inside answers; everything that follows
``str.splitlines`` cuts rows there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 1 << 18
"""Bytes read at a time: large enough to be fast, small enough to stay flat."""

BOM = b"\xef\xbb\xbf"


def lines_of(file: BinaryIO, start: int = 0) -> Iterator[tuple[int, bytes]]:
    r"""The complete lines of a file, each with its byte offset, without the ``\n``.

    A last line without ``\n`` is yielded too. A trailing ``\r`` is left on.

    Args:
        file: Opened for reading bytes; read from its current position.
        start: The offset of that position, added to the offsets.
    """
    offset = start
    rest: list[bytes] = []
    while chunk := file.read(CHUNK):
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            rest.append(chunk)
            continue
        if rest:
            rest.append(head)
            head = b"".join(rest)
        for line in head.split(b"\n"):
            yield offset, line
            offset += len(line) + 1
        rest = [tail] if tail else []
    if rest:
        yield offset, b"".join(rest)
