"""The ``RemoteFile`` protocol: one file elsewhere, fetched whole, from a place on, or not at all.

A copy on this machine has a version: what its server says of the file beside its bytes. With it the
server is asked for the file only if it has changed, and for the rest of a copy that is not whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import msgspec


class Version(msgspec.Struct, frozen=True):
    """What tells the content of a file from another one.

    Attributes:
        tag: Its ETag, or the generation of an object; empty if there is none.
        modified: When it was changed, as its server writes it; empty if it does not say.
    """

    tag: str = ""
    modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.tag or self.modified)

    @property
    def exact(self) -> str:
        """A word that stands for these very bytes; empty if there is none."""
        # A weak tag stands for any bytes that mean the same.
        return self.modified if self.tag.startswith("W/") else self.tag or self.modified

    def differs(self, other: Version) -> bool:
        """Whether both are known and not the same."""
        if self.tag and other.tag:
            return self.tag != other.tag
        return bool(self.modified and other.modified) and self.modified != other.modified


@dataclass(frozen=True)
class Copy:
    """What there is of a file on this machine.

    Attributes:
        version: The version of the file that it is of.
        size: How many of its first bytes are there.
        is_whole: Whether those are all.
    """

    version: Version
    size: int
    is_whole: bool = False


@dataclass
class Transfer:
    """An open transfer of a file.

    Attributes:
        chunks: The bytes, decompressed.
        start: The place of the first of them in the file.
        total: The size of the whole file in bytes; ``None`` while it is unknown.
        version: The version of the file.
        media_type: What the server calls it, such as ``text/csv``; empty if it does not say.
        is_same: The copy is whole and the file has not changed: there are no chunks.
    """

    chunks: AsyncIterator[bytes]
    start: int
    total: int | None
    version: Version
    media_type: str = ""
    is_same: bool = False


class RemoteFile(Protocol):
    """One file elsewhere. Raises the errors of ``tui.errors``."""

    def open(self, copy: Copy | None = None) -> AbstractAsyncContextManager[Transfer]:
        """Ask for the file, or for what the copy lacks of it.

        A copy of another version, and one that the server cannot continue, is begun anew.

        Raises:
            InputError: It is not there, not readable without a sign-in, or is a web page in place
                of a table.
            UnreachableError: No connection, or it broke off: the rest can be asked for.
            BatchdeckError: It cannot be read for another reason.
        """

    async def aclose(self) -> None:
        """Close the connections."""
