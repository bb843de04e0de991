"""The direct dialect: every row is a call of its own to a synchronous endpoint.

The batch is ours alone: nothing is made, kept or listed at the provider. The engine hands over
request lines and gets back result lines in the shape of OpenAI's output files, which are what
a batch of the same rows would have given.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from tui.core.counts import RemoteCounts
from tui.core.remote import RemoteBatch, ResultSource
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.rules import RetryRules
from tui.core.status import BatchStatus
from tui.errors import (
    AnswerLostError,
    BatchdeckError,
    GarbledAnswerError,
    InputError,
    KeyRefusedError,
    LimitError,
    ProviderError,
    QuotaError,
    UsageError,
)
from tui.providers.base import (
    BatchDraft,
    Capabilities,
    Download,
    ResultStyle,
    SendProgress,
)
from tui.providers.calls import Reply
from tui.providers.common import BatchDialect
from tui.providers.gate import Gate, waited
from tui.providers.lane import Lane, OnPause, RowAnswer
from tui.providers.refusals import Answer

TRIES = 5
"""How often a row is sent while the trouble is of the kind that passes."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_REFUSALS = frozenset(range(400, 600))

NO_ANSWER = "no_answer"
UNREADABLE = "unreadable_answer"
UNFIT = "request_not_sent"
"""Our own codes of rows to which the provider gave no answer that can be kept."""


