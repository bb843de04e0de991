"""Rows of a job: outcome, result, attempts, exported form, and the columns they came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from tui.core.reviews.review import Review, ReviewMark


class Outcome(StrEnum):
    """The newest outcome of a row.

    ``truncated`` and ``refused`` are HTTP successes that the user wants to find. ``missing``
    means that the batch ended and the provider's files have no result for the row.
    """

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"


OUTCOME_CODES: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(Outcome)}
"""The integer that the history stores for each outcome."""

OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""Outcomes by the stored integer: ``OUTCOMES[code]``."""

ANSWERED = frozenset({Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.REFUSED})
"""Outcomes with an answer from the model."""

UNANSWERED = frozenset({Outcome.FAILED, Outcome.EXPIRED, Outcome.CANCELLED, Outcome.MISSING})
"""Ended outcomes without an answer: the failed rows, which a retry sends."""

NOT_SUCCEEDED = UNANSWERED | {Outcome.TRUNCATED, Outcome.REFUSED}
"""All ended outcomes except success."""


def outcome_rank(outcome: Outcome) -> int:
    """Rank of an outcome when attempts are merged; the highest wins.

    A full answer beats a truncated or refused one, which beats a failure, which beats no
    result.
    """
    return _RANKS[outcome]


_RANKS = {
    Outcome.SUCCEEDED: 4,
    Outcome.TRUNCATED: 3,
    Outcome.REFUSED: 3,
    Outcome.FAILED: 2,
    Outcome.EXPIRED: 2,
    Outcome.CANCELLED: 2,
    Outcome.MISSING: 1,
    Outcome.PENDING: 0,
}


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Token usage of one row; ``None`` if the provider does not report it.

    ``input_tokens`` includes cached tokens and those written to a cache. ``cached_tokens`` were
    read from a cache; ``cache_write_tokens`` were written for five minutes (or as long as the
    provider keeps them), ``cache_write_1h_tokens`` for an hour. ``service_tier`` is the
    provider's word for a tier with prices of its own (``flex``, ``priority``), else ``None``.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    service_tier: str | None = None


class RowError(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a row has no answer, in the provider's own words.

    ``retryable``: true for temporary errors, false if the request must be changed first, null
    if unknown.
    """

    code: str | None = None
    message: str = ""
    retryable: bool | None = None


class RowResult(msgspec.Struct, gc=False):
    """A parsed result line, normalised.

    ``text`` is the answer as text (several choices or parts joined by blank lines), empty
    without an answer. ``cost`` is in the account's currency, only if the line reports it.
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
    """One row of a job as stored in the history, without the bodies.

    ``seq`` is the row number, from 0 in the order of the input. ``preview`` is the start of
    the answer, or of the error, on one line; ``length`` is the length of the answer in
    characters. ``batch_id`` is the batch with this outcome. ``reviews`` are by reviewer.
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
    reviews: tuple[ReviewMark, ...] = ()


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a row, with its raw result line; ``line`` is empty without one.

    ``edits`` are the edits that were applied to the request; ``at`` is when the batch ended,
    or was submitted, in Unix seconds. ``same_as`` is the id of the row that was sent in place of
    this one, which asks for the same; empty if it was sent itself. ``shared_with`` counts the rows
    that share this result.
    """

    row: Row
    line: bytes = b""
    style: str = "openai"
    edits: dict[str, Any] = {}
    at: float | None = None
    same_as: str = ""
    shared_with: int = 0


class RowDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A row with its raw data: the request line, and all attempts, the shown one first.

    ``request`` is the original request; ``edits`` are those of the last attempt. ``schema``
    is the JSON schema attached to the job; empty without one. ``reviews`` are by reviewer.
    """

    row: Row
    request: bytes
    attempts: tuple[Attempt, ...] = ()
    edits: dict[str, Any] = {}
    schema: bytes = b""
    reviews: tuple[Review, ...] = ()


class RowLine(msgspec.Struct, frozen=True, kw_only=True):
    """The exported form of a row: one JSON line, with a stable set of fields."""

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


INPUTS_SUFFIX = ".inputs"
"""Suffix appended to the name of a request file for the file of its columns."""

_MOST_ROWS = 10**12
_encode = msgspec.json.Encoder().encode


class RowOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """The job whose rows became the table of another job.

    Attributes:
        job: Its id.
        name: Its name at that time.
        where: The query that selected the rows, or words for it; empty for all rows.
        other: The id of the job whose answers were joined to them; empty without one.
    """

    job: str
    name: str = ""
    where: str = ""
    other: str = ""


class ColumnsHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The header line: column names, number of rows and the file that they belong to.

    ``requests`` is the BLAKE2b digest of the request file (32 hexadecimal digits); empty where
    the two files are always moved together. ``origin`` is set if the table is made of the rows of
    another job. ``table`` is the source as it can be opened again from anywhere, and ``template``
    what rendered its rows, as in a template file without the fields that have their usual values.
    """

    columns: tuple[str, ...]
    rows: int = 0
    requests: str = ""
    source: str = ""
    origin: RowOrigin | None = None
    table: str = ""
    template: dict[str, Any] | None = None

    def line(self) -> bytes:
        r"""The header as bytes, with ``\n``, padded to the same length for any rows and digest."""
        widest = msgspec.structs.replace(self, rows=_MOST_ROWS, requests="0" * 32)
        return _encode(self).ljust(len(_encode(widest))) + b"\n"


def read_header(line: bytes) -> ColumnsHeader | None:
    """Parse a header line; ``None`` if it is invalid."""
    try:
        return msgspec.json.decode(line, type=ColumnsHeader)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def encode_columns(row: Mapping[str, Any], columns: Iterable[str]) -> bytes:
    r"""The values of a row as a JSON array with ``\n``; a missing column is null."""
    values = [row.get(column) for column in columns]
    try:
        return _encode(values) + b"\n"
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        # Lone surrogates and unsupported types: keep the nearest text.
        text = json.dumps([_plain(value) for value in values], ensure_ascii=False)
        return text.encode("utf-8", "replace") + b"\n"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def decode_columns(line: bytes, width: int) -> tuple[Any, ...]:
    """The values of a line, exactly ``width`` of them; nulls where the line is invalid."""
    try:
        values = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        values = []
    if not isinstance(values, list):
        values = []
    return tuple((values + [None] * width)[:width])
