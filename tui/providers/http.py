"""The one way to the wire: keys, redirects, patience, and errors that say what happened."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from tui import __version__
from tui.core.rules import RetryRules
from tui.errors import (
    BatchdeckError,
    ConfigError,
    GarbledAnswerError,
    KeyRefusedError,
    ProviderError,
    RequestRefusedError,
)
from tui.providers.address import Address, origin_of, origin_text
from tui.providers.calls import Call, Reply
from tui.providers.failures import failure
from tui.providers.pace import Pace
from tui.providers.redact import redact
from tui.providers.refusals import Answer, Reading, refusal
from tui.providers.repeating import repeated
from tui.providers.schema import Profile
from tui.providers.traffic import Traffic

LONGEST_PAUSE = 60.0
"""Seconds that a repeatable call waits when it is asked to; more is left to the caller."""

LARGEST_REPLY = 256 << 20
"""Bytes of an answer that is read into memory; result files are never read that way."""

_MOST_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_CONNECTIONS = 16
_KEEPALIVE_SECONDS = 2.0
"""Usual servers close an idle connection after five seconds; a call that goes out on one just
then loses its answer, and a create is not made again blindly."""
_ERROR_HEAD = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

T = TypeVar("T")


class Wire:
    """Calls to one account. The key goes to the account's own origin and nowhere else.

    Args:
        profile: Whose API it is.
        address: The checked base address.
        key: The key, if there is one.
        transport: Replaces the network, for tests.
        uds: A Unix socket to speak through.
        connections: How many calls may be under way at a time.
        clock: Unix seconds.
        traffic: Where requests are counted.

    Raises:
        KeyRefusedError: The key cannot be a key: it holds spaces or strange characters.
        ConfigError: A proxy of the environment cannot be used.
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
        traffic: Traffic | None = None,
    ) -> None:
        self._traffic = Traffic(clock) if traffic is None else traffic
        self.profile = profile
        self.address = address
        self.rules = RetryRules(profile.retry_codes)
        self._key = _checked(key, profile)
        self._clock = clock
        self._client = _client(address, transport, uds, connections)

    def __repr__(self) -> str:
        return f"Wire({self.profile.id}, {self.address.base})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, call: Call) -> Reply:
        """Make a call and read its answer whole.

        Raises:
            BatchdeckError: As ``tui.errors`` says; never anything of httpx.
        """

        async def once() -> Reply:
            response = await self._open(call)
            try:
                body = await self._read(response, call)
            finally:
                await response.aclose()
            return self.reply(response, body, call.what)

        return await self._patiently(call, once)

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[httpx.Response]:
        """Make a call and leave its body to be read by ``chunks``.

        Raises:
            BatchdeckError: As ``tui.errors`` says; never anything of httpx.
        """
        response = await self._patiently(call, lambda: self._open(call))
        try:
            yield response
        finally:
            await response.aclose()

    async def chunks(self, response: httpx.Response, call: Call) -> AsyncIterator[bytes]:
        """The body of an opened answer, decoded, as it comes.

        Raises:
            UnreachableError: The connection broke before the end.
            GarbledAnswerError: The body is not what its headers say.
        """
        trouble: BatchdeckError | None = None
        pace = Pace(self._patience(call))
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
                pace.check(response.num_bytes_downloaded)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            trouble = self._failure(error, call, answered=True)
        # Raised out here, so that no frame that holds the headers hangs on the error.
        if trouble is not None:
            raise trouble

    def reply(self, response: httpx.Response, body: bytes, what: str) -> Reply:
        """An answer with the part of its body that was read."""
        status, headers = response.status_code, response.headers
        return Reply(status, headers, body, self.profile.name, what, self.hide)

    def hide(self, text: str) -> str:
        """A text without the key."""
        return redact(text, self._key)

    async def _patiently(self, call: Call, act: Callable[[], Awaitable[T]]) -> T:
        if not call.repeatable:
            return await act()
        return await repeated(
            act,
            again=functools.partial(_pause, late=call.late),
            attempts=self.profile.http.attempts,
            first=self.profile.http.first_pause,
        )

    async def _open(self, call: Call) -> httpx.Response:
        """Send, follow redirects of the same origin, and turn refusals into errors."""
        url = self.address.route(call.path, call.params)
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._send(call, url)
            status = response.status_code
            if 200 <= status < 300 or status in call.accept:
                return response
            if status not in _REDIRECTS or "location" not in response.headers:
                raise await self._refusal(response, call)
            await response.aclose()
            url = self._next(call, url, response)
        raise RequestRefusedError(
            f"{self.profile.name} redirects round in a circle, last to {url}", "Check base_url."
        )

    def _next(self, call: Call, url: httpx.URL, response: httpx.Response) -> httpx.URL:
        try:
            target = url.join(response.headers["location"])
        except (httpx.InvalidURL, ValueError):
            raise RequestRefusedError(
                f"{self.profile.name} redirects to an address that is none", "Check base_url."
            ) from None
        # 307 and 308 say that nothing was done and that the same request belongs elsewhere;
        # after the others a POST would be sent on as a GET.
        if call.method not in ("GET", "HEAD") and response.status_code not in (307, 308):
            same = origin_of(target) == origin_of(self.address.base)
            place = target.path if same else f"another address, {origin_text(target)}"
            raise RequestRefusedError(
                f"{self.profile.name} could not {call.what}: it redirects to {place}",
                "Check base_url; perhaps a part of its path is missing.",
                status=response.status_code,
            )
        self.address.check_origin(target)
        return target

    async def _send(self, call: Call, url: httpx.URL) -> httpx.Response:
        patience = self._patience(call)
        arguments: dict[str, Any] = call.body() if call.body is not None else {}
        headers = {**self.profile.headers, **call.headers}
        if call.json is not None:
            arguments["content"] = msgspec.json.encode(call.json)
            headers.setdefault("Content-Type", "application/json")
        request = self._client.build_request(
            call.method,
            url,
            headers={**headers, **self._credentials()},
            timeout=httpx.Timeout(patience, connect=_CONNECT_SECONDS, write=60.0, pool=60.0),
            **arguments,
        )
        self._traffic.note()
        try:
            return await self._client.send(request, stream=True, follow_redirects=False)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            trouble = self._failure(error, call, answered=False)
        raise trouble

    def _patience(self, call: Call) -> float:
        return self.profile.http.read_seconds if call.patience is None else call.patience

    def _credentials(self) -> dict[str, str]:
        auth = self.profile.auth
        if self._key is None:
            return {}
        return {auth.header: f"{auth.scheme} {self._key}" if auth.scheme else self._key}

    async def _refusal(self, response: httpx.Response, call: Call) -> BatchdeckError:
        try:
            head = await self._head(response)
        finally:
            await response.aclose()
        return self.refused(Answer(response.status_code, response.headers, head), call)

    def refused(self, answer: Answer, call: Call) -> BatchdeckError:
        """The error for an answer to a call that is not a success."""
        profile = self.profile
        reading = Reading(profile.name, self._key, profile.quota, self.rules, self._clock())
        return refusal(answer, reading, what=call.what, repeatable=call.repeatable)

    async def _head(self, response: httpx.Response) -> bytes:
        head = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                head += chunk
                if len(head) >= _ERROR_HEAD:
                    break
        except (httpx.HTTPError, httpx.StreamError, OSError):
            # The status has come; what is left of the body would only have explained it.
            return bytes(head)
        return bytes(head)

    async def _read(self, response: httpx.Response, call: Call) -> bytes:
        body = bytearray()
        async for chunk in self.chunks(response, call):
            body += chunk
            if len(body) > LARGEST_REPLY:
                raise GarbledAnswerError(
                    f"{self.profile.name} answers with more than {LARGEST_REPLY >> 20} MiB",
                    "Check base_url.",
                    status=response.status_code,
                )
        return bytes(body)

    def _failure(self, error: Exception, call: Call, *, answered: bool) -> ProviderError:
        return failure(
            error,
            provider=self.profile.name,
            host=self.address.base.host,
            key=self._key,
            what=call.what,
            repeatable=call.repeatable,
            answered=answered,
        )