class DirectDialect:
    """Sends rows one by one. Errors are those of ``tui.errors``.

    Args:
        inner: Knows the addresses, headers and body of the provider's single requests.
        lane: How fast rows may be sent.
        clock: Unix seconds.
    """

    def __init__(self, inner: BatchDialect, lane: Lane, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._clock = clock
        self._gate = Gate(lane)
        self.concurrency = lane.concurrency
        self._rules = RetryRules(
            {**inner.retry_rules, NO_ANSWER: True, UNREADABLE: True, UNFIT: False}
        )

    def __repr__(self) -> str:
        return f"DirectDialect({self._inner!r})"

    @property
    def capabilities(self) -> Capabilities:
        """Rows are answered here, and nothing else is asked of the provider."""
        return Capabilities(
            uploads=False,
            lists=False,
            metadata=False,
            deletes_files=False,
            asks=self._inner.capabilities.asks,
            runs_here=True,
        )

    @property
    def result_style(self) -> ResultStyle:
        """The lines are of our own making, in OpenAI's shape."""
        return "openai"

    @property
    def retry_rules(self) -> Mapping[str, bool]:
        """The provider's codes and our own."""
        return self._rules

    @property
    def passes_through(self) -> bool:
        """Rows are read from the job's own file."""
        return True

    def encode_line(self, request: bytes) -> bytes:
        """The line as it is: its form on the wire is made when it is sent."""
        return request

    async def answer(
        self, request: bytes, custom_id: str, *, stop: asyncio.Event, on_pause: OnPause
    ) -> RowAnswer | None:
        """Send a row until there is an answer that can be kept.

        Args:
            request: The request line.
            custom_id: Its id.
            stop: Set when nothing more is to be sent; a call that is under way is waited for.
            on_pause: Told when the lane is held up for some seconds.

        Returns:
            The answer; ``None`` when the row is still to be sent, because of ``stop``.

        Raises:
            KeyRefusedError: The key is wrong, for this row and for every other one.
            LimitError: The account has no money, or has reached a limit, for any row.
            UnreachableError: There is no way to the server; nothing was sent.
        """
        pause = _FIRST_PAUSE
        for attempt in range(1, TRIES + 1):
            async with self._gate.slots:
                if not await self._gate.passed(stop):
                    return None
                outcome = await self._once(request, custom_id)
            if isinstance(outcome, RowAnswer):
                return outcome
            error, kept = outcome
            if attempt == TRIES:
                return kept
            wait = pause + random.uniform(0.0, pause / 2)
            asked = error.retry_after if isinstance(error, ProviderError) else None
            if asked is not None or _is_crowded(error):
                wait = max(wait, asked or 0.0)
                self._gate.close_for(wait)
                on_pause(error, wait)
            else:
                await waited(wait, stop)
            pause = min(pause * 2, _LONGEST_PAUSE)
            if stop.is_set():
                return None
        raise AssertionError("a row is sent at least once")

    async def _once(
        self, request: bytes, custom_id: str
    ) -> RowAnswer | tuple[BatchdeckError, RowAnswer]:
        """One call; trouble that may pass comes with what to keep when it was the last one."""
        wire = self._inner.wire
        try:
            call = self._inner.question(request)
        except (InputError, UsageError) as error:
            return RowAnswer(_unanswered(custom_id, UNFIT, error.message), good=False)
        try:
            reply = await wire.ask(replace(call, accept=_REFUSALS))
        except AnswerLostError as error:
            return error, RowAnswer(_unanswered(custom_id, NO_ANSWER, error.message), good=False)
        except GarbledAnswerError as error:
            # It was paid for: sending it again is for a person to decide.
            return RowAnswer(_unanswered(custom_id, UNREADABLE, error.message), good=False)
        if reply.status < 400:
            return _answered(custom_id, reply)
        refused = wire.refused(Answer(reply.status, reply.headers, reply.body), call)
        if reply.status == 401 and isinstance(refused, KeyRefusedError):
            raise refused
        if isinstance(refused, LimitError) and not isinstance(refused, QuotaError):
            raise refused
        kept = RowAnswer(_line(custom_id, reply, _error_body(reply)), good=False)
        return (refused, kept) if refused.retryable else kept

    async def ask(self, request: bytes) -> bytes:
        """The answer to one request, outside any job."""
        return await self._inner.ask(request)

    async def count_tokens(self, request: bytes) -> int:
        """How many tokens the server counts in a request."""
        return await self._inner.count_tokens(request)

    async def models(self) -> list[str]:
        """Ids of the models that the server lists."""
        return await self._inner.models()

    async def create(
        self, draft: BatchDraft, *, progress: SendProgress | None = None
    ) -> RemoteBatch:
        """A batch of our own; nothing is sent, and nothing is paid yet."""
        return RemoteBatch(
            id=draft.intent,
            status=BatchStatus.QUEUED,
            raw_status=BatchStatus.QUEUED.value,
            counts=RemoteCounts(total=draft.rows),
            intent=draft.intent,
            created_at=self._clock(),
        )

    async def upload(self, path: Path, *, name: str, progress: SendProgress | None = None) -> str:
        """Not offered."""
        raise self._unable("take a file")

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Not offered: the history knows how far a batch is."""
        raise self._unable("tell of a batch")

    def list_batches(self, *, created_after: float | None = None) -> AsyncIterator[RemoteBatch]:
        """Not offered."""
        raise self._unable("list batches")

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Not offered: whoever sends the rows stops."""
        raise self._unable("cancel a batch")

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Not offered: the answers are here as they come."""
        raise self._unable("keep results")

    async def delete_file(self, file_id: str) -> None:
        """Not offered."""
        raise self._unable("delete a file")

    async def delete_batch(self, batch_id: str) -> None:
        """Not offered."""
        raise self._unable("delete a batch")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    def _unable(self, what: str) -> UsageError:
        return UsageError(f"the direct lane has no way to {what}", "Its batches exist only here.")


def _is_crowded(error: BatchdeckError) -> bool:
    """Does the trouble concern every row of the lane, and not only this one?"""
    status = error.status if isinstance(error, ProviderError) else None
    return isinstance(error, QuotaError) or status in (429, 503, 529)


def _answered(custom_id: str, reply: Reply) -> RowAnswer:
    try:
        reply.table()
        return RowAnswer(_line(custom_id, reply, _packed(reply.body)), good=True)
    except GarbledAnswerError as error:
        return RowAnswer(_unanswered(custom_id, UNREADABLE, error.message), good=False)


def _error_body(reply: Reply) -> msgspec.Raw:
    """The provider's own words, as JSON; a text becomes the message of an error."""
    try:
        value = decode_lenient(reply.body)
    except UnreadableLineError:
        value = None
    hidden = reply.hide(reply.body.decode("utf-8", "replace"))
    if isinstance(value, dict):
        try:
            return _packed(hidden.encode())
        except GarbledAnswerError:
            value = None
    words = value if isinstance(value, str) else hidden[:2000].strip()
    return msgspec.Raw(msgspec.json.encode({"error": {"message": words}}))


def _packed(body: bytes) -> msgspec.Raw:
    """A JSON object on one line, otherwise as it came."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        packed = msgspec.json.format(body, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise GarbledAnswerError("the answer is not JSON as the standard has it") from None
    if b"\n" in packed:
        raise GarbledAnswerError("the answer has line breaks where JSON has none")
    return msgspec.Raw(packed)


def _line(custom_id: str, reply: Reply, body: msgspec.Raw) -> bytes:
    request_id = Answer(reply.status, reply.headers, b"").request_id
    response = {"status_code": reply.status, "request_id": request_id, "body": body}
    return _encoded(custom_id, response, None)


def _unanswered(custom_id: str, code: str, message: str) -> bytes:
    return _encoded(custom_id, None, {"code": code, "message": message})


def _encoded(custom_id: str, response: Any, error: Any) -> bytes:
    line = {
        "id": f"direct_{custom_id}",
        "custom_id": custom_id,
        "response": response,
        "error": error,
    }
    return msgspec.json.encode(line)
