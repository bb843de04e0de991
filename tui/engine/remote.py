"""``engine.remote``: what the provider has: list, import, attach and delete its batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.requests.prompts import own_row
from tui.core import jobs
from tui.core.formatting import counted
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.core.requests import CONVERSE_URL, INVOKE_URL
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.results.readers import READERS
from tui.core.text import BOM, split_lines
from tui.engine.batches.cancel import delete_remote, stop_hint
from tui.engine.batches.poll_scheduler import PollScheduler
from tui.engine.batches.spare_uploads import left_behind
from tui.engine.batches.submitter import BatchSubmitter
from tui.engine.context import Context
from tui.engine.costs.budget import Budgets
from tui.engine.events import JobChanged, JobDeleted, JobImported
from tui.errors import (
    RequestRejectedError,
    UnfinishedListError,
    UnreachableError,
    UsageError,
)
from tui.providers.dialect import Dialect
from tui.store.history import ExistingBatch
from tui.temporary import temporary_folder


@dataclass(frozen=True)
class RemoteEntry:
    """A batch in the provider's list, with the id of its job if the history has one."""

    remote: RemoteBatch
    job_id: str | None


class Remote:
    """Lists, imports, attaches and deletes batches at the provider.

    Args:
        context: The engine context.
        submitter: Links uncertain batches to theirs at the provider.
        watcher: Watches what was imported or attached.
        budgets: What was reserved for batches that were not sent is given back.
    """

    def __init__(
        self,
        context: Context,
        submitter: BatchSubmitter,
        watcher: PollScheduler,
        budgets: Budgets,
    ) -> None:
        self._context = context
        self._submitter = submitter
        self._watcher = watcher
        self._budgets = budgets

    async def sync(self, account: str | None = None) -> list[RemoteEntry]:
        """The provider's batches, each with the id of its job in the history."""
        return [entry async for entry in self.walk(account)]

    async def walk(self, account: str | None = None) -> AsyncIterator[RemoteEntry]:
        """Iterate over the provider's batches, newest first; pages are fetched on demand.

        Raises:
            UsageError: The provider cannot list batches.
            BatchdeckError: The provider could not be reached.
        """
        name = account or self._context.accounts.default
        dialect = await self._context.accounts.dialect(name)
        if not dialect.capabilities.lists:
            raise UsageError(
                "this provider cannot list batches", "Only the batches in the history are known."
            )
        try:
            async for remote in dialect.list_batches():
                job_id = self._context.history.batches.job_of_remote(name, remote.id)
                yield RemoteEntry(remote, job_id)
        except UnfinishedListError as error:
            self._context.log.warning("%s", error.message)

    async def adopt(
        self, remote_id: str, *, account: str | None = None, name: str | None = None
    ) -> jobs.Job:
        """Import a batch that was created elsewhere, and watch it.

        Raises:
            UsageError: It is in the history already, or its rows are not known yet.
        """
        context = self._context
        name_of_account = account or context.accounts.default
        batch = await context.shielded(_adopt(context, name_of_account, remote_id, name))
        self._watcher.adopt([batch])
        context.publish(JobImported(batch.job_id))
        return context.history.jobs.get(batch.job_id)

    async def attach(self, job_id: str, remote_id: str) -> jobs.Job:
        """Link an uncertain batch of a job to its batch at the provider, and watch it.

        Raises:
            UsageError: No batch of the job is uncertain, the batches do not match, or it cannot be
                told yet which of several it is.
        """
        context = self._context
        uncertain = [
            batch
            for batch in context.history.batches.of_job(job_id)
            if batch.submission is jobs.Submission.UNCERTAIN
        ]
        if not uncertain:
            raise UsageError("no batch of this job is uncertain")
        linked = await context.shielded(self._submitter.attach(uncertain, remote_id))
        self._watcher.adopt([linked])
        context.publish(JobChanged(job_id))
        return context.history.jobs.get(job_id)

    def deletable(self, job_id: str) -> tuple[bool, bool]:
        """Whether a job's files, and its batches, can be deleted at the provider."""
        history = self._context.history
        sent = [batch for batch in history.batches.of_job(job_id) if batch.remote_id is not None]
        profiles = [self._context.accounts.profile(batch.account) for batch in sent]
        remote = [profile for profile in profiles if not profile.direct]
        files = any(profile.can.delete_file and profile.paths.file_delete for profile in remote)
        batches = any(profile.can.delete_batch and profile.paths.delete for profile in remote)
        return files, batches

    def losses(self, job_id: str, *, remote: bool = False) -> list[str]:
        """What would be lost for ever with a job, one sentence each; empty if nothing.

        Args:
            job_id: The job.
            remote: Its files at the provider are deleted too.
        """
        batches = self._context.history.batches.of_job(job_id)
        losses: list[str] = []

        def add(found: list[jobs.Batch], what: str) -> None:
            if found:
                names = {self._context.accounts.info(b.account).provider_name for b in found}
                many = counted(len(found), "batch", "batches")
                losses.append(what.format(many=many, provider=" and ".join(sorted(names))))

        unconfirmed = (jobs.Submission.CREATING, jobs.Submission.UNCERTAIN)
        add(
            [b for b in batches if b.submission in unconfirmed],
            "{many} may be running at {provider}, and this job is the only trace of it.",
        )
        add(
            [b for b in batches if b.is_active and b.remote_id and jobs.is_terminal(b.status)],
            "The results of {many} at {provider} are not downloaded yet.",
        )
        if remote:
            add(
                [b for b in batches if self._stops_when_deleted(b)],
                "Deleting {many} at {provider} stops what still runs there: the rows that are done"
                " are charged, and their answers are lost.",
            )
            known = self._context.history.batches.has_rows_without_result
            add(
                [b for b in batches if b.remote_id and b.collected and known(b.id)],
                "Rows of {many} have no result here; their files are still at {provider}.",
            )
        if reviews := self._context.history.reviews.count(job_id):
            losses.append(f"{counted(reviews, 'review')} written by hand would be deleted too.")
        return losses

    def _stops_when_deleted(self, batch: jobs.Batch) -> bool:
        """Whether a batch still runs at a provider that stops it when it is deleted there."""
        if batch.remote_id is None or jobs.is_terminal(batch.status):
            return False
        can = self._context.accounts.profile(batch.account).can
        return can.delete_batch and can.delete_stops

    async def delete(self, job_id: str, *, remote: bool = False, forget: bool = False) -> list[str]:
        """Delete a job and its files from the history.

        Args:
            job_id: The job.
            remote: First delete its files and batches at the provider, where supported.
            forget: Delete it although something would be lost; see ``losses``.

        Returns:
            What may be left at the provider all the same, one sentence each.

        Raises:
            UsageError: A batch of the job is still running, and deleting it does not stop it; or
                something would be lost.
        """
        context = self._context
        history = context.history
        batches = history.batches.of_job(job_id)
        active = (
            b for b in batches if b.is_active and b.submission is not jobs.Submission.CREATING
        )
        running = [batch for batch in active if not jobs.is_terminal(batch.status)]
        if running and not (remote and all(map(self._stops_when_deleted, running))):
            can = [context.accounts.profile(batch.account).can for batch in running]
            hint = stop_hint(job_id) if any(each.delete_stops for each in can) else ""
            raise UsageError("a batch of this job is still running", hint or "Cancel it first.")
        losses = await asyncio.to_thread(self.losses, job_id, remote=remote)
        if losses and not forget:
            first = "Look for it at the provider first."
            if len(losses) == 1 and history.reviews.count(job_id):
                first = f"Export them first: `batchdeck export {job_id} -o rows.jsonl`."
            raise UsageError(
                " ".join(losses).rstrip("."),
                f"{first} To delete the job anyway, add --forget.",
            )
        left: list[str] = []
        if remote:
            # What ran elsewhere is not ours to delete.
            for batch in (each for each in batches if each.elsewhere is None):
                if not context.accounts.profile(batch.account).direct:
                    await context.shielded(delete_remote(context, batch))
                    left.append(await left_behind(context, batch))
        await asyncio.to_thread(self._budgets.release_unsent, batches)
        context.reach("deleting here")
        await asyncio.to_thread(history.jobs.delete, job_id)
        context.publish(JobDeleted(job_id))
        return [what for what in left if what]


