from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import fireworks
import httpx
import pytest
from fireworks import Fireworks

from tests.sandbox.conftest import lines_of

MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"


@pytest.fixture
def start(bench, clock):
    """Start the façade; gives a client of it."""
    made = []

    def run(**values):
        usual = {"clock": clock, "rows_per_second": 10, "key": "fw_right"}
        url = bench(like="fireworks", **(usual | values)).url
        client = Fireworks(api_key="fw_right", account_id="acme", base_url=url, max_retries=0)
        made.append(client)
        return client

    yield run
    for client in made:
        client.close()


@pytest.fixture
def client(start):
    return start()


@pytest.fixture
def http(client):
    base = f"{str(client.base_url).rstrip('/')}/v1/accounts/acme"
    with httpx.Client(base_url=base, headers={"authorization": "Bearer fw_right"}) as it:
        yield it


def rows(count, text="x", **more):
    turn = {"role": "user", "content": text}
    body = {"messages": [turn], "max_tokens": 64, **more}
    return [{"custom_id": f"r{n}", "body": body} for n in range(count)]


def encoded(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def upload(client, clock, lines, name="bd-in", count=None):
    dataset = {"userUploaded": {}, "exampleCount": str(count or len(lines) or 1)}
    client.datasets.create(dataset_id=name, dataset=dataset)
    client.datasets.upload(name, file=("rows.jsonl", encoded(lines)))
    clock.now += 1
    return name


def create(client, clock, lines, name="bd-1", **more):
    source = upload(client, clock, lines, f"{name}-in")
    return client.batch_inference_jobs.create(
        batch_inference_job_id=name,
        model=MODEL,
        input_dataset_id=f"accounts/acme/datasets/{source}",
        output_dataset_id=f"accounts/acme/datasets/{name}-out",
        **more,
    )


def files(client, job):
    name = job.output_dataset_id.rpartition("/")[2]
    urls = client.datasets.get_download_endpoint(name).filename_to_signed_urls
    got = {key.rpartition("/")[2]: httpx.get(url) for key, url in urls.items()}
    assert all(answer.status_code == 200 for answer in got.values())
    return {key: answer.content for key, answer in got.items()}


def code_of(error):
    body = error.value.response.json()
    assert set(body) == {"code", "message", "details"}
    return error.value.status_code, body["code"]


def test_a_job_goes_through_its_states_and_fills_a_dataset(client, clock):
    lines = rows(15) + [{**row, "custom_id": f"bad{n}"} for n, row in
                        enumerate(rows(5, "sandbox:fail=400"))]  # fmt: skip
    made = create(client, clock, lines, display_name="hello")
    assert made.name == "accounts/acme/batchInferenceJobs/bd-1"
    assert (made.state, made.job_progress) == ("JOB_STATE_VALIDATING", None)
    assert made.display_name == "hello"
    states = []
    for seconds in (0.3, 0.25, 1.0, 1.2, 0.5):
        clock.now += seconds
        states.append(client.batch_inference_jobs.get("bd-1").state.removeprefix("JOB_STATE_"))
    assert states == [
        "VALIDATING",
        "PENDING",
        "RUNNING",
        "WRITING_RESULTS",
        "COMPLETED",
    ]
    done = client.batch_inference_jobs.get("bd-1")
    progress = done.job_progress
    assert (progress.percent, progress.successfully_processed_requests) == (100, 15)
    assert (progress.failed_requests, progress.total_processed_requests) == (5, 20)
    assert progress.output_tokens > 0
    output = client.datasets.get("bd-1-out")
    assert (output.state, output.example_count) == ("READY", "15")
    assert output.source_job_name == done.name
    got = files(client, done)
    assert set(got) == {"BIJOutputSet.jsonl", "error-data"}
    good, bad = lines_of(got["BIJOutputSet.jsonl"]), lines_of(got["error-data"])
    assert set(good) == {f"r{n}" for n in range(15)}
    assert set(bad) == {f"bad{n}" for n in range(5)}
    assert list(good) != sorted(good, key=lambda name: int(name[1:]))
    for line in good.values():
        assert line["response"]["choices"][0]["message"]["content"]
        assert line["response"]["model"] == MODEL
    assert all(line["error"]["message"] for line in bad.values())


def test_a_job_has_defaults_for_its_rows(client, clock):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    extra = json.dumps({"response_format": form})
    create(client, clock, rows(3), inference_parameters={"extra_body": extra, "max_tokens": 9})
    clock.now += 10
    done = client.batch_inference_jobs.get("bd-1")
    given = done.inference_parameters
    assert (given.extra_body, given.max_tokens) == (extra, 9)
    for line in lines_of(files(client, done)["BIJOutputSet.jsonl"]).values():
        said = line["response"]["choices"][0]["message"]["content"]
        assert isinstance(json.loads(said)["n"], int)


def test_the_id_of_a_job_is_taken_once(client, clock):
    create(client, clock, rows(2))
    with pytest.raises(fireworks.ConflictError) as error:
        client.batch_inference_jobs.create(
            batch_inference_job_id="bd-1", model=MODEL, input_dataset_id="bd-1-in"
        )
    assert code_of(error) == (409, 6)
    with pytest.raises(fireworks.ConflictError):
        upload(client, clock, rows(2), "bd-1-in")
    assert len(client.batch_inference_jobs.list().batch_inference_jobs) == 1


def test_creates_at_once_make_one_job(client, http, clock):
    source = upload(client, clock, rows(2))
    body = {"model": MODEL, "inputDatasetId": source}

    def post(_):
        path = "/batchInferenceJobs?batchInferenceJobId=bd"
        return httpx.post(f"{http.base_url}{path[1:]}", json=body, headers=http.headers).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(post, range(8)))
    assert sorted(codes) == [200] + [409] * 7


