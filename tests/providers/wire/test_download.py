from __future__ import annotations

import gzip
import logging
from typing import Any

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted, dialect_to, raw
from tui.core.remote_batches import ResultSource
from tui.errors import (
    ProviderError,
    RequestRejectedError,
    UnexpectedResponseError,
    UnreachableError,
)
from tui.logs import LOGGER
from tui.providers.dialect import Dialect

OUTPUT = ResultSource(kind="output", ref="file-out")
ROUTE = "GET /v1/files/file-out/content"
LINES = b'{"custom_id":"a"}\n{"custom_id":"b"}\n{"custom_id":"c"}\n'


async def fetch(
    dialect: Dialect, source: ResultSource = OUTPUT, **have: int
) -> tuple[bytes, bool, bool, int | None]:
    async with dialect.download(source, **have) as download:
        data = b"".join([chunk async for chunk in download.chunks])
        return data, download.appends, download.growing, download.total


async def test_a_whole_file() -> None:
    script = Scripted({ROUTE: raw(200, LINES[:20], LINES[20:], content_length=str(len(LINES)))})
    assert await fetch(dialect_to(script)) == (LINES, False, False, len(LINES))
    assert "range" not in script.requests[0].headers


async def test_a_packed_file_is_unpacked_and_its_length_is_not_told() -> None:
    packed = gzip.compress(LINES)
    answer = raw(200, packed, content_encoding="gzip", content_length=str(len(packed)))
    script = Scripted({ROUTE: answer})
    assert await fetch(dialect_to(script)) == (LINES, False, False, None)


async def test_going_on_from_a_byte() -> None:
    rest = raw(206, LINES[18:], content_range=f"bytes 18-{len(LINES) - 1}/{len(LINES)}")
    script = Scripted({ROUTE: rest})
    data, appends, _, _ = await fetch(dialect_to(script), have_bytes=18)
    assert (data, appends) == (LINES[18:], True)
    assert script.requests[0].headers["range"] == "bytes=18-"
    assert script.requests[0].headers["accept-encoding"] == "identity"


async def test_a_server_that_ignores_ranges_begins_anew() -> None:
    script = Scripted({ROUTE: raw(200, LINES)})
    data, appends, _, _ = await fetch(dialect_to(script), have_bytes=18)
    assert (data, appends) == (LINES, False)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"content_range": "bytes 0-53/54"},
        {"content_range": "bytes 10-53/54"},
        {},
        {"content_range": "rubbish"},
        {"content_range": "bytes 18-53/54", "content_encoding": "gzip"},
    ],
)
async def test_a_range_that_is_not_what_was_asked_for_is_not_used(headers: dict[str, str]) -> None:
    script = Scripted({ROUTE: [raw(206, LINES[18:], **headers), raw(200, LINES)]})
    data, appends, _, _ = await fetch(dialect_to(script), have_bytes=18)
    assert (data, appends) == (LINES, False)
    assert "range" not in script.requests[1].headers


async def test_a_file_that_is_complete_already() -> None:
    script = Scripted({ROUTE: raw(416, b"", content_range=f"bytes */{len(LINES)}")})
    data, appends, _, total = await fetch(dialect_to(script), have_bytes=len(LINES))
    assert (data, appends, total) == (b"", True, 0)


async def test_a_file_that_became_shorter_begins_anew() -> None:
    script = Scripted({ROUTE: [raw(416, b"", content_range="bytes */5"), raw(200, LINES)]})
    data, appends, _, _ = await fetch(dialect_to(script), have_bytes=99)
    assert (data, appends) == (LINES, False)


async def test_a_body_that_breaks_off() -> None:
    script = Scripted({ROUTE: raw(200, LINES[:30], httpx.RemoteProtocolError("peer closed"))})
    with pytest.raises(UnreachableError, match="broke off") as caught:
        await fetch(dialect_to(script))
    assert caught.value.retryable


async def test_opening_is_tried_again_but_a_refusal_is_not() -> None:
    script = Scripted({ROUTE: [httpx.Response(502), httpx.ReadTimeout(""), raw(200, LINES)]})
    assert (await fetch(dialect_to(script)))[0] == LINES
    script = Scripted({ROUTE: httpx.Response(404, json={"error": {"message": "gone"}})})
    with pytest.raises(RequestRejectedError, match="gone"):
        await fetch(dialect_to(script))


@pytest.mark.parametrize(
    ("headers", "words"),
    [({"content_type": "text/html"}, "web page"), ({"content_encoding": "br"}, "encoding br")],
)
async def test_a_body_that_cannot_be_results(headers: dict[str, str], words: str) -> None:
    script = Scripted({ROUTE: raw(200, b"<html>", **headers)})
    with pytest.raises(UnexpectedResponseError, match=words):
        await fetch(dialect_to(script))


async def test_ids_are_escaped_and_addresses_taken_as_they_are() -> None:
    script = Scripted({
        "GET /v1/files/a%2Fb%3D%3D/content": raw(200, b"1"),
        "GET /v1/results/7": raw(200, b"2"),
    })  # fmt: skip
    dialect = dialect_to(script)
    assert (await fetch(dialect, ResultSource(kind="output", ref="a/b==")))[0] == b"1"
    same = ResultSource(kind="output", ref="https://api.example.com/v1/results/7")
    assert (await fetch(dialect, same))[0] == b"2"
    assert script.requests[1].headers["authorization"] == f"Bearer {KEY}"
    other = ResultSource(kind="output", ref="https://store.example/v1/results/7?sig=s3cret")
    assert (await fetch(dialect, other))[0] == b"2"
    assert_without_key(script.requests[2])
    for evil in ("http://store.example/x", "https://127.0.0.1/x", "https://localhost/x"):
        with pytest.raises(RequestRejectedError, match="address is not used"):
            await fetch(dialect, ResultSource(kind="output", ref=evil))
    assert len(script.requests) == 3


