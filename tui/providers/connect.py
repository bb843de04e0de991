"""From a profile and an account's settings to a dialect that can be spoken."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tui.errors import KeyMissingError
from tui.providers.address import address_of
from tui.providers.base import Dialect
from tui.providers.direct import DirectDialect
from tui.providers.files import FilesDialect
from tui.providers.http import Wire
from tui.providers.inline import InlineDialect
from tui.providers.lane import Lane
from tui.providers.messages import MessagesDialect
from tui.providers.profile import Profile
from tui.providers.scaledown import ScaledownDialect
from tui.providers.schema import DialectName
from tui.providers.traffic import Traffic

_Spoken = FilesDialect | MessagesDialect | ScaledownDialect | InlineDialect

_DIALECTS: dict[DialectName, Callable[[Wire], _Spoken]] = {
    "files": FilesDialect,
    "messages": MessagesDialect,
    "scaledown": ScaledownDialect,
    "inline": InlineDialect,
}


def connect(
    profile: Profile,
    *,
    base_url: str | None = None,
    key: str | None = None,
    uds: Path | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    allow_http: bool = False,
    lane: Lane | None = None,
    clock: Callable[[], float] = time.time,
    traffic: Traffic | None = None,
) -> Dialect:
    """The dialect for an account. Nothing is sent yet.

    Args:
        profile: The provider.
        base_url: The account's own address; ``None`` takes the profile's. One without a path
            gets the path of the profile's.
        key: The key; may be missing where the profile needs none.
        uds: A Unix socket to speak through instead of the network.
        transport: Replaces the network altogether.
        allow_http: Allow plain http to other machines.
        lane: How fast rows may be sent where they are sent one by one.
        clock: Unix seconds.
        traffic: Where requests are counted.

    Raises:
        ConfigError: The address cannot be used.
        KeyMissingError: The provider needs a key.
        KeyRefusedError: The key cannot be one.
    """
    if profile.needs_key and not (key or "").strip():
        names = " or ".join(profile.env)
        raise KeyMissingError(
            f"{profile.name} needs a key",
            f"Set {names}, or store one with 'batchdeck keys set'."
            if names
            else "Store one with 'batchdeck keys set'.",
        )
    address = address_of(
        _with_path(base_url, profile.base_url) if base_url else profile.base_url,
        provider=profile.name,
        query=profile.query,
        allow_http=allow_http or uds is not None,
    )
    lane = lane or Lane()
    wire = Wire(
        profile,
        address,
        key,
        transport=transport,
        uds=uds,
        connections=max(16, lane.concurrency + 4),
        clock=clock,
        traffic=traffic,
    )
    dialect = _DIALECTS[profile.dialect](wire)
    return DirectDialect(dialect, lane, clock) if profile.direct else dialect


def _with_path(base_url: str, usual: str) -> str:
    """An address that is a bare origin, with the path that the provider's API usually has."""
    base_url = base_url.strip()
    if not re.fullmatch(r"(?i)https?://[^/?#]+", base_url):
        return base_url
    match = re.match(r"(?i)https?://[^/]+(/[^?#{}]*)", usual)
    return base_url + match[1] if match else base_url
