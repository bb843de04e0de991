from __future__ import annotations

import json
import uuid

import httpx
import pytest

from tests.sandbox.conftest import chat_line, jsonl, lines_of


class Side:
    def __init__(self, b):
        self.http = httpx.Client(base_url=f"{b.url}/v1")

    def upload(self, lines):
        data = lines if isinstance(lines, bytes) else jsonl(lines)
        return self.http.post(
            "/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", data)}
        )

    def create(self, lines, **more):
        body = {
            "input_file_id": self.upload(lines).json()["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            **more,
        }
        answer = self.http.post("/batches", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, batch):
        return self.http.get(f"/batches/{batch['id']}").json()

    def content(self, file_id, **query):
        return self.http.get(f"/files/{file_id}/content", params=query)


@pytest.fixture
def side(bench):
    made = []

    def start(**values):
        made.append(Side(bench(**{"like": "doubleword", **values})))
        return made[-1]

    yield start
    for one in made:
        one.http.close()


def test_upload_and_ids(side):
    s = side()
    answer = s.upload([chat_line("a", "x")])
    assert answer.status_code == 201
    file_id = answer.json()["id"]
    assert str(uuid.UUID(file_id)) == file_id
    assert "status" not in answer.json()
    for path in (f"/files/file-{file_id}", "/batches/batch_1", "/files/x/content"):
        answer = s.http.get(path)
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("text/plain")
        assert "ID format" in answer.text
    answer = s.http.get(f"/batches/{uuid.uuid4()}")
    assert (answer.status_code, answer.headers["content-type"][:10]) == (404, "text/plain")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"url": "/v1/poems"}, "url must be"),
        ({"custom_id": "x" * 65}, "64 bytes"),
        ({"custom_id": "é"}, "header"),
        ({"method": "GET"}, "method"),
        ({"body": {}}, "model"),
    ],
)
def test_lines_are_checked_at_upload(side, change, text):
    s = side()
    answer = s.upload([chat_line("a", "x"), {**chat_line("b", "x"), **change}])
    assert answer.status_code == 400
    assert answer.text.startswith("Line 2: ")
    assert text in answer.text
    assert s.http.get("/files").json() == {"object": "list", "data": [], "has_more": False}


