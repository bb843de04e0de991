from __future__ import annotations

import gzip
import json
import logging
import traceback
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted, raw, wire_to
from tui.errors import (
    BatchdeckError,
    ConfigError,
    KeyRejectedError,
    ProviderError,
    RequestRejectedError,
    ResponseLostError,
    UnexpectedResponseError,
    UnreachableError,
    UsageError,
)
from tui.providers.profiles.load import find_profile
from tui.providers.wire.client import Call, _pause
from tui.providers.wire.retry import pausing

READ = Call("GET", "/batches/1", "read the batch")
MAKE = Call("POST", "/batches", "make the batch", idempotent=False, json={"a": 1})
GOOD = httpx.Response(200, json={"id": "batch_1"})


async def test_the_key_goes_as_the_profile_says() -> None:
    script = Scripted({"GET /v1/batches/1": GOOD})
    assert (await wire_to(script).ask(READ)).table() == {"id": "batch_1"}
    assert script.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert script.requests[0].headers["user-agent"].startswith("batchdeck/")
    azure = find_profile(
        "a", {"a": {"base": "openai", "auth": {"header": "api-key", "scheme": ""}}}
    )
    await wire_to(script, azure).ask(READ)
    assert script.requests[1].headers["api-key"] == KEY
    assert "authorization" not in script.requests[1].headers
    await wire_to(script, key=None).ask(READ)
    assert "authorization" not in script.requests[2].headers


async def test_fixed_headers_and_query_go_along() -> None:
    table = {"base": "openai", "headers": {"X-Team": "blue"}, "query": {"api-version": "3"}}
    script = Scripted({"GET /v1/batches/1": GOOD})
    await wire_to(script, find_profile("a", {"a": table})).ask(READ)
    assert script.requests[0].headers["x-team"] == "blue"
    assert script.requests[0].url.params["api-version"] == "3"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_read_follows_redirects_of_its_own_origin(status: int) -> None:
    there = httpx.Response(status, headers={"Location": "/v1/else/1?x=2"})
    script = Scripted({"GET /v1/batches/1": there, "GET /v1/else/1": GOOD})
    assert (await wire_to(script).ask(READ)).table()["id"] == "batch_1"
    assert script.requests[1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "target", ["https://evil.example/v1/x", "//evil.example/x", "http://api.example.com/v1/x"]
)
async def test_a_redirect_to_another_origin_is_refused_before_anything_is_sent(target: str) -> None:
    script = Scripted({"GET /v1/batches/1": httpx.Response(302, headers={"Location": target})})
    with pytest.raises(RequestRejectedError, match="another address") as caught:
        await wire_to(script).ask(READ)
    assert len(script.requests) == 1
    assert "base_url" in caught.value.hint


async def test_redirects_that_go_round_end() -> None:
    loop = httpx.Response(302, headers={"Location": "/v1/batches/1"})
    script = Scripted({"GET /v1/batches/1": loop})
    with pytest.raises(RequestRejectedError, match="redirect loop"):
        await wire_to(script).ask(READ)
    assert len(script.requests) == 6


@pytest.mark.parametrize("status", [307, 308])
async def test_a_create_is_sent_on_whole_where_the_server_says_that_it_did_nothing(
    status: int,
) -> None:
    there = httpx.Response(status, headers={"Location": "/v1/batches/"})
    script = Scripted({"POST /v1/batches": there, "POST /v1/batches/": GOOD})
    await wire_to(script).ask(MAKE)
    assert script.sent() == {"a": 1}
    assert script.calls == ["POST /v1/batches", "POST /v1/batches/"]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_create_is_not_sent_on_otherwise(status: int) -> None:
    there = httpx.Response(status, headers={"Location": "/login"})
    script = Scripted({"POST /v1/batches": there, "GET /login": GOOD})
    with pytest.raises(RequestRejectedError, match="redirects to /login"):
        await wire_to(script).ask(MAKE)
    assert len(script.requests) == 1