async def _adopt(context: Context, account: str, remote_id: str, name: str | None) -> jobs.Batch:
    """Import a batch of the provider as a job.

    The requests come from the batch's input file. If the provider no longer serves it, only
    the ids of the rows are known, from the results; the batch must then have ended.

    Raises:
        UsageError: It is in the history already, or its rows are not known yet.
        BatchdeckError: The provider could not be reached.
    """
    job_id = context.history.batches.job_of_remote(account, remote_id)
    if job_id is not None:
        raise UsageError(f"the batch is already in the history, as job {job_id}")
    dialect = await context.accounts.dialect(account)
    remote = await dialect.retrieve(remote_id)
    with temporary_folder("adopt") as folder:
        lines = await _download_input(dialect, remote, folder / "input.jsonl")
        if lines is None:
            lines = await _requests_from_results(dialect, remote, folder)
        batch = jobs.Batch(
            id=jobs.new_batch_id(),
            job_id=jobs.new_job_id(),
            account=account,
            created_at=remote.created_at or context.clock(),
        )
        state = _remote_state(dialect, remote)
        state["results_expire_at"] = context.kept_until(account, remote)
        sent = ExistingBatch(batch, state, f"Imported {remote.id} from the provider")
        await asyncio.to_thread(_import, context, account, remote, lines, name, sent)
    return context.history.batches.get(batch.id)


