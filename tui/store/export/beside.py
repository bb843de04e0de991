"""Files that are written beside their place, and what killed exports left of them."""

from __future__ import annotations

import os
import re
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from tui.store.processes import is_running

_NAME = 40
"""Characters of the final name that stay: with four bytes each, the whole fits into 255."""

_HOST = re.sub(r"[^\w-]", "-", socket.gethostname(), flags=re.ASCII)[:40]
_LEFT = re.compile(
    rf"\..+\.{re.escape(_HOST)}\.(\d{{1,10}})\.[0-9a-f]{{8}}\.part(?:-journal|-wal|-shm)?"
)


def beside(path: Path) -> Path:
    """A name in the folder of ``path`` for what is to become it.

    It says which process of which machine writes it, so that others can tell when that is gone.
    """
    unique = secrets.token_hex(4)
    return path.with_name(f".{path.name[:_NAME]}.{_HOST}.{os.getpid()}.{unique}.part")


def sweep(folder: Path) -> None:
    """Remove what exports of this machine left in a folder when they were killed.

    A folder that cannot be read or changed is left as it is: the export itself will tell.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        gone = [
            entry.path
            for entry in entries
            if (left := _LEFT.fullmatch(entry.name)) and not is_running(int(left[1]))
        ]
        for place in gone:
            Path(place).unlink(missing_ok=True)
