"""The HTTP client of an account: one call to the provider, its response, and who counts them."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from tui import __version__, errors
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient
from tui.core.retry_rules import RetryRules
from tui.logs import LOGGER
from tui.providers.profiles.model import Profile
from tui.providers.wire.address import Address, origin_of, origin_text
from tui.providers.wire.bounds import has_too_many_values, head_within, is_bomb
from tui.providers.wire.errors import (
    MAX_ERROR_BYTES,
    ErrorContext,
    RawResponse,
    error_words,
    may_have_acted,
    redact,
)
from tui.providers.wire.mask import Mask
from tui.providers.wire.network import http_client
from tui.providers.wire.retry import MinimumSpeed, date_in, with_retries
from tui.providers.wire.unpacking import unpacked

BodyFactory = Callable[[], dict[str, Any]]
"""Builds a fresh request body: arguments of ``httpx.AsyncClient.build_request``."""


@dataclass(frozen=True)
class Call:
    """One request to a provider.

    ``what`` completes "failed to …" in errors. Only an ``idempotent`` call is retried. ``accept``
    has statuses outside 2xx that the caller handles. ``read_timeout`` is in seconds; ``None`` uses
    the profile's. With ``retry_404`` a 404 may only mean "not yet" and is retried like a temporary
    error. With ``leaves_origin`` it may lead to another origin, where it is sent without the key.
    ``storage_headers`` names those of its headers that are sent there too, besides what says which
    bytes are wanted. ``patient`` waits longer for a server that is busy or behind a gateway in
    trouble. A ``keyless`` call is to an address that is a right of its own.
    """

    method: str
    path: str
    what: str
    idempotent: bool = True
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    body: BodyFactory | None = None
    read_timeout: float | None = None
    accept: frozenset[int] = frozenset()
    retry_404: bool = False
    leaves_origin: bool = False
    storage_headers: frozenset[str] = frozenset()
    patient: bool = False
    keyless: bool = False


@dataclass(frozen=True)
class Reply:
    """A complete response; ``redacted`` removes the key from what is shown of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    provider: str
    what: str
    redacted: Callable[[str], str]

    @property
    def sent_at(self) -> float | None:
        """When the server sent it, by its own clock, in Unix seconds; ``None`` if unknown."""
        return date_in(self.headers)

    def value(self) -> Any:
        """Parse the body as JSON; ``None`` when it is empty.

        Raises:
            UnexpectedResponseError: It is a web page, or not JSON.
        """
        body = self.body.removeprefix(b"\xef\xbb\xbf").strip()
        if not body:
            return None
        if has_too_many_values(body):
            raise self.unexpected("has too many values")
        try:
            return decode_lenient(body)
        except UnreadableLineError:
            raise self.unexpected("is not JSON") from None

    def table(self) -> dict[str, Any]:
        """Parse the body as a JSON object.

        Raises:
            UnexpectedResponseError: It is anything else.
        """
        value = self.value()
        if not isinstance(value, dict):
            raise self.unexpected("is not a JSON object")
        return value

    def unexpected(self, reason: str) -> errors.UnexpectedResponseError:
        """Build the error for an unexpected body; ``reason`` completes "the response …"."""
        answer = RawResponse(self.status, self.headers, self.body[:MAX_ERROR_BYTES])
        words = ""
        if answer.is_html:
            reason = "is a web page"
        elif self.body[:1] == b"{":
            words = error_words(self.redacted(answer.head.decode("utf-8", "replace")))
        message = (
            f"{self.provider} was asked to {self.what}, but the response {reason}"
            f" (status {self.status}){f': {words}' if words else ''}"
        )
        return errors.UnexpectedResponseError(
            message,
            "" if words else "Check base_url, and whether a proxy is in the way.",
            status=self.status,
            body=self.redacted(answer.head.decode("utf-8", "replace")),
            request_id=answer.request_id,
        )


_MINUTES = 60


