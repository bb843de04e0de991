"""Requests signed for AWS and for stores that speak S3; credentials come from botocore's chain.

botocore belongs to the extra ``aws`` and is imported when an account needs it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from tui.errors import ConfigError, KeyMissingError, KeyRejectedError

_SIGNED_BY_US = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
_NOT_SIGNED = frozenset({"accept", "accept-encoding", "connection", "user-agent", "content-length"})
"""Headers that a proxy may change on the way."""


def aws_credentials(access_key: str = "", secret: str = "") -> Any:
    """The credentials of an account.

    Args:
        access_key: The access key, for stores with a key pair of their own.
        secret: Its secret.

    Returns:
        botocore's credentials: the pair, or what its chain finds (environment, profiles, SSO,
        roles of a machine). Those of the chain are refreshed when they end.

    Raises:
        ConfigError: botocore is not installed, or a profile cannot be used.
        KeyMissingError: There are none.
    """
    try:
        from botocore.credentials import Credentials
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session
    except ImportError:
        raise ConfigError(
            "object stores of AWS need botocore", "Install it: `pip install 'batchdeck[aws]'`."
        ) from None
    if access_key and secret:
        return Credentials(access_key, secret)
    try:
        found = Session().get_credentials()
    except (BotoCoreError, ClientError) as error:
        raise ConfigError(f"the AWS credentials cannot be used: {error}") from error
    if found is None:
        raise KeyMissingError(
            "no AWS credentials were found",
            "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    return found


def aws_region() -> str:
    """The region that the environment or the AWS profile names; empty if none; blocking."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    if region := os.environ.get("AWS_REGION"):
        return region
    try:
        return str(Session().get_config_variable("region") or "")
    except BotoCoreError:
        # The profile does not exist, which the credentials have said before.
        return ""


def sign_in_ended() -> KeyRejectedError:
    """The error for temporary credentials whose time is over."""
    return KeyRejectedError(
        "the sign-in of the AWS credentials has expired",
        "Sign in again, for example with `aws sso login`.",
    )


class AwsSigner(httpx.Auth):
    """Signs each request with Signature Version 4.

    For ``s3`` the body is not part of the signature, so a file can be streamed; over https its
    transport is protected all the same. Other services require that it is.

    Args:
        credentials: See ``aws_credentials``.
        service: The name of the service, such as ``s3``.
        region: The region that the request is for.
    """

    def __init__(self, credentials: Any, service: str, region: str) -> None:
        self._credentials = credentials
        self._service = service
        self._region = region

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the headers of the signature."""
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _NOT_SIGNED and name.lower() not in _SIGNED_BY_US
        }
        body = b"" if self._service == "s3" else await request.aread()
        # Credentials that have ended are fetched anew, from a server perhaps.
        signed = await asyncio.to_thread(self.sign, request.method, str(request.url), headers, body)
        for name in _SIGNED_BY_US:
            request.headers.pop(name, None)
        request.headers.update(signed)
        yield request

    def sign(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b""
    ) -> dict[str, str]:
        """The headers of the signature of a request; blocking.

        Raises:
            KeyMissingError: The credentials have ended and cannot be renewed.
        """
        from botocore.auth import S3SigV4Auth, SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, ClientError

        class Streaming(S3SigV4Auth):  # type: ignore[misc]
            def payload(self, request: Any) -> str:
                return "UNSIGNED-PAYLOAD"

        try:
            frozen = self._credentials.get_frozen_credentials()
            request = AWSRequest(method=method, url=url, headers=headers, data=body)
            kind = Streaming if self._service == "s3" else SigV4Auth
            kind(frozen, self._service, self._region).add_auth(request)
        except (BotoCoreError, ClientError) as error:
            raise KeyMissingError(
                f"the AWS credentials cannot be renewed: {error}",
                "Sign in again, for example with `aws sso login`.",
            ) from error
        made = {name.lower(): value for name, value in request.headers.items()}
        return {name: made[name] for name in _SIGNED_BY_US if name in made}
