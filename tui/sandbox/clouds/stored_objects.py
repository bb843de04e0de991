"""Buckets that the sandbox keeps itself, for rehearsals without a cloud.

Every bucket exists, and is in the region of the sandbox. The content of each object is a file of
the sandbox's folder; which object it is stands in a table.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_TABLE = """
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, written REAL NOT NULL, PRIMARY KEY (bucket, key)
) WITHOUT ROWID
"""
_FIELDS = "key, file, size, etag, written"


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket.

    Attributes:
        key: Its key.
        file: The file of its content, in the folder.
        size: Its size in bytes.
        etag: The MD5 of its content.
        written: When it was written, Unix seconds.
    """

    key: str
    file: str
    size: int
    etag: str
    written: float


class StoredObjects:
    """The buckets, as an `ObjectStore` for the simulated provider and for its own server.

    Args:
        home: The folder.
        region: The region of every bucket.
        clock: Returns Unix seconds.
    """

    def __init__(self, home: Path, region: str, clock: Callable[[], float]) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home = home
        self._region = region
        self._clock = clock
        self._lock = threading.Lock()
        self._base = sqlite3.connect(home / "objects.db", timeout=30, check_same_thread=False)
        self._base.execute(_TABLE)
        self._base.commit()

    def close(self) -> None:
        """Close the table."""
        self._base.close()

    def region(self, bucket: str) -> str:
        """The region of a bucket."""
        return self._region

    def read(self, bucket: str, key: str, target: Path) -> None:
        """Copy an object into the file `target`.

        Raises:
            LookupError: There is no such object.
        """
        found = self.find(bucket, key)
        if found is None:
            raise LookupError(key)
        shutil.copyfile(self.path(found), target)

    def write(self, bucket: str, key: str, chunks: Iterable[bytes]) -> None:
        """Create or replace an object."""
        with self.draft().open("wb") as draft:
            for chunk in chunks:
                draft.write(chunk)
        self.keep(bucket, key, Path(draft.name))

    def draft(self) -> Path:
        """The path of a new file that will be the content of an object."""
        return self._home / secrets.token_hex(16)

    def path(self, item: StoredObject) -> Path:
        """The file of an object's content."""
        return self._home / item.file

    def keep(self, bucket: str, key: str, draft: Path) -> StoredObject:
        """Make a draft the content of an object, which replaces one of the same key."""
        with draft.open("rb") as file:
            etag = _md5(file)
        made = StoredObject(key, draft.name, draft.stat().st_size, etag, self._clock())
        values = (bucket, made.key, made.file, made.size, made.etag, made.written)
        with self._lock:
            before = self._found(bucket, key)
            with self._base:
                self._base.execute("INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?)", values)
        self._discard(before)
        return made

    def find(self, bucket: str, key: str) -> StoredObject | None:
        """An object; `None` if there is none."""
        with self._lock:
            return self._found(bucket, key)

    def delete(self, bucket: str, key: str) -> bool:
        """Delete an object; returns whether there was one."""
        with self._lock:
            found = self._found(bucket, key)
            with self._base:
                self._base.execute("DELETE FROM objects WHERE bucket=? AND key=?", (bucket, key))
        self._discard(found)
        return found is not None

    def page(self, bucket: str, prefix: str, after: str, size: int) -> list[StoredObject]:
        """At most `size` objects whose keys start with `prefix`, in order, behind the key `after`.

        Keys are compared by their bytes in UTF-8, as clouds compare them.
        """
        query = (
            f"SELECT {_FIELDS} FROM objects WHERE bucket=? AND key>? AND key>=?"
            " AND substr(key, 1, ?)=? ORDER BY key LIMIT ?"
        )
        values = (bucket, after, prefix, len(prefix), prefix, size)
        with self._lock:
            return [StoredObject(*row) for row in self._base.execute(query, values)]

    def _found(self, bucket: str, key: str) -> StoredObject | None:
        query = f"SELECT {_FIELDS} FROM objects WHERE bucket=? AND key=?"
        row = self._base.execute(query, (bucket, key)).fetchone()
        return None if row is None else StoredObject(*row)

    def _discard(self, item: StoredObject | None) -> None:
        if item is not None:
            self.path(item).unlink(missing_ok=True)


def _md5(file: IO[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()
