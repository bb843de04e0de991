from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors
from google.oauth2.credentials import Credentials
from googleapiclient.discovery_cache import get_static_doc

from tests.fakes.gcs import GCS_BUCKET, GCS_REGION, GcsObjects
from tests.sandbox.conftest import chat_line, lines_of

PROJECT = "our-project"
TOKEN = "ya29.token"
GEMINI = "publishers/google/models/gemini-3.5-flash"
CLAUDE = "publishers/anthropic/models/claude-sonnet-5"
LLAMA = "publishers/meta/models/llama-4"
PARENT = f"/v1/projects/{PROJECT}/locations/{GCS_REGION}/batchPredictionJobs"


@pytest.fixture
def start(bench, gcs, clock):
    """Start the façade; gives a client that has the token."""
    objects = GcsObjects(gcs)
    made = []

    def run(**values):
        usual = {"clock": clock, "rows_per_second": 10, "key": TOKEN, "objects": objects}
        url = bench(like="vertex", **(usual | values)).url
        head = {"authorization": f"Bearer {TOKEN}"}
        made.append(httpx.Client(base_url=url, headers=head))
        return made[-1]

    yield run
    for client in [objects, *made]:
        client.close()


@pytest.fixture
def http(start):
    return start()


def sdk(http, token=TOKEN):
    options = {"base_url": str(http.base_url), "api_version": "v1"}
    return genai.Client(
        vertexai=True,
        project=PROJECT,
        location=GCS_REGION,
        credentials=Credentials(token=token),
        http_options=options,
    )


def generate(text, **more):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def claude(text, **more):
    turn = {"role": "user", "content": text}
    own = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 64, "messages": [turn]}
    return {**own, **more}