async def test_a_read_is_repeated_a_few_times(pauses: list[float]) -> None:
    bad = httpx.Response(503, json={"error": {"message": "busy"}})
    script = Scripted({"GET /v1/batches/1": [bad, httpx.ReadError("cut"), GOOD]})
    assert (await wire_to(script).ask(READ)).table()["id"] == "batch_1"
    assert len(script.requests) == 3
    script = Scripted({"GET /v1/batches/1": bad})
    with pytest.raises(ProviderError, match="busy"):
        await wire_to(script).ask(READ)
    assert len(script.requests) == find_profile("openai").http.attempts
    assert [int(pause * 2) / 2 in (base, base + 0.5) for pause, base in zip(
        pauses, [0.5, 1.0, 0.5, 1.0, 2.0], strict=True)] == [True] * 5  # fmt: skip


async def test_a_pause_that_was_asked_for_is_kept(pauses: list[float]) -> None:
    busy = httpx.Response(429, headers={"Retry-After": "12"})
    long = httpx.Response(429, headers={"Retry-After": "600"})
    script = Scripted({"GET /v1/batches/1": [busy, long, GOOD]})
    with pytest.raises(ProviderError) as caught:
        await wire_to(script).ask(READ)
    assert caught.value.retry_after == 600.0
    assert pauses == [12.0]


async def test_a_caller_may_wait_in_its_own_way_and_give_up(pauses: list[float]) -> None:
    answers = [httpx.Response(429, headers={"Retry-After": text}) for text in ("1", "12")]
    script = Scripted({"GET /v1/batches/1": [*answers, GOOD]})
    met: list[tuple[str, float]] = []

    async def pause(error: BatchdeckError, seconds: float) -> None:
        met.append((type(error).__name__, seconds))
        if seconds > 10:
            raise UsageError("no longer wanted")

    with pausing(pause), pytest.raises(UsageError, match="no longer wanted"):
        await wire_to(script).ask(READ)
    assert met == [("ProviderError", 1.0), ("ProviderError", 12.0)]
    assert (pauses, len(script.requests)) == ([], 2)


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_read_that_is_refused_is_not_repeated(status: int) -> None:
    script = Scripted({"GET /v1/batches/1": httpx.Response(status, text="no")})
    with pytest.raises(BatchdeckError):
        await wire_to(script).ask(READ)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="oops"),
        httpx.Response(503, text="busy", headers={"Retry-After": "1"}),
        httpx.Response(529, text="overloaded"),
        httpx.Response(409, text="conflict"),
        httpx.ReadTimeout("silence"),
        httpx.ConnectError("refused"),
        httpx.Response(502, text="gateway"),
    ],
)
async def test_a_create_that_may_have_acted_is_never_repeated(answer: Any) -> None:
    script = Scripted({"POST /v1/batches": answer})
    with pytest.raises(ProviderError):
        await wire_to(script).ask(MAKE)
    assert len(script.requests) == 1


async def test_a_create_that_was_put_off_is_sent_again(pauses: list[float]) -> None:
    later = httpx.Response(429, json={"error": "slow"}, headers={"Retry-After": "2"})
    script = Scripted({"POST /v1/batches": [later, later, GOOD]})
    assert (await wire_to(script).ask(MAKE)).table() == {"id": "batch_1"}
    assert pauses == [2.0, 2.0]


@pytest.mark.parametrize("status", [429, 502, 503, 529])
async def test_a_patient_call_waits_for_a_busy_server(status: int, pauses: list[float]) -> None:
    script = Scripted({"GET /v1/batches/1": [httpx.Response(status)] * 7 + [GOOD]})
    assert (await wire_to(script).ask(replace(READ, patient=True))).status == 200
    assert len(pauses) == 7 and pauses[-1] >= 16
    script = Scripted({"GET /v1/batches/1": httpx.ConnectError("refused")})
    with pytest.raises(UnreachableError):
        await wire_to(script).ask(replace(READ, patient=True))
    assert len(script.requests) == 4


