"""Writing a file so that it is there as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tui.core.text import quoted
from tui.errors import InputError

_BUFFER = 1 << 16


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of ``path`` when the block ends well.

    It is written beside it, for the owner only, and flushed to the disk before it is renamed.

    Raises:
        InputError: The folder is missing or cannot be written to.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    shown = quoted(str(path), 200)
    if path.is_dir():
        raise InputError(f"{shown} is a folder", "Name the file to write.", path=path)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError(
            f"{shown} cannot be written: {error.strerror}", "Look at the folder.", path=path
        ) from None
    try:
        with os.fdopen(handle, "wb", buffering=_BUFFER) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
