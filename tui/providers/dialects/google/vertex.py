"""Batch jobs of Vertex AI, whose rows and results are files in a bucket of the user's.

Wire facts: discovery document ``aiplatform.v1`` (revision 20261106),
docs.cloud.google.com/gemini-enterprise-agent-platform/models/capabilities/batch-inference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec

from tui.core.jobs import BatchStatus, RemoteCounts, is_terminal
from tui.core.remote_batches import BatchIssue, RemoteBatch, ResultSource
from tui.core.retry_rules import status_name
from tui.errors import BatchdeckError, InputError, KeyRejectedError, RequestRejectedError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, ResultStyle
from tui.providers.dialects.batch_responses import name_of, number_at, text_at, time_at, value_at
from tui.providers.dialects.files import FilesDialect
from tui.providers.dialects.google.vertex_requests import VertexEncoder, model_of
from tui.providers.dialects.requests import ANSWER_REQUEST
from tui.providers.stores.folder import FolderReader
from tui.providers.stores.google import SIGN_IN
from tui.providers.stores.store import Store
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import Download

_LABEL = "batchdeck"
_JOBS = "/batchPredictionJobs/"
_QUEUED = frozenset({BatchStatus.QUEUED, BatchStatus.VALIDATING})
_HOUR = 3600.0
_BUCKET_HINT = (
    "Check params.bucket of the account: the bucket must be in the region of params.region, and the"
    " service agent of Vertex AI must be allowed to read and write it."
)


class VertexDialect(FilesDialect):
    """Batch prediction jobs.

    Args:
        client: The HTTP client of the account.
        store: The bucket of the account.
    """

    def __init__(self, client: HttpClient, store: Store) -> None:
        super().__init__(client, store)
        self._bucket = store
        self._lines = VertexEncoder(client.profile.vertex)
        vertex = client.profile.vertex
        self._folders = FolderReader(store, vertex.suffix, vertex.parts)

    @property
    def result_style(self) -> ResultStyle:
        """Lines with ``request`` and ``response``; see ``tui.core.results.google.vertex``."""
        return "vertex"

    @property
    def passes_through(self) -> bool:
        """Always false: rows get their id, or are translated."""
        return False

    def encode_line(self, request: bytes) -> bytes:
        """Encode a request line; see ``VertexEncoder.write``."""
        return self._lines.write(request)

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a job from a file of the bucket; see ``Dialect.create``."""
        with self._explained():
            return await super().create(draft, progress=progress)

    def create_from_file(self, draft: BatchDraft) -> Call:
        """Build the create call; the id of the batch is its name, its label and its folder."""
        model = model_of(draft.model, self._profile.vertex.publishers)
        folder = self._bucket.uri(f"{self._bucket.prefix}{draft.intent}/out")
        job = {
            "displayName": name_of(draft.intent),
            "model": model.resource,
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [draft.file_id]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": folder},
            },
            "labels": {_LABEL: draft.intent},
        }
        return replace(self.create_call(draft), json=job)

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Fetch the current state of a job."""
        with self._explained():
            return await super().retrieve(batch_id)

    async def list_batches(
        self, *, created_after: float | None = None
    ) -> AsyncIterator[RemoteBatch]:
        """List the jobs of the project in the account's region, newest first."""
        with self._explained():
            async for batch in super().list_batches(created_after=created_after):
                yield batch

    async def batches_of(self, intent: str) -> list[RemoteBatch]:
        """The jobs that carry our id of a batch in their label."""
        search = f'labels.{_LABEL}="{intent}"'
        path = f"{self._profile.paths.list}?filter={quote(search, safe='')}"
        found: list[RemoteBatch] = []
        with self._explained():
            async for items in self.pages(path, "find the batch"):
                found += [batch for item in items if (batch := self._read(item)) is not None]
        return [batch for batch in found if batch.intent == intent]

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open all result files of a folder, or one object."""
        if source.ref.endswith("/"):
            return self._folders.open(source, have_bytes=have_bytes)
        return self._bucket.open(source, have_bytes=have_bytes)

    async def delete_file(self, file_id: str) -> None:
        """Delete an object, or all of a folder of results."""
        if file_id.endswith("/"):
            await self._folders.delete(file_id)
        else:
            await self._bucket.delete(file_id)

    def single_request(self, request: bytes) -> Call:
        """Build the call for one request, in the shape of its model."""
        if not self.capabilities.answers_single_requests:
            raise self.unsupported("single requests")
        model, body, embeds = self._lines.single(request)
        if model.family == "open":
            path = "/endpoints/openapi/chat/completions"
        else:
            verb = {"claude": "rawPredict"}.get(model.family, "generateContent")
            if embeds:
                verb = "embedContent"
            if model.resource.startswith("projects/"):
                raise InputError(
                    f"{model.name} is a model of your own, which answers batches only",
                    "Name a model of a publisher, for example gemini-3.5-flash.",
                )
            path = f"/{quote(model.resource)}:{verb}"
        return Call(
            "POST",
            path,
            ANSWER_REQUEST,
            idempotent=False,
            json=body,
            read_timeout=self._profile.http.send_seconds,
        )

    def _read(self, value: Mapping[str, Any], now: float | None = None) -> RemoteBatch | None:
        name = text_at(value, "name")
        if name is None or _JOBS not in f"/{name}":
            return None
        batch_id = name.rpartition("/")[2]
        batch = super()._read({**value, "name": batch_id}, now)
        if batch is None:
            return None
        intent = batch.intent or text_at(value, f"labels.{_LABEL}")
        counts = _counts(value, self._rows.get(name))
        results: tuple[ResultSource, ...] = ()
        if is_terminal(batch.status):
            # A job that failed as a whole has written nothing.
            wrote = batch.status is BatchStatus.COMPLETED or bool(counts.ended)
            results = _results(value, is_ours=intent is not None, wrote=wrote)
        return msgspec.structs.replace(
            batch,
            intent=intent,
            counts=counts,
            results=results,
            issues=tuple(map(_named_issue, batch.issues)),
            ended_at=batch.ended_at if is_terminal(batch.status) else None,
            expires_at=self._expires_at(value, batch.status),
            raw=dict(value),
        )

    def _expires_at(self, value: Mapping[str, Any], status: BatchStatus) -> float | None:
        """When a job ends by itself: so long after its creation, and once it runs, its start."""
        limits = self._profile.limits
        started = time_at(value, "startTime")
        if status in _QUEUED or started is None:
            since, hours = time_at(value, "createTime"), limits.queue_hours
        else:
            since, hours = started, limits.run_hours
        return since + hours * _HOUR if since is not None and hours else None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Name the setting that is wrong, beside Google's own words."""
        try:
            yield
        except BatchdeckError as error:
            error.hint = _hint_for(error) or error.hint
            raise


