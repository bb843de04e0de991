"""The inline dialect: the create call contains the rows, the batch object the results.

Used by OpenRouter, Opper, Merge and Mistral's inline jobs. ``requests`` is always the last key of
the create body, because OpenRouter's server parses the body as a stream. Rows and results are
streamed and never held in memory as a whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import msgspec

from tui.core.jobs import TERMINAL, BatchStatus, is_terminal
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.core.results.json_stream import ArraySplitter
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.errors import UnexpectedResponseError, UnreachableError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.base import BatchDialect
from tui.providers.dialects.batch_responses import unwrap_object
from tui.providers.dialects.requests import create_body
from tui.providers.wire.client import Call
from tui.providers.wire.download import (
    RETURN_RESULTS,
    Download,
    check_readable,
    content_length,
    prepended,
    read_first_line,
)

_HEADERS = {"Accept": "application/json, */*", "Accept-Encoding": "gzip, deflate"}
_HEAD_BYTES = 1 << 16


class InlineDialect(BatchDialect):
    """Batches without files."""

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a batch, streaming the rows from disk. See ``Dialect.create``."""
        profile = self._profile
        fields = create_body(draft, profile)
        fields.pop(profile.create.requests_field, None)
        field = msgspec.json.encode(profile.create.requests_field)
        start = msgspec.json.encode(fields)[:-1]
        head = start + (b"," if fields else b"") + field + b":["
        call = await self.create_call_with_rows(draft, progress, head=head)
        batch = self.batch_from(await self._client.ask(call), rows=draft.rows)
        return self._with_results(batch, has_rows=False)

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Fetch the current state of a batch; results in the same response are skipped."""
        call = Call("GET", self.route("get", batch_id), "retrieve the batch", headers=_HEADERS)
        splitter = self._splitter()
        async with self._client.open(call) as response:
            async for chunk in self._client.chunks(response, call):
                for _ in splitter.feed(chunk):
                    pass
            reply = self._client.reply(response, splitter.rest, call.what)
        return self._with_results(self.batch_from(reply, batch_id), has_rows=splitter.rows > 0)

    async def list_batches(
        self, *, created_after: float | None = None
    ) -> AsyncIterator[RemoteBatch]:
        """List the provider's batches. Lists omit results, so an ended batch may have some."""
        async for batch in super().list_batches(created_after=created_after):
            yield self._with_results(batch, has_rows=True)

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Request cancellation; see ``Dialect.cancel``."""
        stopped = await super().cancel(batch_id)
        return await self.retrieve(batch_id) if is_terminal(stopped.status) else stopped

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the results of a batch by its id; they are always sent from the start."""
        return self._results(source)

    @asynccontextmanager
    async def _results(self, source: ResultSource) -> AsyncIterator[Download]:
        route = "results" if self._profile.paths.results else "get"
        call = Call("GET", self.route(route, source.ref), RETURN_RESULTS, headers=_HEADERS)
        async with self._client.open(call) as response:
            check_readable(self._client, response)
            raw = self._client.chunks(response, call)
            head = await read_first_line(raw, _HEAD_BYTES)
            whole = prepended(head, raw)
            is_lines = _is_lines(response, head)
            yield Download(
                chunks=whole if is_lines else self._lines(whole),
                appends=False,
                growing=source.growing,
                total=content_length(response) if is_lines else None,
            )

    async def _lines(self, raw: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        splitter = self._splitter()
        async for chunk in raw:
            if lines := b"".join(element + b"\n" for element in splitter.feed(chunk)):
                yield lines
        if not splitter.complete:
            raise UnreachableError(
                f"The results from {self._profile.name} are incomplete",
                "They are requested again.",
            )
        if not splitter.found:
            self._check_without_results(splitter.rest)

    def _check_without_results(self, rest: bytes) -> None:
        """Check that a response without results is the object of a batch that has none.

        Raises:
            UnexpectedResponseError: It is something else, or the batch is completed and its results
                are not available yet.
        """
        batch = None
        try:
            value = decode_lenient(rest)
        except UnreadableLineError:
            value = None
        if isinstance(value, dict):
            batch = self._read(unwrap_object(value, "", self._profile.batch.id))
        if batch is None or batch.status not in TERMINAL - {BatchStatus.COMPLETED}:
            raise UnexpectedResponseError(
                f"The response from {self._profile.name} contains no results",
                "They are requested again later.",
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


def _is_lines(response: httpx.Response, head: bytes) -> bool:
    kind = response.headers.get("content-type", "").lower()
    if "jsonl" in kind or "ndjson" in kind or "json-lines" in kind:
        return True
    try:
        value = msgspec.json.decode(head.lstrip().partition(b"\n")[0])
    except (msgspec.MsgspecError, RecursionError):
        return False
    return isinstance(value, dict) and "custom_id" in value