def test_a_lost_answer_of_a_create_is_a_conflict_the_second_time(start, clock):
    client = start(lose_answer=("create:1",))
    source = upload(client, clock, rows(2))
    values = {"batch_inference_job_id": "bd", "model": MODEL, "input_dataset_id": source}
    with pytest.raises(fireworks.APIConnectionError):
        client.batch_inference_jobs.create(**values)
    with pytest.raises(fireworks.ConflictError):
        client.batch_inference_jobs.create(**values)
    assert client.batch_inference_jobs.get("bd").input_dataset_id.endswith("/bd-in")


def test_an_upload_by_signed_addresses(client, http, clock):
    parts = {"a.jsonl": encoded(rows(2)), "b.jsonl": encoded(rows(4)[2:])}
    client.datasets.create(dataset_id="big", dataset={"exampleCount": "4"})
    sizes = {name: str(len(data)) for name, data in parts.items()}
    urls = client.datasets.get_upload_endpoint("big", filename_to_size=sizes)
    urls = urls.filename_to_signed_urls
    with pytest.raises(fireworks.BadRequestError):
        client.datasets.validate_upload("big", body={})
    for name, data in parts.items():
        assert urlsplit(urls[name]).hostname != urlsplit(str(client.base_url)).hostname
        head = {
            "content-type": "application/octet-stream",
            "x-goog-content-length-range": f"{len(data)},{len(data)}",
        }
        key = {**head, "authorization": "Bearer fw_right"}
        assert httpx.put(urls[name], content=data, headers=key).status_code == 400
        other = {**head, "x-goog-content-length-range": "0,9"}
        assert httpx.put(urls[name], content=data, headers=other).status_code == 403
        assert httpx.put(urls[name], content=data[1:], headers=head).status_code == 400
        assert httpx.put(urls[name], content=data, headers=head).status_code == 200
    client.datasets.validate_upload("big", body={})
    assert client.datasets.get("big").state == "UPLOADING"
    clock.now += 1
    assert client.datasets.get("big").state == "READY"
    client.batch_inference_jobs.create(
        batch_inference_job_id="j", model=MODEL, input_dataset_id="big"
    )
    clock.now += 10
    job = client.batch_inference_jobs.get("j")
    assert job.state == "JOB_STATE_COMPLETED"
    assert len(lines_of(files(client, job)["BIJOutputSet.jsonl"])) == 4