def assert_without_key(request: httpx.Request) -> None:
    assert KEY not in str(request.url) + str(request.headers)
    names = {"host", "accept", "accept-encoding", "connection", "user-agent", "range"}
    assert set(request.headers) <= names


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_results_in_an_object_store_are_fetched_without_the_key(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    signed = "https://store.example/bucket/out.jsonl?signature=s3cret"
    back = httpx.Response(307, headers={"Location": "https://api.example.com/v1/back"})
    script = Scripted({
        ROUTE: httpx.Response(status, headers={"Location": signed}),
        "GET /bucket/out.jsonl": [raw(200, LINES), back],
        "GET /v1/back": raw(200, b"x"),
    })  # fmt: skip
    dialect = dialect_to(script)
    # The program's log does not pass messages on once it is written to a file.
    LOGGER.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO, LOGGER.name):
            assert (await fetch(dialect))[0] == LINES
    finally:
        LOGGER.removeHandler(caplog.handler)
    assert script.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert_without_key(script.requests[1])
    assert "store.example/bucket/out.jsonl" in caplog.text and "s3cret" not in caplog.text
    # The key is not sent any more, also where the store leads back to the provider.
    assert (await fetch(dialect))[0] == b"x"
    assert_without_key(script.requests[4])


async def test_a_signed_address_that_has_expired_is_no_rejected_key() -> None:
    script = Scripted({
        ROUTE: httpx.Response(302, headers={"Location": "https://store.example/out"}),
        "GET /out": httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>"),
    })  # fmt: skip
    with pytest.raises(ProviderError, match=r"refused by store\.example") as caught:
        await fetch(dialect_to(script))
    assert caught.value.retryable


@pytest.mark.parametrize("status", [400, 416, 500, 501, 503])
async def test_a_server_that_takes_no_ranges_gives_the_whole_file(status: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status) if "range" in request.headers else raw(200, LINES)

    script = Scripted({ROUTE: answer})
    data, appends, _, _ = await fetch(dialect_to(script), have_bytes=18)
    assert (data, appends) == (LINES, False)
    assert len(script.requests) == 2


class Growing:
    """Doubleword's output: ``skip`` is honoured, or not, and two headers tell how far it is."""

    def __init__(self, *, parameter: str = "skip", lines: int = 3, of: int = 5) -> None:
        self.parameter = parameter
        self.lines = lines
        self.of = of
        self.asked: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        self.asked.append(params)
        start = int(params.get(self.parameter, 0))
        body = b"".join(b'{"custom_id":"r%d"}\n' % n for n in range(start, self.lines))
        headers = {
            "X-Incomplete": str(self.lines < self.of).lower(),
            "X-Last-Line": str(self.lines),
        }
        return httpx.Response(200, content=body, headers=headers)


def doubleword(script: Any) -> Dialect:
    return dialect_to(
        script, changes={"content": {"resume": "skip", "skip_params": ["skip", "offset"]}}
    )


GROWS = ResultSource(kind="output", ref="file-out", growing=True)


@pytest.mark.parametrize("parameter", ["skip", "offset"])
async def test_going_on_from_a_line(parameter: str) -> None:
    server = Growing(parameter=parameter)
    dialect = doubleword(Scripted({ROUTE: server}))
    data, appends, growing, _ = await fetch(dialect, GROWS)
    assert (data.count(b"\n"), appends, growing) == (3, False, True)
    server.lines = 5
    data, appends, growing, _ = await fetch(dialect, GROWS, have_bytes=60, have_lines=3)
    assert data == b'{"custom_id":"r3"}\n{"custom_id":"r4"}\n'
    assert (appends, growing) == (True, False)
    assert server.asked[-1] == {"skip": "3", "offset": "3"}
    data, appends, _, _ = await fetch(dialect, GROWS, have_bytes=99, have_lines=5)
    assert (data, appends) == (b"", True)


async def test_a_server_that_knows_no_skip_is_found_out() -> None:
    server = Growing(parameter="from")
    dialect = doubleword(Scripted({ROUTE: server}))
    await fetch(dialect, GROWS)
    server.lines = 5
    data, appends, _, _ = await fetch(dialect, GROWS, have_bytes=60, have_lines=3)
    assert (data.count(b"\n"), appends) == (5, False)


async def test_after_a_restart_the_file_is_fetched_whole_once() -> None:
    server = Growing(lines=4)
    dialect = doubleword(Scripted({ROUTE: server}))
    data, appends, _, _ = await fetch(dialect, GROWS, have_bytes=60, have_lines=3)
    assert (data.count(b"\n"), appends) == (4, False)
    server.lines = 5
    data, appends, _, _ = await fetch(dialect, GROWS, have_bytes=80, have_lines=4)
    assert (data.count(b"\n"), appends) == (1, True)


async def test_a_file_that_shrank_begins_anew() -> None:
    server = Growing(lines=4)
    dialect = doubleword(Scripted({ROUTE: server}))
    await fetch(dialect, GROWS)
    server.lines = 1
    data, appends, _, _ = await fetch(dialect, GROWS, have_bytes=80, have_lines=4)
    assert (data, appends) == (b'{"custom_id":"r0"}\n', False)


async def test_a_line_cut_in_the_middle_of_a_good_answer_is_noticed() -> None:
    script = Scripted({ROUTE: raw(200, LINES[:18], LINES[18:25])})
    with pytest.raises(UnreachableError, match="middle of a line"):
        await fetch(doubleword(script), GROWS)
    whole = Scripted({ROUTE: raw(200, LINES[:-1])})
    assert (await fetch(doubleword(whole), GROWS))[0] == LINES[:-1]
