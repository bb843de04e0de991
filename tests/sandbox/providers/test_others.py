from __future__ import annotations

import json

import httpx
import pytest

from tests.sandbox.conftest import chat_line, jsonl, lines_of, running
from tui.sandbox import SandboxOptions
from tui.sandbox.app import create_app
from tui.sandbox.options import BUCKETS, LIKES


@pytest.fixture
def http(bench):
    made = []

    def start(like, **values):
        made.append(httpx.Client(base_url=f"{bench(like=like, **values).url}/v1"))
        return made[-1]

    yield start
    for client in made:
        client.close()


def upload(client, lines, path="/files", purpose="batch", name="a.jsonl"):
    data = lines if isinstance(lines, bytes) else jsonl(lines)
    return client.post(path, data={"purpose": purpose}, files={"file": (name, data)})


def create(client, lines):
    body = {
        "input_file_id": upload(client, lines).json()["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    return client.post("/batches", json=body)


def mixed():
    return [
        chat_line("a", "x"),
        chat_line("b", "sandbox:fail=500"),
        chat_line("c", "sandbox:fail=429"),
    ]


@pytest.mark.parametrize("like", [like for like in LIKES if like not in BUCKETS])
def test_every_profile_starts_and_lists_models(like):
    with running(SandboxOptions(like=like)) as url:
        head = {"anthropic-version": "2023-06-01"}
        path, name = {
            "fireworks": ("v1/accounts/fireworks", "models"),
            "gemini": ("v1beta", "models"),
        }.get(like, ("v1", "data"))
        answer = httpx.get(f"{url}/{path}/models", headers=head)
        assert answer.status_code == 200
        assert answer.json()[name]


@pytest.mark.parametrize("like", sorted(BUCKETS))
def test_a_profile_with_buckets_has_some_of_its_own(like, tmp_path):
    backend = create_app(SandboxOptions(like=like, home=tmp_path)).state.backend
    backend.objects.write("any", "a/b", [b"one", b"two"])
    backend.objects.read("any", "a/b", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"onetwo"
    backend.close()


def test_melious(http, clock):
    client = http("melious", clock=clock, rows_per_second=10)
    made = create(client, mixed()).json()
    assert made["status"] == "queued"
    assert made["request_counts"] == {"processing": 0, "succeeded": 0, "errored": 0}
    clock.now += 5
    done = client.get(f"/batches/{made['id']}").json()
    assert done["status"] == "succeeded"
    assert done["request_counts"] == {"processing": 0, "succeeded": 1, "errored": 2}
    assert done["error_file_id"] is None
    rows = lines_of(client.get(f"/files/{done['output_file_id']}/content").content)
    assert rows["a"]["response"]["body"]["billing_cost"]["credits"] > 0
    assert rows["b"]["error"]["code"] in ("INFERENCE_3103", "INFERENCE_3107")
    assert (rows["c"]["response"], rows["c"]["error"]["code"]) == (None, "INFERENCE_3108")
    assert set(client.get("/files").json()) == {"object", "data", "has_more"}
    answer = upload(client, b"{]\n")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_4002")


def test_melious_expiry_and_quirks(http):
    client = http("melious", quirks=("503-no-route:1", "502-all-failed:1"))
    lines = [chat_line("a", "x"), chat_line("b", "sandbox:expire")]
    for status, code in ((503, "INFERENCE_3104"), (502, "INFERENCE_3103")):
        answer = create(client, lines)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    done = client.get(f"/batches/{create(client, lines).json()['id']}").json()
    assert (done["status"], sum(done["request_counts"].values())) == ("expired", 2)
    assert set(lines_of(client.get(f"/files/{done['output_file_id']}/content").content)) == {"a"}


def test_tensorzero(http):
    client = http("tensorzero", key="k")
    client.headers["authorization"] = "Bearer k"
    answer = httpx.get(f"{client.base_url}batches")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 401)
    answer = upload(client, mixed(), name="a.txt")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, None)
    assert upload(client, b"{]\n").status_code == 400
    made = create(client, mixed()).json()
    assert made["error_file_id"] is None
    assert "usage" not in made
    done = client.get(f"/batches/{made['id']}").json()
    assert done["request_counts"] == {"total": 3, "completed": 1, "failed": 2}
    answer = client.get(f"/files/{done['error_file_id']}/content")
    assert set(lines_of(answer.content)) == {"b", "c"}
    assert answer.headers["content-disposition"].startswith("attachment")
    answer = client.get("/batches/batch_none")
    assert (answer.status_code, isinstance(answer.json()["error"], str)) == (500, True)
    path = f"/files/{made['input_file_id']}"
    assert client.get(path).status_code == 200
    assert client.delete(path).status_code == 500
    answer = client.get(path)
    assert (answer.status_code, "No such File" in answer.json()["error"]) == (500, True)
    assert client.get("/files").status_code in (405, 500)
    assert client.post("/batches", json={"input_file_id": "x"}).status_code == 400
    assert len(client.get("/batches").json()["data"]) == 1


def test_groq(http):
    client = http("groq")
    ids = [create(client, mixed()).json()["id"] for _ in range(3)][::-1]
    first = client.get("/batches", params={"limit": 2}).json()
    assert [item["id"] for item in first["data"]] == ids[:2]
    assert "has_more" not in first
    cursor = first["paging"]["next_cursor"]
    second = client.get("/batches", params={"cursor": cursor}).json()
    assert ([item["id"] for item in second["data"]], second["paging"]["next_cursor"]) == (
        ids[2:],
        None,
    )
    picked = client.get("/batches", params={"id": [ids[0], ids[2]]}).json()["data"]
    assert [item["id"] for item in picked] == [ids[0], ids[2]]
    bad = client.get(f"/batches/{create(client, b'{]').json()['id']}").json()
    assert bad["errors"][0]["code"] == "invalid_json_line"


def test_mistral_from_a_file(http, clock):
    client = http("mistral", clock=clock, rows_per_second=1)
    lines = [
        {"custom_id": c, "body": {"messages": [{"role": "user", "content": t}]}}
        for c, t in (("a", "x"), ("b", "sandbox:fail=500"), ("c", "sandbox:expire"))
    ]
    body = {
        "input_files": [upload(client, lines).json()["id"]],
        "model": "mistral-tiny",
        "endpoint": "/v1/chat/completions",
        "timeout_hours": 5,
        "metadata": {"k": "v"},
    }
    made = client.post("/batch/jobs", json=body).json()
    assert (made["status"], made["metadata"]) == ("QUEUED", {"k": "v"})
    clock.now += 2
    assert client.get(f"/batch/jobs/{made['id']}").json()["status"] == "RUNNING"
    clock.now += 20
    done = client.get(f"/batch/jobs/{made['id']}").json()
    assert done["status"] == "TIMEOUT_EXCEEDED"
    names = ("total", "completed", "succeeded", "failed")
    assert [done[f"{name}_requests"] for name in names] == [3, 2, 1, 2]
    rows = lines_of(client.get(f"/files/{done['output_file']}/content").content)
    assert rows["a"]["response"]["body"]["model"] == "mistral-tiny"
    assert set(lines_of(client.get(f"/files/{done['error_file']}/content").content)) == {"b", "c"}
    listed = client.get("/batch/jobs", params={"page": 0, "page_size": 1}).json()
    assert (len(listed["data"]), listed["total"]) == (1, 1)
    assert client.get("/batch/jobs", params={"page": "x"}).status_code == 400
    assert client.delete(f"/batch/jobs/{made['id']}").status_code == 200
    assert client.get(f"/batch/jobs/{made['id']}").status_code == 404


def test_mistral_inline_and_cancel(http, clock):
    client = http("mistral", clock=clock, rows_per_second=1)
    rows = [{"custom_id": f"r{n}", "body": chat_line("", "x")["body"]} for n in range(9)]
    body = {"requests": rows, "endpoint": "/v1/chat/completions"}
    made = client.post("/batch/jobs", json=body).json()
    clock.now += 100
    done = client.get(f"/batch/jobs/{made['id']}", params={"inline": "true"}).json()
    assert (done["status"], done["output_file"], len(done["outputs"])) == ("SUCCESS", None, 9)
    other = client.post("/batch/jobs", json=body).json()
    clock.now += 3
    answer = client.post(f"/batch/jobs/{other['id']}/cancel").json()
    assert answer["status"] == "CANCELLATION_REQUESTED"
    clock.now += 3
    assert client.get(f"/batch/jobs/{other['id']}").json()["status"] == "CANCELLED"


def test_together(http, clock):
    client = http("together", clock=clock, rows_per_second=10)
    lines = [{"custom_id": f"r{n}", "body": chat_line("", "x")["body"]} for n in range(20)]
    sent = upload(client, lines, "/files/upload", "batch-api").json()
    body = {"input_file_id": sent["id"], "endpoint": "/v1/chat/completions"}
    answer = client.post("/batches", json=body)
    assert answer.status_code == 201
    made = answer.json()["job"]
    assert made["status"] == "VALIDATING"
    assert made["created_at"].endswith("Z")
    clock.now += 1.5
    going = client.get(f"/batches/{made['id']}").json()
    assert (going["status"], going["progress"]) == ("IN_PROGRESS", 50.0)
    assert "request_counts" not in going
    clock.now += 10
    done = client.get(f"/batches/{made['id']}").json()
    assert (done["status"], done["progress"]) == ("COMPLETED", 100.0)
    content = client.get(f"/files/{done['output_file_id']}/content").content
    assert len(lines_of(content)) == 20
    listed = client.get("/batches").json()
    assert [item["id"] for item in listed] == [made["id"]]
    assert client.post(f"/batches/{made['id']}/cancel").status_code == 400


def test_openrouter(http, clock):
    client = http("openrouter", clock=clock, rows_per_second=10, quirks=("404-after-create:1",))
    rows = [
        {"custom_id": c, "body": {"messages": [{"role": "user", "content": t}]}}
        for c, t in (("a", "x\n\u2028"), ("b", "sandbox:fail=400"), ("c", "sandbox:expire"))
    ]
    head = {"endpoint": "/v1/chat/completions", "model": "vendor/m"}
    wrong = json.dumps({"requests": rows, **head})
    assert client.post("/batches", content=wrong).status_code == 400
    answer = client.post("/batches", content=json.dumps({**head, "requests": rows}))
    assert answer.status_code == 202
    path = f"/batches/{answer.json()['id']}"
    assert client.get(path).status_code == 404
    assert client.get(path).json()["results"] is None
    assert client.delete(path).status_code == 409
    clock.now += 10
    done = client.get(path).json()
    assert done["status"] == "expired"
    found = {item["custom_id"]: item for item in done["results"]}
    assert found["a"]["response"]["body"]["model"] == "vendor/m"
    assert found["b"]["response"]["status_code"] == 400
    assert found["c"]["error"]["type"] == "batch_expired"
    assert done["usage"]["cost"] > 0
    listed = client.get("/batches", params={"status": ["expired", "completed"]}).json()
    assert (len(listed["data"]), "results" in listed["data"][0]) == (1, False)
    assert client.post(f"{path}/cancel").status_code == 404
    assert client.delete(path).json()["deleted"]
    assert client.get(path).status_code == 404


def test_openrouter_messages_and_many_rows(http):
    client = http("openrouter")
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": "x" * 900}]}
    rows = [{"custom_id": f"r{n}", "body": body} for n in range(700)]
    made = client.post(
        "/batches", content=json.dumps({"endpoint": "/v1/messages", "model": "m", "requests": rows})
    ).json()
    done = client.get(f"/batches/{made['id']}").json()
    assert len({item["custom_id"] for item in done["results"]}) == 700
    assert done["results"][0]["response"]["body"]["type"] == "message"
