"""An engine without a disk: jobs of any size whose rows are made up when they are looked at."""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from tui.compose.checks.scan import Scan
from tui.compose.checks.statistics import CostInputs
from tui.compose.estimate import Estimate
from tui.compose.requests.report import CheckReport
from tui.compose.sources.base import Source
from tui.config.settings import Config
from tui.core.analysis.comparison import changes_between
from tui.core.analysis.facets import ColumnInfo, Facet
from tui.core.jobs import (
    Batch,
    BatchStatus,
    Cost,
    Counts,
    ErrorGroup,
    Job,
    OrphanLines,
    RemoteCounts,
    Submission,
    TimelineEntry,
)
from tui.core.query import ALL_ROWS, INPUT_ORDER, RowFilter, RowSelection, RowSort
from tui.core.requests import edit_request
from tui.core.retry_rules import ErrorClass
from tui.core.rows import Attempt, Outcome, Row, RowDetail, RowError, Usage
from tui.engine.events import EventBus, JobChanged
from tui.engine.remote import RemoteEntry
from tui.engine.retries import RetryPreview, RetryPreviewRow
from tui.errors import UnknownJobError, UsageError
from tui.paths import Paths
from tui.progress import NO_PROGRESS, Progress
from tui.store.views import Views
from tui.ui.widgets.row_columns import NoInputColumns

NOW = 1_795_000_000.0
"""The fixed moment at which the fakes live."""

FAILS_EVERY = 50
"""Every so many rows one fails, in turn with the two errors below."""

ERRORS = (
    RowError(code="rate_limit_exceeded", message="Rate limit reached", retryable=True),
    RowError(code="invalid_request_error", message="temperature is too high", retryable=False),
)
STATUSES = (429, 400)
KEYS = ("aaaa0001", "bbbb0002")
KINDS = (ErrorClass.TRANSIENT, ErrorClass.REQUEST)


def made_up_row(seq: int, answer: str = "") -> Row:
    """A row by its number: most succeed."""
    failed = seq % FAILS_EVERY == FAILS_EVERY - 1
    if not failed:
        return Row(
            seq=seq,
            custom_id=f"row-{seq:07}",
            outcome=Outcome.SUCCEEDED,
            http_status=200,
            finish_reason="stop",
            model="fake-1",
            usage=Usage(input_tokens=20, output_tokens=7),
            preview=answer or f"Answer number {seq}",
            length=len(answer or f"Answer number {seq}"),
        )
    kind = seq // FAILS_EVERY % 2
    return Row(
        seq=seq,
        custom_id=f"row-{seq:07}",
        outcome=Outcome.FAILED,
        http_status=STATUSES[kind],
        error=ERRORS[kind],
        error_group=kind + 1,
        preview=ERRORS[kind].message,
    )


def a_job(number: int = 1, **changes: Any) -> Job:
    """A completed job of a thousand rows; change what matters."""
    rows = changes.pop("rows", 1_000)
    failed = rows // FAILS_EVERY
    values: dict[str, Any] = {
        "id": f"job{number:07}",
        "name": f"reviews {number}",
        "account": "sandbox",
        "provider": "sandbox",
        "endpoint": "/v1/chat/completions",
        "model": "fake-1",
        "status": BatchStatus.COMPLETED,
        "counts": Counts(total=rows, succeeded=rows - failed, failed=failed),
        "cost": Cost(),
        "size": rows * 300,
        "created_at": NOW - 600 * number,
        "ended_at": NOW - 300 * number,
    }
    return Job(**(values | changes))


