"""The address of an account: checked once, and the only place that its key is sent to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from tui.errors import ConfigError, RequestRefusedError


@dataclass(frozen=True)
class Address:
    """Where an account's calls go: an origin, a path before every route, a fixed query."""

    base: httpx.URL
    query: tuple[tuple[str, str], ...] = ()

    @property
    def is_local(self) -> bool:
        """Does it name this machine?"""
        return _is_loopback(self.base.host)

    @property
    def is_plain(self) -> bool:
        """Is it http, so that everybody on the way can read along?"""
        return self.base.scheme == "http"

    def route(self, path: str, params: Mapping[str, str] | None = None) -> httpx.URL:
        """The full address of a route.

        A route that begins with what the base ends with (``/v1``) does not say it twice. An
        absolute address is taken as it is when it has the same origin.

        Raises:
            RequestRefusedError: The address is another origin's; the key is not sent there.
        """
        if re.match(r"(?i)https?://", path):
            url = httpx.URL(path)
            self.check_origin(url)
            return _with_query(url, params)
        prefix = self.base.raw_path.decode("ascii").rstrip("/")
        last = prefix.rpartition("/")[2]
        if last and path.startswith(f"/{last}/"):
            prefix = prefix.removesuffix(f"/{last}")
        origin = str(self.base.copy_with(raw_path=b"/")).rstrip("/")
        url = httpx.URL(f"{origin}{prefix}{path}")
        return _with_query(url, {**dict(self.query), **(params or {})})

    def check_origin(self, url: httpx.URL) -> None:
        """See that an address that the provider named is its own.

        Raises:
            RequestRefusedError: It is not.
        """
        if origin_of(url) != origin_of(self.base):
            raise RequestRefusedError(
                f"The provider points to another address, {origin_text(url)}:"
                " the key is not sent there",
                "Set base_url to that address if you trust it.",
            )


def address_of(
    text: str, *, provider: str, query: Mapping[str, str], allow_http: bool = False
) -> Address:
    """Check a base address as a person or a profile wrote it.

    Args:
        text: The address; a query in it is kept for every call.
        provider: Whose it is, for the messages.
        query: What the profile adds to every call.
        allow_http: Send the key in the clear to other machines too.

    Raises:
        ConfigError: It cannot be used; the hint says why.
    """
    text = text.strip()
    if not text:
        raise ConfigError(f"{provider} needs an address", "Set base_url in the account.")
    if gap := re.search(r"\{([^}]*)\}", text):
        raise ConfigError(
            f"The address of {provider} has a gap: {{{gap[1]}}}",
            "Set base_url in the account, with your own name in its place.",
        )
    if not re.match(r"(?i)https?://", text):
        raise ConfigError(
            f"{text!r} is no web address", "Write base_url with https:// or http:// in front."
        )
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError(f"{text!r} is no web address: {error}", "Mend base_url.") from None
    if not url.host:
        raise ConfigError(f"{text!r} names no host", "Mend base_url.")
    if url.userinfo:
        raise ConfigError(
            f"The address of {provider} holds a password",
            "Take it out of base_url; keys are kept by 'batchdeck keys set'.",
        )
    if url.scheme == "http" and not allow_http and not _is_loopback(url.host):
        raise ConfigError(
            f"{url.scheme}://{url.host} would send the key in the clear",
            "Use https, or set allow_http = true in the account if the network is your own.",
        )
    fixed = {**query, **dict(url.params)}
    bare = url.copy_with(query=None, fragment=None)
    return Address(bare, tuple(fixed.items()))


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port, the port of the scheme where none is written."""
    return url.scheme, url.host.lower(), url.port or (443 if url.scheme == "https" else 80)


def origin_text(url: httpx.URL) -> str:
    """The origin of an address as a person reads it."""
    return str(url.copy_with(raw_path=b"/", fragment="", userinfo=b""))


def _with_query(url: httpx.URL, params: Mapping[str, str] | None) -> httpx.URL:
    return url.copy_merge_params(dict(params)) if params else url


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
