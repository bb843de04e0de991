"""The messages dialect: Anthropic's Message Batches.

The rows travel in the create call as ``{"requests": [{"custom_id", "params"}]}``. Before the
end all rows count as processing, and the end, ``ended``, says nothing of how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import httpx
import msgspec

from tui.core.counts import RemoteCounts
from tui.core.remote import RemoteBatch, ResultSource
from tui.core.status import BatchStatus
from tui.errors import RequestRefusedError
from tui.providers.asking import WHAT
from tui.providers.base import BatchDraft, Download, ResultStyle, SendProgress
from tui.providers.calls import Call
from tui.providers.common import BatchDialect
from tui.providers.http import Wire
from tui.providers.paging import pages
from tui.providers.params import ParamsWriter
from tui.providers.places import at, number_at, text_at, time_at
from tui.providers.rowstream import RowStream

_ENDED = "ended"
_COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"}
)
"""What the counting of tokens takes of a request (the SDK's ``count_tokens``)."""


class MessagesDialect(BatchDialect):
    """Message Batches, with the API version of the profile.

    Args:
        wire: The account's way to the provider.
    """

    uploads = False

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        settings = wire.profile.messages
        self._headers = {"anthropic-version": settings.version}
        if settings.beta:
            self._headers["anthropic-beta"] = ",".join(settings.beta)
        self._params = ParamsWriter(settings.version, wire.profile.limits.custom_id_pattern)

    @property
    def result_style(self) -> ResultStyle:
        """Anthropic's result lines."""
        return "messages"

    @property
    def passes_through(self) -> bool:
        """Never: every line is checked, because the provider checks none at the create."""
        return False

    def encode_line(self, request: bytes) -> bytes:
        """A request line as ``{"custom_id", "params"}``; see ``ParamsWriter.write``."""
        return self._params.write(request)

    async def upload(self, path: Any, *, name: str, progress: SendProgress | None = None) -> str:
        """Not offered: the rows go with the create call."""
        raise self.unable("take a file")

    async def create(
        self, draft: BatchDraft, *, progress: SendProgress | None = None
    ) -> RemoteBatch:
        """Ask for a batch; the rows are streamed from disk. See ``Dialect.create``."""
        stream = RowStream(draft.path, head=b'{"requests":[', separator=b",", tail=b"]}")
        await stream.measure()
        call = replace(
            self.action("create", "", "make the batch", repeatable=False),
            body=lambda: stream.body(progress),
            headers={**self._headers, "Content-Type": "application/json", **stream.headers},
            patience=self._profile.http.send_seconds,
        )
        return self.batch_in(await self._wire.ask(call))

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """The batch as it stands; a 404, which comes now and then, is asked again."""
        call = self._get(self.route("get", batch_id), "read the batch", late=True)
        return self.batch_in(await self._wire.ask(call), batch_id)

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the results; the stream has no middle to begin at."""
        return self._downloader.open(source, source.ref, late=True, headers=self._headers)

    async def delete_file(self, file_id: str) -> None:
        """Not offered: there are no files."""
        raise self.unable("delete a file")

    def question(self, request: bytes) -> Call:
        """The call of the Messages endpoint for one request, translated where need be."""
        if not self.capabilities.asks:
            raise self.unable("answer a single request")
        params = msgspec.json.decode(self.encode_line(request))["params"]
        return Call(
            "POST",
            "/v1/messages",
            WHAT,
            repeatable=False,
            headers=self._headers,
            json=params,
            patience=self._profile.http.send_seconds,
        )

    async def models(self) -> list[str]:
        """Ids of the models that take batches; one that does not tell is not left out."""
        found: list[str] = []
        listing = self._profile.listing
        async for items in pages(
            self._wire,
            self._profile.paths.models,
            listing,
            what="list the models",
            headers=self._headers,
        ):
            for item in items:
                name = text_at(item, "id")
                if name and at(item, "capabilities.batch.supported") is not False:
                    found.append(name)
        return list(dict.fromkeys(found))

    async def count_tokens(self, request: bytes) -> int:
        """The input tokens of a request line, as the provider counts them, for free.

        Args:
            request: The line; what says nothing of the prompt is left out.

        Raises:
            InputError: The request cannot be said in this dialect.
            GarbledAnswerError: The answer holds no count.
        """
        params = msgspec.json.decode(self.encode_line(request))["params"]
        body = {name: value for name, value in params.items() if name in _COUNTED}
        path = self._profile.paths.count_tokens
        reply = await self._wire.ask(
            Call("POST", path, "count the tokens", headers=self._headers, json=body)
        )
        tokens = number_at(reply.table(), "input_tokens")
        if tokens is None:
            raise reply.garbled("holds no count")
        return int(tokens)

    def own_headers(self) -> Mapping[str, str]:
        """The version header."""
        return self._headers

    def _get(self, path: str, what: str, *, late: bool = False) -> Call:
        return Call("GET", path, what, headers=self._headers, late=late)

    def _read(self, value: Mapping[str, Any]) -> RemoteBatch | None:
        batch = super()._read(value)
        if batch is None:
            return None
        counts = batch.counts
        ended = batch.raw_status.lower() == _ENDED
        status = _how_it_ended(value, counts) if ended else batch.status
        if not ended:
            # All rows count as processing until the last one is done: that is no progress.
            counts = RemoteCounts(total=counts.total)
        return msgspec.structs.replace(
            batch,
            status=status,
            counts=counts,
            results=self._results(value, batch.id) if ended else (),
            ended_at=time_at(value, "ended_at") if ended else None,
        )

    def _results(self, value: Mapping[str, Any], batch_id: str) -> tuple[ResultSource, ...]:
        """The address that the batch names if it is our origin's, else our own route.

        An archived batch is still listed, but its results are gone.
        """
        if value.get("archived_at"):
            return ()
        ref = text_at(value, "results_url") or ""
        try:
            self._wire.address.check_origin(httpx.URL(ref))
        except (RequestRefusedError, httpx.InvalidURL):
            ref = self.route("results", batch_id)
        return (ResultSource(kind="output", ref=ref),)


def _how_it_ended(value: Mapping[str, Any], counts: RemoteCounts) -> BatchStatus:
    """``ended`` told apart: a cancel that came too late for any row is a completed batch."""
    if counts.cancelled and value.get("cancel_initiated_at"):
        return BatchStatus.CANCELLED
    if counts.expired:
        return BatchStatus.EXPIRED
    return BatchStatus.CANCELLED if counts.cancelled else BatchStatus.COMPLETED