async def test_what_a_server_repeats_of_the_key_is_masked() -> None:
    body = {"id": f"b-{KEY}", "errors": {"data": [{"message": f"Incorrect key {KEY}"}]}}
    parts = json.dumps(body).encode()
    cut = parts.index(KEY.encode()) + 9
    script = Scripted({"GET /v1/batches/1": raw(200, parts[:cut], parts[cut:])})
    found = (await wire_to(script).ask(READ)).table()
    assert KEY not in str(found) and "[key]" in found["id"]
    assert len(json.dumps(found)) == len(json.dumps(body))
    moved = httpx.Response(302, headers={"Location": f"/v1/{KEY}", "x-request-id": KEY})
    script = Scripted({"POST /v1/batches": moved})
    with pytest.raises(RequestRejectedError) as caught:
        await wire_to(script).ask(MAKE)
    assert KEY not in f"{caught.value} {caught.value.hint} {caught.value.request_id}"


def test_how_long_a_repeat_waits() -> None:
    assert _pause(ProviderError("m", retry_after=12.5)) == 12.5
    assert _pause(ProviderError("m", retry_after=60.0)) == 60.0
    assert _pause(ProviderError("m", retry_after=61.0)) is False
    assert _pause(ProviderError("m")) is True
    assert _pause(UnreachableError("m")) is True
    assert _pause(UnexpectedResponseError("m")) is False
    assert _pause(RequestRejectedError("m", retry_after=1.0)) is False
    assert _pause(KeyRejectedError("m")) is False


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[Errno -2] Name or service not known"), "cannot be resolved"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] x"), "certificate"),
        (httpx.ConnectTimeout(""), "did not accept the connection"),
        (httpx.ProxyError("407 Proxy Authentication Required"), "407"),
        (OSError("broken"), "broken"),
    ],
)
async def test_no_connection(error: Exception, words: str) -> None:
    script = Scripted({"GET /v1/batches/1": error})
    with pytest.raises(UnreachableError) as caught:
        await wire_to(script).ask(READ)
    assert not isinstance(caught.value, ResponseLostError)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout(""), False),
        (httpx.PoolTimeout(""), False),
        (httpx.ReadTimeout(""), True),
        (httpx.ReadError(""), True),
        (httpx.WriteError(""), True),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), True),
    ],
)
async def test_a_create_without_an_answer(error: Exception, lost: bool) -> None:
    script = Scripted({"POST /v1/batches": error})
    with pytest.raises(UnreachableError) as caught:
        await wire_to(script).ask(MAKE)
    assert isinstance(caught.value, ResponseLostError) is lost
    assert "ReadError" not in caught.value.message or lost


async def test_a_create_whose_answer_breaks_off_is_lost() -> None:
    broken = raw(200, b'{"id": "ba', httpx.ReadError("cut"), content_type="application/json")
    with pytest.raises(ResponseLostError):
        await wire_to(Scripted({"POST /v1/batches": broken})).ask(MAKE)


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"<!doctype html><p>Hello", "text/html", "is a web page (status 200)"),
        (b"  <HTML>", "application/json", "is a web page"),
        (b"OK", "text/plain", "is not JSON"),
        (b'{"id": "ba', "application/json", "is not JSON"),
        (b"[1]", "application/json", "is not a JSON object"),
        (b"", "application/json", "is not a JSON object"),
        (b"\xff\xfe", "application/json", "is not JSON"),
    ],
)
async def test_an_answer_that_makes_no_sense(body: bytes, content_type: str, words: str) -> None:
    script = Scripted({"GET /v1/batches/1": raw(200, body, content_type=content_type)})
    reply = await wire_to(script).ask(READ)
    with pytest.raises(UnexpectedResponseError) as caught:
        reply.table()
    assert words in caught.value.message
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"id": 1}', b'\n {"id": 1}\r\n', b'{"id": 1, "x": NaN}']
)
async def test_json_is_read_leniently(body: bytes) -> None:
    script = Scripted({"GET /v1/batches/1": raw(201, body)})
    assert (await wire_to(script).ask(READ)).table()["id"] == 1


