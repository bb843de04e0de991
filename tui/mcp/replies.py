"""Replies to an agent: bounded JSON without keys, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tui.core.text import one_line
from tui.errors import BatchdeckError, BudgetError
from tui.providers.wire.mask import Mask

MOST_BYTES = 40_000
"""Bytes of a reply, about 10,000 tokens."""

_LONGEST_ERROR = 2_000

_encode = msgspec.json.Encoder().encode


class Replies:
    """Makes the texts that are sent to an agent.

    Attributes:
        keys: The keys that are taken out of every text.
    """

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def text(self, document: dict[str, Any]) -> str:
        """A document as JSON."""
        return self.masked(_encode(document).decode())

    def listed(
        self, document: dict[str, Any], name: str, items: Sequence[Any], left_off: int, more: str
    ) -> str:
        """A document with a list of as many items as fit.

        Args:
            document: The other fields.
            name: The field of the list.
            items: The items.
            left_off: Items that are left off anyway.
            more: How to get those that are left off.
        """
        room = MOST_BYTES - len(_encode(document)) - len(more)
        kept = []
        for item in items:
            room -= len(_encode(item)) + 1
            if room < 0:
                break
            kept.append(item)
        left_off += len(items) - len(kept)
        document = {**document, name: kept}
        if left_off:
            document |= {"left_off": left_off, "more": more}
        return self.text(document)

    def error(self, error: BatchdeckError) -> str:
        """What happened and what to do, in two sentences."""
        hint = error.hint
        if isinstance(error, BudgetError):
            hint = f"{hint} Nothing was sent. Ask the user before you raise a budget.".lstrip()
        return self.masked(one_line(f"{error.message}. {hint}".strip(), _LONGEST_ERROR))

    def masked(self, text: str) -> str:
        """A text without keys."""
        for key in self.keys:
            stream = Mask(key).stream()
            text = (stream.feed(text.encode()) + stream.rest).decode()
        return text


def shortened(text: str, most: int) -> str:
    """A text, cut with a remark if it is longer."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def without_empty(document: dict[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in document.items() if value not in (None, "", [], {})}


def first(items: Iterable[Any], most: int) -> list[Any]:
    """The first items of a list."""
    return list(items)[:most]