def test_an_address_is_signed_for_ten_minutes_without_a_key(client, clock):
    create(client, clock, rows(3))
    clock.now += 10
    urls = client.datasets.get_download_endpoint("bd-1-out").filename_to_signed_urls
    assert set(urls) == {"dataset/bd-1-out/BIJOutputSet.jsonl", "dataset/bd-1-out/error-data"}
    url = urls["dataset/bd-1-out/BIJOutputSet.jsonl"]
    whole = httpx.get(url)
    part = httpx.get(url, headers={"range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, whole.content[10:])
    assert httpx.get(urls["dataset/bd-1-out/error-data"]).content == b""
    key = httpx.get(url, headers={"authorization": "Bearer fw_right"})
    assert (key.status_code, b"<Code>InvalidArgument</Code>" in key.content) == (400, True)
    for wrong in (url.replace("BIJOutputSet.jsonl", "error-data"), url[:-1] + "x"):
        assert httpx.get(wrong).status_code == 403
    clock.now += 600
    late = httpx.get(url)
    assert (late.status_code, b"ExpiredToken" in late.content) == (400, True)
    assert client.datasets.get_download_endpoint("bd-1-out").filename_to_signed_urls


def test_the_download_endpoint_takes_no_body(client, http, clock):
    create(client, clock, rows(1))
    clock.now += 10
    path = "/datasets/bd-1-out:getDownloadEndpoint"
    assert http.request("GET", path, json={}).status_code == 400
    assert http.post(path, json={}).status_code == 405
    assert http.get(path).status_code == 200


def test_one_wrong_row_fails_the_job(client, clock):
    lines = rows(2)
    lines[1] = {**lines[1], "body": {"messages": [{"role": "bananas", "content": "x"}]}}
    create(client, clock, lines)
    clock.now += 1
    done = client.batch_inference_jobs.get("bd-1")
    assert (done.state, done.status.code) == ("JOB_STATE_FAILED", "INVALID_ARGUMENT")
    assert "rows.jsonl:1: invalid role bananas" in done.status.message
    with pytest.raises(fireworks.NotFoundError) as error:
        client.datasets.get_download_endpoint("bd-1-out")
    assert code_of(error) == (404, 5)


def test_the_total_is_what_the_dataset_declared(client, clock):
    upload(client, clock, rows(3), "few", count=1)
    client.batch_inference_jobs.create(
        batch_inference_job_id="j", model=MODEL, input_dataset_id="few"
    )
    clock.now += 10
    job = client.batch_inference_jobs.get("j")
    assert job.job_progress.total_input_requests == 1
    assert job.job_progress.total_processed_requests == 3
    assert job.output_dataset_id.startswith("accounts/acme/datasets/bij-")


def test_a_job_that_expires_keeps_what_ran(client, clock):
    lines = [*rows(4), {**rows(1, "sandbox:expire")[0], "custom_id": "never"}]
    create(client, clock, lines)
    clock.now += 10
    done = client.batch_inference_jobs.get("bd-1")
    assert done.state == "JOB_STATE_EXPIRED"
    assert set(lines_of(files(client, done)["BIJOutputSet.jsonl"])) == {"r0", "r1", "r2", "r3"}


def test_a_delete_ends_a_job_that_runs(client, clock):
    create(client, clock, rows(50))
    clock.now += 2
    client.batch_inference_jobs.delete("bd-1")
    going = client.batch_inference_jobs.get("bd-1")
    assert going.state == "JOB_STATE_DELETING_CLEANING_UP"
    clock.now += 1
    with pytest.raises(fireworks.NotFoundError):
        client.batch_inference_jobs.get("bd-1")
    with pytest.raises(fireworks.NotFoundError):
        client.datasets.get("bd-1-out")
    client.datasets.delete("bd-1-in")
    with pytest.raises(fireworks.NotFoundError):
        client.datasets.get("bd-1-in")


def test_the_results_outlive_their_job(client, clock):
    create(client, clock, rows(2))
    clock.now += 10
    done = client.batch_inference_jobs.get("bd-1")
    client.batch_inference_jobs.delete("bd-1")
    with pytest.raises(fireworks.NotFoundError):
        client.batch_inference_jobs.delete("bd-1")
    assert len(lines_of(files(client, done)["BIJOutputSet.jsonl"])) == 2
    client.datasets.delete("bd-1-out")
    with pytest.raises(fireworks.NotFoundError):
        client.datasets.get("bd-1-out")


def test_the_list_has_filters_an_order_and_pages(client, http, clock):
    for number in range(5):
        create(client, clock, rows(1), f"{'odd' if number % 2 else 'even'}-{number}")
    clock.now += 0.5

    def names(**query):
        found = client.batch_inference_jobs.list(page_size=2, **query)
        return [job.name.rpartition("/")[2] for job in found]

    assert names() == ["even-0", "odd-1", "even-2", "odd-3", "even-4"]
    assert names(order_by="create_time desc")[0] == "even-4"
    assert names(filter='name:"odd" AND state="JOB_STATE_COMPLETED"') == ["odd-1", "odd-3"]
    page = http.get("/batchInferenceJobs", params={"pageSize": 2}).json()
    assert (page["totalSize"], len(page["batchInferenceJobs"])) == (5, 2)
    other = {"pageToken": page["nextPageToken"], "filter": 'state="X"'}
    assert http.get("/batchInferenceJobs", params=other).json()["code"] == 3
    for wrong in ("state", 'colour="red"'):
        assert http.get("/batchInferenceJobs", params={"filter": wrong}).status_code == 400
    last = http.get("/batchInferenceJobs").json()
    assert last["nextPageToken"] == ""
    found = [one.name.rpartition("/")[2] for one in client.datasets.list(page_size=3)]
    # The youngest job runs, and has no dataset of results.
    assert len(found) == 9
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/datasets", {"datasetId": "A b", "dataset": {"exampleCount": "1"}}, "dataset id"),
        ("/datasets", {"datasetId": "a", "dataset": {"userUploaded": {}}}, "example_count"),
        ("/datasets", {"datasetId": "a", "exampleCount": "1"}, "unknown field"),
        ("/batchInferenceJobs", {"model": MODEL}, "input_dataset_id is required"),
        ("/batchInferenceJobs", {"model": "llama", "inputDatasetId": "a"}, "invalid model"),
        ("/batchInferenceJobs", {"model": MODEL, "metadata": {}}, "unknown field"),
    ],
)
def test_a_request_that_is_refused(http, path, body, text):
    answer = http.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert text in answer.json()["message"]


