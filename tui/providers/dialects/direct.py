"""Direct mode, for providers without a batch API: rows are sent one by one, rate limited."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.core.results.openai_lines import (
    UnreadableLineError,
    decode_lenient,
    read_openai_line,
)
from tui.core.retry_rules import RetryRules
from tui.core.rows import Outcome
from tui.core.send_plans import Limits
from tui.errors import (
    BatchdeckError,
    InputError,
    KeyRejectedError,
    LimitError,
    ProviderError,
    QuotaError,
    UnexpectedResponseError,
    UsageError,
)
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, Capabilities, Dialect, ResultStyle
from tui.providers.dialects.base import BatchDialect
from tui.providers.profiles.model import Poll, Prices, Profile, WindowField
from tui.providers.wire.client import Reply
from tui.providers.wire.download import Download
from tui.providers.wire.errors import RawResponse, may_have_acted

DEFAULT_CONCURRENCY = 4
"""The default number of concurrent requests, which a local model can handle."""


@dataclass(frozen=True)
class DirectSettings:
    """How fast rows are sent; ``per_minute`` 0 means no limit."""

    concurrency: int = DEFAULT_CONCURRENCY
    per_minute: float = 0.0


OnPause = Callable[[BatchdeckError, float], None]
"""Called with an error that pauses all rows, and the length of the pause in seconds."""

OnSend = Callable[[bool], None]
"""Called with ``True`` right before a row is sent, and ``False`` if the server did not take it."""


@dataclass(frozen=True)
class DirectResult:
    """The outcome of one row: its result line, without a newline, and whether it succeeded."""

    line: bytes
    good: bool


class RowSender(Dialect, Protocol):
    """A dialect that sends rows one by one; implemented by ``tui.providers.dialects.direct``."""

    concurrency: int

    async def answer(
        self,
        request: bytes,
        custom_id: str,
        *,
        stop: asyncio.Event,
        on_pause: OnPause,
        on_send: OnSend = lambda _: None,
    ) -> DirectResult | None:
        """Send a row until it has a final result; ``None`` after ``stop``."""


def direct_profile(profile: Profile) -> Profile:
    """The profile of a provider in direct mode, without what applies only to batches.

    Removes file limits, completion windows, retention and batch prices (the discount, and the
    vendor's price list where it lists batch prices).
    """
    if profile.direct:
        return profile
    prices = profile.prices
    return msgspec.structs.replace(
        profile,
        direct=True,
        limits=Limits(line_bytes=profile.limits.line_bytes),
        poll=Poll(min_seconds=1, max_seconds=30),
        retention_days=None,
        prices=Prices(
            genai_prices_id=prices.genai_prices_id,
            currency=prices.currency,
            model_alias=prices.model_alias,
        ),
        paths=msgspec.structs.replace(profile.paths, estimate=""),
        create=msgspec.structs.replace(
            profile.create, window=WindowField(field="", kind="none", values=())
        ),
        notes=("Rows are sent one by one, at the regular price.",),
    )


class RateLimiter:
    """Limits requests per minute and concurrent requests, and pauses all of them on demand.

    Args:
        direct_settings: The limits.
        clock: A monotonic clock, in seconds; the default is that of the event loop.
    """

    def __init__(
        self, direct_settings: DirectSettings, clock: Callable[[], float] | None = None
    ) -> None:
        self._interval = (
            60.0 / direct_settings.per_minute if direct_settings.per_minute > 0 else 0.0
        )
        self._slots = asyncio.Semaphore(direct_settings.concurrency)
        self._order = asyncio.Lock()
        self._clock = clock
        self._next = 0.0
        self._paused_until = 0.0

    @property
    def slots(self) -> asyncio.Semaphore:
        """The semaphore that limits concurrent requests."""
        return self._slots

    def pause_all(self, seconds: float) -> None:
        """Pause all requests for some seconds, as the server asked."""
        self._paused_until = max(self._paused_until, self._now() + seconds)

    async def acquire(self, stop: asyncio.Event) -> bool:
        """Wait until the next request may be sent; ``False`` if ``stop`` was set first."""
        async with self._order:
            while not stop.is_set():
                pause = max(self._next, self._paused_until) - self._now()
                if pause <= 0:
                    self._next = self._now() + self._interval
                    return True
                await sleep_or_stop(pause, stop)
        return False

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()


async def sleep_or_stop(seconds: float, stop: asyncio.Event) -> None:
    """Wait for some seconds, or until ``stop`` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


MAX_TRIES = 5
"""The maximum number of times that a row is sent while its errors are temporary."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_ERROR_STATUSES = frozenset(range(400, 600))
_NOT_TAKEN = frozenset({503, 529})
"""Statuses that say of a single request that the server is too busy to take it."""

NO_RESPONSE = "no_answer"
UNREADABLE_RESPONSE = "unreadable_answer"
NOT_SENT = "request_not_sent"
"""Batchdeck's own error codes for rows without a usable response."""


class DirectDialect:
    """Sends rows one by one. Raises the errors of ``tui.errors``.

    Args:
        inner: The provider's dialect, which builds and sends single requests.
        direct_settings: The concurrency and rate limit.
        clock: Returns Unix seconds.
    """

    def __init__(
        self, inner: BatchDialect, direct_settings: DirectSettings, clock: Callable[[], float]
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._limiter = RateLimiter(direct_settings)
        self.concurrency = direct_settings.concurrency
        self._rules = RetryRules(
            {**inner.retry_rules, NO_RESPONSE: True, UNREADABLE_RESPONSE: True, NOT_SENT: False}
        )

    def __repr__(self) -> str:
        return f"DirectDialect({self._inner!r})"

    @property
    def capabilities(self) -> Capabilities:
        """Only single requests; batches and files do not exist at the provider."""
        return Capabilities(
            uploads=False,
            lists=False,
            metadata=False,
            deletes_files=False,
            answers_single_requests=self._inner.capabilities.answers_single_requests,
            runs_locally=True,
        )

    @property
    def result_style(self) -> ResultStyle:
        """OpenAI's format, in which the lines are built here."""
        return "openai"

    @property
    def retry_rules(self) -> Mapping[str, bool]:
        """The provider's codes and Batchdeck's own."""
        return self._rules

    @property
    def passes_through(self) -> bool:
        """Always true: rows are read from the job's own file."""
        return True

    def encode_line(self, request: bytes) -> bytes:
        """Return the line unchanged; it is encoded when it is sent."""
        return request

    async def answer(
        self,
        request: bytes,
        custom_id: str,
        *,
        stop: asyncio.Event,
        on_pause: OnPause,
        on_send: OnSend = lambda _: None,
    ) -> DirectResult | None:
        """Send a row, with retries, until it has a final result.

        A row whose answer was lost is not sent again: the server may have answered it, and then
        it is paid. It fails with the code ``no_answer``, and the user decides. So does one that is
        answered by a 500, 502 or 504, which may come from a gateway; only what says that the row
        was not taken (429, 503, 529) is sent again.

        Args:
            request: The request line.
            custom_id: Its id.
            stop: Stops sending when set; a running call is still completed.
            on_pause: Called when all rows are paused.
            on_send: Called before each time that the row is sent, and when it was not taken.

        Returns:
            The result; ``None`` when ``stop`` was set before the row was sent.

        Raises:
            KeyRejectedError: The key is invalid, so every row would fail.
            LimitError: The account has no credit or has reached a limit, so every row would fail.
            UnreachableError: The server cannot be reached; nothing was sent.
        """
        pause = _FIRST_PAUSE
        for attempt in range(1, MAX_TRIES + 1):
            async with self._limiter.slots:
                if not await self._limiter.acquire(stop):
                    return None
                outcome = await self._send(request, custom_id, on_send)
            if isinstance(outcome, DirectResult):
                return outcome
            error, result = outcome
            if attempt == MAX_TRIES:
                return result
            wait = pause + random.uniform(0.0, pause / 2)
            retry_after = error.retry_after if isinstance(error, ProviderError) else None
            if retry_after is not None or _affects_all_rows(error):
                wait = max(wait, retry_after or 0.0)
                self._limiter.pause_all(wait)
                on_pause(error, wait)
            else:
                await sleep_or_stop(wait, stop)
            pause = min(pause * 2, _LONGEST_PAUSE)
            if stop.is_set():
                return None
        raise AssertionError("MAX_TRIES must be at least 1")

    async def _send(
        self, request: bytes, custom_id: str, on_send: OnSend
    ) -> DirectResult | tuple[BatchdeckError, DirectResult]:
        """Send once; a temporary error comes with the result to use if it was the last try."""
        client = self._inner.client
        try:
            call = self._inner.single_request(request)
        except (InputError, UsageError) as error:
            return _failed(custom_id, NOT_SENT, error)
        on_send(True)
        try:
            reply = await client.ask(replace(call, accept=_ERROR_STATUSES))
        except UnexpectedResponseError as error:
            return _failed(custom_id, UNREADABLE_RESPONSE, error)
        except BatchdeckError as error:
            if may_have_acted(error):
                # It may be paid for, as an unreadable one is, so the user decides about a retry.
                return _failed(custom_id, NO_RESPONSE, error)
            on_send(False)
            raise
        if reply.status < 400:
            return _result(custom_id, reply)
        http_error = client.error_for(RawResponse(reply.status, reply.headers, reply.body), call)
        if may_have_acted(http_error) and reply.status not in _NOT_TAKEN:
            # A gateway may say so of a server that goes on, or whose answer was lost on the way.
            reason = {"code": NO_RESPONSE, "message": http_error.message}
            return DirectResult(_line(custom_id, reply, _error_body(reply), reason), good=False)
        on_send(False)
        if reply.status == 401 and isinstance(http_error, KeyRejectedError):
            raise http_error
        if isinstance(http_error, LimitError) and not isinstance(http_error, QuotaError):
            raise http_error
        result = DirectResult(_line(custom_id, reply, _error_body(reply)), good=False)
        return (http_error, result) if http_error.retryable else result

    async def ask(self, request: bytes) -> bytes:
        """Send one request outside any job; see ``Dialect.ask``."""
        return await self._inner.ask(request)

    async def count_tokens(self, request: bytes) -> int:
        """Ask the server to count the tokens of a request; see ``Dialect.count_tokens``."""
        return await self._inner.count_tokens(request)

    async def models(self) -> list[str]:
        """List the ids of the server's models."""
        return await self._inner.models()

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a local batch; nothing is sent or paid yet."""
        return RemoteBatch(
            id=draft.intent,
            status=BatchStatus.QUEUED,
            raw_status=BatchStatus.QUEUED.value,
            counts=RemoteCounts(total=draft.rows),
            intent=draft.intent,
            created_at=self._clock(),
        )

    async def upload(self, path: Path, *, name: str, progress: Progress = NO_PROGRESS) -> str:
        """Not supported."""
        raise self._unable("file uploads")

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Not supported: the progress of a batch is in the history."""
        raise self._unable("retrieving batches")

    def list_batches(self, *, created_after: float | None = None) -> AsyncIterator[RemoteBatch]:
        """Not supported."""
        raise self._unable("listing batches")

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Not supported: the engine stops sending rows instead."""
        raise self._unable("cancelling batches")

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Not supported: results are stored as they arrive."""
        raise self._unable("downloading results")

    async def delete_file(self, file_id: str) -> None:
        """Not supported."""
        raise self._unable("deleting files")

    async def files_named(self, name: str, *, created_after: float) -> list[str] | None:
        """There are no files."""
        return []

    async def delete_batch(self, batch_id: str) -> None:
        """Not supported."""
        raise self._unable("deleting batches")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    def _unable(self, what: str) -> UsageError:
        return UsageError(
            f"direct mode does not support {what}", "Direct batches exist only on this machine."
        )


def _affects_all_rows(error: BatchdeckError) -> bool:
    """Whether an error affects all rows of the account and not only this one."""
    status = error.status if isinstance(error, ProviderError) else None
    return isinstance(error, QuotaError) or status in (429, 503, 529)


def _result(custom_id: str, reply: Reply) -> DirectResult:
    try:
        reply.table()
        line = _line(custom_id, reply, _compact(reply.body))
    except UnexpectedResponseError as error:
        return _failed(custom_id, UNREADABLE_RESPONSE, error)
    found = read_openai_line(line)
    if found.outcome is Outcome.FAILED and found.error is not None and found.error.code is None:
        # A success without an answer: what the server did is not known, and may be paid.
        reason = {"code": UNREADABLE_RESPONSE, "message": found.error.message}
        line = _line(custom_id, reply, _compact(reply.body), reason)
        return DirectResult(line, good=False)
    return DirectResult(line, good=True)


def _error_body(reply: Reply) -> msgspec.Raw:
    """The provider's error as JSON; plain text becomes the message of an error object."""
    try:
        value = decode_lenient(reply.body)
    except UnreadableLineError:
        value = None
    hidden = reply.redacted(reply.body.decode("utf-8", "replace"))
    if isinstance(value, dict):
        try:
            return _compact(hidden.encode())
        except UnexpectedResponseError:
            value = None
    message = value if isinstance(value, str) else hidden[:2000].strip()
    return msgspec.Raw(msgspec.json.encode({"error": {"message": message}}))


def _compact(body: bytes) -> msgspec.Raw:
    """Put a JSON object on one line, otherwise unchanged."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        compact = msgspec.json.format(body, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnexpectedResponseError("the response is not valid JSON") from None
    if b"\n" in compact:
        raise UnexpectedResponseError("the response has line breaks inside JSON strings")
    return msgspec.Raw(compact)


def _line(
    custom_id: str, reply: Reply, body: msgspec.Raw, error: dict[str, str] | None = None
) -> bytes:
    request_id = RawResponse(reply.status, reply.headers, b"").request_id
    response = {"status_code": reply.status, "request_id": request_id, "body": body}
    return _encoded(custom_id, response, error)


def lost_result(custom_id: str) -> DirectResult:
    """The result of a row that was under way when its program ended."""
    ended = BatchdeckError("the program ended while this row was under way; it may be answered")
    return _failed(custom_id, NO_RESPONSE, ended)


def _failed(custom_id: str, code: str, error: BatchdeckError) -> DirectResult:
    """The result of a row without a usable response."""
    line = _encoded(custom_id, None, {"code": code, "message": error.message})
    return DirectResult(line, good=False)


def _encoded(custom_id: str, response: Any, error: Any) -> bytes:
    line = {
        "id": f"direct_{custom_id}",
        "custom_id": custom_id,
        "response": response,
        "error": error,
    }
    return msgspec.json.encode(line)
