from __future__ import annotations

import json

import httpx
import pytest

from tests.sandbox.conftest import jsonl, lines_of


def line(custom_id, name, **body):
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": name, **body},
    }


ROWS = [
    line("s", "summarize", text="The committee approved the railway budget."),
    line("x", "extract", text="Ada Lovelace lived in London", entities={"person": "a name"}),
    line("c", "classify", text="I want a refund", labels=[{"name": "refund", "rubric": "?"},
                                                          {"name": "other", "rubric": "?"}]),
]  # fmt: skip


def post(b, rows):
    return httpx.post(
        f"{b.url}/v1/batches", content=jsonl(rows), headers={"content-type": "application/jsonl"}
    )


def content(row):
    return json.loads(row["response"]["body"]["choices"][0]["message"]["content"])


def test_generation_one(bench, clock):
    b = bench(like="scaledown", clock=clock, rows_per_second=1)
    bad = line("bad", "summarize", text="sandbox:fail=500")
    made = post(b, [*ROWS, bad]).json()
    assert made == {"batch_id": made["batch_id"], "status": "queued", "total_count": 4}
    url = f"{b.url}/v1/batches/{made['batch_id']}"
    assert httpx.get(f"{url}/output").status_code == 404
    clock.now += 2.6
    assert httpx.get(url).json()["status"] == "processing"
    clock.now += 60
    done = httpx.get(url).json()
    counts = (done["total_count"], done["completed_count"], done["failed_count"])
    assert (done["status"], counts) == ("completed", (4, 3, 1))
    rows = lines_of(httpx.get(f"{url}/output").content)
    assert set(content(rows["s"])) == {"summary", "input_chars", "output_chars"}
    found = content(rows["x"])["entities"][0]
    assert found["type"] == "person"
    assert ROWS[1]["body"]["text"][found["start"] : found["end"]] == found["text"]
    assert content(rows["c"])["top_label"] == "refund"
    assert set(content(rows["c"])["scores"]) == {"refund", "other"}
    assert rows["bad"]["response"] is None
    assert rows["bad"]["error"] == {"code": "model_error", "message": "upstream failed"}


