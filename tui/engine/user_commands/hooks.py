"""Run the user's commands when something happens to a job, with the job document on their stdin.

Each event of a job runs its command at most once: before it starts, that is stored in the history,
so that two programs on one history, or a program after a kill, do not run it again. Nothing waits
for a command; its output goes to the log.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tui.config.settings import Config
from tui.core.alerts import stuck_flags
from tui.core.jobs import Batch, Job
from tui.core.text import visible
from tui.engine.context import Context
from tui.engine.events import (
    BatchEnded,
    BatchSubmitted,
    BudgetExceeded,
    DeadlineMoved,
    HookEnded,
    JobEvent,
    RowsCollected,
)
from tui.engine.user_commands.runner import ProgramResult, environment_for, run_program
from tui.errors import HistoryError, UnknownJobError
from tui.temporary import folder_of_task

SHOWN_CHARACTERS = 8_000
"""Characters of the output that go to the log."""

CLOSE_SECONDS = 10.0
"""Seconds that a closing program waits for the commands."""


class Hooks:
    """Runs the configured commands; subscribed to the engine's events.

    Args:
        context: The engine context.
        config: Holds the commands and the names of key variables.
    """

    def __init__(self, context: Context, config: Config) -> None:
        self._context = context
        self.config = config
        self._started: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, event: JobEvent) -> None:
        """Start the command of an event, if there is one."""
        if isinstance(event, BatchSubmitted):
            self._start("submit", event.job_id)
        elif isinstance(event, BudgetExceeded):
            self._start("budget", event.job_id, message=event.message)
        elif isinstance(event, RowsCollected | BatchEnded):
            self._start("first_failure", event.job_id)
            if isinstance(event, BatchEnded):
                self._start("job_end", event.job_id)
        elif isinstance(event, DeadlineMoved) and event.ended:
            self._start("job_end", event.job_id)

    def look_for_flags(self) -> None:
        """Start the command for jobs that are stuck or late; to be called now and then."""
        if not self._command("flag"):
            return
        jobs: dict[str, list[Batch]] = {}
        for batch in self._context.history.batches.unfinished():
            jobs.setdefault(batch.job_id, []).append(batch)
        for job_id, batches in jobs.items():
            for flag in stuck_flags(batches, self._context.clock())[:1]:
                self._start("flag", job_id, message=flag.text)

    def _command(self, event: str) -> str:
        return str(getattr(self.config.hooks, f"on_{event}")).strip()

    def _start(self, event: str, job_id: str, *, message: str = "") -> None:
        if not self._command(event) or (job_id, event) in self._started:
            return
        history = self._context.history
        try:
            job = history.jobs.get(job_id)
            batches = history.batches.of_job(job_id)
            occasion = _occasion(event, job, batches)
            if not occasion or (job_id, occasion) in self._started:
                return
            document = history.jobs.document(job_id)
        except UnknownJobError:
            return
        self._started.add((job_id, occasion))
        work = self._run(event, job, occasion, document, message)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait up to ``seconds`` for running commands, then stop them."""
        if not self._tasks:
            return
        tasks = list(self._tasks)
        await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self,
        event: str,
        job: Job,
        occasion: str,
        document: Mapping[str, Any],
        message: str,
    ) -> None:
        history, hooks = self._context.history, self.config.hooks
        try:
            if not await asyncio.to_thread(history.jobs.claim_event, job.id, occasion):
                # Another program has run it.
                return
        except (UnknownJobError, HistoryError) as error:
            self._report(event, job, f"was not run: {error.message}", good=False)
            return
        self._context.reach(f"hook {event}")
        environment = environment_for(self._context.accounts, hooks.env)
        environment |= {"BATCHDECK_EVENT": event, "BATCHDECK_JOB": job.id}
        if message:
            environment["BATCHDECK_MESSAGE"] = message
        async with folder_of_task("hook") as folder:
            stdin = folder / "job.json"
            stdin.write_bytes(msgspec.json.encode(document) + b"\n")
            try:
                result = await run_program(
                    shlex.split(self._command(event)),
                    stdin,
                    environment=environment,
                    folder=self._context.paths.data,
                    seconds=hooks.timeout,
                )
            except (OSError, ValueError) as error:
                self._report(event, job, f"could not be run: {error}", good=False)
                return
        self._report(event, job, _words(result, hooks.timeout), good=result.good)

    def _report(self, event: str, job: Job, what: str, *, good: bool) -> None:
        log = self._context.log
        (log.info if good else log.warning)("the hook %s of job %s %s", event, job.id, what)
        self._context.publish(HookEnded(job.id, what, good, event))


def _occasion(event: str, job: Job, batches: Sequence[Batch]) -> str:
    """What is stored so that a command runs once; empty if this is not the moment.

    A job ends again after a retry.
    """
    if event == "job_end":
        goes_on = job.deadline is not None and job.deadline.is_under_way
        is_over = not goes_on and not any(batch.is_active for batch in batches)
        return f"job_end {len(batches)}" if is_over else ""
    if event == "first_failure":
        return event if job.counts.unanswered else ""
    return event


def _words(result: ProgramResult, seconds: float) -> str:
    if result.code is None:
        return f"timed out after {seconds:g} s and was stopped"
    output = result.output[:SHOWN_CHARACTERS].strip()
    suffix = f": {visible(output)}" if output else ""
    return f"exited with code {result.code}{suffix}"
