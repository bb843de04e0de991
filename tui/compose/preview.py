"""Three rows of a source as they would be sent."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from tui.compose.build import line_maker
from tui.compose.fields import shown
from tui.compose.ids import IdMaker
from tui.compose.sources.source import Row, Source
from tui.compose.template import Template
from tui.core.text import quoted
from tui.errors import InputError

Why = Literal["first", "random", "longest"]

SCANNED = 20_000
"""So many rows are looked at to find the longest one and to draw another."""

_EVERY = 500


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered row: why it was chosen, its number from 1, the row and the request."""

    why: Why
    number: int
    row: dict[str, Any]
    request: dict[str, Any]
    size: int

    @property
    def custom_id(self) -> str:
        """The id that the request would have, were it alone."""
        return str(self.request["custom_id"])


def preview(
    source: Source,
    template: Template | None,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    scanned: int = SCANNED,
    stop: Callable[[], bool] | None = None,
) -> list[Preview]:
    """The first row, a random one and the longest, rendered; fewer when there are fewer.

    Args:
        source: The rows; the first ``scanned`` are looked at.
        template: As for ``build``; ``None`` for ready-made requests.
        model: As for ``build``.
        settings: As for ``build``.
        seed: Of the random choice; another one each time when ``None``.
        scanned: See above.
        stop: Asked now and then; true ends the work.

    Raises:
        InputError: The source or one of these rows cannot be used, or the work was stopped.
        UsageError: The template cannot be used.
    """
    make = line_maker(source, template, model=model, settings=settings)
    previews: list[Preview] = []
    for why, number, row in choose_rows(source, random.Random(seed), scanned, stop):
        line = make(row, number, IdMaker(1))
        previews.append(
            Preview(
                why=why,
                number=number,
                row=row,
                request=msgspec.json.decode(line),
                size=len(line) - 1,
            )
        )
    return previews


def choose_rows(
    source: Source, chance: random.Random, scanned: int, stop: Callable[[], bool] | None
) -> list[tuple[Why, int, Row]]:
    """The rows to show; a row that is two of the three at once is shown for the first.

    Raises:
        InputError: The source cannot be read or has no rows, or the work was stopped.
    """
    first: Row | None = None
    other: tuple[int, Row] | None = None
    longest: tuple[int, Row] | None = None
    length = -1
    for number, row in enumerate(itertools.islice(source.rows(), scanned), 1):
        if number % _EVERY == 0 and stop is not None and stop():
            raise InputError("the preview was stopped")
        if first is None:
            first = row
            continue
        # Each of the n - 1 later rows is kept with the same chance.
        if chance.randrange(number - 1) == 0:
            other = (number, row)
        size = sum(map(len, map(shown, row.values())))
        if size > length:
            longest, length = (number, row), size
    if first is None:
        raise InputError(f"{quoted(source.name, 200)} holds no rows", "Look into the source.")
    chosen: list[tuple[Why, int, Row]] = [("first", 1, first)]
    if other is not None and longest is not None:
        chosen.append(("random", *other))
        if longest[0] != other[0]:
            chosen.append(("longest", *longest))
    return chosen