class RequestCounter:
    """Counts requests per minute over the last hour, in bounded memory.

    Args:
        clock: Returns Unix seconds; may be set back.

    Attributes:
        total: Requests since the start.
        busiest_minute: The most requests in one minute.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._minutes: deque[tuple[int, int]] = deque(maxlen=_MINUTES)
        self.total = 0
        self.busiest_minute = 0

    def note(self) -> None:
        """Count a request that is being sent."""
        minute = int(self._clock() // 60)
        self.total += 1
        count = 1
        if self._minutes and self._minutes[-1][0] == minute:
            count += self._minutes.pop()[1]
        self._minutes.append((minute, count))
        self.busiest_minute = max(self.busiest_minute, count)

    @property
    def last_minute(self) -> int:
        """Requests in this minute and the one before, so at least in the last 60 seconds."""
        return self._since(1)

    @property
    def last_hour(self) -> int:
        """Requests in the last 60 minutes."""
        return self._since(_MINUTES - 1)

    def _since(self, minutes: int) -> int:
        now = int(self._clock() // 60)
        return sum(count for minute, count in self._minutes if now - minutes <= minute <= now)


MAX_RETRY_DELAY = 60.0
"""The longest ``Retry-After`` in seconds that is waited for here; longer ones raise the error."""

MAX_RESPONSE_BYTES = 256 << 20
"""The most bytes of a response read into memory; result files are streamed instead."""

MAX_STORAGE_BYTES = 32 << 30
"""The most bytes of results that are fetched from an origin other than the account's."""

_PATIENT_ATTEMPTS = 8
_LONGEST_PAUSE = 30.0
_BUSY = frozenset({429, 502, 503, 504, 529})
_PLAIN_HEADERS = frozenset({"Accept", "Accept-Encoding", "Range"})
_MAX_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_CONNECTIONS = 16
_KEEPALIVE_SECONDS = 2.0
"""Many servers close idle connections after five seconds. A call sent at that moment loses its
response, and a create call is not retried blindly, so connections are dropped earlier."""
_ERROR_BYTES = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

T = TypeVar("T")