def _remote_state(dialect: Dialect, remote: RemoteBatch) -> dict[str, Any]:
    """The state of a batch as reported by the provider, as columns of its record."""
    return {
        "submission": jobs.Submission.RUNNING,
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


async def _download_input(dialect: Dialect, remote: RemoteBatch, path: Path) -> Path | None:
    """The batch's input file, if the provider still has it."""
    if not remote.input_file_id or not dialect.capabilities.uploads:
        return None
    try:
        await _download(dialect, ResultSource(kind="output", ref=remote.input_file_id), path)
    except RequestRejectedError:
        # Expired, or never readable: the results contain the ids as well.
        return None
    return path


async def _requests_from_results(dialect: Dialect, remote: RemoteBatch, folder: Path) -> Path:
    """Requests without a body, one for each row in the results."""
    if not jobs.is_terminal(remote.status):
        raise UsageError(
            "the provider does not return the input of this batch, and it is still running",
            "Adopt it after it has ended; its ids are then read from the results.",
        )
    read = READERS[dialect.result_style]
    found = folder / "ids.jsonl"
    unreadable = False
    with found.open("wb") as out:
        for number, source in enumerate(remote.results):
            path = folder / f"results-{number}.jsonl"
            await _download(dialect, source, path)
            with path.open("rb") as stream:
                for _, line in split_lines(stream):
                    if not line.strip():
                        continue
                    try:
                        custom_id = read(line, None).custom_id
                    except UnreadableLineError:
                        unreadable = True
                        continue
                    out.write(msgspec.json.encode({"custom_id": custom_id, "body": {}}) + b"\n")
        if unreadable and not out.tell():
            raise UsageError(
                "the provider does not return the input of this batch, and its results cannot be"
                " read",
                "Adopt it again later.",
            )
    return found


async def _download(dialect: Dialect, source: ResultSource, path: Path) -> None:
    with path.open("wb") as stream:
        async with dialect.download(source) as download:
            async for chunk in download.chunks:
                stream.write(chunk)
        if download.total is not None and stream.tell() < download.total:
            raise UnreachableError(
                "the download of the provider's file was cut off", "Adopt the batch again."
            )


def _import(
    context: Context,
    account: str,
    remote: RemoteBatch,
    lines: Path,
    name: str | None,
    sent: ExistingBatch,
) -> None:
    info = context.accounts.info(account)
    usual = next(iter(info.endpoints), "/v1/chat/completions")
    endpoint = remote.endpoint or _own_endpoint(lines) or usual
    job = jobs.Job(
        id=sent.batch.job_id,
        name=name
        or remote.metadata.get("batchdeck_job")
        or remote.metadata.get("name")
        or remote.id,
        account=account,
        provider=info.provider,
        endpoint=endpoint,
        model=str(remote.raw.get("model") or remote.raw.get("modelId") or ""),
        status=jobs.BatchStatus.DRAFT,
        counts=jobs.Counts(),
        window=str(remote.raw.get("completion_window") or "24h"),
        source=f"{account}: {remote.id}",
        created_at=remote.created_at or context.clock(),
    )
    store_existing(context, job, lines, sent)


def store_existing(context: Context, job: jobs.Job, lines: Path, sent: ExistingBatch) -> None:
    """Store a job whose batch exists already; its model is that of most requests. Blocking.

    Args:
        context: The engine context.
        job: The job; its endpoint is that of rows that name none.
        lines: The file of its requests.
        sent: Its batch.

    Raises:
        UsageError: No row has an id.
    """
    models: dict[str, int] = {}
    requests = _read_requests(lines, job.endpoint, job.model, models)
    context.history.jobs.add(job, requests, sent=sent)
    if models and not job.model:
        context.history.jobs.set_model(job.id, max(models, key=lambda model: models[model]))


def _own_endpoint(path: Path) -> str:
    """The endpoint of the first request, if it has the form of its provider's own, else ``""``."""
    with path.open("rb") as stream:
        for _, line in split_lines(stream):
            try:
                value: Any = decode_lenient(line.removeprefix(BOM))
            except UnreadableLineError:
                continue
            own = own_row(value) if isinstance(value, dict) else None
            return "" if own is None else own.url
    return ""


def _read_requests(
    path: Path, endpoint: str, model_of_job: str, models: dict[str, int]
) -> Iterator[tuple[str, bytes]]:
    """Request lines in the common format; repeated ids are skipped, as their results are.

    Args:
        path: The file.
        endpoint: The endpoint of rows that name none.
        model_of_job: The model of rows of a provider's own form that name none.
        models: Filled with the number of rows by model.

    Raises:
        UsageError: No row has an id.
    """
    seen: set[str] = set()
    with path.open("rb") as stream:
        for number, (_, line) in enumerate(split_lines(stream), 1):
            if not line.strip():
                continue
            try:
                value: Any = decode_lenient(line.removeprefix(BOM))
            except UnreadableLineError:
                continue
            own = own_row(value, number) if isinstance(value, dict) else None
            if own is not None:
                # A job of Bedrock has one model, which its rows do not name.
                alone = model_of_job and own.url in (INVOKE_URL, CONVERSE_URL)
                named = {"model": model_of_job} if alone else {}
                value = {**own._asdict(), "body": {**named, **own.body}}
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
            "the provider has no rows for this batch", "Check the batch on its website."
        )
