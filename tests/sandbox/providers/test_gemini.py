from __future__ import annotations

import json

import httpx
import pytest

MODEL = "gemini-sandbox-flash"
CHUNK = 256 << 10


@pytest.fixture
def http(bench, clock):
    it = bench(like="gemini", clock=clock, rows_per_second=10, key="right")
    with httpx.Client(base_url=it.url, headers={"x-goog-api-key": "right"}) as client:
        yield client


def request(text, **more):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def encoded(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def start(http, size):
    head = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": str(size),
        "x-goog-upload-header-content-type": "application/jsonl",
    }
    body = {"file": {"display_name": "rows"}}
    return http.post("/upload/v1beta/files", json=body, headers=head).headers["x-goog-upload-url"]


def part(url, data, offset, command):
    head = {"x-goog-upload-offset": str(offset), "x-goog-upload-command": command}
    return httpx.post(url, content=data, headers=head)


def upload(http, rows):
    data = encoded(rows)
    answer = part(start(http, len(data)), data, 0, "upload, finalize")
    return answer.json()["file"]["name"]


def create(http, rows, verb="batchGenerateContent"):
    body = {"batch": {"displayName": "bd-1", "inputConfig": {"fileName": upload(http, rows)}}}
    return http.post(f"/v1beta/models/{MODEL}:{verb}", json=body)


def results(http, operation):
    name = operation["response"]["responsesFile"]
    answer = http.get(f"/download/v1beta/{name}:download", params={"alt": "media"})
    return [json.loads(line) for line in answer.content.splitlines()]


def test_a_batch_is_an_operation_that_ends_with_a_file_of_results(http, clock):
    rows = [{"key": f"r{n}", "request": request("x")} for n in range(8)]
    rows += [{"key": f"bad{n}", "request": request("sandbox:fail=400")} for n in range(4)]
    made = create(http, rows).json()
    assert made["metadata"]["state"] == "BATCH_STATE_PENDING"
    assert made["metadata"]["displayName"] == "bd-1"
    clock.now += 1
    going = http.get(f"/v1beta/{made['name']}").json()
    assert going["metadata"]["state"] == "BATCH_STATE_RUNNING"
    assert "done" not in going
    clock.now += 10
    done = http.get(f"/v1beta/{made['name']}").json()
    assert done["done"] is True
    stats = done["metadata"]["batchStats"]
    assert stats == {
        "requestCount": "12",
        "successfulRequestCount": "8",
        "failedRequestCount": "4",
    }
    found = results(http, done)
    assert sorted(row["key"] for row in found) == sorted(row["key"] for row in rows)
    for row in found:
        if row["key"].startswith("r"):
            (candidate,) = row["response"]["candidates"]
            assert candidate["content"]["parts"][0]["text"]
            assert row["response"]["usageMetadata"]["totalTokenCount"] > 0
        else:
            assert (row.get("error") or row["status"])["code"] == 3
    assert {"error", "status"} <= {name for row in found for name in row}


def test_the_file_of_results_can_only_be_downloaded(http, clock):
    made = create(http, [{"key": "a", "request": request("x")}]).json()
    clock.now += 10
    name = http.get(f"/v1beta/{made['name']}").json()["response"]["responsesFile"]
    for method in ("GET", "DELETE"):
        answer = http.request(method, f"/v1beta/{name}")
        assert answer.status_code == 400
        assert "40 characters" in answer.json()["error"]["message"]


def test_an_uploaded_file_cannot_be_downloaded(http):
    name = upload(http, [{"key": "a", "request": request("x")}])
    answer = http.get(f"/v1beta/{name}:download", params={"alt": "media"})
    assert answer.status_code == 400


def test_an_upload_goes_on_where_it_was_cut(http):
    data = encoded([{"key": "a", "request": request("x" * 600_000)}])
    url = start(http, len(data))
    assert part(url, data[:CHUNK], 0, "upload").headers["x-goog-upload-status"] == "active"
    assert part(url, data[CHUNK:], 0, "upload, finalize").status_code == 400
    asked = part(url, b"", 0, "query")
    assert asked.headers["x-goog-upload-size-received"] == str(CHUNK)
    file = part(url, data[CHUNK:], CHUNK, "upload, finalize").json()["file"]
    assert file["sizeBytes"] == str(len(data))


