from __future__ import annotations

import json

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.sandbox.conftest import Clock, chat_line, jsonl

KEYS = {
    "id", "object", "endpoint", "model", "errors", "input_file_id", "completion_window", "status",
    "output_file_id", "error_file_id", "created_at", "in_progress_at", "expires_at",
    "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at",
    "request_counts", "usage", "metadata",
}  # fmt: skip


def counts(batch):
    found = batch.request_counts
    return found.total, found.completed, found.failed


def test_at_once(bench):
    b = bench(clock=Clock())
    made = b.create([chat_line(f"r{n}", f"say {n}") for n in range(9)], metadata={"job": "7"})
    assert (made.status, counts(made)) == ("validating", (0, 0, 0))
    done = b.get(made)
    assert (done.status, counts(done)) == ("completed", (9, 9, 0))
    assert done.metadata == {"job": "7"}
    assert done.error_file_id is None
    assert set(done.to_dict()) >= KEYS - {"usage"}
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
    rows = b.read(done.output_file_id)
    assert set(rows) == {f"r{n}" for n in range(9)}
    assert list(rows) != [f"r{n}" for n in range(9)], "results come in completion order"
    spent = 0
    for row in rows.values():
        assert row["error"] is None
        assert row["response"]["status_code"] == 200
        answer = ChatCompletion.model_validate(row["response"]["body"])
        assert answer.choices[0].message.content.startswith("Simulated answer: ")
        spent += answer.usage.total_tokens
    assert spent == done.usage.total_tokens


def test_stages_follow_the_clock(bench, clock):
    b = bench(clock=clock, rows_per_second=10)
    made = b.create([chat_line(f"r{n}", "sandbox:fail=500" if n < 5 else "x") for n in range(20)])
    start = clock.now
    seen = []
    for after in (0.2, 1.5, 2.4, 2.7, 3.0):
        clock.now = start + after
        batch = b.get(made)
        seen.append((batch.status, *counts(batch)))
    assert seen[0] == ("validating", 0, 0, 0)
    assert seen[1][:2] == ("in_progress", 20)
    assert sum(seen[1][2:]) == 10
    assert seen[2][0] == "in_progress"
    assert seen[3] == ("finalizing", 20, 15, 5)
    assert seen[4] == ("completed", 20, 15, 5)
    assert batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    assert batch.expires_at == batch.created_at + 86400
    assert len(b.read(batch.output_file_id)) == 15
    assert len(b.read(batch.error_file_id)) == 5


def test_files_are_named_only_where_they_have_rows(bench):
    b = bench()
    bad = b.get(b.create([chat_line("a", "sandbox:fail=404"), chat_line("b", "sandbox:fail=400")]))
    assert (bad.status, bad.output_file_id, counts(bad)) == ("completed", None, (2, 0, 2))
    for custom_id, status in (("a", 404), ("b", 400)):
        row = b.read(bad.error_file_id)[custom_id]
        assert row["error"] is None
        assert row["response"]["status_code"] == status
        assert set(row["response"]["body"]["error"]) == {"message", "type", "param", "code"}


def test_expired_rows(bench):
    b = bench()
    done = b.get(b.create([chat_line("a", "x"), chat_line("b", "sandbox:expire")]))
    assert (done.status, counts(done)) == ("expired", (2, 1, 1))
    assert done.expired_at
    assert set(b.read(done.output_file_id)) == {"a"}
    row = b.read(done.error_file_id)["b"]
    assert (row["response"], row["error"]["code"]) == (None, "batch_expired")


def test_a_window_that_is_too_short(bench, clock):
    b = bench(clock=clock, rows_per_second=10, window_seconds=2)
    made = b.create([chat_line(f"r{n}", "x") for n in range(40)])
    clock.now += 1.9
    assert b.get(made).status == "in_progress"
    clock.now += 0.2
    done = b.get(made)
    assert (done.status, counts(done)) == ("expired", (40, 15, 25))
    assert len(b.read(done.output_file_id)) == 15
    assert len(b.read(done.error_file_id)) == 25


def test_cancel(bench, clock):
    b = bench(clock=clock, rows_per_second=10)
    made = b.create([chat_line(f"r{n}", "x") for n in range(40)])
    clock.now += 2
    going = b.client.batches.cancel(made.id)
    assert (going.status, going.output_file_id) == ("cancelling", None)
    clock.now += 0.3
    assert b.get(made).status == "cancelling"
    clock.now += 3000
    done = b.get(made)
    assert (done.status, counts(done)) == ("cancelled", (40, 15, 0))
    assert len(b.read(done.output_file_id)) == 15
    assert done.error_file_id is None
    with pytest.raises(openai.ConflictError):
        b.client.batches.cancel(made.id)


