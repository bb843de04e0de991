"""Google Cloud's credentials: the defaults of an environment, as tokens of requests.

google-auth belongs to the extra ``google`` and is imported when an account needs it. It finds the
credentials (``GOOGLE_APPLICATION_CREDENTIALS``, ``gcloud auth application-default login``, the
service account of a machine) and renews their tokens, which live for an hour; httpx carries them.
"""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from tui.errors import ConfigError, KeyMissingError, KeyRejectedError, UnreachableError
from tui.providers.wire.network import blocking_http_client

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SIGN_IN = "Sign in again: `gcloud auth application-default login`."
_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_SECONDS = 60.0


def google_credentials() -> Any:
    """The credentials of this environment, in Google's order; blocking.

    Returns:
        google-auth's credentials, which can be refreshed.

    Raises:
        ConfigError: google-auth is not installed, or a file of credentials cannot be used.
        KeyMissingError: There are none.
    """
    try:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    except ImportError:
        raise ConfigError(
            "Google Cloud needs google-auth", "Install it: `pip install 'batchdeck[google]'`."
        ) from None
    try:
        with warnings.catch_warnings():
            # It warns of sign-ins of users that name no project for quotas.
            warnings.simplefilter("ignore")
            found, _ = google.auth.default(scopes=[SCOPE])
    except (DefaultCredentialsError, GoogleAuthError, ValueError, OSError) as error:
        if path := os.environ.get(_VARIABLE):
            raise ConfigError(
                f"the Google credentials in {path} cannot be used: {error}",
                f"Fix {_VARIABLE}, or unset it and run `gcloud auth application-default login`.",
            ) from None
        raise KeyMissingError(
            "no Google credentials were found",
            "Run `gcloud auth application-default login`, or set"
            f" {_VARIABLE} to the file of a service account.",
        ) from None
    return found


class GoogleSigner(httpx.Auth):
    """Adds a valid token to each request, and the project that its quota is counted for.

    A request that is refused with 401 is sent once more with a new token; nothing was done then.

    Args:
        credentials: See ``google_credentials``.
    """

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the token; renew it if it was refused."""
        token = await asyncio.to_thread(self.token)
        self._sign(request, token)
        response = yield request
        if response.status_code == 401 and isinstance(request.stream, httpx.ByteStream):
            self._sign(request, await asyncio.to_thread(self.token, token))
            yield request

    def token(self, refused: str = "") -> str:
        """A token that is valid, as far as is known; blocking.

        Args:
            refused: A token that the server has refused.

        Raises:
            KeyRejectedError: The sign-in has ended.
            UnreachableError: The server that renews it cannot be reached.
        """
        from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

        with self._lock:
            found = self._credentials
            if not found.valid or (refused and found.token == refused):
                try:
                    found.refresh(_Transport())
                except TransportError as error:
                    raise UnreachableError(
                        f"the Google credentials cannot be renewed now: {_words(error)}",
                        "Check the network, then try again.",
                    ) from None
                except RefreshError as error:
                    if error.retryable:
                        raise UnreachableError(
                            f"the Google credentials cannot be renewed now: {_words(error)}",
                            "Try again later.",
                        ) from None
                    raise KeyRejectedError(
                        f"the sign-in of the Google credentials has expired: {_words(error)}",
                        SIGN_IN,
                    ) from None
                except GoogleAuthError as error:
                    raise KeyRejectedError(
                        f"the Google credentials cannot be used: {_words(error)}", SIGN_IN
                    ) from None
            return str(found.token)

    def _sign(self, request: httpx.Request, token: str) -> None:
        request.headers["Authorization"] = f"Bearer {token}"
        if project := getattr(self._credentials, "quota_project_id", None):
            request.headers["x-goog-user-project"] = project


def _words(error: Exception) -> str:
    """What google-auth says, without the response that it may hold beside it."""
    return str(error.args[0] if error.args else error)[:300]


class _Response:
    """A response as google-auth wants it (``google.auth.transport.Response``)."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.data = response.content


class _Transport:
    """Requests of google-auth, sent by httpx (``google.auth.transport.Request``)."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Response:
        from google.auth.exceptions import TransportError

        try:
            with blocking_http_client(httpx.URL(url)) as client:
                return _Response(
                    client.request(
                        method, url, content=body, headers=headers, timeout=timeout or _SECONDS
                    )
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The address and the body stay out of it: they may hold a secret.
            raise TransportError(type(error).__name__) from None  # type: ignore[no-untyped-call]