def _hint_for(error: BatchdeckError) -> str:
    words = f"{error.message} {error.body}".lower()
    if error.status == 401:
        return SIGN_IN
    if error.status == 403 and ("service_disabled" in words or "has not been used" in words):
        return (
            "Enable the API: `gcloud services enable aiplatform.googleapis.com --project PROJECT`."
        )
    if isinstance(error, KeyRejectedError):
        return (
            "Check params.project and params.region of the account; the credentials need"
            " roles/aiplatform.user in the project."
        )
    if not isinstance(error, RequestRejectedError):
        return ""
    if "bucket" in words or "gs://" in words:
        return _BUCKET_HINT
    if "model" in words or "location" in words or "region" in words:
        return "Check the model and params.region of the account: regions have different models."
    return ""


def _results(job: Mapping[str, Any], *, is_ours: bool, wrote: bool) -> tuple[ResultSource, ...]:
    """The folder of the results of a job.

    A job that says no folder may have written below the prefix that it was given, which is known
    to hold nothing else only if it was ours.
    """
    folder = text_at(job, "outputInfo.gcsOutputDirectory")
    if folder is None and is_ours and wrote:
        folder = text_at(job, "outputConfig.gcsDestination.outputUriPrefix")
    if folder is None or not folder.startswith("gs://"):
        return ()
    return (ResultSource(kind="output", ref=f"{folder.rstrip('/')}/", deletable=is_ours),)


def _counts(job: Mapping[str, Any], rows: int | None) -> RemoteCounts:
    """The counts of a job; what is not finished is -1 while it is not known."""
    stats = value_at(job, "completionStats")
    if not isinstance(stats, Mapping):
        return RemoteCounts(total=rows)
    done, failed = number_at(stats, "successfulCount") or 0, number_at(stats, "failedCount") or 0
    left = number_at(stats, "incompleteCount")
    if left is None and str(stats.get("incompleteCount", "0")) == "0":
        left = 0
    total = rows if rows is not None or left is None else done + failed + left
    return RemoteCounts(total=total, completed=done, failed=failed)


def _named_issue(issue: BatchIssue) -> BatchIssue:
    """An error of a job with the name of its code, and the setting that it is about."""
    message = issue.message
    if "bucket" in message.lower() or "gs://" in message:
        message = f"{message.rstrip('. ')}. {_BUCKET_HINT}"
    return msgspec.structs.replace(
        issue, code=status_name(issue.code) or issue.code, message=message
    )