def test_generation_two(bench):
    b = bench(like="scaledown-2")
    made = post(b, ROWS).json()
    assert (made["object"], made["status"]) == ("batch", "validating")
    done = httpx.get(f"{b.url}/v1/batches/{made['id']}").json()
    assert done["output_file_id"] == f"{made['id']}_output"
    assert done["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    rows = lines_of(httpx.get(f"{b.url}/v1/batches/{made['id']}/output").content)
    assert set(content(rows["x"])["entities"][0]) == {"type", "value", "score"}
    many = [line(f"r{n}", "summarize", text="x") for n in range(51)]
    assert post(b, many).status_code == 400
    assert post(b, many[:50]).status_code == 200


@pytest.mark.parametrize(
    "row",
    [
        line("a", "gpt-4o", text="x"),
        line("a", "summarize"),
        line("a", "summarize", text="x", document="y"),
        line("a", "extract", text="x"),
        line("a", "classify", text="x", labels=[{"name": "only"}]),
        {"custom_id": "a"},
    ],
)
def test_bad_rows(bench, row):
    b = bench(like="scaledown")
    answer = post(b, [ROWS[0], row])
    assert (answer.status_code, answer.json()["detail"].startswith("line 2")) == (400, True)


def test_routes_that_do_not_exist(bench):
    b = bench(like="scaledown", key="k")
    head = {"x-api-key": "k"}
    assert httpx.get(f"{b.url}/v1/batches", headers=head).status_code == 405
    assert httpx.post(f"{b.url}/v1/batches/x/cancel", headers=head).status_code == 404
    assert httpx.get(f"{b.url}/v1/models").status_code == 401
    names = [item["id"] for item in httpx.get(f"{b.url}/v1/models", headers=head).json()["data"]]
    assert names == ["extract", "classify", "summarize"]


def test_quirks_and_words(bench):
    b = bench(like="scaledown", quirks=("502-submit:1", "503-output:1"))
    assert post(b, ROWS).status_code == 502
    rows = [
        line("say", "summarize", text="sandbox:say=not json"),
        line("never", "summarize", text="sandbox:expire"),
        line("cut", "summarize", text="sandbox:truncate"),
    ]
    url = f"{b.url}/v1/batches/{post(b, rows).json()['batch_id']}"
    assert httpx.get(url).json()["status"] == "completed"
    assert httpx.get(f"{url}/output").status_code == 503
    found = lines_of(httpx.get(f"{url}/output").content)
    choice = found["say"]["response"]["body"]["choices"][0]
    assert choice["message"]["content"] == "not json"
    assert found["never"]["error"]["code"] == "timeout"
    assert found["cut"]["response"]["body"]["choices"][0]["finish_reason"] == "length"
    answer = httpx.post(f"{b.url}/v1/chat/completions", json=ROWS[0]["body"])
    assert json.loads(answer.json()["choices"][0]["message"]["content"])["summary"]


def test_the_plain_sandbox_answers_flat_bodies_in_batches(bench):
    b = bench()
    bad = [
        line("no-text", "summarize"),
        line("fails", "summarize", text="sandbox:fail=429"),
        line("one-label", "classify", text="a", labels=[{"name": "x"}]),
    ]
    said = line("said", "classify", text="sandbox:say=just this", labels=ROWS[2]["body"]["labels"])
    done = b.get(b.create([*ROWS, *bad, said]))
    good, failed = b.read(done.output_file_id), b.read(done.error_file_id)
    assert set(good) == {"s", "x", "c", "said"}
    assert set(content(good["s"])) == {"summary", "input_chars", "output_chars"}
    for found in content(good["x"])["entities"]:
        assert ROWS[1]["body"]["text"][found["start"] : found["end"]] == found["text"]
    assert content(good["x"])["entities"]
    assert content(good["c"])["top_label"] == "refund"
    assert set(content(good["c"])["scores"]) == {"refund", "other"}
    told = good["said"]["response"]["body"]["choices"][0]
    assert (told["message"]["content"], told["finish_reason"]) == ("just this", "stop")
    assert good["s"]["response"]["body"]["usage"]["prompt_tokens"] > 0
    reasons = {id: row["response"]["body"]["error"]["message"] for id, row in failed.items()}
    assert reasons["no-text"] == "text is required"
    assert reasons["one-label"] == "labels must have 2 to 26 entries"
    assert failed["fails"]["response"]["status_code"] == 429


def test_the_plain_sandbox_answers_flat_bodies_at_once(bench):
    url = f"{bench().url}/v1/chat/completions"
    made = httpx.post(url, json=ROWS[0]["body"]).json()
    assert json.loads(made["choices"][0]["message"]["content"])["summary"]
    cut = httpx.post(url, json={"model": "summarize", "text": "A railway sandbox:truncate"}).json()
    assert cut["choices"][0]["finish_reason"] == "length"
    assert json.loads(cut["choices"][0]["message"]["content"])["output_chars"] > 0
    refused = httpx.post(url, json={"model": "extract", "text": "a"})
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "entities is required"
    assert httpx.post(url, json={"model": "extract", "text": "sandbox:fail=401"}).status_code == 401
    # A chat with a model that is called so is a chat.
    chat = {"model": "summarize", "messages": [{"role": "user", "content": "a"}]}
    said = httpx.post(url, json=chat).json()["choices"][0]["message"]["content"]
    assert said.startswith("Simulated answer")


def test_entities_are_found_where_small_letters_are_more_than_capitals(bench):
    url = f"{bench().url}/v1/chat/completions"
    text = "\u0130\u0130\u0130stanbul welcomes travellers"
    body = {"model": "extract", "text": text, "entities": {"a": "?", "b": "?", "c": "?"}}
    made = httpx.post(url, json=body).json()
    found = json.loads(made["choices"][0]["message"]["content"])["entities"]
    assert {each["text"] for each in found} >= {"welcomes", "travellers"}
    assert all(text[each["start"] : each["end"]] == each["text"] for each in found)