def test_duplicate_ids_are_taken(side):
    s = side()
    batch = s.get(s.create([chat_line("a", "x"), chat_line("a", "y")]))
    assert batch["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert s.content(batch["output_file_id"]).text.count("\n") == 2


def test_partial_results_grow(side, clock):
    s = side(clock=clock, rows_per_second=10)
    lines = [chat_line(f"r{n}", "sandbox:fail=400" if n % 4 == 0 else "x") for n in range(40)]
    made = s.create(lines, metadata={"job": "1"})
    assert made["status"] == "validating"
    assert "completed_at" not in made
    assert "errors" not in made
    assert made["metadata"]["job"] == "1"
    got = b""
    skip = 0
    for _ in range(4):
        clock.now += 1.3
        answer = s.content(made["output_file_id"], skip=skip)
        last = int(answer.headers["x-last-line"])
        assert answer.content.count(b"\n") == last - skip
        skip = last
        got += answer.content
        running = s.get(made)["status"] != "completed"
        assert answer.headers["x-incomplete"] == str(running).lower()
    assert not running
    assert skip == 30
    assert got == s.content(made["output_file_id"]).content
    bad = lines_of(s.content(made["error_file_id"]).content)
    assert len(bad) == 10
    row = bad["r0"]
    assert (row["response"], row["error"]["code"]) == (None, None)
    inner = json.loads(row["error"]["message"])
    assert inner["type"] == "NonRetriableHttpStatus"
    assert inner["details"]["status"] == 400
    assert "error" in json.loads(inner["details"]["body"])


def test_skip_limit_and_offset(side, bench, tmp_path):
    s = side()
    lines = [chat_line(f"r{n}", "x") for n in range(150)]
    file_id = s.get(s.create(lines))["output_file_id"]
    whole = s.content(file_id).content
    ignored = s.content(file_id, offset=100)
    assert ignored.content == whole
    page = s.content(file_id, limit=500)
    assert page.content.count(b"\n") == 101
    assert (page.headers["x-last-line"], page.headers["x-incomplete"]) == ("101", "true")
    assert page.content + s.content(file_id, skip=101).content == whole
    assert s.content(file_id, skip=999).content == b""
    found = s.content(file_id, search='"r77"')
    assert set(lines_of(found.content)) == {"r77"}
    assert "x-last-line" not in found.headers
    old = side(like="doubleword-old", home=tmp_path / "old")
    old_id = old.get(old.create(lines))["output_file_id"]
    assert old.content(old_id, offset=100).content.count(b"\n") == 50
    assert old.content(old_id, skip=100).content.count(b"\n") == 150


def test_retry_in_place(side, clock):
    s = side(clock=clock, rows_per_second=10)
    lines = [chat_line(f"r{n}", "x") for n in range(10)]
    lines += [chat_line(f"f{n}", "sandbox:flaky=500") for n in range(10)]
    lines += [chat_line("b", "sandbox:fail=404")]
    made = s.create(lines)
    clock.now += 10
    before = s.get(made)
    assert (before["status"], before["request_counts"]["failed"]) == ("completed", 11)
    output = s.content(made["output_file_id"]).content
    errors = lines_of(s.content(made["error_file_id"]).content)
    one = errors["f3"]["id"].removeprefix("batch_req_")
    answer = s.http.post(
        f"/batches/{made['id']}/retry-requests", json={"request_ids": [one, "nonsense"]}
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "in_progress"
    assert "completed_at" not in answer.json()
    assert answer.json()["request_counts"] == {"total": 21, "completed": 10, "failed": 10}
    clock.now += 5
    assert s.get(made)["request_counts"] == {"total": 21, "completed": 11, "failed": 10}
    assert s.http.post(f"/batches/{made['id']}/retry").json()["status"] == "in_progress"
    assert s.content(made["error_file_id"]).content == b""
    clock.now += 0.55
    assert s.get(made)["request_counts"]["completed"] + s.get(made)["request_counts"][
        "failed"
    ] == 16  # fmt: skip
    clock.now += 5
    done = s.get(made)
    assert done["status"] == "completed"
    assert done["request_counts"] == {"total": 21, "completed": 20, "failed": 1}
    assert s.content(made["output_file_id"]).content.startswith(output)
    assert set(lines_of(s.content(made["error_file_id"]).content)) == {"b"}
    size = s.http.get(f"/files/{made['output_file_id']}").json()["bytes"]
    assert size == len(s.content(made["output_file_id"]).content)


def test_nothing_to_retry(side):
    s = side()
    made = s.create([chat_line("a", "x")])
    answer = s.http.post(f"/batches/{made['id']}/retry")
    assert (answer.status_code, answer.text[:16]) == (400, "Nothing to retry")


def test_every_row_failed_is_failed_and_comes_back(side):
    s = side()
    made = s.create([chat_line("a", "sandbox:flaky=500"), chat_line("b", "sandbox:flaky=429")])
    assert s.get(made)["status"] == "failed"
    s.http.post(f"/batches/{made['id']}/retry")
    assert s.get(made)["status"] == "completed"


def test_cancel_flips_a_completed_batch_and_pauses_a_running_one(side, clock):
    s = side(clock=clock, rows_per_second=10)
    made = s.create([chat_line(f"r{n}", "x") for n in range(20)])
    clock.now += 1.5
    assert s.http.post(f"/batches/{made['id']}/cancel").json()["status"] == "cancelling"
    clock.now += 5
    done = s.get(made)
    assert (done["status"], done["request_counts"]["completed"]) == ("cancelled", 10)
    s.http.post(f"/batches/{made['id']}/retry")
    clock.now += 5
    assert s.get(made)["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    assert s.get(made)["status"] == "completed"
    answer = s.http.post(f"/batches/{made['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def test_overdue_batches_run_on(side, clock):
    s = side(clock=clock, rows_per_second=1)
    made = s.create([chat_line(f"r{n}", "x") for n in range(9)], completion_window="1h")
    clock.now += 60
    done = s.get(made)
    assert (done["status"], "expired_at" in done) == ("completed", False)
    clock.now += 3600
    late = s.get(made)
    assert (late["status"], "expired_at" in late) == ("completed", True)
    slow = s.create([chat_line(f"r{n}", "x") for n in range(5000)], completion_window="1h")
    clock.now += 3700
    assert s.get(slow)["status"] == "in_progress"
    assert s.http.get("/batches", params={"status": "expired"}).json()["data"]
    assert s.http.get("/batches", params={"status": "nonsense"}).status_code == 400


def test_results_in_input_order(side, clock):
    s = side(clock=clock, rows_per_second=10)
    made = s.create([chat_line(f"r{n}", "sandbox:fail=400" if n == 5 else "x") for n in range(20)])
    clock.now += 1.5
    answer = s.http.get(f"/batches/{made['id']}/results")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["custom_id"] for row in rows] == [f"r{n}" for n in range(20)]
    assert sum(row["status"] == "pending" for row in rows) == 10
    assert answer.headers["x-incomplete"] == "true"
    clock.now += 60
    answer = s.http.get(f"/batches/{made['id']}/results", params={"skip": 4, "limit": 2})
    four, five = (json.loads(line) for line in answer.text.splitlines())
    assert four["response_body"]["choices"]
    assert (five["status"], isinstance(five["error"], str)) == ("failed", True)
    assert answer.headers["x-last-line"] == "6"


def test_estimate_analytics_delete_and_lists(side):
    s = side()
    lines = [chat_line("a", "x" * 400), chat_line("b", "y", model="other")]
    made = s.create(lines)
    estimate = s.http.get(f"/files/{made['input_file_id']}/cost-estimate").json()
    assert estimate["total_requests"] == 2
    assert float(estimate["total_estimated_cost"]) > 0
    assert len(estimate["models"]) == 2
    totals = s.http.get(f"/batches/{made['id']}/analytics").json()
    assert totals["total_tokens"] > 100
    purposes = [item["purpose"] for item in s.http.get("/files").json()["data"]]
    assert sorted(purposes) == ["batch", "batch_error", "batch_output"]
    listed = s.http.get("/batches", params={"limit": 0, "include": "analytics"}).json()
    assert (len(listed["data"]), "analytics" in listed["data"][0]) == (1, True)
    assert s.http.delete(f"/files/{made['input_file_id']}").json()["deleted"]
    assert s.get(made)["input_file_id"] == ""
    assert s.http.delete(f"/batches/{made['id']}").status_code == 204
    assert s.http.get(f"/batches/{made['id']}").status_code == 404
