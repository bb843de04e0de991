"""Fireworks' batch inference jobs: datasets as files, and ids that are chosen by us.

The ids of the input dataset and of the job follow from our id of the batch. What exists already is
refused with ALREADY_EXISTS and is ours, so every call here can be repeated, also a create.

Wire facts: fireworks-ai 1.2.30 (``datasets.py``, ``batch_inference_jobs.py``, README "Uploading
datasets"), docs.fireworks.ai/guides/batch-inference and /api-reference.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from tui.core.jobs import BatchStatus, RemoteCounts, is_terminal
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.core.retry_rules import status_name
from tui.core.text import split_lines
from tui.errors import (
    BatchdeckError,
    ConfigError,
    InputError,
    ProviderError,
    RequestRejectedError,
    UnexpectedResponseError,
)
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, Capabilities
from tui.providers.dialects.batch_responses import name_of, number_at, text_at, value_at
from tui.providers.dialects.files import FilesDialect
from tui.providers.dialects.requests import create_body
from tui.providers.wire.client import Call, HttpClient, Reply
from tui.providers.wire.download import Download
from tui.providers.wire.errors import RawResponse, may_have_acted
from tui.providers.wire.retry import with_retries
from tui.providers.wire.upload import FileBody, ProgressFile, multipart_body

_JOB = re.compile(r"(?:^|/)batchInferenceJobs/([^/]+)$")
_DATASET = re.compile(r"(?:^|/)datasets/([^/]+)$")
_ACCOUNT = re.compile(r"/(accounts/[^/]+)/?$")
_SHARED_MODELS = "/accounts/fireworks/models"
_INFERENCE = "/inference/v1"
_READY = "READY"
_FINE = frozenset({"OK", "0"})
_OUTPUT = "-out"
_FORM_FILE = "rows.jsonl"
_STORE_FILE = "store the file"
_LENGTH_RANGE = "x-goog-content-length-range"


@dataclass(frozen=True)
class _Contents:
    """What is in a file of rows: how many rows and bytes, and the start of its SHA-256."""

    rows: int
    size: int
    digest: str


class FireworksDialect(FilesDialect):
    """Batch inference jobs of one account.

    Args:
        client: The HTTP client of the account; its base URL ends with ``/accounts/ID``.

    Raises:
        ConfigError: The base URL does not name the account.
    """

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        base = client.address.base.path
        match = _ACCOUNT.search(base)
        if match is None:
            raise ConfigError(
                f"The base URL of {client.profile.name} does not name the account at its end",
                "Add the account again with `--param account_id=…`, or write …/accounts/ID.",
            )
        self._account = match[1]
        self._listed: dict[str, list[str]] = {}
        self._may_be_absent: set[str] = set()

    @property
    def capabilities(self) -> Capabilities:
        """As the profile says; a create with the same id is carried out once."""
        return replace(super().capabilities, creates_once=True)

    async def upload(self, path: Path, *, name: str, progress: Progress = NO_PROGRESS) -> str:
        """Make a dataset of a file of rows, wait until it is ready, and return its id.

        The id follows from the name and the contents, so a dataset of that id that is there
        already has these rows.
        """
        contents = await asyncio.to_thread(_measured, path)
        dataset_id = f"{_stem(name)}-{contents.digest}"
        http = self._profile.http
        await with_retries(
            lambda: self._send(dataset_id, contents, path, progress),
            should_retry=_can_go_on,
            attempts=http.attempts * 2,
            first=http.first_pause,
        )
        self.note_upload(dataset_id)
        return dataset_id

    async def _send(
        self, dataset_id: str, contents: _Contents, path: Path, progress: Progress
    ) -> None:
        """Make the dataset, or go on with one whose earlier calls got no answer."""
        details = {"userUploaded": {}, "exampleCount": str(contents.rows)}
        call = replace(
            self.build_call("upload", "", _STORE_FILE, idempotent=True),
            json={"datasetId": dataset_id, "dataset": details},
            accept=frozenset({409}),
            patient=True,
        )
        reply = await self._client.ask(call)
        if reply.status == 409:
            self._check_exists(reply, call)
        dataset = await self._dataset(dataset_id) if reply.status == 409 else reply.table()
        if text_at(dataset, "state") != _READY:
            if contents.size <= self._profile.fireworks.form_bytes:
                await self._send_form(dataset_id, path, progress)
            else:
                await self._send_signed(dataset_id, path, contents.size, progress)

            async def fetch() -> Any:
                return await self._dataset(dataset_id)

            await self.until_processed(fetch, await fetch(), "state", (_READY,))

    async def _dataset(self, dataset_id: str) -> dict[str, Any]:
        """A dataset as the provider has it.

        Raises:
            RequestRejectedError: The provider rejected its file.
        """
        what = "report the file's status"
        call = Call("GET", self.route("file", dataset_id), what, retry_404=True)
        dataset = (await self._client.ask(call)).table()
        if (code := text_at(dataset, "status.code") or "OK") not in _FINE:
            reason = text_at(dataset, "status.message") or code
            raise RequestRejectedError(
                f"{self._profile.name} rejected the file: {reason}", "Check the file."
            )
        return dataset

    async def _send_form(self, dataset_id: str, path: Path, progress: Progress) -> None:
        with ExitStack() as opened:

            def body() -> dict[str, Any]:
                file = ProgressFile(path, progress)
                opened.callback(file.close)
                return multipart_body(
                    file,
                    field=self._profile.upload.file_field,
                    name=_FORM_FILE,
                    content_type=self._profile.upload.content_type,
                    form={},
                )

            call = Call(
                "POST",
                f"{self.route('file', dataset_id)}:upload",
                _STORE_FILE,
                idempotent=False,
                body=body,
                read_timeout=self._profile.http.send_seconds,
            )
            await self._client.ask(call)

    async def _send_signed(
        self, dataset_id: str, path: Path, size: int, progress: Progress
    ) -> None:
        """Send the file to an address that is a right of its own, so without the key."""
        route = self.route("file", dataset_id)
        sizes = {"filenameToSize": {_FORM_FILE: str(size)}}
        call = Call("POST", f"{route}:getUploadEndpoint", _STORE_FILE, json=sizes, patient=True)
        reply = await self._client.ask(call)
        addresses = value_at(reply.table(), "filenameToSignedUrls")
        found = list(addresses.values()) if isinstance(addresses, Mapping) else []
        address = found[0] if len(found) == 1 else None
        if not isinstance(address, str):
            raise reply.unexpected("names no address to upload to")
        file = FileBody(path)
        headers = {
            "Content-Type": "application/octet-stream",
            _LENGTH_RANGE: f"{size},{size}",
            **file.headers,
        }
        send = Call(
            "PUT",
            address,
            _STORE_FILE,
            headers=headers,
            body=lambda: file.body(progress),
            idempotent=False,
            leaves_origin=True,
            storage_headers=frozenset(headers),
            keyless=True,
            read_timeout=self._profile.http.send_seconds,
        )
        await self._client.ask(send)
        check = Call("POST", f"{route}:validateUpload", _STORE_FILE, json={}, patient=True)
        await self._client.ask(check)

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a job whose id is ours.

        After a response that was lost the same create is sent again: if the job is there, the
        provider says so instead of making a second one.
        """
        call = self.create_from_file(draft)

        async def send() -> RemoteBatch:
            reply = await self._client.ask(call)
            if reply.status == 409:
                self._check_exists(reply, call)
                get = Call("GET", self.route("get", name_of(draft.intent)), "retrieve the batch")
                reply = await self._client.ask(replace(get, retry_404=True))
            return self.batch_from(reply, rows=draft.rows)

        http = self._profile.http
        return await with_retries(
            send, should_retry=may_have_acted, attempts=http.attempts, first=http.first_pause
        )

    def create_from_file(self, draft: BatchDraft) -> Call:
        """Build the create call of a job whose input dataset is there."""
        if draft.file_id is None:
            raise ValueError("the fireworks dialect needs draft.file_id")
        if not draft.model:
            raise InputError("the requests name no model", "Set it: --model, or --set model=NAME.")
        file_id = self._resource(draft.file_id)
        named = replace(draft, file_id=file_id, model=_full_model(draft.model))
        body = create_body(named, self._profile)
        job_id = name_of(draft.intent)
        if self._profile.fireworks.output == "ours":
            body["outputDatasetId"] = self._resource(f"{job_id}{_OUTPUT}")
        params = {"batchInferenceJobId": job_id}
        accept = frozenset({409})
        return replace(self.create_call(draft), params=params, json=body, accept=accept)

    def _resource(self, dataset_id: str) -> str:
        """The full name of a dataset."""
        return f"{self._account}/datasets/{dataset_id}"

    def _check_exists(self, reply: Reply, call: Call) -> None:
        """Check that a conflict (409) says that the thing is there; ABORTED is one as well.

        Raises:
            BatchdeckError: It says something else.
        """
        answer = RawResponse(reply.status, reply.headers, reply.body)
        error = self._client.error_for(answer, call)
        code = error.code if isinstance(error, ProviderError) else None
        if (status_name(code) or code) != "ALREADY_EXISTS" and "already exists" not in error.body:
            raise error

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the files of a dataset as one; their lines say what they are.

        They are fetched from signed addresses, without the key; each address is asked for right
        before its use, because it is valid for minutes only.
        """
        return self._open_files(source, have_bytes)

    @asynccontextmanager
    async def _open_files(self, source: ResultSource, have_bytes: int) -> AsyncIterator[Download]:
        addresses = await self._addresses(source.ref)
        names = sorted(addresses)
        # The bytes that are here begin with the first file, if the files are still these.
        have = have_bytes if names == self._listed.get(source.ref) else 0
        self._listed[source.ref] = names
        if not names:
            yield Download(_nothing(), appends=False, growing=False, total=0)
            return
        first, *others = names
        async with self._downloader.open(
            source, addresses[first], have_bytes=have, keyless=True
        ) as download:
            if not others:
                yield download
                return
            async with aclosing(self._joined(download, source, others)) as chunks:
                yield Download(chunks, download.appends, growing=False, total=None)

    async def _joined(
        self, first: Download, source: ResultSource, names: list[str]
    ) -> AsyncGenerator[bytes]:
        """The chunks of the first file and then those of the others, each on lines of its own."""
        last = b"\n"
        async for chunk in first.chunks:
            yield chunk
            last = chunk[-1:] or last
        for name in names:
            address = (await self._addresses(source.ref)).get(name)
            if address is None:
                raise UnexpectedResponseError(
                    f"{self._profile.name} has another set of result files than before",
                    "They are fetched again.",
                )
            async with self._downloader.open(source, address, keyless=True) as download:
                async for chunk in download.chunks:
                    if last != b"\n":
                        yield b"\n"
                    yield chunk
                    last = chunk[-1:] or last

    async def _addresses(self, dataset_id: str) -> dict[str, str]:
        """The signed addresses of the files of a dataset that have lines, by name.

        The names are not promised; those of results have been ``…/BIJOutputSet.jsonl`` and
        ``…/error-data``.
        """
        call = Call("GET", self.route("content", dataset_id), "return the results")
        try:
            reply = await self._client.ask(call)
        except RequestRejectedError as error:
            if error.status == 404 and dataset_id in self._may_be_absent:
                return {}
            raise
        found = value_at(reply.table(), "filenameToSignedUrls")
        if not isinstance(found, Mapping):
            raise reply.unexpected("names no addresses")
        addresses = {str(name): text for name, text in found.items() if isinstance(text, str)}
        lines = {name: text for name, text in addresses.items() if _has_lines(name)}
        return lines or addresses

    async def delete_file(self, file_id: str) -> None:
        """Delete a dataset; one that does not exist counts as deleted."""
        if not self.capabilities.deletes_files:
            raise self.unsupported("deleting files")
        await self._delete(self.build_call("file_delete", file_id, "delete the file"))

    async def files_named(self, name: str, *, created_after: float) -> list[str] | None:
        """The ids of the datasets of a batch, also that of its results.

        The order of the list is not promised, so all of it is read.
        """
        if not self._profile.paths.file_list:
            return None
        stem = f"{_stem(name)}-"

        def id_of(item: Mapping[str, Any]) -> str | None:
            found = _bare(text_at(item, "name"), _DATASET)
            return found if found and found.startswith(stem) else None

        return await self.listed_files(id_of, items="datasets")

    async def models(self) -> list[str]:
        """List the models of Fireworks and those of the account, by their full names."""
        found: list[str] = []
        listing = msgspec.structs.replace(self._profile.listing, items="models")
        for path in (f"{self._above_account}{_SHARED_MODELS}", self._profile.paths.models):
            async for items in self.pages(path, "list models", listing):
                found += [name for item in items if (name := text_at(item, "name"))]
        return list(dict.fromkeys(found))

    def single_request(self, request: bytes) -> Call:
        """Build the call for one request, which has a path beside that of the accounts."""
        call = super().single_request(request)
        body = {**call.json, "model": _full_model(str(call.json.get("model") or ""))}
        path = f"{self._above_account.removesuffix('/v1')}{_INFERENCE}{call.path}"
        return replace(call, path=path, json=body)

    @property
    def _above_account(self) -> str:
        """The account's base URL without the account: ``https://api.fireworks.ai/v1``."""
        base = self._client.address.base
        origin = str(base.copy_with(raw_path=b"/")).rstrip("/")
        return f"{origin}{_ACCOUNT.sub('', base.path)}"

    def _read(self, value: Mapping[str, Any], now: float | None = None) -> RemoteBatch | None:
        name = text_at(value, "name") or ""
        job_id = _bare(name, _JOB)
        if job_id is None:
            return None
        plain = {
            **value,
            "name": job_id,
            "inputDatasetId": _bare(text_at(value, "inputDatasetId"), _DATASET),
            "outputDatasetId": _bare(text_at(value, "outputDatasetId"), _DATASET),
        }
        if text_at(value, "status.code") in _FINE:
            plain["status"] = None
        batch = super()._read(plain, now)
        if batch is None:
            return None
        counts = msgspec.structs.replace(
            _counts(value, self._rows.get(name), batch.status),
            input_tokens=batch.counts.input_tokens,
            output_tokens=batch.counts.output_tokens,
        )
        if batch.status is not BatchStatus.COMPLETED and not counts.ended:
            # The dataset of a job of which nothing ran may never have been made.
            self._may_be_absent |= {source.ref for source in batch.results}
        return msgspec.structs.replace(
            batch,
            counts=counts,
            ended_at=batch.ended_at if is_terminal(batch.status) else None,
            raw=dict(value),
        )


