"""Which proxy and which certificates the environment names, as companies set it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tui.errors import ConfigError
from tui.providers.wire.network import Route, http_client, is_exempt, route_to

FAR = httpx.URL("https://api.example.com/v1")


@pytest.mark.parametrize(
    ("url", "no_proxy", "exempt"),
    [
        ("https://api.example.com", "", False),
        ("https://api.example.com", "*", True),
        ("https://api.example.com", "example.com", True),
        ("https://api.example.com", ".example.com", True),
        ("https://api.example.com", "*.example.com", True),
        ("https://api.example.com", "API.EXAMPLE.COM.", True),
        ("https://api.example.com", "ample.com", False),
        ("https://api.example.com", "other.com,[::1] fd00::/8, example.com", True),
        ("https://api.example.com:8443", "api.example.com:8443", True),
        ("https://api.example.com", "api.example.com:8443", False),
        ("https://api.example.com", "https://api.example.com", True),
        ("http://10.1.2.3:8000", "10.0.0.0/8", True),
        ("http://10.1.2.3:8000", "10.1.2.3:8000", True),
        ("http://10.1.2.3:8000", "10.1.2.3:9000", False),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://[fd00::7]:8000", "fd00::/8", True),
        ("http://[fd00::7]:8000", "[fd00::7]", True),
        ("http://[fd00::7]:8000", "[fd00::7]:8000", True),
        ("http://[fd00::7]:8000", "fd00::7", True),
        ("http://[2001:db8::1]", "fd00::/8,[::1]", False),
        ("http://10.1.2.3", "fd00::/8,::1", False),
        ("https://api.example.com", "[::1,]:x,10.0.0.0/99,:", False),
    ],
)
def test_no_proxy(url: str, no_proxy: str, exempt: bool) -> None:
    assert is_exempt(httpx.URL(url), no_proxy) is exempt


def test_the_proxy_of_a_server() -> None:
    env = {"HTTPS_PROXY": "http://user:secret@proxy:3128", "SSL_CERT_FILE": "/ca.pem"}
    found = route_to(FAR, env)
    assert (found.proxy, found.certificates) == ("http://user:secret@proxy:3128", "/ca.pem")
    assert (found.shown_proxy, found.proxy_variable) == ("http://proxy:3128", "HTTPS_PROXY")
    assert route_to(FAR, {"all_proxy": "proxy:1"}).proxy == "http://proxy:1"
    assert route_to(FAR, {"https_proxy": "http://a", "HTTPS_PROXY": "http://b"}).proxy == "http://a"
    assert route_to(FAR, {**env, "NO_PROXY": "[::1],example.com"}).proxy is None
    assert route_to(httpx.URL("http://api.example.com"), env) == Route()
    here = route_to(httpx.URL("https://localhost:8443"), env)
    assert (here.proxy, here.certificates) == (None, "/ca.pem")


def client(url: httpx.URL) -> httpx.AsyncClient:
    return http_client(url, limits=httpx.Limits(), headers={})


def test_certificates_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    for url in (FAR, httpx.URL("https://localhost:1")):
        with pytest.raises(ConfigError, match=r"absent\.pem"):
            client(url)
    # They are not needed without TLS.
    client(httpx.URL("http://localhost:1"))
