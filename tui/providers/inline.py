"""The inline dialect: the rows travel in the create call, the results in the batch object.

OpenRouter, Opper, Merge and Mistral's inline jobs. ``requests`` is always the last key of the
create body, because OpenRouter's server reads the document as it comes. Neither the rows nor
the results are ever held whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import msgspec

from tui.core.remote import RemoteBatch, ResultSource
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.status import TERMINAL, BatchStatus, is_terminal
from tui.errors import GarbledAnswerError, UnreachableError
from tui.providers.base import BatchDraft, Download, SendProgress
from tui.providers.calls import Call
from tui.providers.common import BatchDialect
from tui.providers.creating import create_body
from tui.providers.downloading import WHAT, check_readable, length_of
from tui.providers.reading import unwrapped
from tui.providers.rowstream import RowStream
from tui.providers.splitting import ArraySplitter

_HEADERS = {"Accept": "application/json, */*", "Accept-Encoding": "gzip, deflate"}
_HEAD = 1 << 16


class InlineDialect(BatchDialect):
    """Batches without files."""

    uploads = False

    async def upload(self, path: Any, *, name: str, progress: SendProgress | None = None) -> str:
        """Not offered: the rows go with the create call."""
        raise self.unable("take a file")

    async def create(
        self, draft: BatchDraft, *, progress: SendProgress | None = None
    ) -> RemoteBatch:
        """Ask for a batch; the rows are streamed from disk. See ``Dialect.create``."""
        profile = self._profile
        fields = create_body(draft, profile)
        fields.pop(profile.create.requests_field, None)
        field = msgspec.json.encode(profile.create.requests_field)
        start = msgspec.json.encode(fields)[:-1]
        head = start + (b"," if fields else b"") + field + b":["
        stream = RowStream(draft.path, head=head, separator=b",", tail=b"]}")
        await stream.measure()
        header = profile.create.idempotency_header
        own = {header: draft.intent} if header and draft.intent else {}
        call = replace(
            self.action("create", "", "make the batch", repeatable=False),
            body=lambda: stream.body(progress),
            headers={"Content-Type": "application/json", **stream.headers, **own},
            patience=profile.http.send_seconds,
        )
        reply = await self._wire.ask(call)
        batch = self.batch_in(reply, rows=draft.rows)
        return self._with_results(batch, has_rows=False)

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """The batch as it stands; results in the same answer are passed over."""
        call = Call("GET", self.route("get", batch_id), "read the batch", headers=_HEADERS)
        splitter = self._splitter()
        async with self._wire.open(call) as response:
            async for chunk in self._wire.chunks(response, call):
                for _ in splitter.feed(chunk):
                    pass
            reply = self._wire.reply(response, splitter.rest, call.what)
        return self._with_results(self.batch_in(reply, batch_id), has_rows=splitter.rows > 0)

    async def list_batches(
        self, *, created_after: float | None = None
    ) -> AsyncIterator[RemoteBatch]:
        """The provider's batches. Lists leave the results out: an ended one may have some."""
        async for batch in super().list_batches(created_after=created_after):
            yield self._with_results(batch, has_rows=True)

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for an end, where the provider has a way to; see ``Dialect.cancel``."""
        stopped = await super().cancel(batch_id)
        return await self.retrieve(batch_id) if is_terminal(stopped.status) else stopped

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the results of a batch by its id; they always begin anew."""
        return self._results(source)

    async def delete_file(self, file_id: str) -> None:
        """Not offered: there are no files."""
        raise self.unable("delete a file")

    @asynccontextmanager
    async def _results(self, source: ResultSource) -> AsyncIterator[Download]:
        route = "results" if self._profile.paths.results else "get"
        call = Call("GET", self.route(route, source.ref), WHAT, headers=_HEADERS)
        async with self._wire.open(call) as response:
            check_readable(self._wire, response)
            raw = self._wire.chunks(response, call)
            head = await _start(raw)
            if _is_lines(response, head):
                yield Download(
                    chunks=_chained(head, raw),
                    appends=False,
                    growing=source.growing,
                    total=length_of(response),
                )
            else:
                yield Download(
                    chunks=self._lines(_chained(head, raw)),
                    appends=False,
                    growing=source.growing,
                    total=None,
                )

    async def _lines(self, raw: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        splitter = self._splitter()
        async for chunk in raw:
            if lines := b"".join(element + b"\n" for element in splitter.feed(chunk)):
                yield lines
        if not splitter.complete:
            raise UnreachableError(
                f"The results of {self._profile.name} break off", "They are asked for again."
            )
        if not splitter.found:
            self._check_absence(splitter.rest)

    def _check_absence(self, rest: bytes) -> None:
        """See that an answer without results is the batch object of one that has none.

        Raises:
            GarbledAnswerError: It is something else, or the batch is completed and its
                results have yet to come.
        """
        batch = None
        try:
            value = decode_lenient(rest)
        except UnreadableLineError:
            value = None
        if isinstance(value, dict):
            batch = self._read(unwrapped(value, "", self._profile.batch.id))
        if batch is None or batch.status not in TERMINAL - {BatchStatus.COMPLETED}:
            raise GarbledAnswerError(
                f"The answer of {self._profile.name} holds no results",
                "They are asked for again later.",
            )

    def _splitter(self) -> ArraySplitter:
        inline = self._profile.batch.inline
        own = (inline,) if isinstance(inline, str) else inline
        return ArraySplitter(*own, "results", "outputs")

    def _with_results(self, batch: RemoteBatch, *, has_rows: bool) -> RemoteBatch:
        """The batch with its own id as the place of its results, where there are any."""
        ready = is_terminal(batch.status) and (has_rows or bool(self._profile.paths.results))
        source = ResultSource(kind="output", ref=batch.id)
        return msgspec.structs.replace(batch, results=(source,) if ready else ())


async def _start(raw: AsyncIterator[bytes]) -> bytes:
    """The first bytes of a body: a line, or enough to see that it is none."""
    head = b""
    async for chunk in raw:
        head += chunk
        if b"\n" in head.lstrip() or len(head) >= _HEAD:
            break
    return head


def _is_lines(response: httpx.Response, head: bytes) -> bool:
    kind = response.headers.get("content-type", "").lower()
    if "jsonl" in kind or "ndjson" in kind or "json-lines" in kind:
        return True
    try:
        value = msgspec.json.decode(head.lstrip().partition(b"\n")[0])
    except (msgspec.MsgspecError, RecursionError):
        return False
    return isinstance(value, dict) and "custom_id" in value


async def _chained(head: bytes, raw: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for chunk in raw:
        yield chunk
