"""Google's sign-in: a service account of the environment, and the server that gives it tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.threads import in_thread

PROJECT = "our-project"


@dataclass
class SignIn:
    """The server of tokens.

    Attributes:
        given: The tokens that it gave, in order.
        ended: The sign-in has ended: it gives no more.
        assertions: What was asked with.
    """

    given: list[str] = field(default_factory=list)
    ended: bool = False
    assertions: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        """Give a token, as ``oauth2.googleapis.com/token`` does."""
        form = parse_qs((await request.body()).decode())
        self.assertions += form["assertion"]
        if self.ended:
            error = {"error": "invalid_grant", "error_description": "Token has been revoked."}
            return JSONResponse(error, 400)
        self.given.append(f"ya29.token-{len(self.given) + 1}")
        return JSONResponse({"access_token": self.given[-1], "expires_in": 3599})

    def accepts(self, authorization: str) -> bool:
        """Whether a header carries the newest token."""
        return bool(self.given) and authorization == f"Bearer {self.given[-1]}"


def private_key() -> str:
    """A new private key in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="session")
def google_key() -> str:
    """The private key of the service account, made once: it takes a while."""
    return private_key()


@pytest.fixture
def sign_in(
    google_key: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SignIn]:
    """The environment has a service account, whose tokens come from this server."""
    server = SignIn()
    app = Starlette(routes=[Route("/token", server.answer, methods=["POST"])])
    with in_thread(uvicorn.Config(app, ws="none", log_config=None)) as url:
        path: Path = tmp_path_factory.mktemp("google") / "account.json"
        account: dict[str, Any] = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "k1",
            "private_key": google_key,
            "client_email": f"batches@{PROJECT}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{url}/token",
        }
        path.write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", PROJECT)
        yield server
