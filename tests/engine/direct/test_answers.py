"""What a single call becomes: a result line, another try, or the end of the lane."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from tui.core.results.openai_lines import read_openai_line
from tui.core.rows import Outcome
from tui.errors import BatchdeckError, KeyRejectedError, LimitError, UnreachableError
from tui.providers.connect import connect
from tui.providers.dialects.direct import (
    DirectDialect,
    DirectResult,
    DirectSettings,
    RateLimiter,
    direct_profile,
)
from tui.providers.profiles.load import find_profile

KEY = "sk-direct-91ab07c3d2"
BODY = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
GOOD = {"choices": [{"message": {"content": "Blue."}, "finish_reason": "stop"}]}

Answer = Callable[[httpx.Request], httpx.Response]


def lane(answer: Answer, provider: str = "direct") -> DirectDialect:
    dialect = connect(
        direct_profile(find_profile(provider)),
        base_url="http://127.0.0.1:9/v1" if provider == "direct" else None,
        key=KEY,
        transport=httpx.MockTransport(answer),
    )
    assert isinstance(dialect, DirectDialect)
    return dialect


async def asked(dialect: DirectDialect, url: str = "/v1/chat/completions") -> DirectResult:
    row = {"custom_id": "a", "method": "POST", "url": url, "body": BODY}
    answer = await dialect.answer(
        msgspec.json.encode(row), "a", stop=asyncio.Event(), on_pause=lambda *_: None
    )
    assert answer is not None
    assert b"\n" not in answer.line
    return answer


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(GOOD, indent=4).encode(),
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n",
        json.dumps({**GOOD, "x": "\u2028 \u0085 \f"}, ensure_ascii=False).encode(),
    ],
    ids=["for people", "with a mark", "with other line ends"],
)
async def test_an_answer_is_one_line_as_it_came(body: bytes) -> None:
    dialect = lane(lambda _: httpx.Response(200, content=body, headers={"x-request-id": "r1"}))
    answer = await asked(dialect)
    line = json.loads(answer.line)
    assert answer.good and line["response"]["request_id"] == "r1"
    assert line["response"]["body"] == json.loads(body.decode("utf-8-sig"))
    assert read_openai_line(answer.line).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"hello",
        b"<html></html>",
        b'{"a": NaN}',
        b'{"a"',
        b"\xff\xfe",
        b'{"detail": "Please sign in"}',
    ],
)
async def test_an_answer_that_is_none_was_paid_and_is_kept(body: bytes) -> None:
    answer = await asked(lane(lambda _: httpx.Response(200, content=body)))
    assert not answer.good
    found = read_openai_line(answer.line)
    assert found.outcome is Outcome.FAILED and found.error is not None
    assert found.error.code == "unreadable_answer"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, {"error": {"message": "No", "code": "bad"}}, "No"),
        (403, {"error": "not yours"}, "not yours"),
        (404, b"no such model", "no such model"),
        (413, b"<html>too large</html>", "too large"),
        (422, b'"a text"', "a text"),
    ],
)
async def test_a_refusal_is_the_answer_of_its_row(status: int, body: Any, message: str) -> None:
    calls: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content)

    kept = await asked(lane(answer))
    found = read_openai_line(kept.line)
    assert not kept.good and len(calls) == 1
    assert found.error is not None and message in found.error.message
    assert found.http_status == status


async def test_the_key_is_in_no_line() -> None:
    error = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    kept = await asked(lane(lambda _: httpx.Response(403, json=error)))
    assert KEY.encode() not in kept.line


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": "who are you"}, KeyRejectedError),
        (402, {"error": "no money"}, LimitError),
        (429, {"error": {"code": "insufficient_quota", "message": "x"}}, LimitError),
    ],
)
async def test_what_concerns_every_row_ends_the_lane(
    status: int, body: Any, kind: type[BatchdeckError]
) -> None:
    # The codes of a limit are the profile's; those of OpenAI hold everywhere.
    with pytest.raises(kind):
        await asked(lane(lambda _: httpx.Response(status, json=body)))


async def test_no_way_to_the_server_ends_it_too() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(UnreachableError):
        await asked(lane(answer))


@pytest.mark.parametrize("status", [None, 302, 408, 500, 502, 504, 524])
async def test_a_row_that_may_be_paid_is_sent_once(status: int | None) -> None:
    calls = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if status is None:
            raise httpx.ReadError("reset", request=request)
        return httpx.Response(status, text="timed out", headers={"location": "/elsewhere"})

    dialect = lane(answer)
    kept = await asked(dialect)
    found = read_openai_line(kept.line, dialect.retry_rules)
    assert calls == 1 and found.error is not None and found.error.retryable
    assert found.error.code == "no_answer"


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_row_that_was_not_taken_is_sent_again(status: int) -> None:
    calls = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls < 3:
            return httpx.Response(status, text="busy", headers={"retry-after": "0"})
        return httpx.Response(200, json=GOOD)

    kept = await asked(lane(answer))
    assert kept.good and calls == 3


async def test_retry_after_holds_the_whole_lane() -> None:
    calls = 0
    pauses: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls == 1:
            return httpx.Response(
                429, json={"error": {"message": "x"}}, headers={"retry-after": "1"}
            )
        return httpx.Response(200, json=GOOD)

    dialect = lane(answer)
    stop = asyncio.Event()

    def on_pause(_: BatchdeckError, seconds: float) -> None:
        pauses.append(seconds)
        stop.set()

    row = msgspec.json.encode({"custom_id": "a", "url": "/v1/chat/completions", "body": BODY})
    assert await dialect.answer(row, "a", stop=stop, on_pause=on_pause) is None
    assert calls == 1 and pauses[0] >= 1


async def test_anthropic_gets_its_own_body_and_headers() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        content = [{"type": "text", "text": "Blue."}]
        message = {"type": "message", "content": content, "stop_reason": "end_turn"}
        return httpx.Response(
            200, json={**message, "usage": {"input_tokens": 1, "output_tokens": 1}}
        )

    kept = await asked(lane(answer, "anthropic"))
    assert seen[0].url.path == "/v1/messages" and seen[0].headers["anthropic-version"]
    assert seen[0].headers["x-api-key"] == KEY
    found = read_openai_line(kept.line)
    assert found.outcome is Outcome.SUCCEEDED


async def test_a_row_that_cannot_be_said_is_not_sent() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing is to be sent")

    kept = await asked(lane(answer), url="/v1/files")
    found = read_openai_line(kept.line)
    assert found.error is not None and found.error.code == "request_not_sent"


async def test_the_gate_lets_so_many_through_a_minute() -> None:
    now = 0.0
    gate = RateLimiter(DirectSettings(per_minute=6), clock=lambda: now)
    stop = asyncio.Event()
    assert await gate.acquire(stop)
    second = asyncio.create_task(gate.acquire(stop))
    await asyncio.sleep(0)
    assert not second.done()
    stop.set()
    assert not await second
    stop.clear()
    now = 10.0
    assert await gate.acquire(stop)
