"""Creates the dialect of an account from its profile and settings.

A dialect, and what reads buckets, is imported when an account needs it: all of them take a tenth
of a second.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import msgspec

from tui.errors import ConfigError, KeyMissingError
from tui.providers.dialect import Dialect
from tui.providers.dialects.direct import DirectDialect, DirectSettings
from tui.providers.profiles.load import Profile
from tui.providers.profiles.model import DialectName, base_url_of, fill_in
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.client import HttpClient, RequestCounter

if TYPE_CHECKING:
    from tui.providers.dialects.anthropic import MessagesDialect
    from tui.providers.dialects.files import FilesDialect
    from tui.providers.dialects.inline import InlineDialect
    from tui.providers.dialects.scaledown import ScaledownDialect

    _WireDialect = FilesDialect | MessagesDialect | ScaledownDialect | InlineDialect


def connect(
    profile: Profile,
    *,
    base_url: str | None = None,
    key: str | None = None,
    uds: Path | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    allow_http: bool = False,
    direct_settings: DirectSettings | None = None,
    clock: Callable[[], float] = time.time,
    traffic: RequestCounter | None = None,
    params: Mapping[str, str] | None = None,
) -> Dialect:
    """Create the dialect of an account. Nothing is sent yet.

    Args:
        profile: The provider.
        base_url: The account's own base URL; ``None`` uses the profile's. A URL without a path
            gets the path of the profile's.
        key: The API key; optional where the profile does not require one.
        uds: A Unix socket to connect to instead of the network.
        transport: Replaces the network, for tests.
        allow_http: Allow plain HTTP to other machines.
        direct_settings: The concurrency and rate limit of direct mode.
        clock: Returns Unix seconds.
        traffic: Counts the requests.
        params: The account's own values, such as its bucket.

    Raises:
        ConfigError: The base URL cannot be used.
        KeyMissingError: The provider requires a key.
        KeyRejectedError: The key has invalid characters.
    """
    if profile.needs_key and not (key or "").strip():
        names = " or ".join(profile.env)
        raise KeyMissingError(
            f"{profile.name} needs a key",
            f"Set {names}, or store one with 'batchdeck keys set'."
            if names
            else "Store one with 'batchdeck keys set'.",
        )
    own_url = base_url_of(profile, params or {})
    text = _with_default_path(base_url, own_url) if base_url else own_url
    if left := re.search(r"\{(\w+)\}", text):
        raise ConfigError(
            f"The base URL of {profile.name} has a placeholder: {left[0]}",
            f"Add the account again with `--param {left[1]}=…`, or set base_url in the account.",
        )
    address = parse_base_url(
        text,
        provider=profile.name,
        query=profile.query,
        allow_http=allow_http or uds is not None,
    )
    direct_settings = direct_settings or DirectSettings()
    profile = _with_params(profile, params or {})
    if profile.dialect == "bedrock":
        from tui.providers.dialects.bedrock.open import open_bedrock
        from tui.providers.dialects.bedrock.runtime import BedrockRuntime

        opened = open_bedrock(
            profile,
            address,
            key,
            params or {},
            transport=transport,
            connections=max(16, direct_settings.concurrency + 4),
            clock=clock,
            traffic=traffic,
        )
        if isinstance(opened, BedrockRuntime):
            return DirectDialect(opened, direct_settings, clock)
        return opened
    signer = None
    if "google" in profile.auth.ways and not (key or "").strip():
        from tui.providers.stores.google import GoogleSigner, google_credentials

        signer = GoogleSigner(google_credentials())
    client = HttpClient(
        profile,
        address,
        key,
        transport=transport,
        uds=uds,
        connections=max(16, direct_settings.concurrency + 4),
        clock=clock,
        traffic=traffic,
        signer=signer,
    )
    if profile.store.kind:
        from tui.providers.dialects.files import FilesDialect
        from tui.providers.dialects.google.vertex import VertexDialect
        from tui.providers.stores.open import open_store

        store = open_store(
            profile, params or {}, secret=key, transport=transport, clock=clock, signer=signer
        )
        return (
            VertexDialect(client, store)
            if profile.dialect == "vertex"
            else FilesDialect(client, store)
        )
    dialect = _dialect_class(profile.dialect)(client)
    return DirectDialect(dialect, direct_settings, clock) if profile.direct else dialect


def _dialect_class(name: DialectName) -> Callable[[HttpClient], _WireDialect]:
    """The class of a dialect that keeps its files at the provider, or has none."""
    match name:
        case "messages":
            from tui.providers.dialects.anthropic import MessagesDialect

            return MessagesDialect
        case "scaledown":
            from tui.providers.dialects.scaledown import ScaledownDialect

            return ScaledownDialect
        case "inline":
            from tui.providers.dialects.inline import InlineDialect

            return InlineDialect
        case "gemini":
            from tui.providers.dialects.google.gemini import GeminiDialect

            return GeminiDialect
        case "fireworks":
            from tui.providers.dialects.fireworks import FireworksDialect

            return FireworksDialect
        case _:
            from tui.providers.dialects.files import FilesDialect

            return FilesDialect


def _with_params(profile: Profile, params: Mapping[str, str]) -> Profile:
    """The profile with the account's values in the headers of a create.

    Raises:
        ConfigError: The account has no value for one of them.
    """
    headers = {}
    for name, text in profile.create.headers.items():
        text = fill_in(text, params)
        if left := re.search(r"\{(?!model\})(\w+)\}", text):
            raise ConfigError(
                f"{profile.name} needs {left[1]}, and the account does not have it",
                f"Add the account again with `--param {left[1]}=…`.",
            )
        headers[name] = text
    if not headers:
        return profile
    create = msgspec.structs.replace(profile.create, headers=headers)
    return msgspec.structs.replace(profile, create=create)


def _with_default_path(base_url: str, default: str) -> str:
    """Add the path of the profile's base URL to a URL that has none."""
    base_url = base_url.strip()
    own = re.fullmatch(r"(?i)(https?://[^/?#]+)/*(\?[^#]*)?", base_url)
    match = re.match(r"(?i)https?://[^/]+(/[^?#]*)", default)
    return f"{own[1]}{match[1]}{own[2] or ''}" if own and match else base_url