class HttpClient:
    """The HTTP client of one account. The key is sent only to the account's own origin.

    Args:
        profile: The provider.
        address: The checked base address.
        key: The API key, if there is one.
        transport: Replaces the network, for tests.
        uds: A Unix socket to connect to.
        connections: The maximum number of concurrent calls.
        clock: Returns Unix seconds.
        traffic: Counts the requests.
        signer: Signs each request to the account's own origin, in place of a key.

    Raises:
        KeyRejectedError: The key contains spaces or characters that are invalid in a header.
        ConfigError: A proxy or certificates set in the environment cannot be used.
    """

    def __init__(
        self,
        profile: Profile,
        address: Address,
        key: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        uds: Path | None = None,
        connections: int = _CONNECTIONS,
        clock: Callable[[], float] = time.time,
        traffic: RequestCounter | None = None,
        signer: httpx.Auth | None = None,
    ) -> None:
        self._signer = signer
        self._traffic = RequestCounter(clock) if traffic is None else traffic
        self.profile = profile
        self.address = address
        self.rules = RetryRules(profile.retry_codes)
        self._key = _checked_key(key, profile)
        self._errors = ErrorContext(
            profile.name,
            address.base.host,
            self._key,
            profile.quota,
            self.rules,
            clock,
            profile.windows if profile.create.window.kind != "none" else (),
        )
        self._mask = Mask(self._key)
        self._transport = transport
        self._connections = connections
        self._client = self._client_for(address.base, uds)
        self._storages: dict[tuple[str, str, int], httpx.AsyncClient] = {}

    def __repr__(self) -> str:
        return f"HttpClient({self.profile.id}, {self.address.base})"

    @property
    def has_key(self) -> bool:
        """Whether requests are sent with a key, not signed or without credentials."""
        return self._key is not None

    async def aclose(self) -> None:
        """Close the connections."""
        for client in (self._client, *self._storages.values()):
            await client.aclose()

    async def ask(self, call: Call) -> Reply:
        """Make a call and read the whole response.

        Raises:
            BatchdeckError: One of ``tui.errors``; never an httpx error.
        """

        async def once() -> Reply:
            response = await self._open(call)
            try:
                body = await self._read(response, call)
            finally:
                await response.aclose()
            return self.reply(response, body, call.what)

        return await self._retried(call, once)

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[httpx.Response]:
        """Make a call and leave the response body to be read with ``chunks``.

        Raises:
            BatchdeckError: One of ``tui.errors``; never an httpx error.
        """
        response = await self._retried(call, lambda: self._open(call))
        try:
            yield response
        finally:
            await response.aclose()

    async def chunks(self, response: httpx.Response, call: Call) -> AsyncIterator[bytes]:
        """Stream the decompressed body of an open response, without the key if it holds it.

        Raises:
            UnreachableError: The connection broke before the end, or was too slow.
            UnexpectedResponseError: The body cannot be decompressed as its headers say, or
                unpacks to far more than any result file.
        """
        speed = MinimumSpeed(self._read_timeout(call))
        context = self._errors_at(response.url)
        most = MAX_STORAGE_BYTES if self._is_elsewhere(response.url) else math.inf
        mask = self._mask.stream()
        size = 0
        with context.connection_errors(call.what, idempotent=call.idempotent, answered=True):
            async for chunk in unpacked(response):
                if masked := mask.feed(chunk):
                    yield masked
                speed.check(response.num_bytes_downloaded)
                size += len(chunk)
                if is_bomb(response.num_bytes_downloaded, size):
                    raise errors.UnexpectedResponseError(
                        f"The response from {self.profile.name} unpacks to far more than any"
                        " result file",
                        "Ask the provider about it.",
                    )
                if response.num_bytes_downloaded > most:
                    raise errors.UnexpectedResponseError(
                        f"The results at {origin_text(response.url)} are larger than"
                        f" {MAX_STORAGE_BYTES >> 30} GiB",
                        "Ask the provider about them.",
                    )
            if rest := mask.rest:
                yield rest

    def reply(self, response: httpx.Response, body: bytes, what: str) -> Reply:
        """Build a reply from a response and the part of its body that was read."""
        status, headers = response.status_code, response.headers
        return Reply(status, headers, body, self.profile.name, what, self.redacted)

    def redacted(self, text: str) -> str:
        """Redact the key in a text."""
        return redact(text, self._key)

    async def _retried(self, call: Call, act: Callable[[], Awaitable[T]]) -> T:
        patience = _Patience(call, self.profile.http.attempts)
        try:
            return await with_retries(
                act,
                should_retry=patience,
                attempts=max(self.profile.http.attempts, _PATIENT_ATTEMPTS),
                first=self.profile.http.first_pause,
                longest=_LONGEST_PAUSE if call.patient else 8.0,
            )
        except errors.BatchdeckError as error:
            # Whatever of the provider's words is in it: ids, addresses, codes, messages.
            error.message, error.hint = self.redacted(error.message), self.redacted(error.hint)
            error.args = (error.message,)
            error.body = self.redacted(error.body)
            if isinstance(error, errors.ProviderError):
                error.code = self.redacted(error.code) if error.code else error.code
                error.request_id = self.redacted(error.request_id) if error.request_id else None
            raise

    async def _open(self, call: Call) -> httpx.Response:
        """Send the call, follow redirects, and raise error responses.

        A redirect is followed within the origin; a call that may leave it is sent on without the
        key, also if it is led back.
        """
        url = self._first_url(call)
        left = False
        for _ in range(_MAX_REDIRECTS + 1):
            left = left or self._is_elsewhere(url)
            response = await self._send(call, url, left=left)
            status = response.status_code
            if left and status in (401, 403):
                await response.aclose()
                raise errors.ProviderError(
                    f"{self.profile.name} failed to {call.what}: the address that it gave for"
                    f" them was refused by {url.host} ({status})",
                    "The next try asks for a new address.",
                    status=status,
                )
            if 200 <= status < 300 or status in call.accept:
                return response
            if status not in _REDIRECTS or "location" not in response.headers:
                raise await self._response_error(response, call)
            await response.aclose()
            url = self._next(call, url, response)
        # Without the query, which may be a key of its own.
        raise errors.RequestRejectedError(
            f"redirect loop at {self.profile.name}, last to {url.copy_with(query=None)}",
            "Check base_url.",
        )

    def _first_url(self, call: Call) -> httpx.URL:
        if call.leaves_origin and call.path.lower().startswith(("http://", "https://")):
            url = httpx.URL(call.path)
            if self._is_elsewhere(url):
                self._check_storage(url, call)
                return url
        return self.address.route(call.path, call.params)

    def _check_storage(self, url: httpx.URL, call: Call) -> None:
        fetches = call.method in ("GET", "HEAD")
        self.address.check_storage(url, "the results" if fetches else "the upload")
        # Without the query, which is a key of its own.
        LOGGER.info(
            "%s: %s %s without the key",
            self.profile.name,
            "results are fetched from" if fetches else "a file is sent to",
            self.redacted(str(url.copy_with(query=None, fragment=None, userinfo=b""))),
        )

    def _is_elsewhere(self, url: httpx.URL) -> bool:
        return origin_of(url) != origin_of(self.address.base)

    def _errors_at(self, url: httpx.URL) -> ErrorContext:
        return replace(self._errors, host=url.host) if self._is_elsewhere(url) else self._errors

    def _next(self, call: Call, url: httpx.URL, response: httpx.Response) -> httpx.URL:
        try:
            target = url.join(response.headers["location"])
        except (httpx.InvalidURL, ValueError):
            raise errors.RequestRejectedError(
                f"{self.profile.name} redirects to an invalid URL", "Check base_url."
            ) from None
        # 307 and 308 mean that nothing was done and the same request should go elsewhere;
        # the other statuses would turn a POST into a GET.
        if call.method not in ("GET", "HEAD") and response.status_code not in (307, 308):
            same = origin_of(target) == origin_of(self.address.base)
            place = target.path if same else f"another address, {origin_text(target)}"
            raise errors.RequestRejectedError(
                f"{self.profile.name} failed to {call.what}: it redirects to {place}",
                "Check base_url; part of its path may be missing.",
                status=response.status_code,
            )
        if call.leaves_origin and self._is_elsewhere(target):
            self._check_storage(target, call)
        else:
            self.address.check_origin(target)
        return target

    async def _send(self, call: Call, url: httpx.URL, *, left: bool) -> httpx.Response:
        arguments: dict[str, Any] = call.body() if call.body is not None else {}
        credentials = {} if call.keyless else self._credentials()
        headers = {**self.profile.headers, **call.headers, **credentials}
        client = self._client
        if left:
            taken = _PLAIN_HEADERS | call.storage_headers
            headers = {name: text for name, text in call.headers.items() if name in taken}
            client = self._storage(url)
        if call.json is not None:
            arguments["content"] = msgspec.json.encode(call.json)
            headers.setdefault("Content-Type", "application/json")
        request = client.build_request(
            call.method,
            url,
            headers=headers,
            timeout=httpx.Timeout(
                self._read_timeout(call), connect=_CONNECT_SECONDS, write=60.0, pool=60.0
            ),
            **arguments,
        )
        self._traffic.note()
        context = self._errors_at(url)
        with context.connection_errors(call.what, idempotent=call.idempotent, answered=False):
            async with head_within(self._read_timeout(call)) as trace:
                request.extensions["trace"] = trace
                return await client.send(
                    request,
                    stream=True,
                    follow_redirects=False,
                    auth=None if left or call.keyless else self._signer,
                )

    def _storage(self, url: httpx.URL) -> httpx.AsyncClient:
        """The client of another origin: it verifies certificates whatever the account does."""
        origin = origin_of(url)
        if not self._is_elsewhere(url):
            return self._client
        if origin not in self._storages:
            self._storages[origin] = self._client_for(url)
        return self._storages[origin]

    def _client_for(self, url: httpx.URL, uds: Path | None = None) -> httpx.AsyncClient:
        limits = httpx.Limits(
            max_connections=self._connections,
            max_keepalive_connections=max(8, self._connections - 8),
            keepalive_expiry=_KEEPALIVE_SECONDS,
        )
        return http_client(
            url,
            limits=limits,
            headers={"User-Agent": f"batchdeck/{__version__}", "Accept": "application/json"},
            transport=self._transport,
            uds=None if uds is None else str(uds),
        )

    def _read_timeout(self, call: Call) -> float:
        return self.profile.http.read_seconds if call.read_timeout is None else call.read_timeout

    def _credentials(self) -> dict[str, str]:
        auth = self.profile.auth
        if self._key is None:
            return {}
        return {auth.header: f"{auth.scheme} {self._key}" if auth.scheme else self._key}

    async def _response_error(self, response: httpx.Response, call: Call) -> errors.BatchdeckError:
        head = bytearray()
        try:
            async with asyncio.timeout(self._read_timeout(call)):
                async for chunk in unpacked(response):
                    head += chunk
                    if len(head) >= _ERROR_BYTES:
                        break
        except (httpx.HTTPError, httpx.StreamError, OSError):
            # The status is known; the rest of the body would only have explained it.
            pass
        finally:
            await response.aclose()
        return self.error_for(
            RawResponse(response.status_code, response.headers, bytes(head)), call
        )

    def error_for(self, answer: RawResponse, call: Call) -> errors.BatchdeckError:
        """Build the error for an unsuccessful response to a call."""
        return self._errors.response_error(answer, call.what, idempotent=call.idempotent)

    async def _read(self, response: httpx.Response, call: Call) -> bytes:
        body = bytearray()
        async for chunk in self.chunks(response, call):
            body += chunk
            if len(body) > MAX_RESPONSE_BYTES:
                raise errors.UnexpectedResponseError(
                    f"The response from {self.profile.name} is larger than"
                    f" {MAX_RESPONSE_BYTES >> 20} MiB",
                    "Check base_url.",
                    status=response.status_code,
                )
        return bytes(body)


