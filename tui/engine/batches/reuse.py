"""Answers of earlier jobs are used for the same requests: found before a submit, copied, told.

They become a batch of the job of which nothing is sent. Its file is on the disk before the batch
is stored, and it counts as collected once its rows are indexed; what a killed program left is done
when the next one looks at its batches.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tui.core.formatting import counted
from tui.core.jobs import Batch, BatchStatus, Job, Submission, new_batch_id
from tui.core.rows import Outcome, RowError
from tui.core.send_plans import ReuseOptions
from tui.core.text import one_line, split_lines
from tui.engine.accounts import FREE_PROVIDER
from tui.engine.context import Context
from tui.engine.costs.billing import store_cost
from tui.engine.events import BatchEnded
from tui.errors import BatchdeckError, HistoryError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import LedgerEntry, NewBatch, ReusePolicy, write_lines

RAW_STATUS = "reused"
_SAVED = "saved"
"""What the answers cost when they were paid for, in the record of their batch."""


class _Id(msgspec.Struct):
    custom_id: str


_id_of = msgspec.json.Decoder(_Id).decode

_LOST = RowError(
    code="answer_lost", message="The answer that was reused is not there any more", retryable=True
)
_TOLD_JOBS = 3


@dataclass
class Reusable:
    """How many rows have an answer already: those of each job, by its name."""

    jobs: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Their number."""
        return self.jobs.total()

    @property
    def text(self) -> str:
        """``8,000 rows have an answer already (reviews-45 7,000, reviews-44 1,000)``."""
        if not self.rows:
            return "no row has an answer already"
        have = "has" if self.rows == 1 else "have"
        return f"{counted(self.rows, 'row')} {have} an answer already ({_names(self.jobs)})"


def policy_of(context: Context, account: str, options: ReuseOptions) -> ReusePolicy:
    """The policy for a job of an account: answers of the same provider at the same address."""
    accounts = context.accounts
    wanted = accounts.info(account)

    def same_server(name: str) -> bool:
        try:
            info = accounts.info(name)
        except BatchdeckError:
            # The account was removed: who answered is not known any more.
            return False
        return (info.provider, info.base_url) == (wanted.provider, wanted.base_url)

    return ReusePolicy(same_server, wanted.base_url, options.since, options.only)


def split_reusable(
    context: Context,
    lines: Iterable[bytes],
    account: str,
    options: ReuseOptions,
    progress: Progress = NO_PROGRESS,
    *,
    leave_out: str = "",
) -> tuple[Reusable, Iterator[bytes]]:
    """Count the requests that have an answer, while the others are read. Blocking.

    Args:
        context: The engine context.
        lines: Request lines, without line ends.
        account: The account that would send them.
        options: Which answers may be reused.
        progress: Told how many jobs are added to the index; can stop that.
        leave_out: Id of the job that the requests belong to, if they have one.

    Returns:
        The count, which is complete once all of the lines in the iterator were read.
    """
    found = Reusable()
    policy = policy_of(context, account, options)

    def others() -> Iterator[bytes]:
        with context.history.rows.reusable(policy) as answers:
            answers.refresh(progress)
            for line, answer in answers.find(lines, leave_out):
                if answer is None:
                    yield line
                else:
                    found.jobs[answer.name] += 1

    return found, others()


def plan_reused(
    context: Context, job: Job, options: ReuseOptions, progress: Progress = NO_PROGRESS
) -> list[NewBatch]:
    """Copy the answers that a job can reuse into its folder. Blocking.

    Returns:
        The batches of these answers, one for each way in which lines are written; not stored.

    Raises:
        HistoryError: The answers cannot be written.
    """
    history = context.history
    seqs: dict[str, array[int]] = {}
    saved: dict[str, float] = {}
    batches: dict[str, Batch] = {}
    now = context.clock()
    requests = history.jobs.requests_file(job.id)
    with history.rows.reusable(policy_of(context, job.account, options)) as answers:
        answers.refresh(progress)
        with requests.open("rb") as stream:
            lines = (line for _, line in split_lines(stream))
            for seq, (_, answer) in enumerate(answers.find(lines, job.id)):
                if answer is not None:
                    seqs.setdefault(answer.style, array("q")).append(seq)
                    if answer.cost is not None:
                        saved[answer.style] = saved.get(answer.style, 0.0) + answer.cost
        for style, rows in seqs.items():
            batch = Batch(
                id=new_batch_id(),
                job_id=job.id,
                account=job.account,
                part=0,
                rows=len(rows),
                submission=Submission.RUNNING,
                status=BatchStatus.COMPLETED,
                raw_status=RAW_STATUS,
                created_at=now,
                submitted_at=now,
                reuses=True,
                raw={_SAVED: saved.get(style)},
            )
            batches[style] = batch
            lines = (line for _, line in history.rows.requests(job.id, rows))
            write_lines(
                _file_of(context, batch),
                (
                    answers.line(answer, _id_of(line).custom_id)
                    for line, answer in answers.find(lines, job.id)
                    if answer is not None
                ),
            )
    return [NewBatch(batch, seqs[style], style=style) for style, batch in batches.items()]


