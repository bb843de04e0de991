"""Operations that cost money: how each is prepared, and what a user does until it is done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tui.client.frames.run import run_frame
from tui.compose.build import source_with_digest
from tui.compose.templates.model import Template
from tui.core.jobs import Submission
from tui.core.retry_rules import MAY_BE_PAID
from tui.core.send_plans import NO_SAVING, RetryPlan, ReuseOptions, Saving
from tui.engine.accounts import direct_name
from tui.engine.engine import Engine
from tui.errors import UnconfirmedError, UsageError
from tui.mcp.folders import Folders
from tui.mcp.replies import Replies
from tui.mcp.spending import SessionBudget
from tui.mcp.tools import Tools

ROWS = 6
PART = 2
BUDGET = 1_000_000.0


Decide = Callable[[Engine, str], Awaitable[None]]


@dataclass
class Work:
    """What is known of an operation across the programs that carry it out.

    Attributes:
        folder: Where its files are.
        like: The provider.
        jobs: The jobs, once they are imported.
        plan: The retry that the user has said yes to.
        is_cancelled: Whether nothing is left to be cancelled.
    """

    folder: Path
    like: str
    jobs: list[str] = field(default_factory=list)
    plan: RetryPlan | None = None
    is_cancelled: bool = False

    @property
    def budget(self) -> float | None:
        """The budget of a call; ``None`` where nothing has a price."""
        return None if self.like == "scaledown" else BUDGET


@dataclass(frozen=True)
class Operation:
    """An operation.

    Attributes:
        name: Its name in the table.
        likes: The providers with which it is tried.
        texts: The texts of the rows.
        saving: The ways to send less.
        retries: How failed rows are retried: ``again``, ``edited``, ``direct``; empty for not.
        before: Whether the job is sent and has ended before the operation begins.
        account: The account.
        part: Rows of a batch at most; 0 for no limit.
        jobs: How many jobs are sent together.
        by_source: Whether it is submitted once by what is in its file, as agents do.
        deadline: Whether a deadline ends the batch as soon as it runs.
        face: Which call of a user submits it: ``experiment`` (two models over one table),
            ``frame`` (``client.run``), ``agent`` (the tool of the MCP server); empty for the
            engine's own.
        cancels: Whether it is cancelled as soon as it is sent; what is not answered is retried.
    """

    name: str
    likes: tuple[str, ...]
    texts: tuple[str, ...] = tuple(f"Say {n}" for n in range(ROWS))
    saving: Saving = NO_SAVING
    retries: str = ""
    before: bool = False
    account: str = "far"
    part: int = 0
    jobs: int = 1
    by_source: bool = False
    deadline: bool = False
    face: str = ""
    cancels: bool = False

    @property
    def is_slow(self) -> bool:
        """Whether the provider must still be answering when something happens to the batch."""
        return self.deadline or self.cancels

    @property
    def copies(self) -> int:
        """How often each row is to be answered, once for each job."""
        return len(_MODELS) if self.face == "experiment" else 1


_FLAKY = tuple(f"Say {n}{' sandbox:flaky=500' if n % 2 else ''}" for n in range(ROWS))
_EQUAL = tuple(f"Say {n % 3}" for n in range(ROWS))
_FILES = ("openai", "doubleword", "anthropic", "gemini", "scaledown")
_CHAT = ("openai", "doubleword", "anthropic")

OPERATIONS = (
    Operation("submit", _FILES),
    Operation("parts", _FILES, part=PART),
    Operation("once", _FILES, by_source=True),
    Operation("dedupe", ("openai", "anthropic"), _EQUAL, Saving(dedupe=True)),
    Operation("reuse", ("openai",), saving=Saving(reuse=ReuseOptions()), jobs=2),
    Operation("prime", ("anthropic",), saving=Saving(prime=True)),
    Operation("together", ("openai", "anthropic"), jobs=2),
    Operation("retry", _FILES, _FLAKY, retries="again", before=True),
    Operation("retry, edited", _CHAT, _FLAKY, retries="edited", before=True),
    Operation("retry, one by one", _CHAT, _FLAKY, retries="direct", before=True),
    Operation("one by one", ("openai", "anthropic", "gemini"), account=direct_name("far")),
    Operation("deadline", _CHAT, deadline=True),
    Operation("cancel and retry", _CHAT, part=PART, cancels=True, retries="again"),
    Operation("experiment", ("openai", "anthropic"), face="experiment"),
    Operation("frame", _CHAT, face="frame"),
    Operation("agent", _CHAT, face="agent"),
)


def write_file(operation: Operation, work: Work, number: int = 0) -> Path:
    """The file of requests of a job; later rows have longer answers and higher bounds."""
    file = work.folder / f"requests-{number}.jsonl"
    lines = []
    for n, text in enumerate(operation.texts):
        most = 20 if n < PART else 400
        body: dict[str, Any]
        if work.like == "scaledown":
            body = {"model": "summarize", "text": text}
        else:
            part: dict[str, Any] = {"type": "text", "text": text}
            content: Any = text
            if operation.saving.prime:
                part["cache_control"] = {"type": "ephemeral"}
                content = [part]
            messages = [{"role": "user", "content": content}]
            body = {"model": MODELS.get(work.like, "gpt-4"), "max_tokens": most}
            body["messages"] = messages
        name = f"row-{number}-{n}"
        line: dict[str, Any] = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions"}
        lines.append(json.dumps({**line, "body": body}))
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


_MODELS = ("one", "two")
"""The models of an experiment; their names are those of its jobs."""

MODELS = {"gemini": "gemini-3.5-flash", "anthropic": "claude-haiku-4-5"}


async def carry_out(operation: Operation, work: Work, engine: Engine, decide: Decide) -> None:
    """Do what a user does until all is done; may be called again after any error.

    Raises:
        BatchdeckError: Something stopped it; the user will look and go on.
    """
    await send(operation, work, engine, decide)
    await finish(operation, work, engine, decide)


async def send(operation: Operation, work: Work, engine: Engine, decide: Decide) -> None:
    """Submit what is not submitted."""
    if operation.face:
        await send_by_face(operation, work, engine, decide)
        return
    if operation.by_source and not work.jobs:
        file = await asyncio.to_thread(write_file, operation, work)
        source = await asyncio.to_thread(source_with_digest, file, "agent")
        try:
            job = await engine.submit_once(file, source, operation.account, budget=work.budget)
        finally:
            work.jobs = [one.id for one in engine.history.jobs.of_source(source, "far")][:1]
        work.jobs = [job.id]
    while len(work.jobs) < operation.jobs:
        number = 0 if operation.saving.reuse else len(work.jobs)
        file = await asyncio.to_thread(write_file, operation, work, number)
        job = await engine.requests.import_file(file, account=operation.account)
        work.jobs.append(job.id)
    unsent = [job for job in work.jobs if is_unsent(engine, job)]
    for job_id in unsent:
        if any(b.submission is Submission.UNCERTAIN for b in engine.history.batches.of_job(job_id)):
            await decide(engine, job_id)
    unsent = [job for job in work.jobs if is_unsent(engine, job)]
    if operation.saving.reuse:
        # Only answers that are there can be used again.
        await engine.wait([job for job in work.jobs if job not in unsent])
        for job_id in unsent:
            await engine.submit(
                job_id, wait_if_busy=True, budget=work.budget, saving=operation.saving
            )
            await engine.wait([job_id])
    elif len(unsent) > 1:
        jobs = [engine.history.jobs.get(job_id) for job_id in unsent]
        errors = await engine.submit_experiment(jobs, budget=work.budget)
        for error in errors.values():
            raise error
    for job_id in unsent if len(unsent) == 1 else ():
        if operation.deadline and not has_deadline(engine, job_id):
            at = engine._context.clock() + 1.0
            plan = await engine.deadlines.plan_for(job_id, at, budget=work.budget)
            await engine.deadlines.set(job_id, plan)
        await engine.submit(job_id, wait_if_busy=True, budget=work.budget, saving=operation.saving)


async def send_by_face(operation: Operation, work: Work, engine: Engine, decide: Decide) -> None:
    """Submit as a program does that repeats its one call until it succeeds."""
    for job_id in work.jobs:
        batches = engine.history.batches.of_job(job_id)
        if any(batch.submission is Submission.UNCERTAIN for batch in batches):
            await decide(engine, job_id)
    budget = work.budget
    assert budget is not None
    calls = {"experiment": _experiment, "frame": _frame, "agent": _agent}
    try:
        await calls[operation.face](operation, work, engine, budget)
    finally:
        work.jobs = [job.id for job in engine.history.jobs.list()]


async def _experiment(operation: Operation, work: Work, engine: Engine, budget: float) -> None:
    table = work.folder / "table.csv"
    rows = [f"row-0-{n},{text}\n" for n, text in enumerate(operation.texts)]
    await asyncio.to_thread(table.write_text, "id,text\n" + "".join(rows), "utf-8")
    name = MODELS.get(work.like, "gpt-4")
    templates = [Template(name=n, user="{text}", model=name, max_tokens=400) for n in _MODELS]
    try:
        made = await engine.experiments.make(
            "pair", str(table), templates, account=operation.account, custom_id="id", budget=budget
        )
    except UsageError as error:
        if "sent already" in error.message:
            return
        raise
    for refused in (await engine.submit_experiment(made.jobs, budget=budget)).values():
        raise refused


async def _frame(operation: Operation, work: Work, engine: Engine, budget: float) -> None:
    rows = [{"id": f"row-0-{n}", "text": text} for n, text in enumerate(operation.texts)]
    await run_frame(
        engine, operation.account, rows, "{text}", budget=budget, custom_id="id",
        model=MODELS.get(work.like, "gpt-4"), settings={"max_tokens": 400},
    )  # fmt: skip


async def _agent(operation: Operation, work: Work, engine: Engine, budget: float) -> None:
    file = work.folder / "requests-0.jsonl"
    if not await asyncio.to_thread(file.exists):
        await asyncio.to_thread(write_file, operation, work)
    folders = await asyncio.to_thread(Folders, [work.folder])
    tools = Tools(engine, folders, SessionBudget(engine, budget), Replies())
    await tools.submit(str(file), budget, account=operation.account)


def has_deadline(engine: Engine, job_id: str) -> bool:
    """Whether a job has a deadline that allows it to be sent."""
    try:
        engine.deadlines.require_time(job_id)
    except UsageError:
        # It has passed before anything was sent; the user sets another one.
        return False
    return engine.history.jobs.get(job_id).deadline is not None


def is_unsent(engine: Engine, job_id: str) -> bool:
    """Whether a user still has to submit something of a job."""
    batches = engine.history.batches.of_job(job_id)
    return not batches or any(batch.is_unsent and batch.attempt == 1 for batch in batches)


async def finish(operation: Operation, work: Work, engine: Engine, decide: Decide) -> None:
    """Wait for what runs, and retry what has failed."""
    while operation.cancels and not work.is_cancelled:
        try:
            await engine.cancel(work.jobs[0])
        except UsageError:
            # It has ended, or was cancelled before the program was killed.
            work.is_cancelled = True
        except UnconfirmedError:
            # It is looked for meanwhile, and cancelled if it is found.
            pass
        await engine.wait(work.jobs)
    while True:
        for job_id in work.jobs:
            batches = engine.history.batches.of_job(job_id)
            if any(batch.submission is Submission.UNCERTAIN for batch in batches):
                await decide(engine, job_id)
        await engine.wait(work.jobs)
        if not operation.retries or not await retry(operation, work, engine):
            return


async def retry(operation: Operation, work: Work, engine: Engine) -> bool:
    """Retry the rows that have failed; ``False`` if there are none."""
    (job_id,) = work.jobs
    await engine.look_for_late_answers(job_id)
    edits = {"temperature": 0.5} if operation.retries == "edited" else {}
    try:
        work.plan = await engine.retries.plan(
            job_id, edits=edits, direct=operation.retries == "direct"
        )
    except UsageError:
        return False
    rows = engine.history.rows.page(job_id, work.plan.seqs)
    # Rows that may be paid already: this user does not say yes to them.
    doubtful = {r.seq for r in rows if r.error is not None and r.error.code in MAY_BE_PAID}
    seqs = [seq for seq in work.plan.seqs if seq not in doubtful]
    if not seqs:
        return False
    work.plan = msgspec.structs.replace(work.plan, seqs=seqs)
    await engine.retry(work.plan, budget=work.budget)
    return True
