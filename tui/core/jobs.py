"""Jobs and their batches: status, counts, cost, ids, tags and timeline."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from tui.core.retry_rules import ErrorClass
from tui.core.rows import Outcome
from tui.core.text import visible


class BatchStatus(StrEnum):
    """The normalised status of a batch; the provider's own word is stored too.

    ``draft`` and ``submitting`` are ours, the others are the provider's. ``unknown`` is a word
    that the profile does not map: not terminal, polled slowly, shown unchanged.
    """

    DRAFT = "draft"
    SUBMITTING = "submitting"
    VALIDATING = "validating"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


TERMINAL = frozenset(
    {BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED}
)
"""Statuses of ended batches. Not final: Doubleword can reopen a batch."""


class Submission(StrEnum):
    """Progress of submitting a batch; written to the history before each call.

    ``draft → uploading → uploaded → creating → running``; ``tui.core.submission`` has the whole
    table. ``uncertain``: the batch may have been created, and the provider cannot tell.
    ``refused``: the provider rejected the batch, nothing runs. ``waiting``: the provider was
    busy or its queue full; the batch is sent again later.
    """

    DRAFT = "draft"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    CREATING = "creating"
    RUNNING = "running"
    UNCERTAIN = "uncertain"
    REFUSED = "refused"
    WAITING = "waiting"


_ACTIVE_ORDER = (
    BatchStatus.SUBMITTING,
    BatchStatus.DRAFT,
    BatchStatus.CANCELLING,
    BatchStatus.VALIDATING,
    BatchStatus.QUEUED,
    BatchStatus.UNKNOWN,
    BatchStatus.IN_PROGRESS,
    BatchStatus.FINALIZING,
)
_ENDED_ORDER = (
    BatchStatus.COMPLETED,
    BatchStatus.EXPIRED,
    BatchStatus.CANCELLED,
    BatchStatus.FAILED,
)


def is_terminal(status: BatchStatus) -> bool:
    """Whether the provider reports that the batch has ended."""
    return status in TERMINAL


_ROWS_OF = {
    BatchStatus.EXPIRED: Outcome.EXPIRED,
    BatchStatus.CANCELLED: Outcome.CANCELLED,
}


def job_status(
    statuses: Iterable[BatchStatus], outcomes: Collection[Outcome] | None = None
) -> BatchStatus:
    """The status of a job, from those of its batches.

    Args:
        statuses: The status of each batch.
        outcomes: The outcomes that its rows have now, if that is known: once a retry has ended,
            no row may be left of what was cancelled or expired before.

    While any batch is active, it is the status of the one furthest behind; ``in_progress``
    takes precedence over batches that only wait. When all have ended, ``completed`` takes
    precedence over expired, cancelled and failed. Without a batch: ``draft``.
    """
    present = set(statuses)
    if outcomes is not None and Outcome.FAILED in outcomes:
        over = {status for status, rows in _ROWS_OF.items() if rows not in outcomes}
        # Without a failed batch the word stays: it says why other rows have no answer.
        present -= over if BatchStatus.FAILED in present else set()
    if BatchStatus.IN_PROGRESS in present and BatchStatus.CANCELLING not in present:
        return BatchStatus.IN_PROGRESS
    for status in (*_ACTIVE_ORDER, *_ENDED_ORDER):
        if status in present:
            return status
    return BatchStatus.DRAFT


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows per outcome; ``total`` is the number of requests, the sum of the others."""

    total: int = 0
    pending: int = 0
    succeeded: int = 0
    truncated: int = 0
    refused: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0
    missing: int = 0

    @classmethod
    def of(cls, total: int, ended: Mapping[Outcome, int]) -> Counts:
        """Counts from the ended rows; the rest of ``total`` is pending."""
        named = {outcome.value: n for outcome, n in ended.items() if outcome != Outcome.PENDING}
        return cls(total=total, pending=total - sum(named.values()), **named)

    @property
    def answered(self) -> int:
        """Rows with an answer, including truncated and refused ones."""
        return self.succeeded + self.truncated + self.refused

    @property
    def unanswered(self) -> int:
        """Rows that ended without an answer: the rows that a retry sends."""
        return self.failed + self.expired + self.cancelled + self.missing

    @property
    def ended(self) -> int:
        """Rows that are not pending."""
        return self.total - self.pending

    @property
    def all_succeeded(self) -> bool:
        """Whether every row succeeded: none is truncated, refused, failed or missing."""
        return self.succeeded == self.total

    def get(self, outcome: Outcome) -> int:
        """The number of rows with one outcome."""
        count: int = getattr(self, outcome.value)
        return count


class RemoteCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts reported by the provider; ``None`` for those that it does not report.

    Tokens are those of all rows of the batch.
    """

    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    cancelled: int | None = None
    expired: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def ended(self) -> int | None:
        """Rows that the provider has finished; ``None`` if it reports no counts."""
        if self.completed is None and self.failed is None:
            return None
        parts = (self.completed, self.failed, self.cancelled, self.expired)
        return sum(part or 0 for part in parts)

    @property
    def are_full(self) -> bool:
        """Whether the provider says that it has finished every row."""
        return bool(self.total) and (self.ended or 0) >= (self.total or 0)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Cost of a job; ``None`` is "unknown" and is never shown as zero.

    ``told`` is the provider's own quote for the uploaded requests, made before they run.
    """

    estimated: float | None = None
    told: float | None = None
    actual: float | None = None
    currency: str = "USD"

    def share(self, rows: int, of: int) -> float | None:
        """The estimated cost of some of its rows; ``None`` if it is not known."""
        return None if self.estimated is None else self.estimated * rows / max(1, of)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider runs: a part of a job, or an attempt.

    Times are Unix seconds. ``first_seq`` and ``last_seq`` bound the rows of a first attempt
    (both inclusive); the rows of a retry are listed in the history. ``raw`` is the provider's
    latest batch object, for display. ``native_of`` is the batch whose rows the provider
    retries in place. ``told_cost`` is the provider's quote; after ``results_expire_at`` the
    provider has deleted the results. ``trouble`` is the last error of submitting, polling or
    downloading, empty if the last try succeeded. ``cancel_wanted_at`` is when the user
    requested a cancel; it is cleared when that is done or rejected. ``creates`` counts the
    creates that were sent for it: more than one after the provider's queue was full. ``rows`` are
    sent; ``repeats`` more rows of the job ask for the same as one of them and share its result.
    Of a batch that ``reuses`` answers nothing is sent: they are copies from other jobs. A batch is
    not sent before the one that ``after`` names has ended with an answer. ``address`` is that of
    the server which its account named when it was planned; empty if that was not noted.
    ``elsewhere`` is set if it ran for a job that was opened from an archive: the id that the
    provider gave it there, empty if it had none. Such a batch has no ``remote_id``, so that nothing
    is asked or ordered about it here. ``made_by`` is the version of Batchdeck that planned it, and
    ``prices`` are those by which its rows were priced; both may be empty.
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
    creates: int = 0
    repeats: int = 0
    reuses: bool = False
    after: str | None = None
    address: str = ""
    elsewhere: str | None = None
    made_by: str = ""
    prices: dict[str, Any] = {}

    @property
    def bounds(self) -> tuple[int, int] | None:
        """First and last row of a first attempt; ``None`` if its rows are listed."""
        if self.first_seq is None or self.last_seq is None:
            return None
        return self.first_seq, self.last_seq

    @property
    def provider_id(self) -> str | None:
        """The id that the provider gave it, for display; here or elsewhere."""
        return self.remote_id or self.elsewhere or None

    @property
    def is_unsent(self) -> bool:
        """Whether the user still has to submit it."""
        sent = (Submission.RUNNING, Submission.REFUSED, Submission.WAITING)
        return self.submission not in sent and self.status is not BatchStatus.CANCELLED

    @property
    def is_active(self) -> bool:
        """Whether it will make progress without the user."""
        if self.submission is Submission.RUNNING:
            return not self.collected
        return self.submission in (
            Submission.UPLOADING,
            Submission.UPLOADED,
            Submission.CREATING,
            Submission.WAITING,
        )

    @property
    def is_watched(self) -> bool:
        """Whether Batchdeck asks the provider for it: it is active, or looked for."""
        return self.is_active or self.submission is Submission.UNCERTAIN


