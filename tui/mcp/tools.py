"""The tools of the server: one method each, on the engine that the other faces use."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import Field

from tui.compose.build import source_with_digest
from tui.compose.estimate import Estimate
from tui.compose.requests.report import CheckReport
from tui.compose.sources.base import Source
from tui.compose.templates.model import Template
from tui.compose.templates.saved import find_template
from tui.core.formatting import format_cost, rfc3339
from tui.core.jobs import BatchStatus, Job
from tui.core.query import RowSelection, query_filter
from tui.core.requests import MAX_TOKENS, parse_max_tokens
from tui.core.rows import ANSWERED, UNANSWERED, Outcome, RowLine
from tui.core.send_plans import ReuseOptions, Saving
from tui.engine.accounts import AccountInfo
from tui.engine.costs.budget import cost_text
from tui.engine.engine import Engine
from tui.errors import (
    BatchdeckError,
    BudgetError,
    InputError,
    KeyMissingError,
    StandstillError,
    UsageError,
)
from tui.mcp.folders import Folders
from tui.mcp.replies import Replies, first, shortened, without_empty
from tui.mcp.spending import SessionBudget
from tui.paths import path_exists
from tui.store.export.options import ExportOptions
from tui.temporary import folder_of_task

MOST_ROWS = 100
MOST_JOBS = 50
LONGEST_WAIT = 50.0
"""Clients give up on a call after a minute."""

_MOST_COLUMNS = 60
_MOST_VALUES = 50
_MOST_PROBLEMS = 20
_MOST_GROUPS = 10
_LONGEST_MESSAGE = 300

JobRef = Annotated[str, Field(description="Id, start of the id, or name of a job.")]
Account = Annotated[str, Field(description="Account; the default account if empty.")]
Where = Annotated[
    str,
    Field(
        description="Query for rows, such as: outcome:failed code:429 @label:refund in.lang:de"
        " score:<3 some words. Empty for all rows."
    ),
]
Budget = Annotated[
    float,
    Field(
        description="Most that this call may cost, in the currency of the account. It is compared"
        " with the highest possible cost before anything is sent. Only what the user agreed to."
    ),
]
Overwrite = Annotated[bool, Field(description="Replace the file if it exists.")]
Columns = Annotated[
    list[str] | None,
    Field(
        description="Columns: custom_id, answer, outcome, @FIELD of JSON answers, in.COLUMN of the"
        " table. show_job lists them."
    ),
]


class Tools:
    """What an agent can do. Each method returns JSON as text, of a bounded length.

    Args:
        engine: The engine, which watches the running jobs.
        folders: The files that may be used.
        budget: What the session may spend.
        replies: Makes the replies.
    """

    def __init__(
        self, engine: Engine, folders: Folders, budget: SessionBudget, replies: Replies
    ) -> None:
        self._engine = engine
        self._folders = folders
        self._budget = budget
        self._replies = replies
        self._spending: set[asyncio.Future[str]] = set()
        for name in engine.account_names():
            values = map(os.environ.get, engine.account(name).variables)
            replies.keys.update(value.strip() for value in values if value and value.strip())

    async def list_jobs(
        self,
        search: Annotated[str, Field(description="Words in name, model, account or tags.")] = "",
        status: Annotated[str, Field(description="Only this status: in_progress, …")] = "",
        limit: Annotated[int, Field(ge=1, le=MOST_JOBS)] = 20,
    ) -> str:
        """The newest jobs, the accounts, and what is left of the session's budget."""
        try:
            wanted = BatchStatus(status) if status else None
        except ValueError:
            raise UsageError(
                f"there is no status {status!r}", f"Use one of {', '.join(BatchStatus)}."
            ) from None
        history = self._engine.history
        jobs = await asyncio.to_thread(
            lambda: history.jobs.list(search=search, status=wanted, limit=limit + 1)
        )
        accounts = [self._engine.account(name) for name in self._engine.account_names()]
        head = {
            "accounts": [{"name": one.name, "provider": one.provider_name} for one in accounts],
            "session_budget_left": self._budget.left,
        }
        return self._replies.listed(
            head, "jobs", [_brief(job) for job in jobs[:limit]], max(0, len(jobs) - limit),
            "Narrow it by search or status.",
        )  # fmt: skip

    async def show_job(self, job: JobRef) -> str:
        """One job: counts, cost, batches, groups of errors with advice, and its columns."""
        found = self._job(job)
        history = self._engine.history
        document = await asyncio.to_thread(history.jobs.document, found.id)
        columns = await self._engine.results.columns(found.id)
        for group in document["error_groups"]:
            group["message"] = shortened(group["message"] or "", _LONGEST_MESSAGE)
        groups = document.pop("error_groups")
        batches = document.pop("batches")
        kept = ("id", "remote_id", "attempt", "part", "rows", "status", "counts", "trouble")
        document["batches"] = [
            without_empty({name: batch[name] for name in kept})
            for batch in first(batches, _MOST_GROUPS)
        ]
        document["columns"] = [column.column for column in first(columns, _MOST_COLUMNS)]
        return self._replies.listed(
            without_empty(document), "error_groups", first(groups, _MOST_GROUPS),
            max(0, len(groups) - _MOST_GROUPS), "Count the column 'code'; read rows by code:CODE.",
        )  # fmt: skip

    async def compose(
        self,
        source: Annotated[
            str,
            Field(
                description="A table (.csv .jsonl .parquet .xlsx), a text, a folder of texts, an"
                " SQLite database (x.db::TABLE), or job:NAME for the rows of a job."
            ),
        ],
        template: Annotated[
            str,
            Field(description="A prompt with {column}, or a template by name or .toml file."),
        ],
        output: Annotated[str, Field(description="The requests file to write, ending in .jsonl.")],
        model: Annotated[str, Field(description="Overrides the model of the template.")] = "",
        id_column: Annotated[str, Field(description="The column with the ids of the rows.")] = "",
        limit: Annotated[
            int | None, Field(ge=1, description="Only the first rows, for a trial.")
        ] = None,
        account: Account = "",
        overwrite: Overwrite = False,
    ) -> str:
        """Writes a requests file, checks it and estimates its cost; nothing is sent."""
        sender = self._account(account)
        out = self._folders.writable(output, overwrite=overwrite)
        if out.suffix != ".jsonl":
            raise InputError(f"{out.name} does not end in .jsonl", "Choose another name.")
        opened = await self._source(source)
        report = await self._engine.requests.compose(
            opened,
            await asyncio.to_thread(self._template, template),
            out,
            limit=limit,
            model=model or None,
            custom_id=id_column or None,
        )
        line = await self._engine.requests.read_line(out, 1)
        made = {
            "file": str(out),
            "read_as": [shortened(note, _LONGEST_MESSAGE) for note in report.notes],
            "doubts": [shortened(doubt, _LONGEST_MESSAGE) for doubt in report.doubts],
            "first_request": shortened(line.decode("utf-8", "replace"), 1_500),
        }
        return await self._checked(out, sender, made)

    async def check(
        self,
        file: Annotated[str, Field(description="A requests file.")],
        account: Account = "",
    ) -> str:
        """Check a requests file against an account: problems, tokens, cost, time; sends nothing."""
        return await self._checked(self._folders.readable(file), self._account(account), {})

    async def submit(
        self,
        file: Annotated[str, Field(description="A requests file.")],
        budget: Budget,
        account: Account = "",
        name: Annotated[str, Field(description="Name of the job.")] = "",
        dedupe: Annotated[bool, Field(description="Send equal requests once.")] = False,
        reuse: Annotated[
            bool, Field(description="Copy good answers of earlier jobs to the same requests.")
        ] = False,
        again: Annotated[
            bool, Field(description="Send and pay it again although it was submitted before.")
        ] = False,
    ) -> str:
        """Sends nothing if it may cost more than the budget.

        The same file is one job: a second call finds it and pays nothing.
        """
        path = self._folders.readable(file)
        sender = self._account(account)
        source = await asyncio.to_thread(source_with_digest, path, "agent")
        saving = Saving(dedupe, ReuseOptions() if reuse else None)

        async def send() -> str:
            async with self._budget.allowed(budget) as limit:
                known = None if again else self._engine.begun(source, sender.name)
                try:
                    job = await self._engine.submit_once(
                        path,
                        source,
                        sender.name,
                        name=name or None,
                        again=again,
                        budget=limit,
                        saving=saving,
                    )
                except BatchdeckError as error:
                    self._say_stored(source, sender.name, error)
                    raise
                finally:
                    # A part may be sent although another one, or all that follows, fails.
                    for stored in self._engine.history.jobs.of_source(source, sender.name):
                        self._budget.note(stored.id)
                    await self._remember_key(sender)
            note = "Sent. Call wait until it has ended."
            if known is not None and known.id == job.id:
                note = (
                    "This file was submitted before; nothing was sent again. To send and pay it"
                    " once more, set again to true; for its failed rows use retry."
                )
            left = self._budget.left
            return self._replies.text({**_brief(job), "note": note, "session_budget_left": left})

        return await self._to_the_end(send())

    async def wait(
        self,
        job: JobRef,
        seconds: Annotated[float, Field(ge=0, le=LONGEST_WAIT)] = 30.0,
    ) -> str:
        """Returns when the job has ended, or after some seconds; batches take minutes to a day."""
        found = self._job(job)
        note = ""
        try:
            await self._engine.wait([found.id], timeout_seconds=seconds)
        except StandstillError as error:
            note = f"{error.message}. {error.hint}"
        finally:
            await self._remember_key(self._account(found.account))
        found = self._engine.history.jobs.get(found.id)
        ended = found.ended_at is not None
        note = "" if ended else shortened(note, _LONGEST_MESSAGE) or "It goes on. Come back later."
        return self._replies.text(without_empty({**_brief(found), "ended": ended, "note": note}))

    async def results(
        self,
        job: JobRef,
        where: Where = "",
        columns: Columns = None,
        limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 20,
        offset: Annotated[int, Field(ge=0, description="Rows to skip.")] = 0,
        longest: Annotated[
            int, Field(ge=10, le=20_000, description="Characters of a text that are shown.")
        ] = 1_000,
    ) -> str:
        """A few rows. To read all of them, use export and the file."""
        found = self._job(job)
        selection = await self._engine.results.select(found.id, query_filter(where))
        seqs = selection.seqs[offset : offset + limit]
        part = msgspec.structs.replace(selection, seqs=seqs)
        rows = await self._rows(found.id, part, columns, longest)
        after = max(0, len(selection) - offset - len(rows))
        head = {"job": found.id, "matching": len(selection), "offset": offset}
        return self._replies.listed(
            head,
            "rows",
            rows,
            after,
            "Raise offset by the rows shown, lower longest, or export to a file.",
        )

    async def count(
        self,
        job: JobRef,
        columns: Columns = None,
        where: Where = "",
        top: Annotated[int, Field(ge=1, le=_MOST_VALUES)] = 10,
    ) -> str:
        """The commonest values of each column with their rows; of all columns if none is named."""
        found, rows = self._job(job), query_filter(where)
        if columns:
            facets = await self._engine.results.facets(found.id, columns, rows)
        else:
            facets = await self._engine.results.describe(found.id, rows)
        counted = []
        for facet in facets:
            numbers = None
            if facet.numbers is not None:
                numbers = msgspec.to_builtins(facet.numbers)
                del numbers["bins"]
            shown = facet.values[:top]
            counted.append({
                "column": facet.column,
                "rows": facet.rows,
                "filled": facet.filled,
                "distinct": facet.distinct,
                "values": {shortened(one.value, 100): one.rows for one in shown},
                "others": facet.others + sum(one.rows for one in facet.values[top:]),
                "numbers": numbers,
            })  # fmt: skip
        return self._replies.listed(
            {"job": found.id}, "columns", counted, 0, "Name fewer columns, or lower top."
        )

    async def retry(
        self,
        job: JobRef,
        budget: Budget,
        where: Where = "",
        model: Annotated[str, Field(description="Use another model.")] = "",
        max_tokens: Annotated[
            str, Field(description="A number, or a factor such as x2 (for outcome:truncated).")
        ] = "",
        permanent: Annotated[
            bool, Field(description="Also rows that would fail again unchanged.")
        ] = False,
    ) -> str:
        """Sends failed rows again, or those that match; nothing if they may cost more."""
        found = self._job(job)
        edits: dict[str, Any] = {"model": model} if model else {}
        if max_tokens:
            edits[MAX_TOKENS] = _tokens(max_tokens)
        chosen = query_filter(where)
        if not chosen.selects_answers:
            chosen = msgspec.structs.replace(chosen, outcomes=UNANSWERED)
        everything = permanent or bool(where)

        async def send() -> str:
            async with self._budget.allowed(budget) as limit:
                try:
                    await self._engine.look_for_late_answers(found.id)
                    plan = await self._engine.retries.plan(
                        found.id, chosen, edits, include_permanent=everything
                    )
                    plan = await self._engine.retries.fit(plan)
                    # Counted from here on: a part may be sent before another one fails.
                    self._budget.note(found.id)
                    sent = await self._engine.retry(plan, budget=limit)
                finally:
                    await self._remember_key(self._account(found.account))
            document = {
                **_brief(sent),
                "rows_sent": plan.rows,
                "skipped_permanent": 0 if plan.edits or everything else plan.permanent,
                "session_budget_left": self._budget.left,
                "note": "Sent. Call wait until it has ended.",
            }
            return self._replies.text(document)

        return await self._to_the_end(send())

    async def export(
        self,
        job: JobRef,
        output: Annotated[
            str,
            Field(description="File to write: .jsonl .csv .tsv .parquet .sqlite .html"),
        ],
        where: Where = "",
        columns: Columns = None,
        join: Annotated[bool, Field(description="Add the columns of the table.")] = False,
        overwrite: Overwrite = False,
    ) -> str:
        """Writes all rows, or those that match, to a file."""
        found = self._job(job)
        path = self._folders.writable(output, overwrite=overwrite)
        options = ExportOptions(join=join, columns=tuple(columns or ()))
        rows = await self._engine.results.export(found.id, path, query_filter(where), options)
        return self._replies.text({"file": str(path), "rows": rows, "bytes": path.stat().st_size})

    async def cancel(self, job: JobRef) -> str:
        """Stops what is not answered yet; answers that exist are kept, and were paid."""
        found = self._job(job)
        try:
            cancelled = await self._engine.cancel(found.id)
        finally:
            await self._remember_key(self._account(found.account))
        return self._replies.text(_brief(cancelled))

    async def _to_the_end(self, work: Coroutine[Any, Any, str]) -> str:
        """Run what costs money to its end, also if the client gives the call up meanwhile.

        What is sent is counted before another call may spend.
        """
        task = asyncio.ensure_future(work)
        self._spending.add(task)
        task.add_done_callback(self._spending.discard)
        return await asyncio.shield(task)

    def _job(self, reference: str) -> Job:
        return self._engine.history.jobs.find(reference)

    def _account(self, name: str) -> AccountInfo:
        return self._engine.account(name or self._engine.accounts.default)

    async def _remember_key(self, account: AccountInfo) -> None:
        """Take the key of an account that was used out of all replies."""
        if account.is_free:
            return
        # Without a key there is nothing to hide, and the call has said so already.
        with contextlib.suppress(KeyMissingError):
            found = await self._engine.accounts.key(account.name)
            if found is not None:
                self._replies.keys.add(found.value)

    async def _source(self, spec: str) -> Source:
        return await self._engine.requests.open_source(
            await asyncio.to_thread(self._folders.source, spec)
        )

    def _template(self, spec: str) -> Template:
        """The template that an agent named; blocking.

        Raises:
            InputError: It is a file that may not be read, or does not exist.
            UsageError: It reads images, which may be any files.
        """
        # Files with any suffix, but no names of templates and no prompts.
        named = Path(spec).suffix and (
            path_exists(Path(spec)) or path_exists(self._folders.roots[0] / spec)
        )
        if named:
            spec = str(self._folders.readable(spec))
        template = find_template(spec, self._engine.paths.templates)
        if template.images:
            raise UsageError(
                "the template has images, which are read from any path",
                "The user can compose it with `batchdeck compose`.",
            )
        return template

    async def _checked(self, path: Path, sender: AccountInfo, made: dict[str, Any]) -> str:
        scan = await self._engine.requests.scan(path, account=sender.name)
        report = scan.report
        estimate = await self._engine.costs.estimate(scan, sender.name)
        expected = await self._engine.requests.forecast(report, account=sender.name)
        document = without_empty({
            **made,
            "account": sender.name,
            "ok": report.ok,
            "rows": report.rows,
            "rows_that_repeat_another": report.repeats,
            "models": dict(first(report.models.items(), _MOST_VALUES)),
            "input_tokens": report.input_tokens,
            "cost": _cost(estimate, sender),
            "time": "" if expected is None else expected.text,
        })  # fmt: skip
        problems = [_problem(one) for one in first(report.problems, _MOST_PROBLEMS)]
        left_off = max(0, _found(report) - len(problems))
        return self._replies.listed(
            document, "problems", problems, left_off, "Fix these first, and check again."
        )

    async def _rows(
        self, job_id: str, part: RowSelection, columns: list[str] | None, longest: int
    ) -> list[dict[str, Any]]:
        if not columns:
            lines = await asyncio.to_thread(
                lambda: list(self._engine.history.rows.lines(job_id, part))
            )
            return [_row(line, longest) for line in lines]
        # The export is what knows all kinds of columns.
        async with folder_of_task("mcp") as folder:
            path = folder / "rows.jsonl"
            options = ExportOptions(columns=tuple(columns))
            await self._engine.results.export(job_id, path, part, options)
            lines_of_file = (await asyncio.to_thread(path.read_bytes)).splitlines()
        return [_cut(msgspec.json.decode(line), longest) for line in lines_of_file]

    def _say_stored(self, source: str, account: str, error: BatchdeckError) -> None:
        """Say which job is stored."""
        jobs = self._engine.history.jobs.of_source(source, account)
        if jobs and not isinstance(error, BudgetError):
            error.hint = (
                f"{error.hint} It is stored as job {jobs[-1].id}. Call submit with the same file"
                " again: nothing is paid twice."
            ).lstrip()