def _measured(path: Path) -> _Contents:
    """Read a file of rows once.

    Raises:
        InputError: It cannot be read.
    """
    rows = 0
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for _, line in split_lines(file):
                rows += bool(line.strip())
                digest.update(line + b"\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", path=path) from error
    return _Contents(rows, path.stat().st_size, digest.hexdigest()[:16])


def _stem(name: str) -> str:
    """The start of the ids of what belongs to a file: lower-case letters, digits and hyphens."""
    stem = name_of(name.removesuffix(".jsonl")).lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:50]


def _full_model(model: str) -> str:
    """The full name of a model; a name alone is one of Fireworks' own, as in its first SDK."""
    return model if "/" in model or not model else f"{_SHARED_MODELS.lstrip('/')}/{model}"


def _bare(name: str | None, kind: re.Pattern[str]) -> str | None:
    """The id at the end of a full name; a bare id stays."""
    if not name:
        return None
    match = kind.search(name)
    return match[1] if match else None if "/" in name else name


def _has_lines(name: str) -> bool:
    """Whether a file of a dataset may have lines of JSON, by the end of its name."""
    return PurePosixPath(name).suffix.lower() in ("", ".jsonl")


def _can_go_on(error: BatchdeckError) -> bool | float:
    """Whether an upload that broke off can go on: nothing is paid for a file."""
    if isinstance(error, UnexpectedResponseError):
        return True
    if isinstance(error, RequestRejectedError) or not isinstance(error, ProviderError):
        return False
    return True if error.retry_after is None else error.retry_after


def _counts(job: Mapping[str, Any], rows: int | None, status: BatchStatus) -> RemoteCounts:
    """The counts of a job.

    The total repeats the ``exampleCount`` of the dataset; what was processed may be more.
    """
    progress = value_at(job, "jobProgress")
    if not isinstance(progress, Mapping):
        return RemoteCounts(total=rows)
    done = number_at(progress, "successfullyProcessedRequests") or 0
    failed = number_at(progress, "failedRequests") or 0
    total = max(number_at(progress, "totalInputRequests") or 0, done + failed) or rows
    if total is None and not is_terminal(status):
        return RemoteCounts()
    return RemoteCounts(total=total, completed=done, failed=failed)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
