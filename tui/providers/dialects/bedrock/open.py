"""Opens an account of Bedrock: who signs in, the bucket, and the addresses of its services."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from tui.errors import ConfigError
from tui.providers.dialects.bedrock.identity import IdentityCheck
from tui.providers.dialects.bedrock.jobs import BedrockDialect
from tui.providers.dialects.bedrock.runtime import BedrockRuntime
from tui.providers.profiles.load import Profile
from tui.providers.profiles.model import fill_in
from tui.providers.stores.aws import AwsSigner
from tui.providers.stores.open import open_store, own_credentials
from tui.providers.stores.s3 import S3Store
from tui.providers.wire.address import Address, parse_base_url
from tui.providers.wire.client import HttpClient, RequestCounter

_IAM_REGION = "us-east-1"
"""IAM has one address for all regions, and its requests are signed for this one."""


def open_bedrock(
    profile: Profile,
    address: Address,
    key: str | None,
    params: Mapping[str, str],
    *,
    transport: httpx.AsyncBaseTransport | None,
    connections: int,
    clock: Callable[[], float],
    traffic: RequestCounter | None,
) -> BedrockDialect | BedrockRuntime:
    """Create the dialect of an account of Bedrock. Nothing is sent yet.

    Args:
        profile: The provider; one that sends rows one by one needs neither bucket nor role.
        address: The base address of Bedrock's own API.
        key: The Bedrock API key, if there is one.
        params: The account's own values.
        transport: Replaces the network, for tests.
        connections: The maximum number of concurrent calls.
        clock: Returns Unix seconds.
        traffic: Counts the requests.

    Raises:
        ConfigError: The account lacks a value, or botocore is not installed.
        KeyMissingError: There are no credentials.
    """
    region = params.get("region", "")
    if not region:
        raise ConfigError(
            f"{profile.name} needs a region, and the account does not have it",
            "Add the account again with `--param region=…`.",
        )
    secret = key
    if "key" not in profile.auth.ways:
        key = None
    # With a key, only the bucket and the questions about the account are signed.
    is_signed_somewhere = not (key and profile.direct)
    credentials = own_credentials(profile, params, secret) if is_signed_somewhere else None

    def client(at: Address, service: str = "bedrock", of: str = region) -> HttpClient:
        is_signed = not key or service != "bedrock"
        return HttpClient(
            profile,
            at,
            None if is_signed else key,
            transport=transport,
            connections=connections,
            clock=clock,
            traffic=traffic,
            signer=AwsSigner(credentials, service, of) if is_signed else None,
        )

    runtime = BedrockRuntime(
        client(_runtime_address(profile, address, params)),
        client(address),
        params.get("model", ""),
    )
    if profile.direct:
        return runtime
    own = client(address)
    store = open_store(profile, params, secret=secret, transport=transport, clock=clock)
    if not isinstance(store, S3Store):
        raise ConfigError(f"{profile.name} keeps files in S3", 'Set store.kind = "s3".')
    section = profile.bedrock
    identity = IdentityCheck(
        client(_service(profile, params, "sts_url", section.sts_url), "sts"),
        client(_service(profile, params, "iam_url", section.iam_url), "iam", _IAM_REGION),
        params,
    )
    return BedrockDialect(own, store, params, runtime, identity)


def _service(profile: Profile, params: Mapping[str, str], name: str, usual: str) -> Address:
    url = params.get(name) or fill_in(usual, params)
    return parse_base_url(url, provider=profile.name, query={})


def _runtime_address(profile: Profile, address: Address, params: Mapping[str, str]) -> Address:
    """Where single requests go: beside AWS's own address, else to the account's one."""
    own = parse_base_url(fill_in(profile.base_url, params), provider=profile.name, query={})
    named = params.get("runtime_url")
    if named is None and own.base != address.base:
        return address
    url = named or fill_in(profile.bedrock.runtime_url, params)
    return parse_base_url(url, provider=profile.name, query={})