def test_a_dataset_takes_its_content_once(client, http, clock):
    client.datasets.create(dataset_id="a", dataset={"exampleCount": "1"})
    early = {"model": MODEL, "inputDatasetId": "a"}
    assert http.post("/batchInferenceJobs", json=early).json()["code"] == 9
    client.datasets.upload("a", file=("rows.jsonl", encoded(rows(1))))
    with pytest.raises(fireworks.BadRequestError) as error:
        client.datasets.upload("a", file=("rows.jsonl", encoded(rows(1))))
    assert code_of(error) == (400, 9)


def test_accounts_do_not_see_each_other(client, clock):
    create(client, clock, rows(1))
    found = client.batch_inference_jobs.list(account_id="other").batch_inference_jobs
    assert found == []
    with pytest.raises(fireworks.NotFoundError):
        client.datasets.get("bd-1-in", account_id="other")


def test_a_wrong_key_is_forbidden_in_another_form(client):
    wrong = Fireworks(api_key="no", account_id="acme", base_url=client.base_url, max_retries=0)
    with wrong, pytest.raises(fireworks.PermissionDeniedError) as error:
        wrong.batch_inference_jobs.list()
    assert error.value.response.json()["error"]["code"] == "UNAUTHORIZED"


def test_a_full_queue_and_late_results(start, clock):
    client = start(quirks=("queue-full:1",), late_file=5)
    with pytest.raises(fireworks.RateLimitError) as error:
        create(client, clock, rows(1))
    assert code_of(error) == (429, 8)
    client.batch_inference_jobs.create(
        batch_inference_job_id="j", model=MODEL, input_dataset_id="bd-1-in"
    )
    clock.now += 2
    job = client.batch_inference_jobs.get("j")
    assert job.state == "JOB_STATE_COMPLETED"
    with pytest.raises(fireworks.NotFoundError):
        files(client, job)
    clock.now += 5
    assert len(lines_of(files(client, job)["BIJOutputSet.jsonl"])) == 1
