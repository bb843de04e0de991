"""What is sent: how a job is divided into batches, what a retry sends, and how to send less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from tui.core.requests import edited_model

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider's limits of one batch; 0 or ``""`` means that no limit is known.

    ``bytes`` and ``line_bytes`` are sizes of the file and of one line. ``custom_id_max`` is in
    UTF-8 bytes; ``custom_id_pattern`` is a regular expression that the whole id must match.
    ``embedding_tokens`` is the longest input of an embedding. ``expires_hours`` is the time after
    its creation at which a batch ends without any result, even of the rows that are done. Where
    the two are different, ``queue_hours`` is the time after its creation at which a batch that has
    not begun expires, and ``run_hours`` the time after its start at which it ends with the rows
    that are done.
    """

    rows: _Count = 0
    min_rows: _Count = 0
    bytes: _Count = 0
    line_bytes: _Count = 0
    one_model: bool = False
    custom_id_max: _Count = 0
    custom_id_pattern: str = ""
    embedding_tokens: _Count = 0
    expires_hours: _Count = 0
    queue_hours: _Count = 0
    run_hours: _Count = 0


class Part(msgspec.Struct, frozen=True):
    """A range of rows that fits in one batch, both ends inclusive; ``size`` is in bytes."""

    first_seq: int
    last_seq: int
    rows: int
    size: int


def plan_parts(places: Iterable[tuple[int, int]], limits: Limits) -> list[Part]:
    """Split rows into parts, greedily and in order.

    Args:
        places: Row number and length in bytes of each request, in order.
        limits: The rows and bytes of a part.
    """
    parts: list[Part] = []
    first = last = -1
    rows = size = 0
    for seq, length in places:
        line = length + 1
        full = (limits.rows and rows >= limits.rows) or (
            limits.bytes and rows and size + line > limits.bytes
        )
        if full:
            parts.append(Part(first, last, rows, size))
            rows = size = 0
        if rows == 0:
            first = seq
        last = seq
        rows += 1
        size += line
    if rows:
        parts.append(Part(first, last, rows, size))
    return parts


class RetryPlan(msgspec.Struct, frozen=True):
    """What a retry will send, to be shown before it is confirmed.

    Attributes:
        job_id: The job.
        seqs: The row numbers, in order.
        permanent: How many rows would fail again unchanged. They are skipped unless the plan
            has edits or the caller includes them.
        account: The account that sends the rows.
        provider: The id of its provider.
        provider_name: The provider's display name.
        endpoint: The endpoint of the requests.
        model: The model after the edits.
        window: The completion window.
        attempt: The number of the new attempt; rows that another retry sends before this one
            are skipped.
        edits: Edits of the request bodies.
        left_out: How many rows were dropped because the edits fail on them.
        left_out_reason: Why they fail, for the first of these rows.
        fitted: Whether ``left_out`` is known.
        repeats: Rows that are not sent because another row of the plan asks for the same, each
            with that row; they share its result.
        answered: The rows that had an answer when they were chosen, in order. Rows that got one
            since then are skipped.
        most_cost: The most that the user was told and has agreed to, in the currency of the
            account; ``None`` if nobody was asked, or the cost has no bound.
    """

    job_id: str
    seqs: Sequence[int]
    permanent: int
    account: str
    provider: str
    provider_name: str
    endpoint: str
    model: str
    window: str
    attempt: int
    edits: Mapping[str, Any] = msgspec.field(default_factory=dict)
    left_out: int = 0
    left_out_reason: str = ""
    fitted: bool = False
    repeats: tuple[tuple[int, int], ...] = ()
    answered: Sequence[int] = ()
    most_cost: float | None = None

    @property
    def rows(self) -> int:
        """How many rows will be sent."""
        return len(self.seqs)

    def changed(self, edits: Mapping[str, Any]) -> RetryPlan:
        """The same plan with other edits."""
        model = edited_model(edits, self.model)
        return msgspec.structs.replace(self, edits=dict(edits), model=model, fitted=False)


class ReuseOptions(NamedTuple):
    """Which answers of the history a submit may use instead of sending a request.

    Attributes:
        since: The oldest answer, in Unix seconds; 0 for any.
        only: Id of the only job whose answers are used; empty for all.
    """

    since: float = 0.0
    only: str = ""


class Saving(NamedTuple):
    """The ways to send less than all rows of a job, and what the user has agreed to.

    Attributes:
        dedupe: Send each distinct request once; the rows that repeat it share its result.
        reuse: The answers of earlier jobs that are used instead of sending a request.
        most_rows: How many requests the user has agreed to send; ``None`` for all.
        prime: Send the first row as a batch of its own, and the others when it has ended: they read
            the prompt cache that it wrote.
        most_cost: As in ``RetryPlan``.
    """

    dedupe: bool = False
    reuse: ReuseOptions | None = None
    most_rows: int | None = None
    prime: bool = False
    most_cost: float | None = None


NO_SAVING = Saving()