def _pause(error: BatchdeckError, *, late: bool = False) -> bool | float:
    """Shall a repeatable call be made again, and after how many seconds?"""
    if late and isinstance(error, RequestRefusedError) and error.status == 404:
        return True
    if not isinstance(error, ProviderError) or not error.retryable:
        return False
    if isinstance(error, GarbledAnswerError):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= LONGEST_PAUSE else False


def _checked(key: str | None, profile: Profile) -> str | None:
    """A key that can stand in a header; httpx would print a bad one in its complaint."""
    key = (key or "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise KeyRefusedError(
            f"The key for {profile.name} holds spaces or characters that no key has",
            "Set it again; perhaps something else was copied along.",
        )
    return key


def _client(
    address: Address,
    transport: httpx.AsyncBaseTransport | None,
    uds: Path | None,
    connections: int,
) -> httpx.AsyncClient:
    # Plain http never meets a certificate: reading the roots would only cost time.
    verify = not address.is_plain
    limits = httpx.Limits(
        max_connections=connections,
        max_keepalive_connections=max(8, connections - 8),
        keepalive_expiry=_KEEPALIVE_SECONDS,
    )
    if transport is None and uds is not None:
        transport = httpx.AsyncHTTPTransport(uds=str(uds), verify=verify, limits=limits)
    try:
        return httpx.AsyncClient(
            transport=transport,
            verify=verify,
            limits=limits,
            # A proxy of the environment cannot reach this machine's own ports.
            trust_env=not address.is_local,
            headers={"User-Agent": f"batchdeck/{__version__}", "Accept": "application/json"},
        )
    except (ImportError, ValueError, OSError) as error:
        raise ConfigError(
            f"A proxy or certificate of the environment cannot be used: {redact(str(error))}",
            "Look at HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE.",
        ) from None
