"""Opens the bucket of an account, from its profile and its own values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import httpx
import msgspec

from tui.errors import ConfigError, KeyMissingError
from tui.providers.profiles.load import Profile
from tui.providers.profiles.model import Content
from tui.providers.stores.aws import AwsSigner, aws_credentials
from tui.providers.stores.s3 import Bucket, S3Store
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.client import HttpClient


def open_store(
    profile: Profile,
    params: Mapping[str, str],
    *,
    secret: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float],
) -> S3Store:
    """Open the bucket of an account. Nothing is sent yet.

    Args:
        profile: The provider; its ``store`` describes the bucket.
        params: The account's ``bucket``, and what differs from the profile: ``region``,
            ``prefix``, ``endpoint_url``, ``access_key``.
        secret: The account's key, for stores whose key pair belongs to it.
        transport: Replaces the network, for tests.
        clock: Returns Unix seconds.

    Raises:
        ConfigError: The account names no bucket or region, or botocore is not installed.
        KeyMissingError: There are no credentials for it.
    """
    section = profile.store
    bucket = Bucket(
        name=_named(profile, "bucket", params.get("bucket", "")),
        region=_named(profile, "region", params.get("region") or section.region),
        prefix=params.get("prefix", section.prefix),
        uri=section.uri,
    )
    access_key = ""
    if section.access_key_env:
        access_key = params.get("access_key") or os.environ.get(section.access_key_env, "")
        if not access_key:
            raise KeyMissingError(
                f"the bucket of {profile.name} needs an access key",
                f"Set {section.access_key_env}.",
            )
    endpoint = params.get("endpoint_url") or section.endpoint_url
    name = f"The bucket of {profile.name}"
    client = HttpClient(
        msgspec.structs.replace(profile, name=name, headers={}, content=Content()),
        parse_base_url(endpoint.format(region=bucket.region), provider=name, query={}),
        transport=transport,
        clock=clock,
        signer=AwsSigner(aws_credentials(access_key, secret or ""), "s3", bucket.region),
    )
    return S3Store(client, bucket)


def _named(profile: Profile, name: str, value: str) -> str:
    if value:
        return value
    raise ConfigError(
        f"{profile.name} keeps files in a bucket of yours, and the account has no {name}",
        f"Add the account again with `--param {name}=…`.",
    )
