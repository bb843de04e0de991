"""Opens the bucket of an account, from its profile and its own values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec

from tui.errors import ConfigError, KeyMissingError
from tui.providers.profiles.load import Profile
from tui.providers.profiles.model import Content
from tui.providers.stores.aws import AwsSigner, aws_credentials
from tui.providers.stores.gcs import GcsBucket, GcsStore
from tui.providers.stores.s3 import Bucket, S3Store
from tui.providers.stores.store import Store
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.client import HttpClient


def open_store(
    profile: Profile,
    params: Mapping[str, str],
    *,
    secret: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float],
    signer: httpx.Auth | None = None,
) -> Store:
    """Open the bucket of an account. Nothing is sent yet.

    Args:
        profile: The provider; its ``store`` describes the bucket.
        params: The account's ``bucket``, and what differs from the profile: ``region``,
            ``prefix``, ``endpoint_url``, ``access_key``.
        secret: The account's key, for stores whose key pair belongs to it, or a token for GCS.
        transport: Replaces the network, for tests.
        clock: Returns Unix seconds.
        signer: Signs the requests of the account itself; those of a bucket of the same cloud too.

    Raises:
        ConfigError: The account names no bucket or region, or botocore is not installed.
        KeyMissingError: There are no credentials for it.
    """
    section = profile.store
    name = _named(profile, "bucket", params.get("bucket", ""))
    region = params.get("region") or section.region
    prefix = params.get("prefix", section.prefix)
    own = f"The bucket of {profile.name}"
    endpoint = (params.get("endpoint_url") or section.endpoint_url).format(region=region)
    address = parse_base_url(endpoint, provider=own, query={})
    described = msgspec.structs.replace(profile, name=own, headers={}, content=Content())
    if section.kind == "gcs":
        client = HttpClient(
            described, address, secret, transport=transport, clock=clock, signer=signer
        )
        return GcsStore(client, GcsBucket(name.removeprefix("gs://").rstrip("/"), region, prefix))
    bucket = Bucket(name, _named(profile, "region", region), prefix, section.uri)
    keys = own_credentials(profile, params, secret)
    client = HttpClient(
        described,
        address,
        transport=transport,
        clock=clock,
        signer=AwsSigner(keys, "s3", bucket.region),
    )
    return S3Store(client, bucket)


def own_credentials(profile: Profile, params: Mapping[str, str], secret: str | None = None) -> Any:
    """The AWS credentials of an account: its own pair where it has one, else this machine's.

    Args:
        profile: The provider.
        params: The account's own values.
        secret: The account's key, which is the secret of its access key.

    Raises:
        ConfigError: botocore is not installed, or a profile of AWS cannot be used.
        KeyMissingError: There are none.
    """
    return aws_credentials(_access_key(profile, params), secret or "")


def _access_key(profile: Profile, params: Mapping[str, str]) -> str:
    """The access key of a bucket whose key pair is the account's, or ``""``.

    Raises:
        KeyMissingError: There is none.
    """
    variable = profile.store.access_key_env
    if not variable:
        return ""
    access_key = params.get("access_key") or os.environ.get(variable, "")
    if not access_key:
        raise KeyMissingError(
            f"the bucket of {profile.name} needs an access key", f"Set {variable}."
        )
    return access_key


def _named(profile: Profile, name: str, value: str) -> str:
    if value:
        return value
    raise ConfigError(
        f"{profile.name} keeps files in a bucket of yours, and the account has no {name}",
        f"Add the account again with `--param {name}=…`.",
    )