async def test_packed_answers_are_unpacked_and_badly_packed_ones_named() -> None:
    packed = raw(200, gzip.compress(b'{"id": 1}'), content_encoding="gzip")
    assert (await wire_to(Scripted({"GET /v1/batches/1": packed})).ask(READ)).table() == {"id": 1}
    bad = raw(200, gzip.compress(b'{"id": 1}')[:9] + b"no gzip", content_encoding="gzip")
    with pytest.raises(UnexpectedResponseError, match="cannot be decompressed"):
        await wire_to(Scripted({"GET /v1/batches/1": bad})).ask(READ)


async def test_a_body_that_is_not_packed_though_its_headers_say_so_is_read() -> None:
    plain = raw(200, b'{"i', b'd": 1}', content_encoding="gzip")
    assert (await wire_to(Scripted({"GET /v1/batches/1": plain})).ask(READ)).table() == {"id": 1}


@pytest.mark.parametrize("key", [f'"{KEY}"', f"'{KEY}'", f"Bearer {KEY}", f'"Bearer {KEY}" '])
def test_what_is_copied_along_with_a_key_is_left_out(key: str) -> None:
    assert wire_to(Scripted({}), key=key)._credentials()["Authorization"] == f"Bearer {KEY}"


async def test_an_error_body_that_breaks_off_still_gives_the_status() -> None:
    broken = raw(400, b"bad li", httpx.ReadError("cut"))
    with pytest.raises(RequestRejectedError, match="bad li"):
        await wire_to(Scripted({"GET /v1/batches/1": broken})).ask(READ)


async def test_statuses_that_the_caller_wants_to_see_are_no_errors() -> None:
    call = Call("DELETE", "/files/1", "delete", accept=frozenset({404}))
    reply = await wire_to(Scripted({"DELETE /v1/files/1": httpx.Response(404)})).ask(call)
    assert reply.status == 404


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "tab\tkey"])
def test_a_key_that_can_be_none_is_refused_without_being_said(key: str) -> None:
    with pytest.raises(KeyRejectedError) as caught:
        wire_to(Scripted({}), key=key)
    assert key not in f"{caught.value!r}"


def test_blanks_around_a_key_do_not_matter() -> None:
    assert wire_to(Scripted({}), key=f" {KEY}\n")._credentials()["Authorization"] == f"Bearer {KEY}"


async def test_the_key_is_nowhere_to_be_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = httpx.Response(400, json={"error": {"message": f"bad key {KEY}"}})
    page = httpx.Response(200, html=f"<html>{KEY}</html>")
    cut = httpx.ReadError(f"while sending {KEY}")
    wire = wire_to(Scripted({"GET /v1/batches/1": [echo, page, cut]}))
    shown = [repr(wire), str(wire.__dict__.get("address"))]
    for _ in range(3):
        try:
            (await wire.ask(READ)).table()
        except BatchdeckError as error:
            shown += [repr(error), str(error), error.hint, getattr(error, "body", "")]
            shown += traceback.format_exception(error)
            assert error.__context__ is None or error.__suppress_context__
            assert error.__cause__ is None
    assert len(shown) > 10
    assert KEY not in "\n".join(shown)
    assert KEY not in caplog.text


def test_a_proxy_that_cannot_be_used_is_a_matter_of_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tui.providers.wire.address import parse_base_url
    from tui.providers.wire.client import HttpClient

    monkeypatch.setenv("ALL_PROXY", "gopher://user:secret99@proxy.example:70")
    profile = find_profile("openai")
    address = parse_base_url("https://api.example.com/v1", provider="x", query={})
    with pytest.raises(ConfigError, match="proxy") as caught:
        HttpClient(profile, address, KEY)
    assert "secret99" not in caught.value.message
    local = parse_base_url("http://127.0.0.1:9/v1", provider="x", query={})
    assert repr(HttpClient(profile, local, KEY)) == "HttpClient(openai, http://127.0.0.1:9/v1)"