class SamplePart(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a file a job is: a random sample of its rows, or the rows that are left.

    Attributes:
        rows: The rows of the sample.
        of: The rows of the file.
        seed: The seed of the sample; with the same file it gives the same rows.
        by: The column whose values have equal shares of the sample; empty for none.
        rest: Whether the job is the rows that are not in the sample.
    """

    rows: int
    of: int
    seed: int
    by: str = ""
    rest: bool = False

    @property
    def text(self) -> str:
        """The sample in words, as "random sample of 20 of 1,000 rows, seed 0"."""
        shares = f", equal shares of {self.by}" if self.by else ""
        words = f"random sample of {self.rows:,} of {self.of:,} rows, seed {self.seed}{shares}"
        return f"all rows but a {words}" if self.rest else words


class DeadlinePhase(StrEnum):
    """How far a deadline is. Each is stored before what it stands for is done.

    Attributes:
        SET: It has not passed.
        CUT: It has passed: the running batches are cancelled, and awaited.
        REST: They have ended, and the batches that send the other rows one by one are stored.
        SENT: These batches were sent.
        MET: Nothing was left to send.
        STOPPED: The other rows are not sent; the note says why.
    """

    SET = "set"
    CUT = "cut"
    REST = "rest"
    SENT = "sent"
    MET = "met"
    STOPPED = "stopped"


OPEN_PHASES = (DeadlinePhase.SET, DeadlinePhase.CUT, DeadlinePhase.REST)
"""The phases in which something is still to be done."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """When a job is cut short, so that the rows without an answer are sent one by one.

    Attributes:
        at: The time, Unix seconds.
        phase: How far it is.
        most: The most that the user agreed to pay for these rows; ``None`` if it is not known.
        budget: The limit of all that the job may cost; ``None`` if the user gave none.
        currency: Currency of both.
        attempt: The last attempt that is cancelled; from ``REST`` on that of the other rows.
        note: Why nothing more is sent.
    """

    at: float
    phase: DeadlinePhase = DeadlinePhase.SET
    most: float | None = None
    budget: float | None = None
    currency: str = "USD"
    attempt: int = 0
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.phase in OPEN_PHASES

    @property
    def is_under_way(self) -> bool:
        """Whether it has passed, and the other rows are still to be sent."""
        return self.phase in (DeadlinePhase.CUT, DeadlinePhase.REST)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for: one set of requests, under one name.

    Times are Unix seconds; ``size`` is the size of ``requests.jsonl`` in bytes. ``tags`` and
    ``note`` are set by the user; jobs of one ``experiment`` answer the rows of one table.
    ``sample`` is set if only a part of a file is this job. ``archive`` is the digest of the archive
    that it was opened from: it ran elsewhere; empty for jobs of this history.
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
    experiment: str = ""
    sample: SamplePart | None = None
    archive: str = ""
    deadline: Deadline | None = None


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with the same error: HTTP status, code and message, ignoring numbers and ids.

    Rows that were truncated or refused without an error also form groups, with the finish
    reason as ``code`` and a negative ``id``.

    Attributes:
        id: Id in this history.
        key: Stable key for queries, the same in every history.
        http_status: HTTP status of the rows.
        code: The provider's error code.
        message: Message of one of the rows.
        count: Number of rows that have the error now.
        share: Share of all rows of the job, 0 to 1.
        retryable: As in ``RowError``.
        kind: Class of the error; ``tui.core.retry_rules.ADVICE`` has the suggested fix.
        example_custom_id: The first row that has the error.
        first_seen: When the earliest batch with the error ended or was updated, Unix seconds.
        last_seen: The same for the latest batch.
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
    """An event in the life of a job; ``at`` is in Unix seconds."""

    at: float
    batch_id: str | None
    what: str


class OrphanLines(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of result lines that match no row; such lines are kept, never dropped.

    ``unknown``: the ``custom_id`` was not sent; ``duplicate``: a second line for a row in the
    same batch; ``unreadable``: not a JSON object with a ``custom_id``.
    """

    unknown: int = 0
    duplicate: int = 0
    unreadable: int = 0


JOB_PREFIX = "job:"
"""Start of a source that is the rows of a job: ``job:NAME``, ``job:NAME::QUERY``."""


def is_job_source(spec: str) -> bool:
    """Whether a source is the rows of a job."""
    return spec.startswith(JOB_PREFIX)


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_job_id() -> str:
    """Ten characters without look-alikes (50 random bits); a unique prefix identifies a job."""
    return _random(10)


def new_batch_id() -> str:
    """Twenty characters (100 random bits); also sent to the provider in the metadata."""
    return _random(20)


def _random(length: int) -> str:
    # Loading it takes a while.
    import secrets

    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


_AGE = re.compile(r"(\d{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


def parse_moment(text: str, now: float) -> float | None:
    """The time that a condition on the creation of jobs names, in Unix seconds.

    Args:
        text: ``12h``, ``7d`` and ``3w`` count back from now; a date such as ``2026-11-20`` is the
            beginning of that day in local time.
        now: The current time, in Unix seconds.

    Returns:
        The time; ``None`` for any other text.
    """
    if (age := _AGE.fullmatch(text)) is not None:
        return now - int(age[1]) * _HOURS[age[2]] * 3600
    try:
        return datetime.strptime(text, "%Y-%m-%d").astimezone().timestamp()
    except (ValueError, OverflowError):
        return None


def moment_text(moment: float, now: float) -> str:
    """A text for ``parse_moment``: never an earlier time, and at most an hour later."""
    day = datetime.fromtimestamp(moment).astimezone()
    if (day.hour, day.minute, day.second) == (0, 0, 0):
        return f"{day:%Y-%m-%d}"
    return f"{max(0, int((now - moment) // 3600))}h"


MAX_TAG_LENGTH = 32
"""Longest tag, in characters."""

MAX_TAGS = 12
"""Most tags of a job."""

MAX_NOTE_LENGTH = 4_000
"""Longest note, in characters."""

_SEPARATORS = re.compile(r"[\s,;]+")


def parse_tags(text: str) -> tuple[str, ...]:
    """Parse tags separated by spaces or commas; drops ``#`` and duplicates, ignoring case."""
    found: dict[str, str] = {}
    for word in _SEPARATORS.split(unicodedata.normalize("NFC", text)):
        tag = visible(word.lstrip("#"))[:MAX_TAG_LENGTH]
        if tag:
            found.setdefault(tag.casefold(), tag)
    return tuple(found.values())[:MAX_TAGS]


def format_tags(tags: tuple[str, ...]) -> str:
    """Tags for display: ``#weekly #reviews``."""
    return " ".join(f"#{tag}" for tag in tags)


def rows_done(job: Job, batches: Iterable[Batch]) -> int:
    """About how many rows of a job the provider has answered, with those that share an answer.

    Args:
        job: The job.
        batches: Its batches.
    """
    left = 0
    for batch in batches:
        if not is_terminal(batch.status):
            rows = max(0, batch.rows - (batch.remote_counts.ended or 0))
            left += rows + math.ceil(batch.repeats * rows / max(1, batch.rows))
    return max(job.counts.ended, min(job.counts.total, job.counts.total - left))
