"""The files dialect: upload a file of requests, create a batch from it, download result files.

OpenAI's API and every API that a profile can describe as a variant of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from tui.core.jobs import is_terminal
from tui.core.remote_batches import RemoteBatch, ResultKind, ResultSource, refs_in
from tui.errors import BatchdeckError, RequestRejectedError, UnexpectedResponseError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.base import BatchDialect, CostEstimate, is_older, read_estimate
from tui.providers.dialects.batch_responses import id_at, text_at, time_at, unwrap_object
from tui.providers.dialects.requests import create_body
from tui.providers.dialects.result_pages import ResultPager
from tui.providers.profiles.model import Store, Upload
from tui.providers.profiles.statuses import fold
from tui.providers.stores.store import Store as Bucket
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import Download
from tui.providers.wire.hints import hint_for
from tui.providers.wire.retry import with_retries
from tui.providers.wire.upload import ProgressFile, multipart_body

_FILE_IDS = ("id", "file_id")
_FILE_NAMES = ("filename", "file_name", "name")
_FILE_LOOKS = 8
_FILE_IS_NEW_SECONDS = 120.0
_UNKNOWN_FILE = re.compile(
    r"(?i)\bfile\b.{0,200}\b(?:not|no|unknown|missing|processing|pending|uploaded yet)\b"
    r"|\b(?:no such|unknown|missing|find the|invalid)\b.{0,60}\bfile\b|input_file_id",
    re.DOTALL,
)
_FAILED_STATUSES = frozenset({"error", "failed", "invalid", "deleted", "expired"})


class FilesDialect(BatchDialect):
    """Files and batches as described by the profile."""

    uploads = True

    def __init__(self, client: HttpClient, store: Bucket | None = None) -> None:
        super().__init__(client)
        self._store = store
        self._uploaded_at: dict[str, float] = {}
        self._pager = ResultPager(client, client.profile.results)

    async def upload(self, path: Path, *, name: str, progress: Progress = NO_PROGRESS) -> str:
        """Upload a file of rows and return its id at the provider.

        Sent again after a temporary error: the provider may then have an extra file, which costs
        nothing and expires. With a bucket, the file is put there and its address returned.
        """
        upload = self._profile.upload
        if self._store is not None:
            return await self._store.put(path, name, progress=progress)
        file_name = name if name.endswith(".jsonl") else f"{name}.jsonl"
        form = {upload.purpose_field: upload.purpose} if upload.purpose_field else {}
        if upload.name_field:
            form[upload.name_field] = file_name
        form |= upload.extra_form | _expiry(upload)
        with contextlib.ExitStack() as opened:

            def body() -> dict[str, Any]:
                file = ProgressFile(path, progress)
                opened.callback(file.close)
                return multipart_body(
                    file,
                    field=upload.file_field,
                    name=file_name,
                    content_type=upload.content_type,
                    form=form,
                )

            call = replace(
                self.build_call("upload", "", "store the file", idempotent=True),
                patient=True,
                body=body,
                read_timeout=self._profile.http.send_seconds,
            )
            reply = await self._client.ask(call)
        file = unwrap_object(reply.table(), upload.unwrap, _FILE_IDS)
        file_id = id_at(file, _FILE_IDS)
        if file_id is None:
            raise reply.unexpected("contains no file id")
        self._check_file(file, "status")
        self.note_upload(file_id)
        return file_id

    async def check_storage(self) -> str | None:
        """Check the rights on the account's bucket; ``None`` if files are not kept in one.

        Raises:
            BatchdeckError: A right is missing, or the bucket cannot be reached.
        """
        return None if self._store is None else await self._store.check()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._store is not None:
            await self._store.aclose()
        await super().aclose()

    def _read(self, value: Mapping[str, Any], now: float | None = None) -> RemoteBatch | None:
        batch = super()._read(value, now)
        store = self._profile.store
        if batch is None or not store.output or not is_terminal(batch.status):
            return batch
        return msgspec.structs.replace(batch, results=results_beside(batch, store))

    def note_upload(self, file_id: str) -> None:
        """Remember that a file is new, so that a create may not know it yet."""
        self._uploaded_at[file_id] = asyncio.get_running_loop().time()

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a batch from an uploaded file; see ``Dialect.create``."""
        if draft.file_id is None:
            raise ValueError("the files dialect needs draft.file_id")
        if self._profile.upload.wait_status:
            await self._wait_for_file(draft.file_id)
        call = self.create_from_file(draft)
        waits = _FileWait(draft.file_id, self._uploaded_at.get(draft.file_id))
        reply = await with_retries(
            lambda: self._client.ask(call),
            should_retry=waits,
            attempts=_FILE_LOOKS,
            first=1.0,
        )
        return self.batch_from(reply, rows=draft.rows)

    def create_from_file(self, draft: BatchDraft) -> Call:
        """Build the create call of a batch whose file is uploaded."""
        return replace(self.create_call(draft), json=create_body(draft, self._profile))

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open a result file by its id or URL, or the pages of a batch; several are joined."""
        ref = source.ref
        if len(refs_in(ref)) > 1:
            return self._one_by_one(source)
        if self._store is not None:
            return self._store.open(source, have_bytes=have_bytes)
        if self._profile.results.items and ref.startswith("/"):
            return self._pager.open(source, have_lines=have_lines)
        if ref.startswith(("/", "http://", "https://")):
            return self._downloader.open(source, ref, have_bytes=have_bytes, have_lines=have_lines)
        return self._content(source, have_bytes, have_lines)

    @contextlib.asynccontextmanager
    async def _one_by_one(self, source: ResultSource) -> AsyncIterator[Download]:
        """Several result files as one, from its start: how long each was is not known."""

        async def chunks() -> AsyncIterator[bytes]:
            for ref in refs_in(source.ref):
                part = msgspec.structs.replace(source, ref=ref)
                try:
                    async with self.download(part) as download:
                        async for chunk in download.chunks:
                            yield chunk
                except RequestRejectedError as error:
                    # The files before it are here, and are kept.
                    raise UnexpectedResponseError(
                        f"{ref}, one of {len(refs_in(source.ref))} files, is not there:"
                        f" {error.message}",
                        error.hint,
                    ) from error
                yield b"\n"

        yield Download(chunks(), appends=False, growing=source.growing, total=None)

    @contextlib.asynccontextmanager
    async def _content(
        self, source: ResultSource, have_bytes: int, have_lines: int
    ) -> AsyncIterator[Download]:
        async with contextlib.AsyncExitStack() as stack:

            async def enter() -> Download:
                path = self.route("content", source.ref)
                opened = self._downloader.open(
                    source, path, have_bytes=have_bytes, have_lines=have_lines
                )
                return await stack.enter_async_context(opened)

            yield await self.with_either_slash(source.ref, enter)

    async def delete_file(self, file_id: str) -> None:
        """Delete a file at the provider; a file that no longer exists counts as deleted.

        Raises:
            RequestRejectedError: The server has no such call, and still has the file.
        """
        if len(parts := refs_in(file_id)) > 1:
            for part in parts:
                await self.delete_file(part)
            return
        if self._store is not None:
            await self._store.delete(file_id)
            return
        if not self.capabilities.deletes_files:
            raise self.unsupported("deleting files")
        call = self.build_call("file_delete", file_id, "delete the file", method="DELETE")
        reply = await self._delete(call)
        if reply.status == 404 and await self._is_readable(file_id):
            raise RequestRejectedError(
                f"{self._profile.name} failed to delete the file: it can still be read",
                hint_for(call.what, 405, ""),
                status=reply.status,
            )

    async def files_named(self, name: str, *, created_after: float) -> list[str] | None:
        """The ids of the files of an upload; see ``Dialect.files_named``.

        A bucket has one file of a name at most, so there it is none.
        """
        if self._store is not None:
            return []
        if not self._profile.paths.file_list:
            return None

        def id_of(item: Mapping[str, Any]) -> str | None:
            named = text_at(item, _FILE_NAMES) == name
            return text_at(item, ("id", "file_id")) if named else None

        return await self.listed_files(id_of, created_after=created_after)

    async def listed_files(
        self,
        id_of: Callable[[Mapping[str, Any]], str | None],
        *,
        items: str = "",
        created_after: float | None = None,
    ) -> list[str] | None:
        """The ids of some of the provider's files; ``None`` if they cannot be listed.

        Args:
            id_of: The id of a listed file, if it is wanted.
            items: Where a page has its files, if not where the profile's lists have their items.
            created_after: Files older than this (Unix seconds) are not looked at, where the newest
                come first.
        """
        listing = self._profile.listing
        if items:
            listing = msgspec.structs.replace(listing, items=items)
        found: list[str] = []
        try:
            async for page in self.pages(self._profile.paths.file_list, "list files", listing):
                found += [file_id for item in page if (file_id := id_of(item))]
                if created_after is not None and all(
                    is_older(time_at(item, "created_at"), created_after) for item in page
                ):
                    break
        except (RequestRejectedError, UnexpectedResponseError):
            return None
        return list(dict.fromkeys(found))

    async def _is_readable(self, file_id: str) -> bool:
        """Whether the content of a file can still be downloaded."""
        call = Call("GET", self.route("content", file_id), "read the file", leaves_origin=True)
        try:
            async with self._client.open(call):
                return True
        except BatchdeckError:
            return False

    async def retry(self, batch_id: str) -> RemoteBatch:
        """Retry the failed and cancelled rows of a batch in place (Doubleword).

        Requires ``native_retry``. The batch becomes active again and its error file shrinks, so
        every file is downloaded from the start afterwards.
        """
        return await self._retry(batch_id, "retry", None)

    async def retry_rows(self, batch_id: str, request_ids: Sequence[str]) -> RemoteBatch:
        """Retry certain rows of a batch in place (Doubleword).

        Args:
            batch_id: The batch.
            request_ids: The ``id`` of result lines; a ``batch_req_`` prefix is removed. The server
                ignores unknown ids without an error, so compare the counts.
        """
        bare = [request_id.removeprefix("batch_req_") for request_id in request_ids]
        return await self._retry(batch_id, "retry_rows", {"request_ids": bare})

    async def estimate(self, file_id: str, window: str) -> CostEstimate | None:
        """Fetch the provider's cost estimate of a file; ``None`` if there is no such endpoint."""
        if not self._profile.paths.estimate:
            return None
        call = replace(
            self.build_call("estimate", file_id, "estimate the cost", method="GET"),
            params={self._profile.create.window.field: window} if window else {},
        )
        return read_estimate((await self._client.ask(call)).table())

    async def _retry(self, batch_id: str, route: str, json: dict[str, Any] | None) -> RemoteBatch:
        if not (self.capabilities.native_retry and getattr(self._profile.paths, route)):
            raise self.unsupported("retrying rows in place")
        call = replace(self.build_call(route, batch_id, "retry the rows"), json=json)
        reply = await self._client.ask(call)
        self._downloader.restart_all()
        return self.batch_from(reply, batch_id)

    async def _wait_for_file(self, file_id: str) -> None:
        """Wait until the provider has processed the file (Azure)."""
        upload = self._profile.upload
        call = Call("GET", self.route("file", file_id), "report the file's status")

        async def fetch() -> Any:
            return unwrap_object((await self._client.ask(call)).table(), upload.unwrap, "id")

        await self.until_processed(fetch, await fetch(), "status", upload.wait_status)

    async def until_processed(
        self,
        fetch: Callable[[], Awaitable[Any]],
        file: Any,
        status: str,
        ready: Collection[str],
    ) -> None:
        """Wait until the provider has processed a file.

        Args:
            fetch: Gets the file object anew.
            file: The file object as it is known.
            status: The path of its status; without one there is nothing to wait for.
            ready: The statuses of a file that can be used.

        Raises:
            RequestRejectedError: The provider rejected the file.
            UnexpectedResponseError: The file was not ready within ``upload.wait_seconds``.
        """
        seconds = self._profile.upload.wait_seconds
        usable = set(map(fold, ready))
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        pause = 0.5
        while (word := text_at(file, status)) is not None and fold(word) not in usable:
            self._check_file(file, status)
            if loop.time() >= until:
                raise UnexpectedResponseError(
                    f"{self._profile.name} has not processed the file after "
                    f"{seconds:.0f} seconds; its status is still {word!r}",
                    "Submit the job again later.",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)
            file = await fetch()

    def _check_file(self, file: Any, status: str) -> None:
        """Raise ``RequestRejectedError`` if a file object says that the file cannot be used."""
        word = text_at(file, status)
        if word is not None and fold(word) in _FAILED_STATUSES:
            reason = text_at(file, ("status_details", "error.message", "error"))
            raise RequestRejectedError(
                f"{self._profile.name} rejected the file ({word}): {reason or 'no reason given'}",
                "Check the file.",
            )


