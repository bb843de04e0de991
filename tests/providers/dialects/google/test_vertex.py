"""Batch prediction jobs: the calls, what is read of a job, and the errors that name a setting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.google_sign_in import PROJECT
from tests.providers.dialects.google.discovery import methods, mistakes
from tests.providers.fakes import Scripted
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import ResultSource
from tui.errors import (
    BatchdeckError,
    ConfigError,
    InputError,
    KeyRejectedError,
    ProviderError,
    RequestRejectedError,
    ResponseLostError,
)
from tui.providers.connect import connect
from tui.providers.dialect import BatchDraft, FindsBatches
from tui.providers.profiles.load import find_profile

REGION = "europe-west4"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
HOST = f"https://{REGION}-aiplatform.googleapis.com/v1"
JOBS = f"/v1/{PARENT}/batchPredictionJobs"
CREATE, LIST, GET = f"POST {JOBS}", f"GET {JOBS}", f"GET {JOBS}/77"
INTENT = "k1x9in0b4tchd3ck0001"
PARAMS = {"project": PROJECT, "region": REGION, "bucket": "answers"}
JOB = "GoogleCloudAiplatformV1BatchPredictionJob"


def vertex(script: Any, params: Mapping[str, str] = PARAMS, **changes: Any) -> Any:
    return connect(
        find_profile("made-up", {"made-up": {"base": "vertex", **changes}}),
        key="ya29.static",
        transport=httpx.MockTransport(script),
        params=params,
        clock=lambda: 1000.0,
    )


def job(state: str = "JOB_STATE_RUNNING", **fields: Any) -> dict[str, Any]:
    return {
        "name": f"{PARENT}/batchPredictionJobs/77",
        "displayName": f"bd-{INTENT}",
        "model": "publishers/google/models/gemini-3.5-flash",
        "state": state,
        "createTime": "2026-11-20T08:00:00.123456Z",
        "updateTime": "2026-11-20T08:05:00Z",
        "inputConfig": {
            "instancesFormat": "jsonl",
            "gcsSource": {"uris": ["gs://answers/batchdeck/rows.jsonl"]},
        },
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"gs://answers/batchdeck/{INTENT}/out"},
        },
        "labels": {"batchdeck": INTENT},
        **fields,
    }


def draft(model: str = "gemini-3.5-flash", **fields: Any) -> BatchDraft:
    return BatchDraft(
        path=Path("rows.jsonl"),
        rows=3,
        endpoint="/v1/chat/completions",
        model=model,
        window="24h",
        intent=INTENT,
        file_id="gs://answers/batchdeck/rows.jsonl",
        **fields,
    )


async def test_the_routes_are_those_of_the_description() -> None:
    described = methods("projects.locations.batchPredictionJobs")
    answers = {
        CREATE: httpx.Response(200, json=job()),
        GET: httpx.Response(200, json=job("JOB_STATE_CANCELLING")),
        LIST: httpx.Response(200, json={"batchPredictionJobs": [job()]}),
        f"POST {JOBS}/77:cancel": httpx.Response(200, json={}),
        f"DELETE {JOBS}/77": httpx.Response(200, json={"name": "operations/1", "done": True}),
    }
    script = Scripted(answers)
    dialect = vertex(script)
    await dialect.create(draft())
    await dialect.retrieve("77")
    assert [batch.id async for batch in dialect.list_batches()] == ["77"]
    assert (await dialect.cancel("77")).status is BatchStatus.CANCELLING
    await dialect.delete_batch("77")
    assert {str(request.url.host) for request in script.requests} == {
        f"{REGION}-aiplatform.googleapis.com"
    }
    called = {
        (request.method, request.url.path.replace(PARENT, "P").replace("77", "ID"))
        for request in script.requests
    }
    wanted = {
        (method, "/" + path.replace("projects/{projectsId}/locations/{locationsId}", "P").replace(
            "{batchPredictionJobsId}", "ID"
        ))
        for method, path in described.values()
    }  # fmt: skip
    assert called == wanted


@pytest.mark.parametrize(
    ("model", "resource"),
    [
        ("gemini-3.5-flash", "publishers/google/models/gemini-3.5-flash"),
        ("claude-sonnet-5", "publishers/anthropic/models/claude-sonnet-5"),
        ("meta/llama-4-maas", "publishers/meta/models/llama-4-maas"),
    ],
)
async def test_a_job_says_where_everything_is_and_whose_it_is(model: str, resource: str) -> None:
    script = Scripted({CREATE: httpx.Response(200, json=job("JOB_STATE_PENDING"))})
    batch = await vertex(script).create(draft(model))
    sent = script.sent()
    assert mistakes(sent, JOB) == []
    assert sent == {
        "displayName": f"bd-{INTENT}",
        "model": resource,
        "inputConfig": {
            "instancesFormat": "jsonl",
            "gcsSource": {"uris": ["gs://answers/batchdeck/rows.jsonl"]},
        },
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": f"gs://answers/batchdeck/{INTENT}/out"},
        },
        "labels": {"batchdeck": INTENT},
    }
    assert (batch.id, batch.intent, batch.status) == ("77", INTENT, BatchStatus.QUEUED)
    assert batch.counts == RemoteCounts(total=3)
    assert batch.input_file_id == "gs://answers/batchdeck/rows.jsonl"


async def read(**fields: Any) -> Any:
    value = job(**fields)
    return await vertex(Scripted({GET: httpx.Response(200, json=value)})).retrieve("77")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("JOB_STATE_QUEUED", BatchStatus.QUEUED),
        ("JOB_STATE_PENDING", BatchStatus.QUEUED),
        ("JOB_STATE_RUNNING", BatchStatus.IN_PROGRESS),
        ("JOB_STATE_UPDATING", BatchStatus.IN_PROGRESS),
        ("JOB_STATE_PAUSED", BatchStatus.IN_PROGRESS),
        ("JOB_STATE_CANCELLING", BatchStatus.CANCELLING),
        ("JOB_STATE_SUCCEEDED", BatchStatus.COMPLETED),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", BatchStatus.COMPLETED),
        ("JOB_STATE_FAILED", BatchStatus.FAILED),
        ("JOB_STATE_CANCELLED", BatchStatus.CANCELLED),
        ("JOB_STATE_EXPIRED", BatchStatus.EXPIRED),
    ],
)
async def test_every_state(word: str, status: BatchStatus) -> None:
    batch = await read(state=word)
    assert (batch.status, batch.raw_status) == (status, word)


async def test_counts_are_strings_and_what_is_unknown_is_minus_one() -> None:
    stats = {"successfulCount": "5", "failedCount": "2", "incompleteCount": "-1"}
    assert (await read(completionStats=stats)).counts == RemoteCounts(
        total=None, completed=5, failed=2
    )
    stats = {"successfulCount": "5", "incompleteCount": "3"}
    assert (await read(completionStats=stats)).counts == RemoteCounts(
        total=8, completed=5, failed=0
    )
    # Numbers that are zero are left out.
    assert (await read(completionStats={"successfulCount": "5"})).counts == RemoteCounts(
        total=5, completed=5, failed=0
    )
    assert (await read()).counts == RemoteCounts()


FOLDER = f"gs://answers/batchdeck/{INTENT}/out/prediction-gemini-2026-11-20"


@pytest.mark.parametrize("state", ["SUCCEEDED", "CANCELLED", "EXPIRED", "FAILED"])
async def test_results_of_a_job_that_ended_are_a_folder(state: str) -> None:
    batch = await read(state=f"JOB_STATE_{state}", outputInfo={"gcsOutputDirectory": FOLDER})
    assert batch.results == (ResultSource(kind="output", ref=f"{FOLDER}/", deletable=True),)
    # Without a name of the folder everything below our own prefix is the job's.
    stats = {"successfulCount": "1", "incompleteCount": "1"}
    (own,) = (await read(state=f"JOB_STATE_{state}", completionStats=stats)).results
    assert own.ref == f"gs://answers/batchdeck/{INTENT}/out/"
    # Nothing was written by a job of which no row ran.
    unwritten = await read(state=f"JOB_STATE_{state}")
    assert bool(unwritten.results) == (state == "SUCCEEDED")


async def test_the_folder_of_another_program_is_read_and_never_deleted() -> None:
    others = {"displayName": "nightly", "labels": {"team": "x"}, "state": "JOB_STATE_SUCCEEDED"}
    assert (await read(**others)).results == ()
    batch = await read(**others, outputInfo={"gcsOutputDirectory": FOLDER})
    assert batch.results[0].deletable is False
    assert (batch.intent, batch.metadata["name"]) == (None, "nightly")


async def test_a_job_that_runs_has_no_results() -> None:
    assert (await read(outputInfo={"gcsOutputDirectory": FOLDER})).results == ()


async def test_a_job_expires_in_the_queue_after_72_hours_and_runs_for_24() -> None:
    created, hour = 1795161600.123456, 3600
    assert (await read(state="JOB_STATE_QUEUED")).expires_at == created + 72 * hour
    running = await read(startTime="2026-11-20T10:00:00.123456Z")
    assert running.expires_at == created + 2 * hour + 24 * hour


async def test_a_queue_that_is_full_is_told_by_its_code() -> None:
    batch = await read(state="JOB_STATE_FAILED", error={"code": 8, "message": "Quota exceeded."})
    assert [(issue.code, issue.message) for issue in batch.issues] == [
        ("RESOURCE_EXHAUSTED", "Quota exceeded.")
    ]


async def test_a_batch_is_found_by_its_label() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        if "pageToken" not in asked[-1]:
            return httpx.Response(200, json={"nextPageToken": "t"})
        return httpx.Response(200, json={"batchPredictionJobs": [job()]})

    dialect = vertex(Scripted({LIST: answer}))
    assert isinstance(dialect, FindsBatches)
    assert [batch.id for batch in await dialect.batches_of(INTENT)] == ["77"]
    assert asked[0] == {"filter": f'labels.batchdeck="{INTENT}"', "pageSize": "100"}
    assert asked[1] == {**asked[0], "pageToken": "t"}
    # A server that ignores the filter finds jobs of others.
    assert await dialect.batches_of("k1x9in0b4tchd3ck0002") == []


async def test_the_address_of_the_place_that_is_no_region() -> None:
    script = Scripted({})
    with pytest.raises(RequestRejectedError):
        await vertex(script, {**PARAMS, "region": "global"}).retrieve("77")
    assert str(script.requests[0].url) == (
        f"https://aiplatform.googleapis.com/v1/projects/{PROJECT}/locations/global"
        "/batchPredictionJobs/77"
    )


@pytest.mark.parametrize("name", ["project", "region"])
def test_an_account_names_its_project_and_its_region(name: str) -> None:
    params = {key: value for key, value in PARAMS.items() if key != name}
    with pytest.raises(ConfigError) as caught:
        vertex(Scripted({}), params)
    assert f"--param {name}=" in caught.value.hint


def google_error(code: int, status: str, message: str, **more: Any) -> httpx.Response:
    error = {"code": code, "message": message, "status": status, **more}
    return httpx.Response(code, json={"error": error})


@pytest.mark.parametrize(
    ("answer", "kind", "hint"),
    [
        (
            google_error(401, "UNAUTHENTICATED", "Request had invalid credentials."),
            KeyRejectedError,
            "gcloud auth application-default login",
        ),
        (
            google_error(403, "PERMISSION_DENIED", "Permission 'x.create' denied on resource"),
            KeyRejectedError,
            "params.project and params.region",
        ),
        (
            google_error(
                403,
                "PERMISSION_DENIED",
                "Agent Platform API has not been used in project 1 before or it is disabled.",
            ),
            KeyRejectedError,
            "gcloud services enable aiplatform.googleapis.com",
        ),
        (
            google_error(404, "NOT_FOUND", "Publisher Model `x` was not found in europe-west4."),
            RequestRejectedError,
            "params.region",
        ),
        (
            google_error(400, "FAILED_PRECONDITION", "The bucket answers is in us-central1."),
            RequestRejectedError,
            "params.bucket",
        ),
    ],
)
async def test_an_error_names_the_setting_that_is_wrong(
    answer: httpx.Response, kind: type[BatchdeckError], hint: str
) -> None:
    script = Scripted({CREATE: answer})
    with pytest.raises(kind) as caught:
        await vertex(script).create(draft())
    assert hint in caught.value.hint
    assert len(script.requests) == 1


@pytest.mark.parametrize("answer", [httpx.ReadError("cut"), httpx.Response(502)])
async def test_a_create_is_never_sent_twice(answer: Any) -> None:
    script = Scripted({CREATE: answer})
    with pytest.raises(ProviderError) as caught:
        await vertex(script).create(draft())
    assert isinstance(caught.value, ResponseLostError)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3.5-flash", "/publishers/google/models/gemini-3.5-flash:generateContent"),
        ("claude-sonnet-5", "/publishers/anthropic/models/claude-sonnet-5:rawPredict"),
        ("meta/llama-4-maas", "/endpoints/openapi/chat/completions"),
    ],
)
async def test_one_request_goes_to_its_model(model: str, path: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    script = Scripted({f"POST /v1/{PARENT}{path}": httpx.Response(200, json={"a": 1})})
    assert await vertex(script).ask(json.dumps(line).encode()) == b'{"a":1}'
    if model.startswith("gemini"):
        assert mistakes(script.sent(), "GoogleCloudAiplatformV1GenerateContentRequest") == []


async def test_a_model_of_the_users_own_answers_batches_only() -> None:
    own = f"{PARENT}/models/7"
    body = {"model": own, "contents": [{"parts": [{"text": "x"}]}]}
    line = {"custom_id": "1", "url": "/v1beta/models:generateContent", "body": body}
    with pytest.raises(InputError, match="answers batches only"):
        await vertex(Scripted({})).ask(json.dumps(line).encode())
