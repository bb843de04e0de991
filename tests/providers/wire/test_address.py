from __future__ import annotations

import httpx
import pytest

from tui.errors import ConfigError, RequestRefusedError
from tui.providers.address import Address, address_of


def address(text: str, *, allow_http: bool = False, **query: str) -> Address:
    return address_of(text, provider="Corner", query=query, allow_http=allow_http)


@pytest.mark.parametrize(
    ("base", "route", "expected"),
    [
        ("https://a.example/v1", "/files", "https://a.example/v1/files"),
        ("https://a.example/v1/", "/files", "https://a.example/v1/files"),
        ("https://a.example", "/v1/batches", "https://a.example/v1/batches"),
        ("https://a.example/v1", "/v1/batches", "https://a.example/v1/batches"),
        ("https://a.example/ai/v1", "/v1/batches", "https://a.example/ai/v1/batches"),
        ("https://a.example:8443/x%20y", "/z", "https://a.example:8443/x%20y/z"),
        ("http://[::1]:80/v1", "/files/a%2Fb", "http://[::1]/v1/files/a%2Fb"),
        ("https://a.example/v1", "/jobs/1?inline=true", "https://a.example/v1/jobs/1?inline=true"),
        ("https://a.example/v1", "https://a.example/r/1", "https://a.example/r/1"),
    ],
)
def test_routes_are_put_behind_the_base(base: str, route: str, expected: str) -> None:
    assert str(address(base).route(route)) == expected


def test_queries_of_base_and_profile_go_with_every_call() -> None:
    azure = address("https://a.example/openai?api-version=2", region="eu")
    url = azure.route("/files", {"limit": "5"})
    assert dict(url.params) == {"region": "eu", "api-version": "2", "limit": "5"}


@pytest.mark.parametrize("text", ["http://127.0.0.1:8000", "http://localhost/v1", "http://[::1]:9"])
def test_plain_http_is_fine_on_this_machine(text: str) -> None:
    assert address(text).is_local


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs an address"),
        ("https://{resource}.azure.com", "{resource}"),
        ("api.example.com/v1", "is no web address"),
        ("ftp://example.com", "is no web address"),
        ("https://", "names no host"),
        ("https://exa mple:port/", "is no web address"),
        ("https://me:secret@example.com", "holds a password"),
        ("http://example.com/v1", "in the clear"),
        ("http://10.0.0.5:8000/v1", "in the clear"),
    ],
)
def test_addresses_that_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        address(text)
    assert words in caught.value.message
    assert caught.value.hint
    assert "secret" not in caught.value.message


def test_plain_http_elsewhere_only_when_allowed() -> None:
    assert address("http://10.0.0.5/v1", allow_http=True).is_plain


@pytest.mark.parametrize(
    "other",
    ["https://evil.example/v1/x", "http://a.example/x", "https://a.example:444/x"],
)
def test_another_origin_is_refused(other: str) -> None:
    with pytest.raises(RequestRefusedError, match="another address"):
        address("https://a.example/v1").route(other)
    with pytest.raises(RequestRefusedError):
        address("https://a.example/v1").check_origin(httpx.URL(other))