def results_beside(batch: RemoteBatch, store: Store) -> tuple[ResultSource, ...]:
    """The results of a batch whose provider writes them beside its input file."""
    if not batch.input_file_id:
        return ()
    folder, slash, name = batch.input_file_id.rpartition("/")
    kinds: tuple[tuple[ResultKind, str], ...] = (("output", store.output), ("errors", store.errors))
    return tuple(
        ResultSource(
            kind=kind, ref=form.format(folder=folder + slash, batch_id=batch.id, name=name)
        )
        for kind, form in kinds
        if form
    )


def _expiry(upload: Upload) -> dict[str, str]:
    if not upload.expires_seconds or upload.expires_style == "none":
        return {}
    seconds = str(upload.expires_seconds)
    if upload.expires_style == "plain":
        return {"expires_after": seconds}
    if upload.expires_style == "dots":
        return {"expires_after.seconds": seconds, "expires_after.anchor": "created_at"}
    return {"expires_after[anchor]": "created_at", "expires_after[seconds]": seconds}


class _FileWait:
    """Whether a create is sent again, because its file is so new that it is not known yet.

    Such an answer (404, sometimes 400) says that nothing was made.

    Args:
        file_id: The file.
        uploaded_at: When it was uploaded, by the event loop's clock; ``None`` if long ago.
    """

    def __init__(self, file_id: str, uploaded_at: float | None) -> None:
        self._file_id = file_id
        self._uploaded_at = uploaded_at

    def __call__(self, error: BatchdeckError) -> bool:
        if self._uploaded_at is None or not isinstance(error, RequestRejectedError):
            return False
        age = asyncio.get_running_loop().time() - self._uploaded_at
        if error.status not in (400, 404, 422) or age > _FILE_IS_NEW_SECONDS:
            return False
        words = f"{error.message} {error.body}"
        return self._file_id in words or _UNKNOWN_FILE.search(words) is not None
