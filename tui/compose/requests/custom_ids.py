"""Make a ``custom_id`` for each row: unique and valid at every provider."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterable, Sequence

import msgspec

from tui.compose.requests.duplicates import DuplicateFinder

MAX_ID_LENGTH = 64
_MATCHES_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}").fullmatch
_CHARACTERS = (string.ascii_letters + string.digits + "_-").encode()
_ILLEGAL_RUN = re.compile(r"[^a-zA-Z0-9_-]+")


class IdReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many ids were changed, and why.

    ``illegal``: characters were replaced, or the id was cut. ``repeated``: the row number was
    appended because another row has the same id. ``empty``: the id was made from the row
    number. ``examples``: some changed ids, old and new.
    """

    illegal: int = 0
    repeated: int = 0
    empty: int = 0
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def changed(self) -> int:
        """The number of changes; an id that was both illegal and repeated counts twice."""
        return self.illegal + self.repeated + self.empty


class IdMaker:
    """Makes unique ids that every provider accepts: ``^[a-zA-Z0-9_-]{1,64}$``.

    Args:
        rows: The approximate number of ids.
    """

    _EXAMPLES = 5

    def __init__(self, rows: int) -> None:
        finder = DuplicateFinder(rows)
        self._is_new, self._are_new = finder.add_if_new, finder.add_if_all_new
        self._illegal = self._repeated = self._empty = 0
        self._examples: list[tuple[str, str]] = []

    def make(self, preferred: str, number: int) -> str:
        """Return the id of a row.

        Args:
            preferred: The preferred id.
            number: The row number, appended if the id is taken.
        """
        if _MATCHES_LEGAL(preferred) is not None:
            if self._is_new(preferred):
                return preferred
            self._repeated += 1
            return self._record(preferred, self._make_unique(preferred, number))
        new_id = _ILLEGAL_RUN.sub("-", preferred).strip("-")[:MAX_ID_LENGTH]
        if new_id:
            self._illegal += 1
        else:
            new_id = f"row-{number}"
            self._empty += 1
        if not self._is_new(new_id):
            self._repeated += 1
            new_id = self._make_unique(new_id, number)
        return self._record(preferred, new_id)

    def make_all(self, preferred: Sequence[str], number: int) -> Sequence[str]:
        """Return the ids of consecutive rows starting at row ``number``; see ``make``."""
        if _are_legal(preferred) and self._are_new(preferred):
            return preferred
        return [self.make(preferred_id, row) for row, preferred_id in enumerate(preferred, number)]

    def _record(self, preferred: str, new_id: str) -> str:
        if len(self._examples) < self._EXAMPLES:
            self._examples.append((preferred, new_id))
        return new_id

    def _make_unique(self, base: str, number: int) -> str:
        suffix = f"-{number}"
        while True:
            new_id = base[: MAX_ID_LENGTH - len(suffix)] + suffix
            if self._is_new(new_id):
                return new_id
            suffix += "x"

    def report(self) -> IdReport:
        """The changes so far."""
        return IdReport(
            illegal=self._illegal,
            repeated=self._repeated,
            empty=self._empty,
            examples=tuple(self._examples),
        )


def _are_legal(ids: Sequence[str]) -> bool:
    """Check all ids together; like ``_MATCHES_LEGAL`` for each, but faster."""
    sizes = {*map(len, ids)}
    if not sizes or min(sizes) < 1 or max(sizes) > MAX_ID_LENGTH:
        return False
    joined = "".join(ids)
    return joined.isascii() and not joined.encode().translate(None, _CHARACTERS)


def row_id(texts: Iterable[str]) -> str:
    """An id derived from the values of a row, whatever is made of them."""
    return content_id([msgspec.json.encode(list(texts))])


def content_id(parts: Iterable[bytes]) -> str:
    """An id derived from the content: 16 hexadecimal digits."""
    return hashlib.blake2b(b"\x00".join(parts), digest_size=8).hexdigest()
