"""From a file to a job: checked, then copied into the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from tui.compose.check import check_file
from tui.compose.columns import columns_beside
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
from tui.store.deleting import delete_job
from tui.store.importing import import_requests
from tui.store.jobs import job_pk, note


def limits_of(profile: Profile) -> Limits:
    """What a provider takes, as the check wants to know it."""
    limits = profile.limits
    version = profile.messages.version
    return Limits(
        rows=limits.rows,
        bytes=limits.bytes,
        line_bytes=limits.line_bytes,
        custom_id_max=limits.custom_id_max,
        custom_id_pattern=limits.custom_id_pattern,
        one_model=limits.one_model,
        splits=True,
        models=profile.models,
        refuses=tuple(rule for rule in profile.refuses if rule.since <= version),
        needs=profile.needs,
        takes=_taker(profile),
    )


def _taker(profile: Profile) -> Callable[[bytes], object] | None:
    """What translates a row for a provider that has words of its own."""
    if profile.dialect != "messages":
        return None
    from tui.providers.params import ParamsWriter

    return ParamsWriter(profile.messages.version, profile.limits.custom_id_pattern).write


@dataclass(frozen=True)
class Wishes:
    """How a file is to become a job.

    Attributes:
        name: The job's name; else the file's.
        fix: Mend what can be mended without changing a request.
        window: The completion window; else the provider's first one.
        edits: Changes of every request's body, by dotted path.
    """

    name: str | None = None
    fix: bool = False
    window: str | None = None
    edits: Mapping[str, Any] = field(default_factory=dict)


class JobWishes(TypedDict, total=False):
    """What ``Wishes`` holds, as arguments."""

    name: str | None
    fix: bool
    window: str | None
    edits: Mapping[str, Any] | None


def wished(wishes: JobWishes) -> Wishes:
    """The wishes that arguments mean."""
    edits = wishes.get("edits") or {}
    fix, window = wishes.get("fix", False), wishes.get("window")
    return Wishes(name=wishes.get("name"), fix=fix, window=window, edits=edits)


def import_job(
    context: Context,
    path: Path,
    account: str,
    wishes: Wishes,
    *,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Job:
    """Check a file and make a job of it; blocking, to be called in a thread.

    Raises:
        InputError: The file may not be submitted; the message names the first line.
        UsageError: The import was stopped, or an edit leads nowhere.
    """
    report = _checked(context, path, account, wishes, stop, progress)
    name = wishes.name or _free_name(context, path.stem)
    return _store(context, path, account, wishes, report, name, None, stop)


def import_sample(
    context: Context,
    path: Path,
    account: str,
    wishes: Wishes,
    rows: int,
    *,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Job, Job]:
    """Make two jobs of a file: some rows, evenly spread over it, and all the others.

    The small one is called like the other with ``-sample`` behind it.

    Raises:
        InputError: The file may not be submitted; the message names the first line.
        UsageError: The file has no more rows than the sample, or the import was stopped.
    """
    if rows < 1:
        raise UsageError("a sample has one row at the least", "Give a larger number.")
    report = _checked(context, path, account, wishes, stop, progress)
    if rows >= report.rows:
        raise UsageError(
            f"{path.name} has only {report.rows:,} requests", "Leave the sample out and send all."
        )
    chosen = frozenset(place * report.rows // rows for place in range(rows))
    name = wishes.name or _free_name(context, path.stem)
    sample = _store(
        context, path, account, wishes, report, f"{name}-sample", chosen.__contains__, stop
    )
    try:
        rest = _store(
            context, path, account, wishes, report, name, lambda seq: seq not in chosen, stop
        )
    except BaseException:
        delete_job(context.history.database, context.paths, sample.id)
        raise
    return sample, rest


def _checked(
    context: Context,
    path: Path,
    account: str,
    wishes: Wishes,
    stop: Callable[[], bool] | None,
    progress: Callable[[int, int], None] | None,
) -> CheckReport:
    info = context.accounts.info(account)
    if wishes.window is not None and info.windows and wishes.window not in info.windows:
        raise UsageError(
            f"{info.provider_name} has no window {wishes.window!r}",
            f"Choose one of {', '.join(info.windows)}.",
        )
    limits = limits_of(context.accounts.profile(account))
    report = check_file(path, limits=limits, stop=stop, progress=progress)
    refuse_bad(report, path, fix=wishes.fix)
    return report


def _store(
    context: Context,
    path: Path,
    account: str,
    wishes: Wishes,
    report: CheckReport,
    name: str,
    keep: Callable[[int], bool] | None,
    stop: Callable[[], bool] | None,
) -> Job:
    """Copy the rows that are to be kept (all of them: ``None``) into a new job."""
    info = context.accounts.info(account)
    edits = wishes.edits
    rows = report.rows if keep is None else sum(map(keep, range(report.rows)))
    job = Job(
        id=new_job_id(),
        name=_storable(name),
        account=account,
        provider=info.provider,
        endpoint=_most(report.endpoints),
        model=str(edits["model"]) if "model" in edits else _most(report.models),
        status=BatchStatus.DRAFT,
        counts=Counts(total=rows, pending=rows),
        window="" if info.direct else wishes.window or next(iter(info.windows), "24h"),
        input_tokens=round(report.input_tokens * rows / report.rows),
        source=_storable(str(path)),
        created_at=context.clock(),
    )
    limits = limits_of(context.accounts.profile(account))
    requests = _requests(path, wishes.fix, limits, edits)
    if keep is not None:
        requests = (request for seq, request in enumerate(requests) if keep(seq))
    context.reach("checked")
    beside = columns_beside(path)
    columns = None
    if beside is not None and beside.fits:
        lines = beside.lines()
        if keep is not None:
            lines = (line for seq, line in enumerate(lines) if keep(seq))
        columns = (msgspec.structs.replace(beside.head, rows=rows), lines)
    imported = import_requests(
        context.history.database, context.paths, job, requests, stop=stop, columns=columns
    )
    if imported is None:
        raise UsageError("the import was stopped", "Nothing was kept.")
    context.reach("imported")
    if beside is not None and columns is None:
        what = f"Input columns left out: {job.source} was changed after it was composed"
        with context.history.database.write() as connection:
            pk = job_pk(connection, job.id)
            assert pk is not None
            note(connection, pk, context.clock(), what)
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
