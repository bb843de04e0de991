"""Batches that were not made here: listing them, and bringing one into the history."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tui.core.counts import Counts
from tui.core.ids import new_batch_id, new_job_id
from tui.core.jobs import Batch, Job
from tui.core.lines import BOM, lines_of
from tui.core.readers import READERS
from tui.core.remote import RemoteBatch, ResultSource
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.status import BatchStatus, Submission, is_terminal
from tui.engine.context import Context
from tui.errors import RequestRefusedError, UnreachableError, UsageError
from tui.providers.base import Dialect
from tui.store.importing import Sent, import_requests


@dataclass(frozen=True)
class RemoteEntry:
    """A batch in the provider's list, and the job that it belongs to, if there is one here."""

    remote: RemoteBatch
    job_id: str | None


async def list_remote(
    context: Context, account: str, *, created_after: float | None = None
) -> AsyncIterator[RemoteEntry]:
    """The provider's batches, newest first; asked for page by page as they are taken.

    Raises:
        UsageError: The provider has no list.
        BatchdeckError: It could not be asked.
    """
    dialect = await context.accounts.dialect(account)
    if not dialect.capabilities.lists:
        raise UsageError("this provider cannot list its batches", "The history is their only list.")
    async for remote in dialect.list_batches(created_after=created_after):
        yield RemoteEntry(remote, context.history.job_of_remote(account, remote.id))


async def adopt(
    context: Context, account: str, remote_id: str, *, name: str | None = None
) -> Batch:
    """Make a job of a batch that the provider has.

    The requests come from the batch's input file where the provider still gives it; else
    from the results, which name the rows, so that the batch must have ended.

    Raises:
        UsageError: It is in the history already, or its rows cannot be known yet.
        BatchdeckError: The provider could not be asked.
    """
    job_id = context.history.job_of_remote(account, remote_id)
    if job_id is not None:
        raise UsageError(f"the batch is in the history already, as job {job_id}")
    dialect = await context.accounts.dialect(account)
    remote = await dialect.retrieve(remote_id)
    with tempfile.TemporaryDirectory(prefix="batchdeck-") as folder:
        lines = await _input(dialect, remote, Path(folder) / "input.jsonl")
        if lines is None:
            lines = await _ids(dialect, remote, Path(folder))
        batch = Batch(
            id=new_batch_id(),
            job_id=new_job_id(),
            account=account,
            created_at=remote.created_at or context.clock(),
        )
        known = _known(dialect, remote)
        known["results_expire_at"] = context.kept_until(account, remote)
        sent = Sent(batch, known, f"Adopted {remote.id} from the provider")
        await asyncio.to_thread(_import, context, account, remote, lines, name, sent)
    return context.history.batch(batch.id)


def _known(dialect: Dialect, remote: RemoteBatch) -> dict[str, Any]:
    """What the provider tells of a batch, as the columns of its record."""
    return {
        "submission": Submission.RUNNING,
        "status": remote.status,
        "raw_status": remote.raw_status,
        "remote_id": remote.id,
        "remote_counts": remote.counts,
        "input_file_id": remote.input_file_id,
        "submitted_at": remote.created_at,
        "expires_at": remote.expires_at,
        "style": dialect.result_style,
        "raw": remote.raw,
    }


async def _input(dialect: Dialect, remote: RemoteBatch, path: Path) -> Path | None:
    """The batch's own input, when the provider still has it."""
    if not remote.input_file_id or not dialect.capabilities.uploads:
        return None
    try:
        await _fetch(dialect, ResultSource(kind="output", ref=remote.input_file_id), path)
    except RequestRefusedError:
        # Gone after its retention, or never readable: the results name the rows as well.
        return None
    return path


async def _ids(dialect: Dialect, remote: RemoteBatch, folder: Path) -> Path:
    """Requests without a body, one for each row that the results speak of."""
    if not is_terminal(remote.status):
        raise UsageError(
            "the provider does not give the requests of this batch, and it still runs",
            "Adopt it again once it has ended: its results name the rows.",
        )
    read = READERS[dialect.result_style]
    found = folder / "ids.jsonl"
    with found.open("wb") as out:
        for number, source in enumerate(remote.results):
            path = folder / f"results-{number}.jsonl"
            await _fetch(dialect, source, path)
            with path.open("rb") as stream:
                for _, line in lines_of(stream):
                    if not line.strip():
                        continue
                    try:
                        custom_id = read(line, None).custom_id
                    except UnreadableLineError:
                        continue
                    out.write(msgspec.json.encode({"custom_id": custom_id, "body": {}}) + b"\n")
    return found


async def _fetch(dialect: Dialect, source: ResultSource, path: Path) -> None:
    with path.open("wb") as stream:
        async with dialect.download(source) as download:
            async for chunk in download.chunks:
                stream.write(chunk)
        if download.total is not None and stream.tell() < download.total:
            raise UnreachableError("the provider's file broke off", "Adopt the batch once more.")


def _import(
    context: Context,
    account: str,
    remote: RemoteBatch,
    lines: Path,
    name: str | None,
    sent: Sent,
) -> None:
    info = context.accounts.info(account)
    endpoint = remote.endpoint or next(iter(info.endpoints), "/v1/chat/completions")
    models: dict[str, int] = {}
    job = Job(
        id=sent.batch.job_id,
        name=name or remote.metadata.get("batchdeck_job") or remote.id,
        account=account,
        provider=info.provider,
        endpoint=endpoint,
        model=str(remote.raw.get("model") or ""),
        status=BatchStatus.DRAFT,
        counts=Counts(),
        window=str(remote.raw.get("completion_window") or "24h"),
        source=f"{account}: {remote.id}",
        created_at=remote.created_at or context.clock(),
    )
    requests = _requests(lines, endpoint, models)
    import_requests(context.history.database, context.paths, job, requests, sent=sent)
    if models and not job.model:
        most = max(models, key=lambda model: models[model])
        context.history.set_model(job.id, most)


def _requests(path: Path, endpoint: str, models: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """Request lines in the common form; a second line for an id is left out, as its result is."""
    seen: set[str] = set()
    with path.open("rb") as stream:
        for _, line in lines_of(stream):
            if not line.strip():
                continue
            try:
                value: Any = decode_lenient(line.removeprefix(BOM))
            except UnreadableLineError:
                continue
            custom_id = value.get("custom_id") if isinstance(value, dict) else None
            if not isinstance(custom_id, str) or custom_id in seen:
                continue
            seen.add(custom_id)
            body = value.get("body", value.get("params", {}))
            model = body.get("model") if isinstance(body, dict) else None
            if isinstance(model, str) and len(models) < 1000:
                models[model] = models.get(model, 0) + 1
            request = {
                "custom_id": custom_id,
                "method": value.get("method", "POST"),
                "url": value.get("url", endpoint),
                "body": body,
            }
            yield custom_id, msgspec.json.encode(request)
    if not seen:
        raise UsageError(
            "the provider names no row of this batch", "Look at it on the provider's own page."
        )
