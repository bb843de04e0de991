"""From a file to a job: checked, then copied into the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tui.compose.check import check_file
from tui.compose.limits import Limits
from tui.compose.report import CheckReport
from tui.compose.requests import clean_requests
from tui.core.counts import Counts
from tui.core.editing import edit_request
from tui.core.ids import new_job_id
from tui.core.jobs import Job
from tui.core.status import BatchStatus
from tui.engine.context import Context
from tui.errors import InputError, UsageError
from tui.providers.profile import Profile
from tui.store.importing import import_requests


def limits_of(profile: Profile) -> Limits:
    """What a provider takes, as the check wants to know it."""
    limits = profile.limits
    return Limits(
        rows=limits.rows,
        bytes=limits.bytes,
        line_bytes=limits.line_bytes,
        custom_id_max=limits.custom_id_max,
        custom_id_pattern=limits.custom_id_pattern,
        one_model=limits.one_model,
        splits=True,
    )


def import_job(
    context: Context,
    path: Path,
    account: str,
    *,
    name: str | None,
    fix: bool,
    window: str | None,
    edits: Mapping[str, Any],
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Job:
    """Check a file and make a job of it; blocking, to be called in a thread.

    Raises:
        InputError: The file may not be submitted; the message names the first line.
        UsageError: The import was stopped, or an edit leads nowhere.
    """
    info = context.accounts.info(account)
    if window is not None and info.windows and window not in info.windows:
        raise UsageError(
            f"{info.provider_name} has no window {window!r}",
            f"Choose one of {', '.join(info.windows)}.",
        )
    limits = limits_of(context.accounts.profile(account))
    report = check_file(path, limits=limits, stop=stop, progress=progress)
    refuse_bad(report, path, fix=fix)
    model = str(edits["model"]) if "model" in edits else _most(report.models)
    job = Job(
        id=new_job_id(),
        name=_storable(name or _free_name(context, path.stem)),
        account=account,
        provider=info.provider,
        endpoint=_most(report.endpoints),
        model=model,
        status=BatchStatus.DRAFT,
        counts=Counts(total=report.rows, pending=report.rows),
        window=window or next(iter(info.windows), "24h"),
        input_tokens=report.input_tokens,
        source=_storable(str(path)),
        created_at=context.clock(),
    )
    imported = import_requests(
        context.history.database, context.paths, job, _requests(path, fix, limits, edits), stop=stop
    )
    if imported is None:
        raise UsageError("the import was stopped", "Nothing was kept.")
    return context.history.job(job.id)


def refuse_bad(report: CheckReport, path: Path, *, fix: bool) -> None:
    """Stop a file that may not be submitted.

    Raises:
        InputError: With the first problem that stops it.
    """
    if report.ok or (fix and report.ok_when_fixed):
        return
    stopping = [p for p in report.problems if p.severity != "warning"]
    hard = [p for p in stopping if p.severity == "error"]
    first = (hard or stopping)[0]
    place = f"{path.name}, line {first.line}: " if first.line is not None else f"{path.name}: "
    more = report.stops + report.fixable - 1
    others = f" (and {more:,} more {'problem' if more == 1 else 'problems'})" if more else ""
    hint = first.fix
    if not hard:
        hint = "Add --fix to mend this while importing; no request is changed."
    elif more:
        hint = f"{hint} `batchdeck check` lists all of them."
    raise InputError(f"{place}{first.what}{others}", hint, path=path, line=first.line)


def _requests(
    path: Path, fix: bool, limits: Limits, edits: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    for request in clean_requests(path, fix=fix, limits=limits):
        try:
            line = edit_request(request.line, edits)
        except ValueError as error:
            raise UsageError(f"line {request.line_number}: {error}") from None
        yield request.custom_id, line


def _most(counted: dict[str, int]) -> str:
    return max(counted, key=lambda key: counted[key], default="")


def _storable(text: str) -> str:
    """A name that is not valid Unicode, as a file name may be, with marks in its place."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _free_name(context: Context, name: str) -> str:
    """The file's name, with a number behind it when a job has that name already."""
    taken = {job.name for job in context.history.jobs(search="")}
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
