"""Opens the bucket of an account, from its profile and its own values, or that of an address."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal

import httpx
import msgspec

from tui.errors import ConfigError, KeyMissingError
from tui.providers.profiles.load import Profile
from tui.providers.profiles.model import Content
from tui.providers.stores.aws import AwsSigner, aws_credentials, aws_region
from tui.providers.stores.gcs import GcsBucket, GcsStore
from tui.providers.stores.google import GoogleSigner, google_credentials
from tui.providers.stores.s3 import Bucket, S3Store, bucket_region
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


_AWS = "https://s3.{region}.amazonaws.com"
_AWS_REGION = "us-east-1"
_GOOGLE = "https://storage.googleapis.com"


async def open_typed_bucket(
    scheme: Literal["s3", "gs"],
    name: str,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float],
) -> Store:
    """Open the bucket of an address that the user has typed, with the credentials of this machine.

    The region of a bucket of AWS is asked for; another store (``AWS_ENDPOINT_URL_S3``, or
    ``AWS_ENDPOINT_URL``) gets that of ``AWS_REGION`` or of the profile. ``STORAGE_EMULATOR_HOST``
    replaces Google's storage, and is sent no token.

    Raises:
        ConfigError: The bucket does not exist, botocore or google-auth is not installed, or a
            setting of the environment cannot be used.
        KeyMissingError: There are no credentials.
        UnreachableError: AWS does not tell the region.
    """
    client: HttpClient
    profile = Profile(id=scheme, name=f"The bucket {name}")
    if scheme == "gs":
        emulator = os.environ.get("STORAGE_EMULATOR_HOST", "").strip()
        found = None if emulator else await asyncio.to_thread(google_credentials)
        endpoint = emulator if "://" in emulator else f"http://{emulator}" if emulator else _GOOGLE
        client = HttpClient(
            profile,
            parse_base_url(endpoint, provider=profile.name, query={}),
            transport=transport,
            clock=clock,
            signer=None if found is None else GoogleSigner(found),
        )
        return GcsStore(client, GcsBucket(name, named_by="the address"))
    keys, region = await asyncio.to_thread(lambda: (aws_credentials(), aws_region()))
    own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not own:
        address = parse_base_url(_AWS.format(region=_AWS_REGION), provider=profile.name, query={})
        async with aclosing(
            HttpClient(profile, address, transport=transport, clock=clock)
        ) as asked:
            region = await bucket_region(asked, name) or region
    region = region or _AWS_REGION
    client = HttpClient(
        profile,
        parse_base_url(own or _AWS.format(region=region), provider=profile.name, query={}),
        transport=transport,
        clock=clock,
        signer=AwsSigner(keys, "s3", region),
    )
    return S3Store(client, Bucket(name, region, of_account=False))


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
