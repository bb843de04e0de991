"""The base address of an account, validated once; its key is sent only to this origin."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from tui.errors import ConfigError, RequestRejectedError


@dataclass(frozen=True)
class Address:
    """The base URL of an account: origin, path prefix, and a query added to every call."""

    base: httpx.URL
    query: tuple[tuple[str, str], ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether it points to this machine."""
        return is_loopback(self.base.host)

    def route(self, path: str, params: Mapping[str, str] | None = None) -> httpx.URL:
        """Build the full URL of a route.

        If the route starts with the last path segment of the base (``/v1``), the segment is not
        repeated. An absolute URL with the same origin is used unchanged.

        Raises:
            RequestRejectedError: The URL has another origin; the key is not sent there.
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
        """Check that a URL from the provider has the account's origin.

        Raises:
            RequestRejectedError: It has another origin.
        """
        if origin_of(url) != origin_of(self.base):
            raise RequestRejectedError(
                f"The provider refers to another address, {origin_text(url)};"
                " the key is not sent there",
                "Set base_url to that address if you trust it.",
            )

    def check_storage(self, url: httpx.URL, what: str = "the results") -> None:
        """Check that a file may be exchanged with another origin, without the key.

        Providers keep files in object stores and refer to them with signed addresses. Only https
        is followed, and never to this machine unless the account itself is on it.

        Args:
            url: The address.
            what: What is fetched from there or sent to it, for the error.

        Raises:
            RequestRejectedError: The address may not be used.
        """
        local = is_loopback(url.host)
        if url.scheme not in ("https", "http") or (url.scheme == "http" and not local):
            problem = "which is not encrypted"
        elif local and not self.is_local:
            problem = "which is this machine"
        else:
            return
        raise RequestRejectedError(
            f"The provider refers to {origin_text(url)} for {what}, {problem};"
            " the address is not used",
            "Ask the provider why it does.",
        )


def parse_base_url(
    text: str, *, provider: str, query: Mapping[str, str], allow_http: bool = False
) -> Address:
    """Validate the base URL of an account or a profile.

    Args:
        text: The URL; a query in it is added to every call.
        provider: The provider's name, for errors.
        query: The profile's query, added to every call.
        allow_http: Allow unencrypted HTTP to other machines.

    Raises:
        ConfigError: The URL cannot be used.
    """
    text = text.strip()
    if not text:
        raise ConfigError(f"{provider} needs a base URL", "Set base_url in the account.")
    if placeholder := re.search(r"\{([^}]*)\}", text):
        raise ConfigError(
            f"The base URL of {provider} has a placeholder: {{{placeholder[1]}}}",
            f"Add the account with `--param {placeholder[1]}=…`, or set base_url in it.",
        )
    if not re.match(r"(?i)https?://", text):
        raise ConfigError(
            f"{text!r} is not a valid URL", "base_url must start with https:// or http://."
        )
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError(f"{text!r} is not a valid URL: {error}", "Fix base_url.") from None
    if not url.host:
        raise ConfigError(f"{text!r} has no host", "Fix base_url.")
    if url.userinfo:
        raise ConfigError(
            f"The base URL of {provider} contains a password",
            "Remove it from base_url; store keys with 'batchdeck keys set'.",
        )
    if url.scheme == "http" and not allow_http and not is_loopback(url.host):
        raise ConfigError(
            f"{url.scheme}://{url.host} would send the key unencrypted",
            "Use https, or set allow_http = true in the account if you trust the network.",
        )
    fixed = {**query, **dict(url.params)}
    path = _without_route(url.raw_path.decode("ascii").partition("?")[0])
    bare = url.copy_with(raw_path=path.encode("ascii"), fragment=None)
    return Address(bare, tuple(fixed.items()))


_ROUTES = re.compile(
    r"/(?:batches(?:/[^/]*)?|files|models|chat/completions|completions|embeddings|responses"
    r"|messages(?:/batches)?)/*$"
)


def _without_route(path: str) -> str:
    """A path without empty segments and without the endpoint that was copied along with it."""
    return _ROUTES.sub("", re.sub(r"/{2,}", "/", path)) or "/"


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, with the scheme's default port."""
    return url.scheme, url.host.lower(), url.port or (443 if url.scheme == "https" else 80)


def origin_text(url: httpx.URL) -> str:
    """The origin of a URL for display."""
    return str(url.copy_with(raw_path=b"/", fragment=None, userinfo=b"")).rstrip("/")


def _with_query(url: httpx.URL, params: Mapping[str, str] | None) -> httpx.URL:
    return url.copy_merge_params(dict(params)) if params else url


def is_loopback(host: str) -> bool:
    """Whether a host name or address is that of this machine."""
    host = host.strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
