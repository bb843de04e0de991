"""A row: a request with its newest outcome, and what one result line says of it."""

from __future__ import annotations

from typing import Any

import msgspec

from tui.core.outcome import Outcome


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one row; ``None`` where the provider does not say.

    ``input_tokens`` is the whole prompt, cached part included.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


class RowError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a row has no answer, in the provider's own words.

    ``retryable``: true for trouble that passes, false for a request that must be changed
    first, null where the provider's documentation does not tell.
    """

    code: str | None = None
    message: str = ""
    retryable: bool | None = None


class RowResult(msgspec.Struct, gc=False):
    """What one result line says, normalised.

    ``text`` is the answer as text (several choices or parts joined by blank lines), empty
    where there is none. ``cost`` is in the account's currency, only when the provider bills
    it in the line itself.
    """

    custom_id: str
    outcome: Outcome
    http_status: int | None = None
    error: RowError | None = None
    finish_reason: str | None = None
    model: str | None = None
    text: str = ""
    usage: Usage = Usage()
    cost: float | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a job as the history holds it: narrow, without the bodies.

    ``seq`` counts the job's requests from 0 in the order of the input. ``preview`` is the
    start of the answer, or of the error, on one line; ``length`` counts the characters of
    the answer. ``batch_id`` is the batch that gave
    the outcome.
    """

    seq: int
    custom_id: str
    outcome: Outcome
    attempt: int = 1
    batch_id: str | None = None
    http_status: int | None = None
    error: RowError | None = None
    error_group: int | None = None
    finish_reason: str | None = None
    model: str | None = None
    usage: Usage = Usage()
    cost: float | None = None
    preview: str = ""
    length: int | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a row, with its result line as it came; ``line`` is empty if none did.

    ``edits`` are the changes with which the request was sent; ``at`` is when the batch ended,
    or was sent, in Unix seconds.
    """

    row: Row
    line: bytes = b""
    style: str = "openai"
    edits: dict[str, Any] = {}
    at: float | None = None


class RowDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its bytes: the request line, and every attempt, the shown one first.

    ``request`` is the first one; ``edits`` are the changes with which it was sent last.
    ``schema`` is the one that was given for the job's answers, as JSON; empty without one.
    """

    row: Row
    request: bytes
    attempts: tuple[Attempt, ...] = ()
    edits: dict[str, Any] = {}
    schema: bytes = b""


class RowLine(msgspec.Struct, frozen=True, kw_only=True):
    """A row as scripts get it, one JSON line each (the row line of the contracts)."""

    custom_id: str
    outcome: Outcome
    attempt: int
    http_status: int | None
    error: RowError | None
    finish_reason: str | None
    model: str | None
    text: str
    data: Any
    usage: Usage
    cost: float | None