@dataclass
class FakeHistory:
    """Answers like the history, from what the test put in."""

    entries: dict[str, Job] = field(default_factory=dict)
    batch_lists: dict[str, list[Batch]] = field(default_factory=dict)
    kept: dict[str, float] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)
    answer: str = ""
    rows_read: int = 0
    is_read_only: bool = False
    views: Any = None

    def __post_init__(self) -> None:
        self.jobs = SimpleNamespace(list=self._jobs, get=self._job, timeline=self._timeline)
        self.batches = SimpleNamespace(
            of_job=self._batches, unfinished=self._unfinished, expiring=self._expiring
        )
        self.rows = SimpleNamespace(
            page=self._rows,
            get=self._row,
            inputs=self._inputs,
            error_groups=self._error_groups,
            orphan_lines=self._orphan_lines,
            missing_columns=lambda job_id, names: [],
        )

    def add(self, *jobs: Job) -> None:
        for job in jobs:
            self.entries[job.id] = job

    def _jobs(self, **_: Any) -> list[Job]:
        return sorted(self.entries.values(), key=lambda job: -job.created_at)

    def _job(self, job_id: str) -> Job:
        try:
            return self.entries[job_id]
        except KeyError:
            raise UnknownJobError(f"there is no job {job_id!r}") from None

    def _batches(self, job_id: str) -> list[Batch]:
        job = self._job(job_id)
        made = Batch(
            id=f"{job_id}-1",
            job_id=job_id,
            account=job.account,
            rows=job.counts.total,
            submission=Submission.RUNNING,
            status=job.status,
            raw_status=job.status.value,
            remote_id="batch_1",
            remote_counts=RemoteCounts(
                total=job.counts.total, completed=job.counts.ended, failed=0
            ),
            expires_at=NOW + 3600,
        )
        return self.batch_lists.get(job_id, [made])

    def _unfinished(self) -> list[Batch]:
        return [batch for job in self.entries for batch in self.batch_lists.get(job, [])]

    def _expiring(self) -> dict[str, float]:
        return self.kept

    def _error_groups(self, job_id: str) -> list[ErrorGroup]:
        failed = self._job(job_id).counts.failed
        parts = (failed - failed // 2, failed // 2)
        return [
            ErrorGroup(
                id=index + 1,
                http_status=STATUSES[index],
                code=error.code,
                message=error.message,
                key=KEYS[index],
                count=count,
                share=count / self._job(job_id).counts.total,
                retryable=error.retryable,
                kind=KINDS[index],
                first_seen=NOW - 300,
                last_seen=NOW - 300,
                example_custom_id="row-0000049",
            )
            for index, (error, count) in enumerate(zip(ERRORS, parts, strict=True))
            if count
        ]

    def _timeline(self, job_id: str) -> list[TimelineEntry]:
        return [TimelineEntry(at=NOW - 600, batch_id=None, what="ImportResult")]

    def _orphan_lines(self, job_id: str) -> OrphanLines:
        return OrphanLines()

    def _inputs(self, job_id: str) -> Any:
        return self.tables.get(job_id) or NoInputColumns()

    def _rows(self, job_id: str, seqs: Sequence[int]) -> list[Row]:
        self.rows_read += len(seqs)
        return [made_up_row(seq, self.answer) for seq in seqs]

    def _row(self, job_id: str, seq: int) -> RowDetail:
        row = made_up_row(seq, self.answer)
        message = {"role": "user", "content": f"Question number {seq}"}
        body = {"model": "fake-1", "messages": [message]}
        request = {"custom_id": row.custom_id, "method": "POST", "url": "/v1/x", "body": body}
        response: dict[str, Any] = {"status_code": row.http_status, "body": {"model": "fake-1"}}
        if row.error is None:
            choice = {"message": {"role": "assistant", "content": row.preview}}
            response["body"]["choices"] = [choice]
        else:
            response["body"] = {"error": {"code": row.error.code, "message": row.error.message}}
        line = {"custom_id": row.custom_id, "response": response, "error": None}
        return RowDetail(
            row=row,
            request=json.dumps(request).encode(),
            attempts=(Attempt(row=row, line=json.dumps(line).encode()),),
        )


class FakePlan(msgspec.Struct):
    """A retry of some rows, for the fake engine; ``note`` hears of changes."""

    job_id: str
    rows: int
    permanent: int
    note: Callable[[Any], None]
    account: str = "sandbox"
    provider_name: str = "Sandbox"
    model: str = "fake-1"
    left_out: int = 0
    left_out_reason: str = ""
    edits: dict[str, Any] = {}
    most_cost: float | None = None

    def changed(self, edits: Mapping[str, Any]) -> FakePlan:
        """The same plan with other edits."""
        if edits:
            self.note(("changed", dict(edits)))
        self.edits = dict(edits)
        return self


@dataclass
class FakeEngine:
    """Does what the test says, and notes what was asked of it."""

    paths: Paths
    history: FakeHistory = field(default_factory=FakeHistory)
    config: Config = field(default_factory=Config)
    events: EventBus = field(default_factory=EventBus)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    remote_batches: list[RemoteEntry] = field(default_factory=list)
    names: list[str] = field(default_factory=lambda: ["sandbox"])
    listless: set[str] = field(default_factory=set)
    slow_for: bool = False
    """Do searches for a text go on until they are stopped?"""
    proposed: dict[str, Any] = field(default_factory=dict)
    left_out: int = 0
    is_closed: bool = False
    accounts: Any = field(default_factory=lambda: SimpleNamespace(traffic={}))

    def __post_init__(self) -> None:
        self.history.views = Views(self.paths)

    @property
    def requests(self) -> FakeEngine:
        return self

    @property
    def costs(self) -> FakeEngine:
        return self

    @property
    def results(self) -> FakeEngine:
        return self

    @property
    def retries(self) -> Any:
        return SimpleNamespace(
            plan=self.plan_retry,
            preview=self.preview_retry,
            fit=self.fit,
            default_edits=self.default_edits,
        )

    @property
    def remote(self) -> Any:
        return SimpleNamespace(
            walk=self.iter_remote,
            adopt=self.adopt,
            attach=self.attach,
            delete=self.delete,
            deletable=self.can_delete_remote,
            losses=self.losses,
        )

    async def forecast(self, account: str, model: str, window: str) -> None:
        """No batch has ended before."""

    async def look_for_late_answers(self, job_id: str) -> Any:
        return self.history.jobs.get(job_id)

    def account_names(self) -> list[str]:
        return self.names

    def account(self, name: str) -> Any:
        from types import SimpleNamespace

        return SimpleNamespace(
            name=name,
            provider="sandbox",
            is_free=True,
            provider_name="Sandbox",
            windows=("24h",),
            direct=False,
            asks=True,
        )

    async def iter_remote(self, account: str) -> AsyncIterator[RemoteEntry]:
        if account in self.listless:
            raise UsageError("this provider cannot list batches", "Type the id of one.")
        for entry in self.remote_batches:
            yield entry

    async def adopt(self, remote_id: str, *, account: str | None = None) -> Job:
        self.asked.append(("adopt", remote_id, account))
        if remote_id not in {entry.remote.id for entry in self.remote_batches}:
            raise UsageError(f"there is no batch {remote_id!r}", "Check the id.")
        job = a_job(77, name="from elsewhere")
        self.history.add(job)
        return job

    async def attach(self, job_id: str, remote_id: str) -> Job:
        """Take any id but ``wrong`` for the first uncertain batch."""
        if remote_id == "wrong":
            raise UsageError(f"there is no batch {remote_id!r}", "Check the id.")
        self.asked.append(("attach", job_id, remote_id))
        batches = self.history.batch_lists[job_id]
        at = next(i for i, b in enumerate(batches) if b.submission is Submission.UNCERTAIN)
        batches[at] = msgspec.structs.replace(batches[at], submission=Submission.RUNNING)
        return self.history.jobs.get(job_id)

    async def submit(self, job_id: str, *, resend: bool = False, **_: Any) -> Job:
        self.asked.append(("submit", job_id, resend))
        return self.history.jobs.get(job_id)

    def watch(self) -> None:
        self.asked.append(("watch",))

    async def check(self, path: Path, **_: Any) -> CheckReport:
        return CheckReport(
            path=str(path),
            size=1000,
            rows=3,
            endpoints={"/v1/chat/completions": 3},
            models={"fake-1": 3},
            problems=(),
            found={},
            input_tokens=60,
        )

    async def scan(self, path: Path, **_: Any) -> Scan:
        return Scan(await self.check(path), CostInputs())

    async def open_source(self, spec: str, **_: Any) -> Source:
        row = {"custom_id": "a", "body": {"model": "fake-1"}}
        return Source(spec, "requests", tuple(row), lambda: iter([row]), count=1)

    async def preview(self, *_: Any, **__: Any) -> Any:
        raise UsageError("a fake has no requests to show")

    async def estimate(self, what: Any, account: str | None = None, **_: Any) -> Estimate:
        return Estimate(
            currency="USD",
            low=None,
            high=None,
            input_tokens=60,
            output_tokens_low=0,
            output_tokens_high=600,
            exact_prices=False,
            models=(),
            notes=(),
            rows=3,
        )

    async def price_repeated(self, *_: Any, **__: Any) -> Estimate | None:
        return None

    def has_budget(self, account: str | None = None) -> bool:
        return False

    def check_budget(self, estimate: Estimate, account: str | None = None) -> None:
        self.asked.append(("check_budget", account))

    async def columns(self, job_id: str) -> list[ColumnInfo]:
        return [ColumnInfo(column="outcome", kind="fact")]

    async def facets(self, job_id: str, columns: Sequence[str], *_: Any, **__: Any) -> list[Facet]:
        total = self.history.jobs.get(job_id).counts.total
        return [Facet(column=name, rows=total, filled=0, distinct=0) for name in columns]

    async def select(
        self,
        job_id: str,
        rows: RowFilter = ALL_ROWS,
        order: RowSort = INPUT_ORDER,
        *,
        stop: Callable[[], bool] | None = None,
        progress: Progress = NO_PROGRESS,
        partial: Callable[[RowSelection], None] | None = None,
    ) -> RowSelection:
        stop = stop or (lambda: progress.stopped)
        self.asked.append(("select", rows, order))
        if self.slow_for and rows.search_texts:
            return await self._slowly(job_id, stop, partial)
        total = self.history.jobs.get(job_id).counts.total
        if rows.is_empty and order == INPUT_ORDER:
            return RowSelection(seqs=range(total), total=total)
        found = array("q")
        for seq in range(total):
            row = made_up_row(seq, self.history.answer)
            if rows.outcomes and row.outcome not in rows.outcomes:
                continue
            if rows.groups and KEYS[(row.error_group or 0) - 1] not in rows.groups:
                continue
            if rows.groups and row.error_group is None:
                continue
            if rows.codes and str(row.http_status) not in rows.codes:
                continue
            if any(text not in row.custom_id + row.preview for text in rows.search_texts):
                continue
            found.append(seq)
        if order.descending:
            found.reverse()
        return RowSelection(seqs=found, total=total)

    async def _slowly(self, job_id: str, stop: Any, partial: Any) -> RowSelection:
        """Find a row, tell it, and go on until it is stopped, or let go to find one more."""
        total = self.history.jobs.get(job_id).counts.total
        found = RowSelection(seqs=array("q", [7]), total=total)
        if partial is not None:
            partial(found)
        while not stop() and self.slow_for:  # noqa: ASYNC110 - stop is a question, no event
            await asyncio.sleep(0.01)
        return found if stop() else RowSelection(seqs=array("q", [7, 8]), total=total)

    async def plan_retry(
        self, job_id: str, rows: Any = None, edits: Mapping[str, Any] | None = None, **_: Any
    ) -> Any:
        self.asked.append(("plan_retry", job_id, rows, edits))
        failed = self.history.jobs.get(job_id).counts.failed
        return FakePlan(job_id, failed, failed // 2, self.asked.append)

    async def fit(self, plan: Any, **_: Any) -> Any:
        """Leave out as many rows as the test says; none is left where none can be changed."""
        if (await self.retries.preview(plan, plan.edits)).problem:
            raise UsageError("the change cannot be made: it does not exist")
        plan.left_out, plan.left_out_reason = self.left_out if plan.edits else 0, "nowhere"
        return plan

    async def default_edits(self, plan: Any) -> dict[str, Any]:
        return dict(self.proposed)

    async def preview_retry(self, plan: Any, edits: Mapping[str, Any], **_: Any) -> RetryPreview:
        def row(seq: int) -> RetryPreviewRow:
            before = {"model": "fake-1", "max_tokens": 100 + seq}
            line = json.dumps({"custom_id": f"row-{seq:07}", "body": before}).encode()
            try:
                after = json.loads(edit_request(line, edits))["body"]
            except ValueError as error:
                return RetryPreviewRow(seq, f"row-{seq:07}", problem=str(error))
            return RetryPreviewRow(seq, f"row-{seq:07}", tuple(changes_between(before, after)))

        rows = tuple(map(row, (49, 99, 149)))
        refused = sum(bool(row.problem) for row in rows)
        return RetryPreview(rows, sampled=3, unchanged=0, refused=refused)

    async def retry(self, plan: Any) -> Job:
        self.asked.append(("retry", plan.job_id))
        return self.history.jobs.get(plan.job_id)

    async def cancel(self, job_id: str) -> Job:
        self.asked.append(("cancel", job_id))
        return self.history.jobs.get(job_id)

    def can_delete_remote(self, job_id: str) -> tuple[bool, bool]:
        return True, False

    lost_with_job: tuple[str, ...] = ()

    def losses(self, job_id: str, *, remote: bool = False) -> list[str]:
        return list(self.lost_with_job)

    async def delete(self, job_id: str, *, remote: bool = False, forget: bool = False) -> None:
        self.asked.append(("delete", job_id, "remote") if remote else ("delete", job_id))

    def apply_config(self, config: Config) -> None:
        self.config = config

    async def annotate(self, job_id: str, *, tags: Any = None, note: str | None = None) -> Job:
        job = self.history.jobs.get(job_id)
        if tags is not None:
            job = msgspec.structs.replace(job, tags=tuple(tags))
        if note is not None:
            job = msgspec.structs.replace(job, note=note)
        self.history.add(job)
        self.events.publish(JobChanged(job_id))
        return job

    async def drain(self, seconds: float = 10.0) -> None:
        self.asked.append(("drain",))

    async def close(self) -> None:
        self.asked.append(("close",))


def with_counts(job: Job, **counts: int) -> Job:
    """The same job with other counts."""
    return msgspec.structs.replace(job, counts=Counts(total=job.counts.total, **counts))