class _Patience:
    """Decides after each error whether a call is made again.

    Args:
        call: The call.
        attempts: How often it is made at the most, unless the server is only busy.
    """

    def __init__(self, call: Call, attempts: int) -> None:
        self._call = call
        self._attempts = attempts
        self._made = 0

    def __call__(self, error: errors.BatchdeckError) -> bool | float:
        self._made += 1
        busy = isinstance(error, errors.ProviderError) and error.status in _BUSY
        if self._made >= self._attempts and not (self._call.patient and busy):
            return False
        if not self._call.idempotent and not (busy and not may_have_acted(error)):
            return False
        return _pause(error, retry_404=self._call.retry_404)


def _pause(error: errors.BatchdeckError, *, retry_404: bool = False) -> bool | float:
    """Whether to retry a call, or the delay in seconds that the server asked for."""
    if retry_404 and isinstance(error, errors.RequestRejectedError) and error.status == 404:
        return True
    if not isinstance(error, errors.ProviderError) or not error.retryable:
        return False
    if isinstance(error, errors.UnexpectedResponseError):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= MAX_RETRY_DELAY else False


def _bare(key: str) -> str:
    """A key without what is copied along with it: quotes, and the scheme of the header."""
    key = key.strip()
    if len(key) > 1 and key[0] == key[-1] and key[0] in "\"'`":
        key = key[1:-1].strip()
    scheme, blank, rest = key.partition(" ")
    return rest.strip() if blank and scheme.lower() == "bearer" else key


def _checked_key(key: str | None, profile: Profile) -> str | None:
    """Check that the key can be sent in a header; httpx would include a bad key in its error."""
    key = _bare(key or "")
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise errors.KeyRejectedError(
            f"The key for {profile.name} contains spaces or invalid characters",
            "Set it again; something else may have been copied with it.",
        )
    return key
