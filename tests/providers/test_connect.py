from __future__ import annotations

import httpx
import pytest

from tests.providers.fakes import KEY, batch
from tui.errors import ConfigError, KeyMissingError
from tui.providers.connect import connect
from tui.providers.profiles.load import find_profile


@pytest.mark.parametrize(
    ("provider", "base_url", "expected"),
    [
        ("openai", None, "https://api.openai.com/v1/batches/b"),
        ("openai", "http://127.0.0.1:9", "http://127.0.0.1:9/v1/batches/b"),
        ("openai", "http://127.0.0.1:9/", "http://127.0.0.1:9/v1/batches/b"),
        ("openai", "http://127.0.0.1:9//v1/", "http://127.0.0.1:9/v1/batches/b"),
        ("openai", "http://127.0.0.1:9/v1/batches", "http://127.0.0.1:9/v1/batches/b"),
        ("openai", "http://127.0.0.1:9/v1/chat/completions/", "http://127.0.0.1:9/v1/batches/b"),
        ("openai", "http://127.0.0.1:9/models/m/v1", "http://127.0.0.1:9/models/m/v1/batches/b"),
        ("openai", "http://127.0.0.1:9/?k=1", "http://127.0.0.1:9/v1/batches/b?k=1"),
        ("openai", "http://127.0.0.1:9/ai/v1", "http://127.0.0.1:9/ai/v1/batches/b"),
        ("openai-compatible", "http://localhost:9", "http://localhost:9/v1/batches/b"),
    ],
)
async def test_addresses(provider: str, base_url: str | None, expected: str) -> None:
    seen: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json=batch(id="b"))

    dialect = connect(
        find_profile(provider), base_url=base_url, key=KEY, transport=httpx.MockTransport(answer)
    )
    await dialect.retrieve("b")
    await dialect.aclose()
    assert seen == [expected]


def test_a_key_is_asked_for_by_the_name_of_its_variable() -> None:
    with pytest.raises(KeyMissingError, match="OpenAI needs a key") as caught:
        connect(find_profile("openai"))
    assert "OPENAI_API_KEY" in caught.value.hint
    connect(find_profile("sandbox"), base_url="http://127.0.0.1:1/v1")


def test_an_address_that_only_the_person_knows() -> None:
    with pytest.raises(ConfigError, match="placeholder"):
        connect(find_profile("openai-compatible"))


def test_plain_http_elsewhere() -> None:
    profile = find_profile("openai-compatible")
    with pytest.raises(ConfigError, match="unencrypted"):
        connect(profile, base_url="http://10.1.2.3/v1")
    connect(profile, base_url="http://10.1.2.3/v1", allow_http=True)
