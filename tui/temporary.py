"""Temporary folders, which the next start removes if the program was killed.

Each holds a file that its program keeps locked. A lock ends with its process, in any container,
so a folder whose lock can be taken belongs to nobody.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from tui.paths import lock_file

_PREFIX = "batchdeck-"
_LOCK = ".in-use"


@contextlib.contextmanager
def temporary_folder(purpose: str, inside: Path | None = None) -> Iterator[Path]:
    """A private folder that is removed at the end of the block, or by the next start.

    Args:
        purpose: A word for its name, such as ``demo``.
        inside: The folder that it is made in, for files that are moved to a place near it; the
            folder for temporary files by default.
    """
    remove_abandoned(inside)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=inside))
    try:
        # Under another name until it is locked: another program that starts at this moment would
        # take the lock, and remove the folder.
        new = folder / f"{_LOCK}.new"
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if lock_file(descriptor):
                new.rename(folder / _LOCK)
            yield folder
        finally:
            os.close(descriptor)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def folder_of_task(purpose: str) -> AsyncIterator[Path]:
    """A ``temporary_folder`` for an event loop: large files are removed in a thread."""
    import asyncio

    context = temporary_folder(purpose)
    folder = await asyncio.to_thread(context.__enter__)
    try:
        yield folder
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


def remove_abandoned(inside: Path | None = None) -> None:
    """Remove the temporary folders of programs that were killed.

    Errors are ignored: the folders of other users cannot be removed.

    Args:
        inside: The folder that they were made in; the folder for temporary files by default.
    """
    with contextlib.suppress(OSError):
        for folder in Path(inside or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            if folder.is_dir() and not folder.is_symlink() and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        # It is being created, or of another version: leave it.
        return False
    try:
        return bool(lock_file(descriptor))
    finally:
        os.close(descriptor)