def _brief(job: Job) -> dict[str, Any]:
    """A job in a few fields."""
    counts = {outcome.value: job.counts.get(outcome) for outcome in Outcome}
    return without_empty({
        "job": job.id,
        "name": job.name,
        "account": job.account,
        "model": job.model,
        "status": job.status.value,
        "rows": job.counts.total,
        "outcomes": {name: count for name, count in counts.items() if count},
        "cost": format_cost(job.cost),
        "trouble": shortened(job.trouble, _LONGEST_MESSAGE),
        "created_at": rfc3339(job.created_at),
        "ended_at": rfc3339(job.ended_at),
    })  # fmt: skip


def _cost(estimate: Estimate, account: AccountInfo) -> dict[str, Any]:
    if account.is_free:
        return {"text": "free"}
    return {
        "text": cost_text(estimate),
        "low": estimate.low,
        "expected": estimate.expected,
        "high": estimate.high,
        "currency": estimate.currency,
    }


def _problem(problem: Any) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(problem)
    return {name: shortened(one, _LONGEST_MESSAGE) if isinstance(one, str) else one
            for name, one in document.items()}  # fmt: skip


def _found(report: CheckReport) -> int:
    return sum(report.found.values())


def _row(line: RowLine, longest: int) -> dict[str, Any]:
    error = line.error
    return without_empty({
        "custom_id": line.custom_id,
        "outcome": line.outcome.value,
        "answer": shortened(line.text, longest) if line.outcome in ANSWERED else "",
        "error": None if error is None else without_empty({
            "code": error.code, "message": shortened(error.message, longest),
        }),
    })  # fmt: skip


def _cut(row: Mapping[str, Any], longest: int) -> dict[str, Any]:
    """A row with its long values cut; lists and objects that are cut become text."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, str):
            value = shortened(value, longest)
        elif isinstance(value, list | dict):
            text = msgspec.json.encode(value).decode()
            value = value if len(text) <= longest else shortened(text, longest)
        found[name] = value
    return found


def _tokens(text: str) -> int | str:
    try:
        return parse_max_tokens(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
