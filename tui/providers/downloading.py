"""Fetching a result file, going on where the last try stopped when the server can."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from tui.core.remote import ResultSource
from tui.core.results import UnreadableLineError, decode_lenient
from tui.errors import GarbledAnswerError, UnreachableError
from tui.providers.base import Download
from tui.providers.calls import Call
from tui.providers.http import Wire
from tui.providers.refusals import Answer

WHAT = "fetch the results"
_UNPACKED = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}


class Downloader:
    """Opens result files of one account.

    ``range`` resumes by byte: only a 206 that starts where our file ends is added to it.
    ``skip`` resumes by line (Doubleword), and because a server that does not know the
    parameter silently sends everything, the first line of each file is remembered: when the
    answer begins with it, the file begins anew.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._content = wire.profile.content
        self._first_lines: dict[str, bytes] = {}

    def forget(self) -> None:
        """Begin every file anew: after a retry in place, files may shrink."""
        self._first_lines.clear()

    @asynccontextmanager
    async def open(
        self,
        source: ResultSource,
        path: str,
        *,
        have_bytes: int = 0,
        have_lines: int = 0,
        late: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Download]:
        """Open a file at a route; see ``Dialect.download`` and ``Call.late``."""
        resume = self._content.resume
        if resume == "range" and have_bytes > 0:
            async with self._from_byte(source, path, have_bytes) as download:
                if download is not None:
                    yield download
                    return
        elif resume == "skip" and have_lines > 0 and source.ref in self._first_lines:
            async with self._from_line(source, path, have_lines) as download:
                if download is not None:
                    yield download
                    return
        call = Call("GET", path, WHAT, headers={**_HEADERS, **(headers or {})}, late=late)
        async with self._wire.open(call) as response:
            check_readable(self._wire, response)
            chunks = self._wire.chunks(response, call)
            if resume == "skip":
                chunks = self._watched(chunks, source.ref)
            yield Download(
                chunks=chunks,
                appends=False,
                growing=self._growing(response, source),
                total=length_of(response),
            )

    @asynccontextmanager
    async def _from_byte(
        self, source: ResultSource, path: str, have: int
    ) -> AsyncIterator[Download | None]:
        # A range counts the bytes of the form that is sent, so it must not be packed.
        headers = {**_HEADERS, "Accept-Encoding": "identity", "Range": f"bytes={have}-"}
        call = Call("GET", path, WHAT, headers=headers, accept=frozenset({416}))
        async with self._wire.open(call) as response:
            status = response.status_code
            start, whole = _content_range(response.headers.get("content-range", ""))
            if status == 416:
                if whole == have:
                    growing = self._growing(response, source)
                    yield Download(chunks=_nothing(), appends=True, growing=growing, total=0)
                else:
                    yield None
                return
            if status == 206 and (start != have or _packing(response)):
                yield None
                return
            check_readable(self._wire, response)
            yield Download(
                chunks=self._wire.chunks(response, call),
                appends=status == 206,
                growing=self._growing(response, source),
                total=length_of(response),
            )

    @asynccontextmanager
    async def _from_line(
        self, source: ResultSource, path: str, have: int
    ) -> AsyncIterator[Download | None]:
        params = dict.fromkeys(self._content.skip_params, str(have))
        call = Call("GET", path, WHAT, headers=_HEADERS, params=params)
        async with self._wire.open(call) as response:
            check_readable(self._wire, response)
            last = response.headers.get("x-last-line", "")
            if last.isdigit() and int(last) < have:
                # The file holds fewer lines than we have: it was written anew.
                yield None
                return
            chunks = self._wire.chunks(response, call)
            begin = await _first_line(chunks)
            is_whole = begin.partition(b"\n")[0].rstrip() == self._first_lines[source.ref]
            yield Download(
                chunks=self._watched(_after(begin, chunks), source.ref if is_whole else None),
                appends=not is_whole,
                growing=self._growing(response, source),
                total=length_of(response),
            )

    async def _watched(self, chunks: AsyncIterator[bytes], ref: str | None) -> AsyncIterator[bytes]:
        """Pass chunks on, remember the first line, and see that the last one is whole.

        A server that meets an error in the middle ends the body as if all were well.
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
                f"The results of {self._wire.profile.name} break off in the middle of a line",
                "They are asked for again from there.",
            )

    @staticmethod
    def _growing(response: httpx.Response, source: ResultSource) -> bool:
        told = response.headers.get("x-incomplete")
        return source.growing if told is None else told.strip().lower() == "true"


def check_readable(wire: Wire, response: httpx.Response) -> None:
    """See that a body can hold result lines.

    Raises:
        GarbledAnswerError: It is a web page, or packed in a way that is not understood.
    """
    answer = Answer(response.status_code, response.headers, b"")
    if answer.is_page:
        raise wire.reply(response, b"", WHAT).garbled("")
    if (packing := _packing(response)) not in _UNPACKED:
        raise GarbledAnswerError(
            f"{wire.profile.name} sends results packed as {packing}, which was not asked for",
            "Check whether a proxy stands in between.",
            status=response.status_code,
        )


def length_of(response: httpx.Response) -> int | None:
    """The length of the body as it will be read; ``None`` when it is packed or not told."""
    text = response.headers.get("content-length", "")
    return int(text) if text.isdigit() and not _packing(response) else None


def _packing(response: httpx.Response) -> str:
    packing: str = response.headers.get("content-encoding", "").strip().lower()
    return "" if packing == "identity" else packing


def _content_range(text: str) -> tuple[int | None, int | None]:
    """Start and whole length of ``bytes 5-9/10``, ``bytes 5-9/*`` or ``bytes */10``."""
    match = re.fullmatch(r"\s*bytes\s+(?:(\d+)-\d+|\*)/(\d+|\*)\s*", text, re.IGNORECASE)
    if match is None:
        return None, None
    start, whole = match.groups()
    return (int(start) if start else None), (int(whole) if whole != "*" else None)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _first_line(chunks: AsyncIterator[bytes]) -> bytes:
    begin = b""
    async for chunk in chunks:
        begin += chunk
        if b"\n" in begin:
            break
    return begin


async def _after(begin: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if begin:
        yield begin
    async for chunk in chunks:
        yield chunk


def _parses(line: bytes) -> bool:
    try:
        decode_lenient(line)
    except UnreadableLineError:
        return False
    return True