def test_rows_of_openai_are_answered_in_their_form(http, clock):
    body = {"messages": [{"role": "user", "content": "x"}]}
    rows = [{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}]
    made = create(http, rows).json()
    clock.now += 10
    (row,) = results(http, http.get(f"/v1beta/{made['name']}").json())
    assert row["custom_id"] == "a"
    assert set(row["response"]["body"]["usage"]) == {
        "promptTokens",
        "completionTokens",
        "totalTokens",
    }


def test_lines_of_two_forms_fail_the_batch(http, clock):
    made = create(http, [{"custom_id": "a", "request": request("x")}]).json()
    clock.now += 10
    done = http.get(f"/v1beta/{made['name']}").json()
    assert (done["metadata"]["state"], done["error"]["code"]) == ("BATCH_STATE_FAILED", 3)
    assert "response" not in done


def test_a_request_in_the_form_of_the_sdk_is_refused(http, clock):
    rows = [{"key": "a", "request": request("x", config={"temperature": 0})}]
    made = create(http, rows).json()
    clock.now += 10
    (row,) = results(http, http.get(f"/v1beta/{made['name']}").json())
    assert 'Unknown name "config"' in row["error"]["message"]


@pytest.mark.parametrize("how", ["cancel", "expire"])
def test_without_success_there_are_no_results(http, clock, how):
    word = "sandbox:expire" if how == "expire" else "x"
    rows = [{"key": f"r{n}", "request": request(word)} for n in range(20)]
    made = create(http, rows).json()
    clock.now += 1
    if how == "cancel":
        assert http.post(f"/v1beta/{made['name']}:cancel").json() == {}
    clock.now += 10
    done = http.get(f"/v1beta/{made['name']}").json()
    assert done["done"] is True
    assert "response" not in done
    assert done["error"]["code"] == (1 if how == "cancel" else 4)


def test_rows_in_the_create_are_answered_in_the_operation(http, clock):
    rows = [{"request": request("x"), "metadata": {"key": f"r{n}"}} for n in range(5)]
    body = {"batch": {"displayName": "d", "inputConfig": {"requests": {"requests": rows}}}}
    made = http.post(f"/v1beta/models/{MODEL}:batchGenerateContent", json=body).json()
    clock.now += 10
    done = http.get(f"/v1beta/{made['name']}").json()
    found = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert [row["metadata"]["key"] for row in found] == [f"r{n}" for n in range(5)]
    (listed,) = http.get("/v1beta/batches").json()["operations"]
    assert listed["done"] is True
    assert "response" not in listed


def test_embeddings(http, clock):
    content = {"parts": [{"text": "x"}]}
    rows = [{"key": "e", "request": {"content": content, "outputDimensionality": 8}}]
    made = create(http, rows, "asyncBatchEmbedContent").json()
    clock.now += 10
    (row,) = results(http, http.get(f"/v1beta/{made['name']}").json())
    assert len(row["response"]["embedding"]["values"]) == 8


def test_the_list_has_pages(http):
    for _ in range(3):
        create(http, [{"key": "a", "request": request("x")}])
    page = http.get("/v1beta/batches", params={"pageSize": 2}).json()
    token = page["nextPageToken"]
    rest = http.get("/v1beta/batches", params={"pageSize": 2, "pageToken": token}).json()
    assert [len(page["operations"]), len(rest["operations"])] == [2, 1]
    assert "nextPageToken" not in rest


def test_a_wrong_key_is_a_bad_request(http):
    wrong = http.get("/v1beta/batches", headers={"x-goog-api-key": "wrong"})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    del http.headers["x-goog-api-key"]
    assert http.get("/v1beta/batches").json()["error"]["status"] == "PERMISSION_DENIED"


def test_a_request_now_and_its_tokens(http):
    answer = http.post(f"/v1beta/models/{MODEL}:generateContent", json=request("sandbox:say=ok"))
    assert answer.json()["candidates"][0]["content"]["parts"][0]["text"] == "ok"
    asked = http.post(f"/v1beta/models/{MODEL}:countTokens", json=request("x" * 40))
    assert asked.json() == {"totalTokens": 10}
    refused = http.post(f"/v1beta/models/{MODEL}:generateContent", json={"contents": []})
    assert refused.json()["error"]["status"] == "INVALID_ARGUMENT"
