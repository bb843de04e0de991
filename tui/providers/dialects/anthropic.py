"""Anthropic's Message Batches: the create call contains the rows, one stream the results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import httpx
import msgspec

from tui.core import json_path
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.errors import InputError, RequestRejectedError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, ResultStyle
from tui.providers.dialects.anthropic_requests import chat_to_messages
from tui.providers.dialects.base import BatchDialect
from tui.providers.dialects.batch_responses import number_at, text_at, time_at, value_at
from tui.providers.dialects.requests import ANSWER_REQUEST, Untranslatable
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import Download

_SAMPLING = ("temperature", "top_p", "top_k")
_STRICT_VERSION = "2026-10-21"
_STRICT_RULES = (
    ("messages[role=assistant].content[type=document]", "a document in an assistant message"),
    ("messages[role=user].content[type=text].citations", "citations in a user's text"),
)
_REFUSED = ("fallbacks",)


class _Request(msgspec.Struct):
    custom_id: str
    params: msgspec.Raw = msgspec.Raw()
    url: str = ""
    body: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


class ParamsEncoder:
    """Encodes request lines for a Message Batch.

    A line is either ``{"custom_id", "params"}``, which is kept unchanged; a request to
    ``/v1/messages``, whose body becomes the params; or a chat completion, which is translated if
    nothing is lost.

    Args:
        version: The ``anthropic-version`` header of the batch.
        pattern: Regular expression for ``custom_id``; one mismatch fails the whole batch (400).
    """

    def __init__(self, version: str, pattern: str) -> None:
        self._strict = version >= _STRICT_VERSION
        self._version = version
        self._pattern = re.compile(pattern) if pattern else None

    def write(self, line: bytes) -> bytes:
        """Encode one request line as ``{"custom_id", "params"}``.

        Raises:
            InputError: The line is not a request, cannot be translated without loss, or uses
                parameters that batches are known to reject.
        """
        try:
            request = _decode(line)
            given = request.params or request.body
            table = msgspec.json.decode(given) if given else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"A request cannot be read: {error}", "Check the file.") from None
        custom_id = request.custom_id
        if self._pattern is not None and not self._pattern.fullmatch(custom_id):
            raise InputError(
                f"Anthropic rejects the custom_id {custom_id[:80]!r}",
                "Use 1 to 64 letters, digits, hyphens and underscores.",
            )
        if not isinstance(table, dict):
            raise InputError(
                f"Request {custom_id!r} has neither params nor a body", "Check the file."
            )
        try:
            if request.params or request.url.rstrip("/").endswith("/messages"):
                self._check(table)
                return _encode({"custom_id": custom_id, "params": given})
            if not request.url.rstrip("/").endswith("/chat/completions"):
                raise Untranslatable(
                    f"has the url {request.url!r}; Anthropic supports only messages"
                )
            params = chat_to_messages(table)
            self._check(params)
        except Untranslatable as error:
            raise InputError(
                f"Request {custom_id!r} {error}",
                "Change the request, or write the line as custom_id and params.",
            ) from None
        return _encode({"custom_id": custom_id, "params": params})

    def _check(self, params: dict[str, Any]) -> None:
        for name in ("model", "messages", "max_tokens"):
            if not params.get(name):
                raise Untranslatable(f"lacks {name}, which Anthropic requires in every request")
        if params.get("stream"):
            raise Untranslatable("sets stream, which batches do not support")
        for name in _REFUSED:
            if name in params:
                raise Untranslatable(f"sets {name}, which batches do not support")
        if self._strict:
            self._check_strictly(params)

    def _check_strictly(self, params: dict[str, Any]) -> None:
        """Check for what version 2026-10-21 rejects in every row of a batch."""
        for name in _SAMPLING:
            if name in params:
                raise Untranslatable(
                    f"sets {name}, which version {self._version} rejects even at its default"
                )
        for path, problem in _STRICT_RULES:
            if any(json_path.find(params, path)):
                raise Untranslatable(f"has {problem}, which version {self._version} rejects")


_ENDED = "ended"
_COUNT_TOKENS_FIELDS = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"}
)
"""The parameters that ``count_tokens`` of Anthropic's SDK accepts."""


