"""Google's credentials: a service account whose tokens come from a server of the test."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.google_sign_in import PROJECT, SignIn
from tests.threads import in_thread
from tui.errors import ConfigError, KeyMissingError, KeyRejectedError, UnreachableError
from tui.providers.profiles.load import find_profile
from tui.providers.stores.google import SCOPE, GoogleSigner, google_credentials
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.client import Call, HttpClient


class Guarded:
    """A server that takes the newest token only."""

    def __init__(self, sign_in: SignIn) -> None:
        self.sign_in = sign_in
        self.refused = 0
        self.revoked: set[str] = set()
        self.projects: list[str | None] = []

    async def answer(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if given in self.revoked or not self.sign_in.accepts(given):
            self.refused += 1
            error = {"code": 401, "message": "Invalid Credentials", "status": "UNAUTHENTICATED"}
            return JSONResponse({"error": error}, 401)
        self.projects.append(request.headers.get("x-goog-user-project"))
        return JSONResponse({"body": (await request.body()).decode()})


@pytest.fixture
def guarded(sign_in: SignIn) -> Iterator[tuple[Guarded, str]]:
    server = Guarded(sign_in)
    app = Starlette(routes=[Route("/{path:path}", server.answer, methods=["GET", "POST"])])
    with in_thread(uvicorn.Config(app, ws="none", log_config=None)) as url:
        yield server, url


def client_of(url: str, signer: httpx.Auth) -> HttpClient:
    profile = find_profile("openai")
    return HttpClient(profile, parse_base_url(url, provider="G", query={}), signer=signer)


async def test_a_token_is_fetched_once_and_sent_with_each_request(
    guarded: tuple[Guarded, str], sign_in: SignIn
) -> None:
    server, url = guarded
    client = client_of(url, GoogleSigner(google_credentials()))
    for _ in range(3):
        await client.ask(Call("GET", "/x", "get x"))
    assert sign_in.given == ["ya29.token-1"]
    assert server.projects == [PROJECT] * 3
    (assertion,) = sign_in.assertions
    claims = assertion.split(".")[1]
    asked = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert asked["scope"] == SCOPE
    await client.aclose()


async def test_a_token_that_is_refused_is_renewed_and_the_call_sent_once_more(
    guarded: tuple[Guarded, str], sign_in: SignIn
) -> None:
    server, url = guarded
    client = client_of(url, GoogleSigner(google_credentials()))
    await client.ask(Call("GET", "/x", "get x"))
    server.revoked.add("Bearer ya29.token-1")
    call = Call("POST", "/x", "create x", json={"a": 1}, idempotent=False)
    assert (await client.ask(call)).table() == {"body": '{"a":1}'}
    assert (server.refused, len(sign_in.given)) == (1, 2)
    await client.aclose()


async def test_a_sign_in_that_has_ended_says_what_to_type(
    guarded: tuple[Guarded, str], sign_in: SignIn
) -> None:
    server, url = guarded
    client = client_of(url, GoogleSigner(google_credentials()))
    await client.ask(Call("GET", "/x", "get x"))
    server.revoked.add("Bearer ya29.token-1")
    sign_in.ended = True
    with pytest.raises(KeyRejectedError, match="sign-in of the Google credentials") as caught:
        await client.ask(Call("GET", "/x", "get x"))
    assert "Token has been revoked" in caught.value.message
    assert "gcloud auth application-default login" in caught.value.hint
    assert "ya29" not in f"{caught.value.message}{caught.value.body}"
    await client.aclose()


def test_a_sign_in_that_cannot_be_reached_is_not_ended(
    sign_in: SignIn, google_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "unreachable.json"
    account = {
        "type": "service_account",
        "client_email": "a@b",
        "private_key": google_key,
        "token_uri": "http://127.0.0.1:9/token",
    }
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda seconds: None)
    with pytest.raises(UnreachableError, match="cannot be renewed now"):
        GoogleSigner(google_credentials()).token()


def test_without_credentials_the_error_says_how_to_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "True")
    with pytest.raises(KeyMissingError) as caught:
        google_credentials()
    assert "gcloud auth application-default login" in caught.value.hint
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.hint


@pytest.mark.parametrize("text", [None, "not json", '{"type": "nonsense"}'])
def test_a_file_of_credentials_that_cannot_be_used_is_named(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "account.json"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(ConfigError, match=r"account\.json cannot be used") as caught:
        google_credentials()
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.hint