def put(gcs, rows, key="in/rows.jsonl"):
    gcs.put(key, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return f"gs://{GCS_BUCKET}/{key}"


def order(gcs, rows, model=GEMINI, **more):
    source = {"instancesFormat": "jsonl", "gcsSource": {"uris": [put(gcs, rows)]}}
    prefix = {"outputUriPrefix": f"gs://{GCS_BUCKET}/out/"}
    target = {"predictionsFormat": "jsonl", "gcsDestination": prefix}
    body = {"displayName": "bd-1", "model": model, "inputConfig": source, "outputConfig": target}
    return body | more


def create(http, gcs, rows, model=GEMINI, **more):
    answer = http.post(PARENT, json=order(gcs, rows, model, **more))
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(http, job):
    return http.get(f"/v1/{job['name']}").raise_for_status().json()


def results(gcs, job):
    folder = job["outputInfo"]["gcsOutputDirectory"].removeprefix(f"gs://{GCS_BUCKET}/")
    names = gcs.keys(prefix=folder)
    found = {name.removeprefix(f"{folder}/"): gcs.get(name) for name in names}
    return {name: [json.loads(line) for line in data.splitlines()] for name, data in found.items()}


def rows_of(gcs, job):
    (found,) = results(gcs, job).values()
    return found


def error_of(answer):
    error = answer.json()["error"]
    return answer.status_code, error["status"]


_SCHEMAS: dict[str, Any] = json.loads(get_static_doc("aiplatform", "v1"))["schemas"]


def faults(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Where a value is not of a schema of the discovery document."""
    if "$ref" in schema:
        schema = _SCHEMAS[schema["$ref"]]
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        if not isinstance(value, dict):
            return [f"{path}: no object"]
        known = schema["properties"]
        found = [f"{path}.{name}: unknown" for name in value if name not in known]
        for name in set(value) & set(known):
            found += faults(value[name], known[name], f"{path}.{name}")
        return found
    if kind == "object":
        inner = schema.get("additionalProperties", {})
        parts = value.items() if isinstance(value, dict) else [("?", None)]
        return [text for name, item in parts for text in faults(item, inner, f"{path}.{name}")]
    if kind == "array":
        if not isinstance(value, list):
            return [f"{path}: no array"]
        return [text for item in value for text in faults(item, schema["items"], f"{path}[]")]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is not in the enumeration"]
    if kind == "string" and schema.get("format") == "int64":
        return (
            [] if isinstance(value, str) and value.lstrip("-").isdecimal() else [f"{path}: int64"]
        )
    types = {"string": str, "integer": int, "boolean": bool}
    return [] if isinstance(value, types.get(str(kind), object)) else [f"{path}: no {kind}"]


JOB = {"$ref": "GoogleCloudAiplatformV1BatchPredictionJob"}


def test_a_job_of_gemini_has_rows_without_an_id(http, gcs, clock):
    texts = ["x"] * 15 + ["sandbox:fail=400"] * 5
    rows = [{"request": generate(text, labels={"bd": f"r{n}"})} for n, text in enumerate(texts)]
    made = create(http, gcs, rows, labels={"batchdeck": "7f3a91"})
    assert made["state"] == "JOB_STATE_PENDING"
    assert made["name"].startswith(f"projects/111122223333/locations/{GCS_REGION}/")
    assert made["name"].rpartition("/")[2].isdecimal()
    seen = [get(http, made)]
    for seconds in (1.0, 1.8, 0.5):
        clock.now += seconds
        seen.append(get(http, made))
    words = [job["state"].removeprefix("JOB_STATE_") for job in seen]
    assert words == ["QUEUED", "RUNNING", "RUNNING", "SUCCEEDED"]
    assert "completionStats" not in seen[0]
    assert "outputInfo" not in seen[1]
    done = seen[-1]
    assert done["completionStats"] == {"successfulCount": "15", "failedCount": "5"}
    assert done["labels"] == {"batchdeck": "7f3a91"}
    for job in seen:
        assert faults(job, JOB) == []
    assert set(results(gcs, done)) == {"predictions.jsonl"}
    found = rows_of(gcs, done)
    order_of = [row["request"]["labels"]["bd"] for row in found]
    assert sorted(order_of) == sorted(f"r{n}" for n in range(20))
    assert order_of != [f"r{n}" for n in range(20)]
    for row in found:
        number = int(row["request"]["labels"]["bd"][1:])
        assert row["request"] == rows[number]["request"]
        assert row["processed_time"]
        if number < 15:
            assert row["status"] == ""
            assert row["response"]["candidates"][0]["content"]["parts"][0]["text"]
            assert row["response"]["usageMetadata"]["totalTokenCount"] > 0
        else:
            assert not row.get("response")
            kind, _, text = row["status"].partition(": ")
            assert kind == "Bad Request"
            assert json.loads(text)["error"]["status"] == "INVALID_ARGUMENT"


def test_keys_beside_the_request_come_back_changed(start, gcs, clock):
    rows = [
        {"custom_id": "000123", "request": generate("x", labels={"bd": "7"})},
        {"custom_id": "a", "request": generate("y", labels={"bd": "b"})},
    ]
    for quirks, labels in (((), ["7", "b"]), (("numeric-labels",), [7, "b"])):
        http = start(quirks=quirks, home=None)
        made = create(http, gcs, rows)
        clock.now += 10
        found = rows_of(gcs, get(http, made))
        assert {row["custom_id"] for row in found} == {123, "a"}
        seen = [row["request"]["labels"]["bd"] for row in found]
        assert sorted(seen, key=str) == labels


def test_claude_has_ids(http, gcs, clock):
    rows = [{"custom_id": f"r{n}", "request": claude("x")} for n in range(5)]
    rows.append({"custom_id": "bad", "request": {**claude("x"), "model": "claude"}})
    made = create(http, gcs, rows, CLAUDE)
    clock.now += 10
    found = {row["custom_id"]: row for row in rows_of(gcs, get(http, made))}
    assert set(found) == {row["custom_id"] for row in rows}
    assert "Extra inputs" in found.pop("bad")["status"]
    for row in found.values():
        assert row["response"]["type"] == "message"
        assert row["response"]["content"][0]["text"]
        assert row["request"]["anthropic_version"] == "vertex-2023-10-16"


def test_open_models_have_rows_of_openai(http, gcs, clock):
    rows = [chat_line(f"r{n}", "x") for n in range(3)] + [chat_line("bad", "sandbox:fail=500")]
    made = create(http, gcs, rows, LLAMA)
    clock.now += 10
    data = "".join(json.dumps(row) + "\n" for row in rows_of(gcs, get(http, made))).encode()
    found = lines_of(data)
    assert found["r0"]["response"]["body"]["choices"][0]["message"]["content"]
    assert found["bad"]["response"]["status_code"] == 500


def test_embeddings_have_a_key(http, gcs, clock):
    request = {"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 8}
    rows = [{"key": "e-1", "request": request}]
    made = create(http, gcs, rows, "publishers/google/models/gemini-embedding-001")
    clock.now += 10
    (row,) = rows_of(gcs, get(http, made))
    assert (row["key"], len(row["response"]["embedding"]["values"])) == ("e-1", 8)


def test_googles_client_takes_a_job_through_its_life(http, gcs, clock):
    client = sdk(http)
    source = put(gcs, [{"request": generate("x")}] * 20)
    config = {"display_name": "by the client", "dest": f"gs://{GCS_BUCKET}/client"}
    made = client.batches.create(model="gemini-3.5-flash", src=source, config=config)
    assert made.state.name == "JOB_STATE_PENDING"
    assert made.model.endswith("publishers/google/models/gemini-3.5-flash")
    assert (made.src.gcs_uri, made.dest.gcs_uri) == ([source], f"gs://{GCS_BUCKET}/client")
    clock.now += 1.5
    assert client.batches.get(name=made.name).state.name == "JOB_STATE_RUNNING"
    with pytest.raises(errors.ClientError):
        client.batches.delete(name=made.name)
    client.batches.cancel(name=made.name)
    assert client.batches.get(name=made.name).state.name == "JOB_STATE_CANCELLING"
    clock.now += 1
    done = client.batches.get(name=made.name)
    assert (done.state.name, done.error.code) == ("JOB_STATE_CANCELLED", 1)
    assert done.completion_stats.successful_count > 0
    assert done.completion_stats.incomplete_count == 20 - done.completion_stats.successful_count
    assert done.output_info.gcs_output_directory.startswith(f"gs://{GCS_BUCKET}/client/prediction")
    with pytest.raises(errors.ClientError) as caught:
        client.batches.cancel(name=made.name)
    assert (caught.value.code, caught.value.status) == (400, "FAILED_PRECONDITION")
    second = client.batches.create(model="gemini-3.5-flash", src=source, config=config)
    names = [job.name for job in client.batches.list(config={"page_size": 1})]
    assert names == [second.name, made.name]
    text = 'display_name="by the client" AND state="JOB_STATE_CANCELLED"'
    assert [job.name for job in client.batches.list(config={"filter": text})] == [made.name]
    deleted = client.batches.delete(name=made.name)
    assert deleted.done is True
    with pytest.raises(errors.ClientError) as caught:
        client.batches.get(name=made.name)
    assert caught.value.status == "NOT_FOUND"


def test_a_cancelled_job_delivers_what_ran(http, gcs, clock):
    made = create(http, gcs, [{"request": generate("x")}] * 20)
    clock.now += 1.5
    assert http.post(f"/v1/{made['name']}:cancel").json() == {}
    clock.now += 5
    done = get(http, made)
    ran = int(done["completionStats"]["successfulCount"])
    assert 0 < ran < 20
    assert len(rows_of(gcs, done)) == ran
    assert faults(done, JOB) == []


def test_a_job_expires_with_what_ran(http, gcs, clock):
    rows = [{"request": generate("x")}, {"request": generate("sandbox:expire")}]
    made = create(http, gcs, rows)
    clock.now += 10
    done = get(http, made)
    assert done["state"] == "JOB_STATE_EXPIRED"
    assert done["completionStats"] == {"successfulCount": "1", "incompleteCount": "1"}
    assert len(rows_of(gcs, done)) == 1


def test_results_in_several_files(start, gcs, clock):
    http = start(quirks=("several-files", "incremental-predictions"))
    rows = [{"request": generate("x", labels={"bd": f"r{n}"})} for n in range(9)]
    made = create(http, gcs, rows)
    clock.now += 0.9
    get(http, made)
    clock.now += 0.3
    get(http, made)
    clock.now += 10
    found = results(gcs, get(http, made))
    parts = [name for name in found if name.startswith("incremental_predictions/")]
    assert len(parts) == 2
    names = [row["request"]["labels"]["bd"] for name in parts for row in found.pop(name)]
    assert len(set(names)) == len(names) > 2
    assert set(found) == {"predictions_0001.jsonl", "predictions_0002.jsonl"}
    assert [len(found[name]) for name in sorted(found)] == [5, 4]
    every = [row["request"]["labels"]["bd"] for part in found.values() for row in part]
    assert sorted(every) == [f"r{n}" for n in range(9)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"request": generate("x", generationConfig={"responseSchema": {"$defs": {"a": 1}}})}],
         'Invalid field name "$defs"'),
        ([{"request": generate("x", tools=[{"googleSearch": {}}])}],
         "Cannot store struct 'request.tools.googleSearch' with no fields"),
        ([{"request": generate("x", systemInstruction={"parts": {"text": "a"}})},
          {"request": generate("x", systemInstruction={"parts": [{"text": "a"}]})}],
         "Repeated field must be imported as a JSON array. Field: request.systemInstruction.parts"),
        ([{"request": generate("x")}, {"instance": 1}], "the row has no request object"),
        ([], "empty"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_imported_fail_the_job(http, gcs, clock, rows, words):
    made = create(http, gcs, rows)
    assert get(http, made)["state"] == "JOB_STATE_QUEUED"
    clock.now += 1
    done = get(http, made)
    assert (done["state"], done["error"]["code"]) == ("JOB_STATE_FAILED", 3)
    assert done["error"]["message"].startswith("Failed to import data.")
    assert words in done["error"]["message"]
    assert done["completionStats"] == {"incompleteCount": "-1"}
    assert faults(done, JOB) == []
    assert gcs.keys(prefix="out/") == []


def test_a_schema_may_have_fifteen_levels(http, gcs, clock):
    def deep(levels):
        value: Any = "x"
        for _ in range(levels - 3):
            value = {"a": value}
        return [{"request": generate("x", generationConfig={"responseSchema": value})}]

    for levels, state in ((15, "SUCCEEDED"), (16, "FAILED")):
        made = create(http, gcs, deep(levels))
        clock.now += 10
        assert get(http, made)["state"] == f"JOB_STATE_{state}"


@pytest.mark.parametrize("which", ["input", "output", "object", "region"])
def test_a_bucket_that_cannot_be_used_fails_the_job(http, gcs, clock, which):
    body = order(gcs, [{"request": generate("x")}])
    source, target = body["inputConfig"]["gcsSource"], body["outputConfig"]["gcsDestination"]
    path = PARENT
    if which == "input":
        source["uris"] = ["gs://nowhere/rows.jsonl"]
    elif which == "output":
        target["outputUriPrefix"] = "gs://nowhere/out"
    elif which == "object":
        source["uris"] = [f"gs://{GCS_BUCKET}/other.jsonl"]
    else:
        path = PARENT.replace(GCS_REGION, "us-central1")
    made = http.post(path, json=body).raise_for_status().json()
    clock.now += 1
    done = get(http, made)
    code = 5 if which == "object" else 9
    assert (done["state"], done["error"]["code"]) == ("JOB_STATE_FAILED", code)
    assert faults(done, JOB) == []


def test_a_bucket_that_cannot_be_written_fails_the_job_at_its_end(start, gcs, clock):
    class ReadOnly(GcsObjects):
        def write(self, bucket, key, chunks):
            raise PermissionError(key)

    objects = ReadOnly(gcs)
    http = start(objects=objects)
    made = create(http, gcs, [{"request": generate("x")}] * 2)
    clock.now += 10
    done = get(http, made)
    assert (done["state"], done["error"]["code"]) == ("JOB_STATE_FAILED", 7)
    assert "storage.objects.create" in done["error"]["message"]
    assert done["completionStats"] == {"successfulCount": "2"}
    objects.close()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"displayName": ""}, (400, "INVALID_ARGUMENT")),
        ({"model": "gemini-3.5-flash"}, (400, "INVALID_ARGUMENT")),
        ({"model": "publishers/google/models/gemini-does-not-exist"}, (404, "NOT_FOUND")),
        ({"labels": {"Batchdeck": "x"}}, (400, "INVALID_ARGUMENT")),
        ({"labels": {"batchdeck": "A b"}}, (400, "INVALID_ARGUMENT")),
        ({"metadata": {}}, (400, "INVALID_ARGUMENT")),
        ({"inputConfig": {"instancesFormat": "jsonl"}}, (400, "INVALID_ARGUMENT")),
        ({"inputConfig": {"instancesFormat": "bigquery"}}, (400, "INVALID_ARGUMENT")),
    ],
)
def test_a_create_that_is_refused(http, gcs, change, code):
    assert error_of(http.post(PARENT, json=order(gcs, [], **change))) == code


def test_a_full_queue_and_late_results(start, gcs, clock):
    http = start(quirks=("queue-full:1",), late_file=5)
    rows = [{"request": generate("x")}]
    refused = http.post(PARENT, json=order(gcs, rows))
    assert error_of(refused) == (429, "RESOURCE_EXHAUSTED")
    made = create(http, gcs, rows)
    clock.now += 2
    done = get(http, made)
    assert done["state"] == "JOB_STATE_SUCCEEDED"
    assert "outputInfo" not in done
    assert gcs.keys(prefix="out/") == []
    clock.now += 5
    assert len(rows_of(gcs, get(http, made))) == 1


def test_jobs_are_found_by_label_and_stay_in_their_location(http, gcs):
    for number in range(3):
        create(http, gcs, [{"request": generate("x")}], labels={"batchdeck": f"n{number}"})
    create(http, gcs, [{"request": generate("x")}])

    def found(text, path=PARENT):
        answer = http.get(path, params={"filter": text})
        return [job["labels"]["batchdeck"] for job in answer.json().get("batchPredictionJobs", [])]

    assert found("labels.batchdeck=n1") == ["n1"]
    assert found("labels.batchdeck:*") == ["n2", "n1", "n0"]
    assert found('labels.batchdeck="n0" OR labels.batchdeck="n2"') == ["n2", "n0"]
    assert found("labels.batchdeck:* AND NOT labels.batchdeck=n1") == ["n2", "n0"]
    assert found('display_name:"bd*" AND labels.batchdeck:*') == ["n2", "n1", "n0"]
    assert found("", PARENT.replace(GCS_REGION, "us-central1")) == []
    wrong = http.get(PARENT, params={"filter": "colour=red"})
    assert error_of(wrong) == (400, "INVALID_ARGUMENT")
    listed = http.get(PARENT, params={"pageSize": 3}).json()
    assert faults(listed, {"$ref": "GoogleCloudAiplatformV1ListBatchPredictionJobsResponse"}) == []
    assert listed["nextPageToken"]


def test_a_create_whose_answer_is_lost_made_a_job(start, gcs):
    http = start(lose_answer=("create:1",))
    with pytest.raises(httpx.TransportError):
        http.post(PARENT, json=order(gcs, [{"request": generate("x")}], labels={"a": "b"}))
    found = http.get(PARENT, params={"filter": "labels.a=b"}).json()["batchPredictionJobs"]
    assert len(found) == 1


def test_a_token_is_needed(http):
    none = httpx.get(http.base_url.join(PARENT))
    assert error_of(none) == (401, "UNAUTHENTICATED")
    assert none.json()["error"]["details"][0]["reason"] == "CREDENTIALS_MISSING"
    client = sdk(http, "ya29.other")
    with pytest.raises(errors.ClientError) as caught:
        client.batches.list()
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")


def test_a_delete_is_an_operation(http, gcs, clock):
    made = create(http, gcs, [{"request": generate("x")}])
    clock.now += 10
    answer = http.delete(f"/v1/{made['name']}").json()
    assert answer["done"] is True
    assert faults(answer, {"$ref": "GoogleLongrunningOperation"}) == []
    assert error_of(http.get(f"/v1/{made['name']}")) == (404, "NOT_FOUND")