def test_cancel_of_an_ended_batch(bench):
    b = bench()
    made = b.create([chat_line("a", "x")])
    with pytest.raises(openai.ConflictError, match="completed"):
        b.client.batches.cancel(made.id)


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (b"", [("empty_file", None)]),
        (b"\n\n", [("empty_file", None)]),
        (b"not json\n", [("invalid_json_line", 1)]),
        (jsonl([chat_line("a", "x")]) + b"\n{]\n", [("invalid_json_line", 2),
                                                   ("invalid_json_line", 3)]),
        (b"[1]\n", [("invalid_json_line", 1)]),
        (jsonl([chat_line("a", "x"), chat_line("", "y")]), [("missing_required_parameter", 2)]),
        (jsonl([chat_line(i, "x") for i in "aba"]), [("duplicate_custom_id", 3)]),
        (jsonl([{**chat_line("a", "x"), "url": "/v1/embeddings"}]), [("url_mismatch", 1)]),
        (jsonl([{**chat_line("a", "x"), "method": "GET"}]), [("invalid_method", 1)]),
        (jsonl([chat_line("a", "x")]).rstrip(b"\n"), []),
        (jsonl([chat_line("a", "x"), chat_line("b", "x", model="other")]) + b"\n", []),
    ],
)  # fmt: skip
def test_validation(bench, data, problems):
    b = bench()
    made = b.create(data)
    assert made.status == "validating"
    batch = b.get(made)
    if not problems:
        assert batch.status == "completed"
        return
    assert (batch.status, counts(batch)) == ("failed", (0, 0, 0))
    assert batch.failed_at
    assert [(item.code, item.line) for item in batch.errors.data] == problems
    assert all(item.message for item in batch.errors.data)


def test_a_refused_file_was_not_sent(bench):
    b = bench()
    lines = [chat_line("a", "sandbox:flaky=429"), chat_line("a", "x")]
    assert b.get(b.create(lines)).status == "failed"
    assert b.get(b.create(lines[:1])).request_counts.failed == 1


def test_too_many_rows(bench):
    b = bench()
    line = '{"custom_id":"%d","method":"POST","url":"/v1/chat/completions","body":{}}\n'
    batch = b.get(b.create("".join(line % n for n in range(50_001)).encode()))
    assert (batch.status, batch.errors.data[0].code) == ("failed", "too_many_tasks")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/poems"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: "x"}}, "metadata." + "k" * 65),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
    ],
)
def test_bad_creates(bench, change, param):
    b = bench()
    with pytest.raises(openai.BadRequestError) as caught:
        b.create([chat_line("a", "x")], **change)
    assert caught.value.param == param
    assert list(b.client.batches.list()) == []


def test_unknown_ids(bench):
    b = bench()
    with pytest.raises(openai.BadRequestError) as caught:
        b.client.batches.create(
            input_file_id="file-none", endpoint="/v1/chat/completions", completion_window="24h"
        )
    assert caught.value.param == "input_file_id"
    for call in (b.client.batches.retrieve, b.client.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            call("batch_none")
    with pytest.raises(openai.NotFoundError):
        b.client.batches.list(after="batch_none")


def test_pages_of_batches(bench):
    b = bench()
    ids = [b.create([chat_line(f"r{n}", "x")]).id for n in range(5)]
    page = b.client.batches.list(limit=2)
    assert [batch.id for batch in page.data] == [ids[4], ids[3]]
    assert page.has_more
    raw = b.client.batches.with_raw_response.list(limit=2).http_response.json()
    assert (raw["first_id"], raw["last_id"]) == (ids[4], ids[3])
    assert [batch.id for batch in b.client.batches.list(limit=2)] == ids[::-1]
    with pytest.raises(openai.BadRequestError):
        b.client.batches.list(limit=101)


@pytest.mark.parametrize(
    ("endpoint", "body", "check"),
    [
        ("/v1/embeddings", {"input": "x"}, lambda r: len(r["data"][0]["embedding"]) == 64),
        ("/v1/responses", {"input": "x"}, lambda r: r["output"][0]["content"][0]["text"]),
        ("/v1/completions", {"prompt": "x"}, lambda r: r["choices"][0]["text"]),
        ("/v1/moderations", {"input": "x"}, lambda r: r["results"][0]["flagged"] is False),
        ("/v1/images/generations", {"prompt": "x", "n": 2}, lambda r: len(r["data"]) == 2),
        ("/v1/images/edits", {"prompt": "x", "images": []}, lambda r: r["data"][0]["b64_json"]),
        ("/v1/videos", {"prompt": "x"}, lambda r: r["object"] == "video"),
    ],
)
def test_other_endpoints(bench, endpoint, body, check):
    b = bench()
    line = {"custom_id": "a", "method": "POST", "url": endpoint, "body": {"model": "m", **body}}
    done = b.get(b.create([line], endpoint=endpoint))
    assert check(b.read(done.output_file_id)["a"]["response"]["body"])


def test_bodies_that_miss_something_fail_alone(bench):
    b = bench()
    bad = chat_line("b", "x")
    del bad["body"]["messages"]
    done = b.get(b.create([chat_line("a", "x"), bad, chat_line("c", "x", stream=True)]))
    assert counts(done) == (3, 1, 2)
    rows = b.read(done.error_file_id)
    assert rows["b"]["response"]["body"]["error"]["param"] == "messages"
    assert rows["c"]["response"]["body"]["error"]["param"] == "stream"


def test_odd_text_survives(bench):
    b = bench()
    text = 'sandbox:say=\u2028 \u0085 \x0c "quotes" \\u001b[31m \\ud83d\\ude00 \\ud800'
    done = b.get(b.create([json.loads(json.dumps(chat_line("a", text)))]))
    answer = b.read(done.output_file_id)["a"]["response"]["body"]["choices"][0]["message"]
    assert answer["content"] == '\u2028 \u0085 \x0c "quotes" \x1b[31m \U0001f600 \ufffd'
