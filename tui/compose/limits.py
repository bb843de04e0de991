"""What a provider takes in one batch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tui.core.refusals import Need, Refusal

LineTaker = Callable[[bytes], object]
"""Raises an InputError for a request line that cannot be said to a provider."""

LINE_BYTES = 10 * 1000 * 1000
"""The longest line that is taken where the provider names no limit."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one batch; zero and the empty text mean "none known".

    ``custom_id_max`` counts UTF-8 bytes. ``custom_id_pattern`` is a regular expression that
    the whole id has to match. ``splits``: a file over ``rows`` or ``bytes`` is sent as
    several batches instead of being refused. ``models`` are all that the provider has,
    where that is known; ``refuses`` and ``needs`` are its rules for the fields of a body.
    ``takes`` raises an InputError for a line that cannot be said to the provider; it is asked
    of rows that are translated, which are those for another endpoint than ``/messages``.
    """

    rows: int = 0
    bytes: int = 0
    line_bytes: int = 0
    custom_id_max: int = 0
    custom_id_pattern: str = ""
    one_model: bool = False
    splits: bool = False
    models: tuple[str, ...] = ()
    refuses: tuple[Refusal, ...] = ()
    needs: tuple[Need, ...] = ()
    takes: LineTaker | None = None
