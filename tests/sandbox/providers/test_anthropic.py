from __future__ import annotations

import json
import threading
import tracemalloc

import anthropic
import httpx
import pytest

HEADERS = {"anthropic-version": "2023-06-01"}


def row(custom_id, text, **more):
    params = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "params": {**params, **more}}


@pytest.fixture
def side(bench):
    made = []

    def start(**values):
        b = bench(like="anthropic", **values)
        client = anthropic.Anthropic(base_url=b.url, api_key="k", max_retries=0)
        made.append(client)
        return client, b

    yield start
    for client in made:
        client.close()


def test_a_batch_from_create_to_delete(side, clock):
    client, _ = side(clock=clock, rows_per_second=10)
    rows = [row(f"r{n}", f"say {n}") for n in range(8)]
    rows += [row("bad", "sandbox:fail=429"), row("never", "sandbox:expire")]
    del rows[0]["params"]["max_tokens"]
    made = client.messages.batches.create(requests=rows)
    for after in (0, 0.7, 1.0):
        clock.now += after
        batch = client.messages.batches.retrieve(made.id)
        assert batch.processing_status == "in_progress"
        assert batch.results_url is None
        found = batch.request_counts
        assert (found.processing, found.succeeded, found.errored, found.expired) == (10, 0, 0, 0)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.delete(made.id)
    with pytest.raises(anthropic.AnthropicError):
        client.messages.batches.results(made.id)
    clock.now += 2
    batch = client.messages.batches.retrieve(made.id)
    found = batch.request_counts
    assert batch.processing_status == "ended"
    assert (found.processing, found.succeeded, found.errored, found.expired) == (0, 7, 2, 1)
    assert batch.results_url.startswith("http://127.0.0.1:")
    assert (batch.expires_at - batch.created_at).total_seconds() == 86400
    results = {entry.custom_id: entry.result for entry in client.messages.batches.results(made.id)}
    assert len(results) == 10
    assert results["r1"].message.content[0].text.startswith("Simulated answer: ")
    assert results["r1"].message.usage.service_tier == "batch"
    assert results["never"].type == "expired"
    assert results["bad"].error.type == "error"
    assert results["bad"].error.error.type == "rate_limit_error"
    assert results["r0"].error.error.message == "max_tokens: Field required"
    assert client.messages.batches.delete(made.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(made.id)


def test_cancel(side, clock):
    client, _ = side(clock=clock, rows_per_second=10)
    made = client.messages.batches.create(requests=[row(f"r{n}", "x") for n in range(20)])
    clock.now += 1.5
    assert client.messages.batches.cancel(made.id).processing_status == "canceling"
    clock.now += 1
    batch = client.messages.batches.retrieve(made.id)
    assert (batch.processing_status, batch.request_counts.canceled) == ("ended", 10)
    assert batch.cancel_initiated_at
    kinds = [entry.result.type for entry in client.messages.batches.results(made.id)]
    assert sorted(kinds) == ["canceled"] * 10 + ["succeeded"] * 10
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(made.id)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([row("with space", "x")], "requests.0.custom_id: String should match pattern"),
        ([row("a", "x"), row("", "x")], "requests.1.custom_id"),
        ([row("a" * 65, "x")], "requests.0.custom_id"),
        ([row("a", "x"), row("a", "x")], "requests.1.custom_id: Duplicate"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
        ([], "at least 1"),
    ],
)
def test_bad_creates(side, rows, text):
    client, _ = side()
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.batches.create(requests=rows)
    assert text in caught.value.body["error"]["message"]
    assert caught.value.body["type"] == "error"
    assert caught.value.body["request_id"] == caught.value.response.headers["request-id"]
    assert list(client.messages.batches.list()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"requests":[}',
        b'{"requests":[{}',
        b"\xff",
        b'{"requests":[]} x',
        b'{"requests":{}}',
        b'{"requests":[1,',
    ],
)
def test_broken_bodies(side, body):
    _, b = side()
    answer = httpx.post(f"{b.url}/v1/messages/batches", content=body, headers=HEADERS)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_version_is_needed_and_the_new_one_is_strict(side):
    client, b = side()
    answer = httpx.get(f"{b.url}/v1/messages/batches")
    assert (answer.status_code, "anthropic-version" in answer.text) == (400, True)
    rows = [row("a", "x", temperature=1.0), row("b", "x")]
    for version, errored in (("2023-06-01", 0), ("2026-10-21", 1)):
        made = client.messages.batches.create(
            requests=rows, extra_headers={"anthropic-version": version}
        )
        assert client.messages.batches.retrieve(made.id).request_counts.errored == errored