def remove_unused_copies(context: Context, job: Job, parts: Sequence[NewBatch]) -> None:
    """Remove the files of batches from ``plan_reused`` that were not stored after all."""
    stored = {batch.id for batch in context.history.batches.of_job(job.id)}
    for part in parts:
        if part.batch.reuses and part.batch.id not in stored:
            _file_of(context, part.batch).unlink(missing_ok=True)


def _file_of(context: Context, batch: Batch) -> Path:
    return context.history.jobs.requests_file(batch.job_id).with_name(f"{batch.id}.output.jsonl")


async def finish_reused(context: Context, batch: Batch) -> None:
    """Index the answers of a batch that reuses them; does nothing if that was done."""
    if batch.collected:
        return
    history = context.history
    await asyncio.to_thread(_index, context, batch)
    context.reach("reused")
    lost = await asyncio.to_thread(
        history.batches.finish_remaining, batch, Outcome.MISSING, _LOST, _LOST.message
    )
    await asyncio.to_thread(_enter, context, batch)
    changes = {"collected": True, "ended_at": context.clock(), "next_poll_at": None}
    remark = f"Reused {counted(batch.rows - lost, 'answer')} of earlier jobs; not sent, not paid"
    await context.update(batch.id, changes, remark=remark)
    await store_cost(context, history.batches.get(batch.id))
    context.publish(BatchEnded(batch.job_id, batch.id, status=batch.status))


def _enter(context: Context, batch: Batch) -> None:
    """Enter in the ledger that the answers were not paid for again."""
    job = context.history.jobs.get(batch.job_id)
    if job.provider == FREE_PROVIDER:
        return
    entry = LedgerEntry(
        batch=batch.id,
        job=job.id,
        account=batch.account,
        provider=job.provider,
        kind="billed",
        amount=0.0,
        currency=job.cost.currency,
        spent_at=batch.created_at,
        model=job.model,
        estimated=0.0,
        saved_by_batch=0.0,
        saved_by_cache=0.0,
        saved_by_reuse=batch.raw.get(_SAVED),
    )
    context.history.ledger.bill([entry], context.clock())


def _index(context: Context, batch: Batch) -> None:
    files = context.history.files
    rules = context.accounts.profile(batch.account).retry_codes
    files.index_copies(batch, files.get(batch.id, "output"), rules)


_STEP_ROWS = 1_000
_STEP_PAUSE = 0.1
"""Rows that are indexed in one step, some milliseconds of work, and seconds until the next one."""

_BEGIN_SECONDS = 5.0
"""Seconds after the start in which nothing is indexed: the user is waiting for the screen."""

_RECHECK_SECONDS = 60.0


class IndexBuilder:
    """Adds the requests of all jobs to the index in the background, so that a reuse finds it full.

    Args:
        context: The engine context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless that was done."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="index requests")

    async def close(self) -> None:
        """Stop; what is indexed stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.sleep(_BEGIN_SECONDS)
        index = self._context.history.rows.index_requests
        while True:
            try:
                more = await self._context.shielded(asyncio.to_thread(index, _STEP_ROWS))
            except HistoryError as error:
                # A full disk, or a folder that cannot be written: `--reuse` says so.
                self._context.log.info("requests are not indexed: %s", error.message)
                return
            await asyncio.sleep(_STEP_PAUSE if more else _RECHECK_SECONDS)


def _names(jobs: Counter[str]) -> str:
    most = jobs.most_common()
    told = [f"{one_line(name, 40)} {rows:,}" for name, rows in most[:_TOLD_JOBS]]
    if len(most) > _TOLD_JOBS:
        told.append(f"{len(most) - _TOLD_JOBS} more jobs")
    return ", ".join(told)
