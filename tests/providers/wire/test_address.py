from __future__ import annotations

import httpx
import pytest

from tui.errors import ConfigError, RequestRejectedError
from tui.providers.wire.address import Address, parse_base_url


def address(text: str, *, allow_http: bool = False, **query: str) -> Address:
    return parse_base_url(text, provider="Corner", query=query, allow_http=allow_http)


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
        ("", "needs a base URL"),
        ("https://{resource}.azure.com", "{resource}"),
        ("api.example.com/v1", "is not a valid URL"),
        ("ftp://example.com", "is not a valid URL"),
        ("https://", "has no host"),
        ("https://exa mple:port/", "is not a valid URL"),
        ("https://me:secret@example.com", "contains a password"),
        ("http://example.com/v1", "unencrypted"),
        ("http://10.0.0.5:8000/v1", "unencrypted"),
    ],
)
def test_addresses_that_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        address(text)
    assert words in caught.value.message
    assert caught.value.hint
    assert "secret" not in caught.value.message


def test_plain_http_elsewhere_only_when_allowed() -> None:
    assert address("http://10.0.0.5/v1", allow_http=True).base.scheme == "http"


@pytest.mark.parametrize(
    "other",
    ["https://evil.example/v1/x", "http://a.example/x", "https://a.example:444/x"],
)
def test_another_origin_is_refused(other: str) -> None:
    with pytest.raises(RequestRejectedError, match="another address"):
        address("https://a.example/v1").route(other)
    with pytest.raises(RequestRejectedError):
        address("https://a.example/v1").check_origin(httpx.URL(other))
