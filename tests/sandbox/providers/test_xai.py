from __future__ import annotations

import httpx
import pytest

from tests.sandbox.conftest import chat_line, jsonl


@pytest.fixture
def http(bench, clock):
    with httpx.Client(
        base_url=f"{bench(like='xai', clock=clock, rows_per_second=10).url}/v1"
    ) as it:
        yield it


def create(http, lines):
    sent = http.post("/files", files={"file": ("a.jsonl", jsonl(lines))})
    body = {"name": "bd-1", "input_file_id": sent.json()["id"]}
    return http.post("/batches", json=body).json()


def lines(count):
    return [chat_line(f"r{n}", "x" if n % 5 else "sandbox:fail=400") for n in range(count)]


def pages(http, batch, limit=7):
    token, found = None, []
    while True:
        params = {"limit": limit} | ({"pagination_token": token} if token else {})
        page = http.get(f"/batches/{batch}/results", params=params).json()
        found += page["results"]
        token = page["pagination_token"]
        if token is None:
            return found


def test_a_batch_has_counts_instead_of_a_status(http, clock):
    made = create(http, lines(20))
    assert "status" not in made
    assert made["state"] == dict.fromkeys(made["state"], 0)
    clock.now += 1.5
    state = http.get(f"/batches/{made['batch_id']}").json()["state"]
    assert (state["num_requests"], state["num_pending"]) == (20, 10)
    clock.now += 10
    done = http.get(f"/batches/{made['batch_id']}").json()
    assert (done["state"]["num_success"], done["state"]["num_error"]) == (16, 4)
    assert int(done["cost_breakdown"]["total_cost_usd_ticks"]) > 0


def test_results_grow_page_by_page_while_a_batch_runs(http, clock):
    made = create(http, lines(20))
    clock.now += 1.5
    first = pages(http, made["batch_id"])
    clock.now += 10
    found = pages(http, made["batch_id"])
    assert len(first) == 10
    assert found[:10] == first
    assert sorted(row["batch_request_id"] for row in found) == sorted(f"r{n}" for n in range(20))
    for row in found:
        result = row["batch_result"]
        if row["error_message"]:
            assert result["error"]["code"] == 3
        else:
            answer = result["response"]["chat_get_completion"]
            assert answer["usage"]["cost_in_usd_ticks"] > 0
            assert result.get("error", {"code": 0})["code"] == 0


def test_rows_of_the_responses_endpoint_are_answered_as_chat_completions(http, clock):
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/responses",
        "body": {"model": "m", "input": "x"},
    }
    made = create(http, [line])
    clock.now += 10
    (row,) = pages(http, made["batch_id"])
    assert row["batch_result"]["response"]["chat_get_completion"]["object"] == "chat.completion"


def test_a_cancelled_row_is_an_error(http, clock):
    made = create(http, lines(20))
    clock.now += 1.5
    answer = http.post(f"/batches/{made['batch_id']}:cancel").json()
    assert answer["cancel_time"]
    clock.now += 5
    state = http.get(f"/batches/{made['batch_id']}").json()["state"]
    assert (state["num_pending"], state["num_cancelled"]) == (0, 10)
    found = pages(http, made["batch_id"])
    codes = [row["batch_result"].get("error", {}).get("code") for row in found]
    assert (len(found), codes.count(1)) == (20, 10)
    params = {"limit": 1000}
    states = http.get(f"/batches/{made['batch_id']}/requests", params=params).json()
    assert [row["state"] for row in states["batch_request_metadata"]].count("cancelled") == 10


def test_a_file_that_cannot_be_used_ends_the_batch_with_a_reason(http, clock):
    made = create(http, [{**chat_line("a", "x"), "url": "/v1/embeddings"}])
    clock.now += 10
    done = http.get(f"/batches/{made['batch_id']}").json()
    assert done["cancel_by_xai_message"].startswith("JSONL file validation failed: line 1")
    assert done["state"]["num_requests"] == 0


def test_expires_after_stands_before_the_file(http):
    late = [("file", ("a.jsonl", b"{}")), ("expires_after", (None, "3600"))]
    assert http.post("/files", files=late).status_code == 400
    early = late[::-1]
    sent = http.post("/files", files=early)
    assert sent.json()["expires_at"] == sent.json()["created_at"] + 3600


def test_an_error_is_a_code_and_a_text(http):
    answer = http.get("/batches/batch_none")
    assert answer.status_code == 404
    assert isinstance(answer.json()["error"], str)


def test_the_list_has_pages_and_names(http):
    for _ in range(3):
        create(http, lines(1))
    page = http.get("/batches", params={"limit": 2}).json()
    rest = http.get("/batches", params={"pagination_token": page["pagination_token"]}).json()
    assert [len(page["batches"]), len(rest["batches"])] == [2, 1]
    assert rest["pagination_token"] is None
    assert page["batches"][0]["name"] == "bd-1"