def test_lists(side):
    client, _ = side()
    ids = [client.messages.batches.create(requests=[row("a", "x")]).id for _ in range(5)][::-1]
    assert [item.id for item in client.messages.batches.list(limit=2)] == ids
    assert [item.id for item in client.messages.batches.list(after_id=ids[2])] == ids[3:]
    page = client.messages.batches.list(before_id=ids[3], limit=2)
    assert [item.id for item in page.data] == ids[1:3]
    assert page.has_more


def test_quirks(side):
    client, b = side(quirks=("404-after-create:2", "spend-limit:1", "413-html:1"))
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.batches.create(requests=[row("a", "x")])
    details = caught.value.body["error"]["details"]
    assert details == {"error_code": "enforced_spend_limit_reached"}
    assert "retry-after" not in caught.value.response.headers
    answer = httpx.post(
        f"{b.url}/v1/messages/batches", json={"requests": [row("a", "x")]}, headers=HEADERS
    )
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    made = client.messages.batches.create(requests=[row("a", "x")])
    for _ in range(2):
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(made.id)
    assert client.messages.batches.retrieve(made.id).processing_status == "ended"


def test_messages_models_and_tokens(side):
    client, _ = side()
    asked = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
    made = client.messages.create(**asked)
    assert (made.stop_reason, made.usage.service_tier) == ("end_turn", "standard")
    asked["messages"][0]["content"] = "sandbox:truncate"
    assert client.messages.create(**asked).stop_reason == "max_tokens"
    asked["messages"][0]["content"] = "sandbox:refuse"
    refused = client.messages.create(**asked)
    assert (refused.stop_reason, refused.content) == ("refusal", [])
    asked["messages"][0]["content"] = "sandbox:fail=429"
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**asked)
    asked["messages"][0]["content"] = "x" * 400
    del asked["max_tokens"]
    assert client.messages.count_tokens(**asked).input_tokens == 100
    models = list(client.models.list())
    assert all(item.capabilities.batch.supported for item in models)
    assert client.models.retrieve("any").id == "any"


def test_key(bench):
    b = bench(like="anthropic", key="sk-right")
    answer = httpx.get(f"{b.url}/v1/messages/batches", headers=HEADERS)
    assert answer.status_code == 401
    assert answer.json()["error"] == {"type": "authentication_error",
                                      "message": "invalid x-api-key"}  # fmt: skip
    for header in ({"x-api-key": "sk-right"}, {"authorization": "Bearer sk-right"}):
        answer = httpx.get(f"{b.url}/v1/messages/batches", headers={**HEADERS, **header})
        assert answer.status_code == 200


def test_a_large_create_is_read_as_a_stream(side):
    client, b = side()
    pad = "é" * 20_000

    def stream():
        yield b'{ "requests" : [\n'
        for n in range(1000):
            yield (",\n" if n else "").encode() + json.dumps(row(f"r{n}", pad), indent=1).encode()
        yield b"\n] }"

    assert threading.active_count() < 20
    tracemalloc.start()
    try:
        answer = httpx.post(
            f"{b.url}/v1/messages/batches", content=stream(), headers=HEADERS, timeout=60
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.json()["request_counts"]["processing"] == 1000
    assert peak < 40_000_000
    batch = client.messages.batches.retrieve(answer.json()["id"])
    assert batch.request_counts.succeeded == 1000
