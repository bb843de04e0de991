"""The way to a server: the proxy and the certificates that the environment names.

httpx reads the same variables, but fails on entries of ``NO_PROXY`` that container engines and
VPNs write (``[::1]``, ``fd00::/8``), and reads the certificates only together with the proxies.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tui.errors import ConfigError
from tui.providers.wire.address import is_loopback
from tui.providers.wire.errors import redact

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Route:
    """How a server is reached.

    Attributes:
        proxy: Address of the proxy with its password, if one is used.
        proxy_variable: The variable that names it.
        certificates: The file or folder of certificates that replaces the built-in ones.
    """

    proxy: str | None = None
    proxy_variable: str = ""
    certificates: str = ""

    @property
    def shown_proxy(self) -> str:
        """The proxy without its password."""
        return re.sub(r"(?<=://)[^/\s@]+@", "", self.proxy or "")


def route_to(url: httpx.URL, environment: Mapping[str, str] | None = None) -> Route:
    """The proxy and the certificates for a server.

    A server on this machine is never reached through a proxy, which could not reach it.
    """
    env = os.environ if environment is None else environment
    certificates = ""
    if url.scheme == "https":
        certificates = env.get("SSL_CERT_FILE") or env.get("SSL_CERT_DIR") or ""
    if is_loopback(url.host) or is_exempt(url, _value(env, "no_proxy")[1]):
        return Route(certificates=certificates)
    for name in (f"{url.scheme}_proxy", "all_proxy"):
        variable, proxy = _value(env, name)
        if proxy:
            return Route(_with_scheme(proxy), variable, certificates)
    system = {} if environment is not None else urllib.request.getproxies()
    if general := system.get(url.scheme) or system.get("all"):
        return Route(_with_scheme(general), "the system settings", certificates)
    return Route(certificates=certificates)


def route_to_address(address: str) -> Route:
    """The proxy and the certificates for the address of an account; see ``route_to``."""
    try:
        return route_to(httpx.URL(address))
    except httpx.InvalidURL:
        return Route()


def is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` exempts a server from proxies.

    Entries are separated by commas or spaces: ``*``, a host with its subdomains (with or without
    a leading ``.`` or ``*.``), an address, an IPv6 address in brackets, or a prefix
    (``10.0.0.0/8``, ``fd00::/8``); a port may follow a host. Other entries are ignored.
    """
    host = url.host.lower().rstrip(".").strip("[]")
    port = url.port or _DEFAULT_PORTS.get(url.scheme)
    return any(_matches(entry, host, port) for entry in re.split(r"[,\s]+", no_proxy) if entry)


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    entry = re.sub(r"^[a-z]+://", "", entry.lower())
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        bare = re.fullmatch(r"\[(.+)\](?::(\d+))?", entry)
        number = bare[2] if bare else None
        text = bare[1] if bare else entry
        if not bare and re.fullmatch(r"[\d.]+:\d+", entry):
            text, _, number = entry.partition(":")
        if number and int(number) != port:
            return False
        try:
            return address in ipaddress.ip_network(text, strict=False)
        except (ValueError, TypeError):
            return False
    name, _, number = entry.partition(":")
    if number and (not number.isdigit() or int(number) != port):
        return False
    name = name.removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def http_client(
    url: httpx.URL,
    *,
    limits: httpx.Limits,
    headers: Mapping[str, str],
    transport: httpx.AsyncBaseTransport | None = None,
    uds: str | None = None,
) -> httpx.AsyncClient:
    """An HTTP client for a server.

    Args:
        url: Its address.
        limits: The connections.
        headers: Sent with every request.
        transport: Replaces the network, for tests.
        uds: A Unix socket to connect to.

    Raises:
        ConfigError: The proxy or the certificates in the environment cannot be used.
    """
    route = route_to(url)
    # Loading the certificates takes time, and plain HTTP does not need them.
    verify = _certificates(route) if url.scheme == "https" else False
    if transport is None and uds is not None:
        transport = httpx.AsyncHTTPTransport(uds=uds, verify=verify, limits=limits)
    with _usable_proxy(route):
        return httpx.AsyncClient(
            transport=transport,
            verify=verify,
            limits=limits,
            proxy=None if transport is not None else route.proxy,
            trust_env=False,
            headers=dict(headers),
        )


def blocking_http_client(url: httpx.URL) -> httpx.Client:
    """An HTTP client for a server, for use in a thread; see ``http_client``."""
    route = route_to(url)
    verify = _certificates(route) if url.scheme == "https" else False
    with _usable_proxy(route):
        return httpx.Client(verify=verify, proxy=route.proxy, trust_env=False)


@contextmanager
def _usable_proxy(route: Route) -> Iterator[None]:
    try:
        yield
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"The proxy in {route.proxy_variable} is unusable: {redact(str(error))}",
            f"Fix or unset {route.proxy_variable}.",
        ) from None


def _certificates(route: Route) -> ssl.SSLContext:
    try:
        # It reads SSL_CERT_FILE and SSL_CERT_DIR, and uses certifi without them.
        return httpx.create_ssl_context(trust_env=True)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"The certificates in {route.certificates or 'the environment'} are unusable:"
            f" {getattr(error, 'strerror', None) or error}",
            "Set SSL_CERT_FILE to a file with PEM certificates, or unset it.",
        ) from None


def _value(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """The variable that is set, in small letters first as everywhere, and its value."""
    names: Iterable[str] = (name, name.upper())
    for variable in names:
        if value := environment.get(variable, "").strip():
            return variable, value
    return name.upper(), ""


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"
