"""Files on the web: ``https://``, and datasets of Hugging Face by ``hf://``.

No key of an account is ever sent. ``HF_TOKEN`` is sent to huggingface.co for an address of
``hf://``, and nowhere else: files of the Hub are redirected to other hosts, which get no token.

Wire facts: RFC 9110 (ranges, ``If-Range``, ``If-None-Match``);
huggingface.co/docs/hub/datasets-downloading (``/datasets/OWNER/NAME/resolve/REVISION/PATH``).
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

import httpx

from tui.addresses import FileAddress
from tui.errors import BatchdeckError, InputError, RequestRejectedError, UnexpectedResponseError
from tui.providers.profiles.load import Profile
from tui.providers.remote_files.remote_file import Copy, Transfer, Version
from tui.providers.wire.address import Address, is_loopback, origin_text
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import (
    content_length,
    content_range,
    no_chunks,
    prepended,
    read_first_line,
)
from tui.providers.wire.errors import RawResponse, explaining

_HUB = "https://huggingface.co"
_HUB_HOST = "huggingface.co"
_SEND = "send the file"
_NOT_CHANGED, _PART, _NO_SUCH_PART = 304, 206, 416
_CONDITIONS = frozenset({"If-None-Match", "If-Modified-Since", "If-Range"})
_HEAD = 512
_NOWHERE = -1
"""The start of a transfer that fits no copy."""
_PAGES = frozenset({".html", ".htm", ".xls"})
"""Endings of files that may well be HTML; programs write tables of HTML as ``.xls``."""


@dataclass(frozen=True)
class WebAddress(Address):
    """Where a file is asked for; redirects are followed to other hosts, with limits.

    A redirect from the public web into a private network, or to this machine, is not followed:
    whoever writes the address chose a public server, which has no business to choose a private
    one. Host names are not looked up for it.
    """

    def check_storage(self, url: httpx.URL, what: str = "the file") -> None:
        """Check that a redirect may be followed.

        Raises:
            RequestRejectedError: It may not.
        """
        if url.scheme not in ("https", "http"):
            problem = "which is no address of the web"
        elif url.scheme == "http" and not (self.is_local and is_loopback(url.host)):
            problem = "which is not encrypted"
        elif is_private(url.host) and not is_private(self.base.host):
            problem = "which is in a private network"
        else:
            return
        raise RequestRejectedError(
            f"{self.base.host} redirects to {origin_text(url)}, {problem}; it is not followed",
            "If you trust that address, give it in place of this one.",
        )


def is_private(host: str) -> bool:
    """Whether a host is of this machine or of a private network, as far as its name tells."""
    name = host.lower().strip("[]").rstrip(".")
    try:
        return not ipaddress.ip_address(name).is_global
    except ValueError:
        return is_loopback(name) or "." not in name or name.endswith((".local", ".internal"))


class WebFile:
    """One file on the web.

    Args:
        address: Its address, of ``https`` or ``hf``; of ``http`` only on this machine.
        transport: Replaces the network, for tests.
        clock: Returns Unix seconds.
        environment: Has ``HF_TOKEN`` and ``HF_ENDPOINT``; that of this process by default.

    Raises:
        InputError: The address cannot be used.
        KeyRejectedError: ``HF_TOKEN`` cannot be sent in a header.
        ConfigError: A proxy or certificates in the environment cannot be used.
    """

    def __init__(
        self,
        address: FileAddress,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        env = os.environ if environment is None else environment
        self._address = address
        try:
            self._url = httpx.URL(_web_url(address, env))
        except (httpx.InvalidURL, ValueError) as error:
            raise InputError(f"{address.shown} is no valid address: {error}") from None
        if self._url.scheme == "http" and not is_loopback(self._url.host):
            raise InputError(
                f"{address.shown} is not encrypted: anybody on the way could change the table",
                "Use https://, or download the file and give its path.",
            )
        token = env.get("HF_TOKEN", "").strip() if address.scheme == "hf" else ""
        is_hub = self._url.scheme == "https" and self._url.host == _HUB_HOST
        self._client = HttpClient(
            Profile(id="web", name=self._url.host),
            WebAddress(self._url.copy_with(raw_path=b"/", fragment=None)),
            token if token and is_hub else None,
            transport=transport,
            clock=clock,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def open(self, copy: Copy | None = None) -> AsyncIterator[Transfer]:
        """Ask for the file, or for what the copy lacks of it; see ``RemoteFile``."""
        with explaining(self._explained):
            async with self._asked(_conditions(copy)) as transfer:
                if copy is None or _continues(transfer, copy):
                    yield transfer
                    return
            # The server sent another part, or a part of another version.
            async with self._asked({}) as transfer:
                if transfer.start != 0:
                    raise UnexpectedResponseError(
                        f"{self._url.host} was asked for a whole file, and sends a part of it",
                        "Download the file with another program, and give its path.",
                    )
                yield transfer

    @asynccontextmanager
    async def _asked(self, conditions: dict[str, str]) -> AsyncIterator[Transfer]:
        call = Call(
            "GET",
            str(self._url),
            _SEND,
            # A range counts the bytes as they are sent, so they are asked for as they are.
            headers={"Accept": "*/*", "Accept-Encoding": "identity", **conditions},
            accept=frozenset({_NOT_CHANGED, _NO_SUCH_PART}) if conditions else frozenset(),
            leaves_origin=True,
            storage_headers=_CONDITIONS,
        )
        async with self._client.open(call) as response:
            status, headers = response.status_code, response.headers
            version = Version(headers.get("etag", ""), headers.get("last-modified", ""))
            if status == _NOT_CHANGED:
                yield Transfer(no_chunks(), 0, None, version, is_same=True)
                return
            start, total = content_range(headers.get("content-range", ""))
            if status == _NO_SUCH_PART:
                yield Transfer(no_chunks(), _NOWHERE if total is None else total, total, version)
                return
            if status == _PART:
                # Of a compressed body the range is of other bytes: it fits no copy.
                packed = content_length(response) is None and headers.get("content-encoding")
                place = _NOWHERE if packed or start is None else start
                yield Transfer(self._client.chunks(response, call), place, total, version)
                return
            chunks = self._client.chunks(response, call)
            head = await read_first_line(chunks, _HEAD)
            answer = RawResponse(status, headers, head)
            self._check_page(answer, response.url)
            yield Transfer(
                prepended(head, chunks), 0, content_length(response), version, answer.content_type
            )

    def _check_page(self, answer: RawResponse, url: httpx.URL) -> None:
        """Check that it is no page to sign in, or one that shows the file.

        Raises:
            InputError: It is.
        """
        ending = PurePosixPath(self._address.name).suffix.lower()
        if not answer.is_html or ending in _PAGES:
            return
        if not ending and url.host == self._url.host:
            # Pages have tables too.
            return
        place = f", after a redirect to {url.host}" if url.host != self._url.host else ""
        raise InputError(
            f"{self._address.shown} is a web page, not a table{place}: a page to sign in, or one"
            " that shows the file",
            "Use the address of the file itself (Raw, or a signed one), or download it and give"
            " its path.",
        )

    def _explained(self, error: BatchdeckError) -> BatchdeckError | None:
        """Say what to do in words of an address, not of an account."""
        if isinstance(error, InputError):
            return None
        shown, host = self._address.shown, self._url.host
        if error.status in (401, 403):
            return InputError(
                f"{shown} is not readable without a sign-in or a right: {host} answered"
                f" {error.status}",
                self._permission_hint(),
            )
        if error.status in (404, 410):
            hint = "Check the address."
            if self._address.scheme == "hf":
                hint = (
                    "Check owner, name, revision and path; a private dataset needs HF_TOKEN."
                    if not self._client.has_key
                    else "Check owner, name, revision and path, and what HF_TOKEN may read."
                )
            return InputError(f"there is no file at {shown} ({error.status})", hint)
        error.message = error.message.replace(f"to {_SEND}: ", "for the file: ")
        error.hint = error.hint.replace("base_url", "the address")
        return None

    def _permission_hint(self) -> str:
        if self._address.scheme == "hf":
            if self._client.has_key:
                return "Check what HF_TOKEN may read, and accept the terms of the dataset."
            return "Set HF_TOKEN to a token of huggingface.co that may read the dataset."
        if self._url.host == _HUB_HOST:
            return "Write it as hf://datasets/OWNER/NAME/FILE, which sends HF_TOKEN."
        if self._address.has_secret:
            return "A signed address ends after a while: make a new one."
        return "Use a signed address, or download the file and give its path."


def _web_url(address: FileAddress, env: Mapping[str, str]) -> str:
    if address.scheme != "hf":
        return address.url
    name, revision, path = address.dataset
    hub = env.get("HF_ENDPOINT", "").strip().rstrip("/") or _HUB
    return f"{hub}/datasets/{name}/resolve/{quote(revision, safe='')}/{quote(path, safe='/%')}"


def _conditions(copy: Copy | None) -> dict[str, str]:
    """The headers that ask for what a copy lacks."""
    if copy is None or not copy.version:
        return {}
    version = copy.version
    if copy.is_whole:
        name, value = "If-None-Match", version.tag
        if not value:
            name, value = "If-Modified-Since", version.modified
        return {name: value}
    if not version.exact or copy.size < 1:
        return {}
    return {"Range": f"bytes={copy.size}-", "If-Range": version.exact}


def _continues(transfer: Transfer, copy: Copy) -> bool:
    """Whether a transfer can be used beside a copy: it is whole, or goes on where the copy ends."""
    if transfer.is_same:
        return copy.is_whole
    if transfer.start == 0:
        return True
    return transfer.start == copy.size and not transfer.version.differs(copy.version)
