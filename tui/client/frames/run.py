"""Run a template over a data frame: compose, submit once, wait, and join the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from tui.client.frames.answers import AnswerColumns, read_answers
from tui.client.frames.libraries import FrameLibrary, join, recognised
from tui.client.frames.values import column_names
from tui.compose.build import source_with_digest
from tui.compose.sources.base import Row, Source
from tui.compose.templates.model import Template, with_overrides
from tui.compose.templates.saved import find_template
from tui.core.formatting import counted
from tui.core.jobs import Job, Submission
from tui.core.send_plans import ReuseOptions, Saving
from tui.engine.costs.budget import cost_text
from tui.engine.engine import Engine
from tui.errors import ProviderError, QuotaError, UsageError
from tui.temporary import folder_of_task

SUFFIX = "_answer"

_GOES_ON = (Submission.WAITING, Submission.CREATING, Submission.UNCERTAIN)


class FrameOptions(TypedDict, total=False):
    """Options of a run over a frame.

    Attributes:
        budget: A cost limit; nothing is sent if the job may cost more. An account that costs money
            needs it, or ``yes``.
        yes: Send the requests without a limit of their own; the budgets of ``config.toml`` apply.
        account: The account that sends them; by default that of the client.
        model: Overrides the model of the template.
        custom_id: The column with the ids; by default that of the template, else a hash.
        settings: More fields of the body, by dotted path.
        name: The job's name; by default that of the template, else ``frame``.
        window: The completion window; by default the provider's first one.
        poll_interval: Seconds between polls; by default the interval of the provider's profile.
        dedupe: Send requests that are equal but for their ids once; all rows get the answer.
        reuse: Use the good answers that earlier jobs have for the same requests.
        prime: Send the first row alone, the rest when it has ended (Anthropic's prompt cache).
        suffix: What is added to the name of a column that the frame has already.
        again: Send the requests even if they were sent before.
    """

    budget: float | None
    yes: bool
    account: str | None
    model: str | None
    custom_id: str | None
    settings: Mapping[str, Any] | None
    name: str | None
    window: str | None
    poll_interval: float | None
    dedupe: bool
    reuse: bool
    prime: bool
    suffix: str
    again: bool


async def run_frame(
    engine: Engine,
    default_account: str,
    frame: Any,
    template: str | Template,
    **options: Unpack[FrameOptions],
) -> Any:
    """Ask a model about each row of a frame, and return the frame with the answers.

    Args:
        engine: The engine.
        default_account: The account, unless the options name another one.
        frame: The rows; see ``recognised``.
        template: The template, or its name or path, or a prompt with ``{column}``.
        options: See ``FrameOptions``.

    Returns:
        A new frame of the same kind with the same rows in the same order.

    Raises:
        InputError: The frame, the template or a row is invalid; nothing was sent.
        UsageError: The account costs money, and there is neither a budget nor ``yes``.
        BudgetError: The job may cost more than a budget; nothing was sent.
        BatchdeckError: The provider did not accept the job; the same call goes on with it.
    """
    sender = options.get("account") or default_account
    library, table, names = await asyncio.to_thread(_opened, frame)
    found = template
    if isinstance(found, str):
        found = await asyncio.to_thread(find_template, found, engine.paths.templates)
    found = with_overrides(
        found,
        model=options.get("model"),
        id=options.get("custom_id"),
        settings=options.get("settings"),
    )
    if library.count(table):
        job_id = await _send(engine, sender, frame_source(library, table, names), found, options)
        await engine.wait([job_id], every=options.get("poll_interval"))
        columns = await asyncio.to_thread(
            read_answers, engine.history, job_id, library, found.schema
        )
    else:
        columns = AnswerColumns(library, found.schema).finish()
    return await asyncio.to_thread(join, library, table, columns, options.get("suffix", SUFFIX))


def _opened(frame: Any) -> tuple[FrameLibrary, Any, tuple[str, ...]]:
    """The library of a frame, the frame as it reads it, and the names of the columns; blocking."""
    library, table = recognised(frame)
    return library, table, column_names(library.columns(table))


def frame_source(library: FrameLibrary, table: Any, names: tuple[str, ...]) -> Source:
    """The rows of a frame as a source for templates.

    Args:
        library: The library of the frame.
        table: The frame.
        names: The names of its columns.
    """

    def rows() -> Iterator[Row]:
        for values in library.rows(table):
            yield dict(zip(names, values, strict=True))

    count = library.count(table)
    return Source(
        name=f"(frame with {counted(count, 'row')})",
        kind="table",
        columns=names,
        open_rows=rows,
        count=count,
        exact=True,
    )


async def _send(
    engine: Engine, account: str, source: Source, template: Template, options: FrameOptions
) -> str:
    """Submit the requests of a frame as a job, unless they were; returns the job's id."""
    window, again = options.get("window"), options.get("again", False)
    reuse = ReuseOptions() if options.get("reuse", False) else None
    async with folder_of_task("frame") as folder:
        path = folder / f"{template.name or 'frame'}.jsonl"
        await engine.requests.compose(source, template, path)
        usual = next(iter(engine.account(account).windows), None)
        key = await asyncio.to_thread(source_with_digest, path, "frame", window or usual)
        if again or _is_to_agree_to(engine, engine.begun(key, account)):
            await _check_permission(engine, account, path, options)
        try:
            job = await engine.submit_once(
                path,
                key,
                account,
                name=options.get("name"),
                window=window,
                again=again,
                budget=options.get("budget"),
                saving=Saving(
                    options.get("dedupe", False), reuse, prime=options.get("prime", False)
                ),
            )
        except (QuotaError, ProviderError):
            # The watcher goes on with a batch that waits, or whose create got no response.
            begun = engine.begun(key, account)
            batches = [] if begun is None else engine.history.batches.of_job(begun.id)
            if begun is None or not any(batch.submission in _GOES_ON for batch in batches):
                raise
            job = begun
    return job.id


def _is_to_agree_to(engine: Engine, begun: Job | None) -> bool:
    """Whether something is sent that the user has not agreed to: a part may have been refused."""
    batches = [] if begun is None else engine.history.batches.of_job(begun.id)
    is_draft = (batch.is_unsent and batch.submission is Submission.DRAFT for batch in batches)
    return begun is None or any(is_draft)


async def _check_permission(
    engine: Engine, account: str, path: Path, options: FrameOptions
) -> None:
    """Check that the user has agreed to pay.

    Raises:
        UsageError: There is neither a budget nor a yes; the message has the estimated cost.
    """
    if engine.account(account).is_free or options.get("yes", False):
        return
    if options.get("budget") is not None:
        return
    estimate = await engine.costs.estimate(path, account)
    raise UsageError(
        f"this may cost {cost_text(estimate)} with account {account}; nothing was sent",
        "Pass budget=AMOUNT to send it if it cannot cost more, or yes=True.",
    )
