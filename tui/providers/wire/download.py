"""Downloads result files, resuming an earlier download where the server supports it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx

from tui.core import json_path
from tui.core.remote_batches import ResultSource
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient, identity_of
from tui.errors import UnexpectedResponseError, UnreachableError
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.errors import RawResponse
from tui.providers.wire.unpacking import content_encoding

RETURN_RESULTS = "return the results"


@dataclass
class Download:
    """An open download of a result file.

    ``chunks`` yields the body. With ``appends`` the bytes continue the local file, because the
    server honoured the start position; otherwise they replace it. ``growing`` means that the
    server will add more lines later. ``total`` is the length of the body in bytes, ``None`` when
    unknown. ``etag`` names the version of the file, if the server does.
    """

    chunks: AsyncIterator[bytes]
    appends: bool
    growing: bool
    total: int | None
    etag: str = ""


_SUPPORTED_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_RANGE_REFUSED = frozenset({400, 405, 406, 412, 416, 500, 501, 503})
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}


class Downloader:
    """Opens the result files of one account.

    ``range`` resumes at a byte: only a 206 that starts where the local file ends is appended.
    ``skip`` resumes at a line (Doubleword). A server that does not know the parameter silently
    sends the whole file, so the first line of each file is remembered: a response that starts
    with it replaces the local file.
    """

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._content = client.profile.content
        self._first_lines: dict[str, bytes] = {}
        self._opened: set[str] = set()
        self._addressed: set[str] = set()

    def restart_all(self) -> None:
        """Download every file from the start next time; a retry in place may shrink them."""
        self._first_lines.clear()

    @asynccontextmanager
    async def open(
        self,
        source: ResultSource,
        path: str,
        *,
        have_bytes: int = 0,
        have_lines: int = 0,
        retry_404: bool = False,
        headers: Mapping[str, str] | None = None,
        keyless: bool = False,
        etag: str = "",
    ) -> AsyncIterator[Download]:
        """Open the file at a route; see ``Dialect.download``, and ``Call`` for the rest.

        With an ``etag`` only that version of the file is resumed, any other fetched whole.
        """
        resume = self._content.resume
        if resume == "range" and have_bytes > 0 and source.ref not in self._addressed:
            async with self._resume_at_byte(
                source, path, have_bytes, keyless=keyless, etag=etag
            ) as download:
                if download is not None:
                    yield download
                    return
        elif resume == "skip" and have_lines > 0 and source.ref in self._first_lines:
            async with self._resume_at_line(source, path, have_lines) as download:
                if download is not None:
                    yield download
                    return
        call = Call(
            "GET",
            path,
            RETURN_RESULTS,
            headers={**self._headers_of(source), **(headers or {})},
            retry_404=retry_404,
            leaves_origin=True,
            keyless=keyless,
        )
        async with self._client.open(call) as response:
            chunks = await readable(self._client, response, self._client.chunks(response, call))
            if resume == "skip":
                chunks = self._track_lines(chunks, source.ref)
            head = b""
            if (content_length(response) or 0) <= _ADDRESS_BYTES:
                head = await read_first_line(chunks, _ADDRESS_BYTES)
                chunks = prepended(head, chunks)
            place = address_in(head)
            if place is None:
                yield _download(chunks, response, source)
                return
        self._addressed.add(source.ref)
        there = replace(call, path=place, retry_404=False)
        async with self._client.open(there) as response:
            chunks = await readable(self._client, response, self._client.chunks(response, there))
            yield _download(chunks, response, source)

    def _headers_of(self, source: ResultSource) -> dict[str, str]:
        """The headers of a whole file; packed only the first time.

        Proxies that pack and unpack may send the length of the other form, which cuts the file.
        """
        again = source.ref in self._opened
        self._opened.add(source.ref)
        return {**_HEADERS, "Accept-Encoding": "identity"} if again else _HEADERS

    @asynccontextmanager
    async def _resume_at_byte(
        self, source: ResultSource, path: str, have: int, *, keyless: bool, etag: str
    ) -> AsyncIterator[Download | None]:
        # A range counts the bytes as transferred, so the body must not be compressed.
        headers = {**_HEADERS, "Accept-Encoding": "identity", "Range": f"bytes={have}-"}
        if etag:
            headers["If-Match"] = etag
        call = Call(
            "GET",
            path,
            RETURN_RESULTS,
            headers=headers,
            accept=_RANGE_REFUSED,
            leaves_origin=True,
            keyless=keyless,
        )
        async with self._client.open(call) as response:
            status = response.status_code
            start, whole = content_range(response.headers.get("content-range", ""))
            if status == 416 and whole is not None:
                download = _download(no_chunks(), response, source, appends=True)
                download.total = 0
                yield download if whole == have else None
                return
            if status in _RANGE_REFUSED:
                # The server or its store takes no ranges: ask for the whole file.
                yield None
                return
            if status == 206 and (start != have or content_encoding(response)):
                yield None
                return
            chunks = await readable(self._client, response, self._client.chunks(response, call))
            yield _download(chunks, response, source, appends=status == 206)

    @asynccontextmanager
    async def _resume_at_line(
        self, source: ResultSource, path: str, have: int
    ) -> AsyncIterator[Download | None]:
        params = dict.fromkeys(self._content.skip_params, str(have))
        call = Call("GET", path, RETURN_RESULTS, headers=_HEADERS, params=params)
        async with self._client.open(call) as response:
            check_readable(self._client, response)
            last = response.headers.get("x-last-line", "")
            if last.isdigit() and int(last) < have:
                # The file has fewer lines than the local one: it was rewritten.
                yield None
                return
            chunks = self._client.chunks(response, call)
            head = await read_first_line(chunks)
            is_whole = head.partition(b"\n")[0].rstrip() == self._first_lines[source.ref]
            rest = self._track_lines(prepended(head, chunks), source.ref if is_whole else None)
            yield _download(rest, response, source, appends=not is_whole)

    async def _track_lines(
        self, chunks: AsyncIterator[bytes], ref: str | None
    ) -> AsyncIterator[bytes]:
        """Pass chunks on, remember the first line and check that the last one is complete.

        A server that fails halfway ends the body as if nothing were wrong.
        """
        first = b""
        tail = b""
        complete = ref is None
        async for chunk in chunks:
            if not complete:
                first += chunk
                complete = b"\n" in first
            if complete and ref is not None:
                self._first_lines[ref] = first.partition(b"\n")[0].rstrip()
                ref = None
            tail = (tail + chunk).rpartition(b"\n")[2]
            yield chunk
        if tail.strip() and not _parses(tail):
            raise UnreachableError(
                f"The results from {self._client.profile.name} end in the middle of a line",
                "The rest is requested again.",
            )


def _download(
    chunks: AsyncIterator[bytes],
    response: httpx.Response,
    source: ResultSource,
    *,
    appends: bool = False,
) -> Download:
    incomplete = response.headers.get("x-incomplete")
    growing = source.growing if incomplete is None else incomplete.strip().lower() == "true"
    etag = response.headers.get("etag", "")
    total = content_length(response)
    start, whole = content_range(response.headers.get("content-range", ""))
    if response.status_code == 206 and total is not None and start is not None and whole:
        # Servers may send less than was asked for; the rest is asked for next.
        total = whole - start
    return Download(chunks, appends, growing, total, etag)


def address_in(head: bytes) -> str | None:
    """The address that a server names in an object in place of the file; ``None`` if it has none.

    Args:
        head: The start of the body, all of it if it is short.
    """
    if len(head) >= _ADDRESS_BYTES or not head.lstrip().startswith(b"{"):
        return None
    try:
        value = decode_lenient(head)
    except UnreadableLineError:
        return None
    if not isinstance(value, dict) or identity_of(value) is not None:
        return None
    found = (json_path.get(value, f"{place}{name}") for place in ("", "data.") for name in _URLS)
    return next((one for one in found if isinstance(one, str) and _HTTP.match(one)), None)


_URLS = ("url", "download_url", "signed_url", "downloadUrl", "signedUrl")
_HTTP = re.compile(r"(?i)https?://\S+$")
_ADDRESS_BYTES = 8192
"""A longer body is no address."""


async def readable(
    client: HttpClient, response: httpx.Response, chunks: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """The chunks of a result file; frameworks call one a web page if no type is set.

    Raises:
        UnexpectedResponseError: As for ``check_readable``.
    """
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/html":
        head = await read_first_line(chunks, _PAGE_HEAD)
        if head.removeprefix(_BOM).lstrip().startswith((b"{", b"[")):
            return prepended(head, chunks)
    check_readable(client, response)
    return chunks


_PAGE_HEAD = 512
_BOM = b"\xef\xbb\xbf"


def check_readable(client: HttpClient, response: httpx.Response) -> None:
    """Check that a body can contain result lines.

    Raises:
        UnexpectedResponseError: It is a web page, or has an unsupported content encoding.
    """
    answer = RawResponse(response.status_code, response.headers, b"")
    if answer.is_html:
        raise client.reply(response, b"", RETURN_RESULTS).unexpected("")
    if (encoding := content_encoding(response)) not in _SUPPORTED_ENCODINGS:
        raise UnexpectedResponseError(
            f"The results from {client.profile.name} have the unsupported encoding"
            f" {client.redacted(encoding)}",
            "Check whether a proxy changes the response.",
            status=response.status_code,
        )


def content_length(response: httpx.Response) -> int | None:
    """The length of the decompressed body; ``None`` when it is compressed or unknown."""
    text = response.headers.get("content-length", "")
    return int(text) if text.isdigit() and not content_encoding(response) else None


def content_range(text: str) -> tuple[int | None, int | None]:
    """Parse start and total length of ``bytes 5-9/10``, ``bytes 5-9/*`` or ``bytes */10``."""
    match = re.fullmatch(r"\s*bytes\s+(?:(\d+)-\d+|\*)/(\d+|\*)\s*", text, re.IGNORECASE)
    if match is None:
        return None, None
    start, whole = match.groups()
    return (int(start) if start else None), (int(whole) if whole != "*" else None)


async def no_chunks() -> AsyncIterator[bytes]:
    """The chunks of a body that has none."""
    return
    yield b""


async def read_first_line(chunks: AsyncIterator[bytes], limit: int = 0) -> bytes:
    """Read the start of a body: at least its first line, or ``limit`` bytes where it is set.

    Line breaks before the first line do not count where there is a limit.
    """
    head = b""
    async for chunk in chunks:
        head += chunk
        if b"\n" in (head.lstrip() if limit else head) or (limit and len(head) >= limit):
            break
    return head


async def prepended(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the part of a body that was read already, then the rest."""
    if head:
        yield head
    async for chunk in chunks:
        yield chunk


def _parses(line: bytes) -> bool:
    try:
        decode_lenient(line)
    except UnreadableLineError:
        return False
    return True
