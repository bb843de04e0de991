"""Who gets the token of Hugging Face, and where redirects lead, without a network."""

from __future__ import annotations

import httpx
import pytest

from tui.addresses import parse_address
from tui.errors import BatchdeckError, InputError, RequestRejectedError
from tui.providers.remote_files.web import WebFile, is_private

TOKEN = "hf_0123456789abcdef0123"
LINES = b'{"a": 1}\n'


async def fetched(
    address: str, answers: dict[str, httpx.Response], **environment: str
) -> tuple[bytes, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[str(request.url)]

    file = WebFile(
        parse_address(address),
        transport=httpx.MockTransport(answer),
        environment=environment,
    )
    try:
        async with file.open() as transfer:
            return b"".join([chunk async for chunk in transfer.chunks]), asked
    finally:
        await file.aclose()


def moved(location: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": location})


async def test_the_token_goes_to_the_hub_and_not_where_it_redirects() -> None:
    hub = "https://huggingface.co/datasets/anna/reviews/resolve/refs%2Fconvert/data/x%20y.jsonl"
    store = "https://cdn-lfs.example.org/ab12?sig=1"
    back = "https://huggingface.co/back"
    data, asked = await fetched(
        "hf://datasets/anna/reviews@refs%2Fconvert/data/x y.jsonl",
        {hub: moved(store), store: moved(back), back: httpx.Response(200, content=LINES)},
        HF_TOKEN=TOKEN,
    )
    assert data == LINES
    sent = [request.headers.get("authorization") for request in asked]
    assert sent == [f"Bearer {TOKEN}", None, None]


@pytest.mark.parametrize(
    ("address", "environment"),
    [
        ("https://huggingface.co/datasets/anna/reviews/resolve/main/x.jsonl", {}),
        ("hf://datasets/anna/reviews/x.jsonl", {"HF_ENDPOINT": "https://mirror.example.org/"}),
    ],
)
async def test_no_token_goes_anywhere_else(address: str, environment: dict[str, str]) -> None:
    host = "mirror.example.org" if environment else "huggingface.co"
    url = f"https://{host}/datasets/anna/reviews/resolve/main/x.jsonl"
    answers = {url: httpx.Response(200, content=LINES)}
    data, asked = await fetched(address, answers, HF_TOKEN=TOKEN, **environment)
    assert data == LINES
    assert "authorization" not in asked[0].headers


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_dataset_that_may_not_be_read_says_what_is_missing(status: int) -> None:
    url = "https://huggingface.co/datasets/anna/reviews/resolve/main/x.jsonl"
    for token in ({}, {"HF_TOKEN": TOKEN}):
        with pytest.raises(InputError) as caught:
            answers = {url: httpx.Response(status)}
            await fetched("hf://datasets/anna/reviews/x.jsonl", answers, **token)
        assert "HF_TOKEN" in caught.value.hint
        assert TOKEN not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1/x.csv",
        "https://10.0.0.5/x.csv",
        "https://[fd00::1]/x",
        "https://intranet/x",
    ],
)
async def test_a_public_server_does_not_lead_into_a_private_network(location: str) -> None:
    url = "https://data.example.org/x.csv"
    with pytest.raises(RequestRejectedError, match="private network"):
        await fetched(url, {url: moved(location)})


async def test_a_login_page_of_another_host_is_said() -> None:
    url, page = "https://docs.example.org/export", "https://login.example.org/signin"
    html = httpx.Response(200, html="<html>Sign in</html>")
    with pytest.raises(BatchdeckError, match=r"after a redirect to login\.example\.org"):
        await fetched(url, {url: moved(page), page: html})


@pytest.mark.parametrize(
    ("host", "private"),
    [("8.8.8.8", False), ("169.254.169.254", True), ("nas.local", True), ("example.org", False)],
)
def test_private_hosts(host: str, private: bool) -> None:
    assert is_private(host) is private