class MessagesDialect(BatchDialect):
    """Message Batches, with the API version of the profile.

    Args:
        client: The HTTP client of the account.
    """

    def __init__(self, client: HttpClient) -> None:
        super().__init__(client)
        settings = client.profile.messages
        self._headers = {"anthropic-version": settings.version}
        if settings.beta:
            self._headers["anthropic-beta"] = ",".join(settings.beta)
        self._params = ParamsEncoder(settings.version, client.profile.limits.custom_id_pattern)

    @property
    def result_style(self) -> ResultStyle:
        """Anthropic's format."""
        return "messages"

    @property
    def passes_through(self) -> bool:
        """Always false: every line is checked, because Anthropic checks none on create."""
        return False

    def encode_line(self, request: bytes) -> bytes:
        """Encode a request line as ``{"custom_id", "params"}``; see ``ParamsEncoder.write``."""
        return self._params.write(request)

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a batch, streaming the rows from disk. See ``Dialect.create``."""
        call = await self.create_call_with_rows(draft, progress, head=b'{"requests":[')
        return self.batch_from(await self._client.ask(call))

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Fetch the current state of a batch; an occasional 404 is retried."""
        call = self.build_call("get", batch_id, "retrieve the batch", method="GET")
        reply = await self._client.ask(replace(call, retry_404=True))
        return self.batch_from(reply, batch_id)

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the results; the stream cannot be resumed."""
        return self._downloader.open(source, source.ref, retry_404=True, headers=self._headers)

    def single_request(self, request: bytes) -> Call:
        """Build the Messages call for one request, translated if necessary."""
        if not self.capabilities.answers_single_requests:
            raise self.unsupported("single requests")
        params = msgspec.json.decode(self.encode_line(request))["params"]
        return Call(
            "POST",
            "/v1/messages",
            ANSWER_REQUEST,
            idempotent=False,
            headers=self._headers,
            json=params,
            read_timeout=self._profile.http.send_seconds,
        )

    async def models(self) -> list[str]:
        """List the ids of the models that support batches, or do not say whether they do."""
        found: list[str] = []
        async for items in self.pages(self._profile.paths.models, "list models"):
            for item in items:
                name = text_at(item, "id")
                if name and value_at(item, "capabilities.batch.supported") is not False:
                    found.append(name)
        return list(dict.fromkeys(found))

    async def count_tokens(self, request: bytes) -> int:
        """Ask the provider to count the input tokens of a request line; free.

        Args:
            request: The line; parameters that are not part of the prompt are not sent.

        Raises:
            InputError: The request cannot be expressed in this dialect.
            UnexpectedResponseError: The response contains no count.
        """
        params = msgspec.json.decode(self.encode_line(request))["params"]
        body = {name: value for name, value in params.items() if name in _COUNT_TOKENS_FIELDS}
        path = self._profile.paths.count_tokens
        reply = await self._client.ask(
            Call("POST", path, "count tokens", headers=self._headers, json=body)
        )
        tokens = number_at(reply.table(), "input_tokens")
        if tokens is None:
            raise reply.unexpected("contains no token count")
        return int(tokens)

    def extra_headers(self) -> Mapping[str, str]:
        """The version header."""
        return self._headers

    def _read(self, value: Mapping[str, Any], now: float | None = None) -> RemoteBatch | None:
        batch = super()._read(value, now)
        if batch is None:
            return None
        counts = batch.counts
        ended = batch.raw_status.lower() == _ENDED
        status = _final_status(value, counts) if ended else batch.status
        if not ended:
            # All rows count as processing until the last one is done, so there is no progress.
            counts = RemoteCounts(total=counts.total)
        return msgspec.structs.replace(
            batch,
            status=status,
            counts=counts,
            results=self._results(value, batch.id) if ended else (),
            ended_at=time_at(value, "ended_at") if ended else None,
        )

    def _results(self, value: Mapping[str, Any], batch_id: str) -> tuple[ResultSource, ...]:
        """The results URL of the batch if it has the account's origin, else the profile's route.

        An archived batch is still listed, but has no results.
        """
        if value.get("archived_at"):
            return ()
        ref = text_at(value, "results_url") or ""
        try:
            self._client.address.check_origin(httpx.URL(ref))
        except (RequestRejectedError, httpx.InvalidURL):
            ref = self.route("results", batch_id)
        return (ResultSource(kind="output", ref=ref),)


def _final_status(value: Mapping[str, Any], counts: RemoteCounts) -> BatchStatus:
    """The status behind ``ended``; a cancel that affected no row leaves a completed batch."""
    if counts.cancelled and value.get("cancel_initiated_at"):
        return BatchStatus.CANCELLED
    if counts.expired:
        return BatchStatus.EXPIRED
    return BatchStatus.CANCELLED if counts.cancelled else BatchStatus.COMPLETED
