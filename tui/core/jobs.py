"""What a person asked for and what the provider runs: the records of the history."""

from __future__ import annotations

from typing import Any

import msgspec

from tui.core.counts import Counts, RemoteCounts
from tui.core.grouping import ErrorClass
from tui.core.status import BatchStatus, Submission


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Money; ``None`` is "unknown" and is never shown as zero.

    ``told`` is the provider's own guess, made when it had the requests and before it ran them.
    """

    estimated: float | None = None
    told: float | None = None
    actual: float | None = None
    currency: str = "USD"


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider runs: a part of a job, or an attempt.

    Times are Unix seconds. ``first_seq`` and ``last_seq`` bound the rows of a first attempt
    (both inclusive); a retry names its rows one by one in the history. ``raw`` is the
    provider's batch object as it came last, for display. ``native_of`` is the batch whose
    rows the provider runs again in place. ``told_cost`` is what the provider thinks that the
    batch will cost; after ``results_expire_at`` it does not have the results any more.
    ``trouble`` is the last error of sending, watching or collecting, empty when the last try
    went well. ``cancel_wanted_at`` is when a person asked to cancel it, until that is done or
    refused.
    """

    id: str
    job_id: str
    account: str
    attempt: int = 1
    part: int = 1
    rows: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    submission: Submission = Submission.DRAFT
    status: BatchStatus = BatchStatus.DRAFT
    raw_status: str = ""
    remote_id: str | None = None
    input_file_id: str | None = None
    remote_counts: RemoteCounts = RemoteCounts()
    edits: dict[str, Any] = {}
    native_of: str | None = None
    collected: bool = False
    created_at: float = 0.0
    submitted_at: float | None = None
    ended_at: float | None = None
    expires_at: float | None = None
    progressed_at: float | None = None
    next_poll_at: float | None = None
    cancel_wanted_at: float | None = None
    trouble: str = ""
    raw: dict[str, Any] = {}
    told_cost: float | None = None
    results_expire_at: float | None = None

    @property
    def is_unsent(self) -> bool:
        """Is it still to be sent, or sent again, by a person?"""
        sent = (Submission.RUNNING, Submission.REFUSED, Submission.WAITING)
        return self.submission not in sent and self.status is not BatchStatus.CANCELLED

    @property
    def is_under_way(self) -> bool:
        """Will something still come of it by itself?"""
        if self.submission is Submission.RUNNING:
            return not self.collected
        return self.submission in (
            Submission.UPLOADING,
            Submission.UPLOADED,
            Submission.CREATING,
            Submission.WAITING,
        )


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asked for: one set of requests, under one name.

    Times are Unix seconds; ``size`` is that of ``requests.jsonl`` in bytes. ``tags`` and
    ``note`` are the person's own words.
    """

    id: str
    name: str
    account: str
    provider: str
    endpoint: str
    model: str
    status: BatchStatus
    counts: Counts
    cost: Cost = Cost()
    window: str = "24h"
    size: int = 0
    input_tokens: int | None = None
    source: str = ""
    created_at: float = 0.0
    submitted_at: float | None = None
    ended_at: float | None = None
    trouble: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that failed alike: same HTTP status, code and message but for numbers and ids.

    Rows that were truncated or refused without an error are a group each, with the finish
    reason as ``code`` and a negative ``id``.

    Attributes:
        id: Its number in this history.
        key: Its name in queries, the same wherever such an error is seen.
        http_status: The rows' own status.
        code: The provider's code.
        message: The words of one of the rows.
        count: How many rows have it now.
        share: Of all rows of the job, 0 to 1.
        retryable: As in ``RowError``.
        kind: What kind of trouble it is; ``tui.core.grouping.ADVICE`` tells what helps.
        example_custom_id: The first row that has it.
        first_seen: When the earliest batch that gave it ended or came on, Unix seconds.
        last_seen: The same of the latest batch.
    """

    id: int
    key: str = ""
    http_status: int | None
    code: str | None
    message: str
    count: int
    share: float = 0.0
    retryable: bool | None
    kind: ErrorClass = ErrorClass.UNCLEAR
    example_custom_id: str
    first_seen: float | None = None
    last_seen: float | None = None


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a job; ``at`` in Unix seconds."""

    at: float
    batch_id: str | None
    what: str


class Strays(msgspec.Struct, frozen=True, kw_only=True):
    """Result lines that belong to no row: counted and kept, never dropped.

    ``unknown``: a ``custom_id`` that was not sent; ``duplicate``: a second line of the same
    batch for a row; ``unreadable``: not a JSON object with a ``custom_id``.
    """

    unknown: int = 0
    duplicate: int = 0
    unreadable: int = 0
