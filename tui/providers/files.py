"""The files dialect: upload a file of requests, make a batch of it, fetch its result files.

OpenAI's own API, and every other that a profile can describe as a change of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tui.core.remote import RemoteBatch, ResultSource
from tui.errors import GarbledAnswerError, RequestRefusedError
from tui.providers.base import BatchDraft, Download, SendProgress
from tui.providers.calls import Call
from tui.providers.common import BatchDialect
from tui.providers.creating import create_body
from tui.providers.estimate import CostEstimate, read_estimate
from tui.providers.places import text_at
from tui.providers.reading import unwrapped
from tui.providers.sending import WatchedFile, form_body
from tui.providers.wireform import Upload
from tui.providers.words import fold

_BAD_FILE = frozenset({"error", "failed", "invalid", "deleted", "expired"})


class FilesDialect(BatchDialect):
    """Files and batches, as the profile describes them."""

    async def upload(self, path: Path, *, name: str, progress: SendProgress | None = None) -> str:
        """Send a file of rows from disk; the answer is its id at the provider.

        Tried once: after an ``AnswerLostError`` there may be a file more at the provider,
        which costs nothing.
        """
        upload = self._profile.upload
        file_name = name if name.endswith(".jsonl") else f"{name}.jsonl"
        form = {upload.purpose_field: upload.purpose} if upload.purpose_field else {}
        if upload.name_field:
            form[upload.name_field] = file_name
        form |= upload.extra_form | _expiry(upload)
        with contextlib.ExitStack() as opened:

            def body() -> dict[str, Any]:
                file = WatchedFile(path, progress)
                opened.callback(file.close)
                return form_body(
                    file,
                    field=upload.file_field,
                    name=file_name,
                    content_type=upload.content_type,
                    form=form,
                )

            call = replace(
                self.action("upload", "", "take the file", repeatable=False),
                body=body,
                patience=self._profile.http.send_seconds,
            )
            reply = await self._wire.ask(call)
        file_id = text_at(unwrapped(reply.table(), upload.unwrap, "id"), ("id", "file_id"))
        if file_id is None:
            raise reply.garbled("names no file")
        return file_id

    async def create(
        self, draft: BatchDraft, *, progress: SendProgress | None = None
    ) -> RemoteBatch:
        """Ask for a batch of an uploaded file; see ``Dialect.create``."""
        if draft.file_id is None:
            raise ValueError("a batch of the files dialect needs an uploaded file")
        if self._profile.upload.wait_status:
            await self._wait_for_file(draft.file_id)
        header = self._profile.create.idempotency_header
        call = replace(
            self.action("create", "", "make the batch", repeatable=False),
            json=create_body(draft, self._profile),
            headers={header: draft.intent} if header and draft.intent else {},
            patience=self._profile.http.send_seconds,
        )
        reply = await self._wire.ask(call)
        return self.batch_in(reply, rows=draft.rows)

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open a result file by its id or address; see ``Dialect.download``."""
        ref = source.ref
        is_address = ref.startswith(("/", "http://", "https://"))
        path = ref if is_address else self.route("content", ref)
        return self._downloader.open(source, path, have_bytes=have_bytes, have_lines=have_lines)

    async def delete_file(self, file_id: str) -> None:
        """Remove a file at the provider; one that is gone already is as good."""
        if not self.capabilities.deletes_files:
            raise self.unable("delete a file")
        await self._gone(self.action("file_delete", file_id, "delete the file", method="DELETE"))

    async def retry(self, batch_id: str) -> RemoteBatch:
        """Run the failed and cancelled rows of a batch again, in place (Doubleword).

        Only where ``native_retry``. The batch comes back to life; its error file shrinks, so
        every file is fetched from its start afterwards.
        """
        return await self._again(batch_id, "retry", None)

    async def retry_rows(self, batch_id: str, request_ids: Sequence[str]) -> RemoteBatch:
        """Run these rows of a batch again, in place (Doubleword).

        Args:
            batch_id: The batch.
            request_ids: The ``id`` of result lines; ``batch_req_`` in front is taken off. Ids
                that the server does not know are passed over without an error: compare the
                counts.
        """
        bare = [request_id.removeprefix("batch_req_") for request_id in request_ids]
        return await self._again(batch_id, "retry_rows", {"request_ids": bare})

    async def estimate(self, file_id: str, window: str) -> CostEstimate | None:
        """What a file would cost, as the provider guesses; ``None`` where it cannot be asked."""
        if not self._profile.paths.estimate:
            return None
        call = replace(
            self.action("estimate", file_id, "estimate the cost", method="GET"),
            params={self._profile.create.window.field: window} if window else {},
        )
        return read_estimate((await self._wire.ask(call)).table())

    async def _again(self, batch_id: str, route: str, json: dict[str, Any] | None) -> RemoteBatch:
        if not (self.capabilities.native_retry and getattr(self._profile.paths, route)):
            raise self.unable("run rows again in place")
        call = replace(self.action(route, batch_id, "run the rows again"), json=json)
        reply = await self._wire.ask(call)
        self._downloader.forget()
        return self.batch_in(reply, batch_id)

    async def _wait_for_file(self, file_id: str) -> None:
        """Wait until the provider has looked through the file (Azure).

        Raises:
            RequestRefusedError: It did not like the file.
            GarbledAnswerError: It did not get ready in the profile's time.
        """
        upload = self._profile.upload
        wanted = {fold(word) for word in upload.wait_status}
        call = Call("GET", self.route("file", file_id), "read the file's status")
        loop = asyncio.get_running_loop()
        until = loop.time() + upload.wait_seconds
        pause = 0.5
        while True:
            file = unwrapped((await self._wire.ask(call)).table(), upload.unwrap, "id")
            word = text_at(file, "status")
            # A server that says nothing of a status has nothing to wait for.
            if word is None or fold(word) in wanted:
                return
            if fold(word) in _BAD_FILE:
                said = text_at(file, ("status_details", "error.message", "error"))
                raise RequestRefusedError(
                    f"{self._profile.name} refuses the file ({word}): {said or 'no reason given'}",
                    "Check the file.",
                )
            if loop.time() >= until:
                raise GarbledAnswerError(
                    f"{self._profile.name} has been looking at the file for "
                    f"{upload.wait_seconds:.0f} seconds and still says {word!r}",
                    "Submit the job again later.",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)


def _expiry(upload: Upload) -> dict[str, str]:
    if not upload.expires_seconds or upload.expires_style == "none":
        return {}
    seconds = str(upload.expires_seconds)
    if upload.expires_style == "dots":
        return {"expires_after.seconds": seconds, "expires_after.anchor": "created_at"}
    return {"expires_after[anchor]": "created_at", "expires_after[seconds]": seconds}
