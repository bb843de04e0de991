"""One program at a time, for the moment in which a history is made or changed as a whole."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tui.paths import open_private

_SECONDS = 10.0
"""How long another program is waited for; one that was stopped holds nobody up for ever."""

_PAUSE = 0.01


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file while the block runs.

    Where files cannot be locked, or none can be made, the block runs all the same: SQLite's own
    locks keep the data whole, they only do not keep a file that is just being made from being
    taken for damaged.

    Args:
        lock: The file; it stays there, empty.
    """
    try:
        import fcntl

        descriptor = open_private(lock, os.O_RDWR | os.O_CREAT)
    except (ImportError, OSError):
        yield
        return
    try:
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)
