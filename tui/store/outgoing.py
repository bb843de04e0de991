"""The file of a batch, written for the wire."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from tui.paths import open_private


def write_input(
    path: Path,
    lines: Iterable[bytes],
    encode: Callable[[bytes], bytes],
) -> int:
    """Write the rows of a batch in the dialect's form; the answer is the size in bytes."""
    temporary = path.with_name(f".{path.name}.part")
    size = 0
    try:
        with os.fdopen(open_private(temporary), "wb", buffering=1 << 20) as stream:
            for line in lines:
                size += stream.write(encode(line)) + stream.write(b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return size
