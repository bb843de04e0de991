"""Making a ``custom_id`` for each row: legal everywhere, and different from all others."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterable, Sequence

import msgspec

from tui.compose.duplicates import DuplicateFinder

LONGEST = 64
_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}").fullmatch
_CHARACTERS = (string.ascii_letters + string.digits + "_-").encode()
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]+")


class IdReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many ids are not what was asked for.

    ``illegal``: characters were replaced, or the end was cut off. ``repeated``: the row's
    number was added, because another row has the same id. ``empty``: made from the row's
    number. ``examples``: some changed ids, old and new.
    """

    illegal: int = 0
    repeated: int = 0
    empty: int = 0
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def changed(self) -> int:
        """How many changes in all; an id that was both illegal and repeated counts twice."""
        return self.illegal + self.repeated + self.empty


class IdMaker:
    """Makes ids that every provider takes: ``^[a-zA-Z0-9_-]{1,64}$``, each once.

    Args:
        rows: How many to expect, about.
    """

    _EXAMPLES = 5

    def __init__(self, rows: int) -> None:
        finder = DuplicateFinder(rows)
        self._is_new, self._are_new = finder.is_new, finder.are_new
        self._illegal = self._repeated = self._empty = 0
        self._examples: list[tuple[str, str]] = []

    def make(self, wanted: str, number: int) -> str:
        """The id of a row.

        Args:
            wanted: What it should be.
            number: The row's number, which is added where that makes it different.
        """
        if _LEGAL(wanted) is not None:
            if self._is_new(wanted):
                return wanted
            self._repeated += 1
            return self._noted(wanted, self._different(wanted, number))
        made = _ILLEGAL.sub("-", wanted).strip("-")[:LONGEST]
        if made:
            self._illegal += 1
        else:
            made = f"row-{number}"
            self._empty += 1
        if not self._is_new(made):
            self._repeated += 1
            made = self._different(made, number)
        return self._noted(wanted, made)

    def make_all(self, wanted: Sequence[str], number: int) -> Sequence[str]:
        """The ids of rows in a row, of which the first has this number; see ``make``."""
        if _are_legal(wanted) and self._are_new(wanted):
            return wanted
        return [self.make(each, place) for place, each in enumerate(wanted, number)]

    def _noted(self, wanted: str, made: str) -> str:
        if len(self._examples) < self._EXAMPLES:
            self._examples.append((wanted, made))
        return made

    def _different(self, base: str, number: int) -> str:
        end = f"-{number}"
        while True:
            made = base[: LONGEST - len(end)] + end
            if self._is_new(made):
                return made
            end += "x"

    def report(self) -> IdReport:
        """What was changed so far."""
        return IdReport(
            illegal=self._illegal,
            repeated=self._repeated,
            empty=self._empty,
            examples=tuple(self._examples),
        )


def _are_legal(ids: Sequence[str]) -> bool:
    """Are all legal? Asks what ``_LEGAL`` asks of each, once for all of them."""
    sizes = {*map(len, ids)}
    if not sizes or min(sizes) < 1 or max(sizes) > LONGEST:
        return False
    joined = "".join(ids)
    return joined.isascii() and not joined.encode().translate(None, _CHARACTERS)


def content_id(parts: Iterable[bytes]) -> str:
    """An id that stays the same as long as the content does: 16 hexadecimal digits."""
    return hashlib.blake2b(b"\x00".join(parts), digest_size=8).hexdigest()
