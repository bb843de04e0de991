"""Files: atomic writes and their temporary neighbours."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tui.core.text import quoted
from tui.errors import BatchdeckError, InputError
from tui.paths import open_private
from tui.processes import is_running, process_namespace

_BUFFER = 1 << 20
_FOLDER = "Choose a folder where you have write permission."
_HINTS = {
    errno.ENOSPC: "Free some space, or write to another disk.",
    errno.EACCES: _FOLDER,
    errno.EROFS: _FOLDER,
    errno.EPERM: _FOLDER,
    errno.ENOENT: "Create the folder first.",
    errno.ENOTDIR: "Create the folder first.",
}

_DISK_HINTS = {
    errno.EACCES: "Check the permissions of the folder.",
    errno.EPERM: "Check the permissions of the folder.",
    errno.EROFS: "The disk is read-only: choose another folder.",
    errno.ENOSPC: "Free some space, or use another disk.",
    errno.EDQUOT: "Free some space, or use another disk.",
}


def disk_hint(error: OSError) -> str:
    """What to do about an error of the disk, whose traceback helps nobody; empty for others."""
    return _DISK_HINTS.get(error.errno or 0, "")


@contextmanager
def atomic_path(path: Path, error: type[BatchdeckError] | None = InputError) -> Iterator[Path]:
    """A temporary file that replaces ``path`` if the block succeeds.

    The temporary file is in the same folder, readable by the user only (0600), and on the disk
    before it is renamed. Otherwise ``path`` is unchanged and the temporary file is removed; if
    the process is killed, the next write to the folder removes it.

    Args:
        path: The file to create or replace.
        error: Raised in place of an ``OSError`` of this file; ``None`` keeps the ``OSError``.

    Yields:
        The path of the temporary file, which exists and is empty.
    """
    temporary = temporary_path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        remove_stale(path.parent)
        os.close(open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        with suppress(OSError):
            # Not every file system can do it; the file itself is on the disk already.
            _sync(path.parent)
    except OSError as reason:
        if error is None or reason.filename not in (None, str(temporary), str(path)):
            raise
        raise write_error(path, reason, error) from reason


@contextmanager
def atomic_file(path: Path, error: type[BatchdeckError] | None = InputError) -> Iterator[BinaryIO]:
    """A binary stream to a file that replaces ``path`` if the block succeeds.

    See ``atomic_path``.
    """
    with (
        atomic_path(path, error) as temporary,
        temporary.open("r+b", buffering=_BUFFER) as stream,
    ):
        yield stream


def atomic_write(path: Path, data: bytes, error: type[BatchdeckError] | None = InputError) -> None:
    """Create or replace a file with ``data``; see ``atomic_path``."""
    with atomic_file(path, error) as stream:
        stream.write(data)


def read_regular(path: Path, most: int) -> bytes:
    """Read the first ``most`` bytes of a file that others may have named.

    A device or a pipe would never end, or wait for ever.

    Raises:
        OSError: It cannot be read, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return stream.read(most)


def write_error(path: Path, reason: OSError, error: type[BatchdeckError]) -> BatchdeckError:
    """The error for a file that cannot be written, with a hint for the usual reasons."""
    shown = quoted(str(path), 200)
    if isinstance(reason, IsADirectoryError):
        raised = error(f"{shown} is a folder", "Give the path of a file.")
    else:
        hint = _HINTS.get(reason.errno or 0, "")
        raised = error(f"{shown} cannot be written: {reason.strerror or reason}", hint)
    if isinstance(raised, InputError):
        raised.path = path
    return raised


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_MAX_NAME = 40
"""Characters kept of the final name: at 4 bytes each, the temporary name fits into 255 bytes."""

_HOST = re.sub(r"[^\w-]", "-", socket.gethostname(), flags=re.ASCII)[:40] + process_namespace()
_TEMPORARY = re.compile(
    rf"\..+\.{re.escape(_HOST)}\.(\d{{1,10}})\.[0-9a-f]{{8}}\.part(?:-journal|-wal|-shm)?"
)


def temporary_path(path: Path) -> Path:
    """Path of a temporary file in the folder of ``path``.

    The name contains the host, the namespace of process ids and the process id, so other exports
    can tell whether the writer is still running.
    """
    unique = os.urandom(4).hex()
    return path.with_name(f".{path.name[:_MAX_NAME]}.{_HOST}.{os.getpid()}.{unique}.part")


def remove_stale(folder: Path) -> None:
    """Remove temporary files that killed exports of this machine left in a folder.

    Errors are ignored: if the folder is not writable, the export itself reports it.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        stale = [
            entry.path
            for entry in entries
            if (match := _TEMPORARY.fullmatch(entry.name)) and not is_running(int(match[1]))
        ]
        for place in stale:
            Path(place).unlink(missing_ok=True)
