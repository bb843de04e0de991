"""Fireworks' datasets and jobs, over HTTP with a server and a store on ports of their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.fireworks import ACCOUNT, MODEL, ROOT, FireworksServer, fireworks
from tests.providers.fakes import KEY, Scripted, dialect_to, raw
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.errors import (
    ConfigError,
    InputError,
    KeyRejectedError,
    RequestRejectedError,
    ResponseLostError,
    UnreachableError,
    UsageError,
)
from tui.providers.connect import connect
from tui.providers.dialect import BatchDraft, Dialect
from tui.providers.profiles.load import find_profile

BASE = "https://api.example.com/v1/accounts/acme"
INTENT = "7k2m9x4q7k2m9x4q7k2m"
JOB = f"bd-{INTENT}"
QUICK = {"http": {"first_pause": 0.0}}


def scripted(script: Any, **changes: Any) -> Any:
    return dialect_to(script, "fireworks", {**QUICK, **changes}, base_url=BASE)


def job(state: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    return {
        "name": f"accounts/acme/batchInferenceJobs/{JOB}",
        "state": f"JOB_STATE_{state}",
        "status": {"code": "OK", "message": ""},
        "model": MODEL,
        "inputDatasetId": f"accounts/acme/datasets/{JOB}-00ff",
        "outputDatasetId": f"accounts/acme/datasets/{JOB}-out",
        "createTime": "2026-11-30T08:01:02.123456789Z",
        "updateTime": "2026-11-30T08:05:00Z",
        "expireTime": "2026-12-01T08:01:02Z",
        "jobProgress": {
            "totalInputRequests": 3,
            "totalProcessedRequests": 2,
            "successfullyProcessedRequests": 1,
            "failedRequests": 1,
        },
        **fields,
    }


@asynccontextmanager
async def served(
    *lose: str, changes: dict[str, Any] | None = None, key: str = KEY, **options: Any
) -> AsyncIterator[tuple[Dialect, FireworksServer]]:
    table = {"base": "fireworks", **QUICK, **(changes or {})}
    profile = find_profile("made-up", {"made-up": table})
    with fireworks(key, lose, **options) as (api, server):
        dialect = connect(profile, base_url=api.url, key=KEY, params={"account_id": ACCOUNT})
        yield dialect, server
        await dialect.aclose()


def rows(path: Path, dialect: Dialect, texts: list[str]) -> Path:
    lines = []
    for number, text in enumerate(texts):
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
        row = {
            "custom_id": f"row-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": body,
        }
        lines.append(dialect.encode_line(json.dumps(row).encode()))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def draft(path: Path, file_id: str | None, **changes: Any) -> BatchDraft:
    usual: dict[str, Any] = {
        "path": path,
        "rows": 3,
        "endpoint": "/v1/chat/completions",
        "model": MODEL,
        "window": "24h",
        "intent": INTENT,
        "file_id": file_id,
    }
    return BatchDraft(**{**usual, **changes})


async def run(dialect: Dialect, folder: Path, *texts: str) -> RemoteBatch:
    """Upload rows and create a batch of them."""
    path = rows(folder / "rows.jsonl", dialect, list(texts or ("one", "two", "three")))
    file_id = await dialect.upload(path, name=f"{INTENT}.jsonl")
    return await dialect.create(draft(path, file_id))


async def lines_of(dialect: Dialect, batch: RemoteBatch, **have: int) -> list[dict[str, Any]]:
    (source,) = batch.results
    async with dialect.download(source, **have) as download:
        data = b"".join([chunk async for chunk in download.chunks])
    return [json.loads(line) for line in data.splitlines()]


async def test_the_whole_way(tmp_path: Path) -> None:
    async with served() as (dialect, server):
        made = await run(dialect, tmp_path, "one", "sandbox:fail=400", "three")
        assert (made.id, made.intent) == (JOB, INTENT)
        done = await dialect.retrieve(made.id)
        assert (done.status, done.raw_status) == (BatchStatus.COMPLETED, "JOB_STATE_COMPLETED")
        assert done.counts == RemoteCounts(total=3, completed=2, failed=1)
        assert done.input_file_id in server.datasets
        assert done.expires_at == pytest.approx((done.created_at or 0) + 86_400, abs=1)
        found = {line["custom_id"]: line for line in await lines_of(dialect, done)}
        assert set(found) == {"row-0", "row-1", "row-2"}
        assert found["row-0"]["response"]["choices"]
        assert "error" in found["row-1"]
        assert [batch.id async for batch in dialect.list_batches()] == [JOB]
        assert await dialect.models() == [MODEL, f"accounts/{ACCOUNT}/models/own"]


async def test_a_large_file_goes_to_a_signed_address_without_the_key(tmp_path: Path) -> None:
    async with served(changes={"fireworks": {"form_bytes": 10}}) as (dialect, server):
        made = await run(dialect, tmp_path)
        (headers,) = server.puts
        size = (tmp_path / "rows.jsonl").stat().st_size
        assert "authorization" not in headers
        assert headers["x-goog-content-length-range"] == f"{size},{size}"
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-length"] == str(size)
        assert (await dialect.retrieve(made.id)).counts.completed == 3


@pytest.mark.parametrize(
    "lost", [("dataset",), ("dataset",) * 2, ("upload",), ("create",), ("create",) * 2]
)
async def test_a_lost_answer_makes_nothing_twice(lost: tuple[str, ...], tmp_path: Path) -> None:
    async with served(*lost) as (dialect, server):
        made = await run(dialect, tmp_path)
        assert server.lose == []
        assert server.created == [made.id]
        assert sorted(server.datasets) == sorted([str(made.input_file_id), f"{JOB}-out"])


async def test_a_put_whose_answer_is_lost_is_sent_again(tmp_path: Path) -> None:
    async with served("put", changes={"fireworks": {"form_bytes": 10}}) as (dialect, server):
        made = await run(dialect, tmp_path)
        assert len(server.puts) == 2
        assert (await dialect.retrieve(made.id)).counts.completed == 3


async def test_a_create_that_is_never_answered_may_have_acted(tmp_path: Path) -> None:
    async with served(*["create"] * 9) as (dialect, server):
        with pytest.raises(ResponseLostError):
            await run(dialect, tmp_path)
        assert server.created == [JOB]
        (found,) = [batch async for batch in dialect.list_batches()]
        assert found.intent == INTENT


async def test_other_rows_of_the_same_batch_are_another_dataset(tmp_path: Path) -> None:
    async with served() as (dialect, _):
        ids = [
            await dialect.upload(rows(tmp_path / "x", dialect, [text]), name=f"{INTENT}.jsonl")
            for text in ("one", "two", "one")
        ]
        assert ids[0] == ids[2] != ids[1]
        found = await dialect.files_named(f"{INTENT}.jsonl", created_after=0.0)
        assert found == [ids[0], ids[1]]
        assert await dialect.files_named("another.jsonl", created_after=0.0) == []
        await dialect.delete_file(ids[0])
        await dialect.delete_file(ids[0])
        assert await dialect.files_named(f"{INTENT}.jsonl", created_after=0.0) == [ids[1]]


async def test_there_is_no_cancel_and_a_delete_stops(tmp_path: Path) -> None:
    async with served(rows_per_second=0.5) as (dialect, _):
        made = await run(dialect, tmp_path)
        assert not dialect.capabilities.cancels
        with pytest.raises(UsageError, match="does not support cancelling"):
            await dialect.cancel(made.id)
        await dialect.delete_batch(made.id)
        with pytest.raises(RequestRejectedError):
            await dialect.retrieve(made.id)
        await dialect.delete_batch(made.id)


async def test_rows_have_no_model_and_the_create_has_it(tmp_path: Path) -> None:
    created = httpx.Response(200, json=job("VALIDATING", jobProgress=None))
    script = Scripted({f"POST {ROOT}/batchInferenceJobs": created})
    dialect = scripted(script, create={"extra_body": {"inferenceParameters": {"topK": 3}}})
    (line,) = rows(tmp_path / "x", dialect, ["hi"]).read_bytes().splitlines()
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert json.loads(line) == {"custom_id": "row-0", "body": body}
    made = await dialect.create(draft(tmp_path / "x", f"{JOB}-00ff"))
    assert dict(script.requests[0].url.params) == {"batchInferenceJobId": JOB}
    assert script.sent() == {
        "displayName": JOB,
        "model": MODEL,
        "inputDatasetId": f"accounts/acme/datasets/{JOB}-00ff",
        "outputDatasetId": f"accounts/acme/datasets/{JOB}-out",
        "inferenceParameters": {"topK": 3},
    }
    assert made.counts == RemoteCounts(total=3)
    assert made.status is BatchStatus.VALIDATING
    assert made.input_file_id == f"{JOB}-00ff"


@pytest.mark.parametrize(
    ("given", "sent"),
    [("llama", "accounts/fireworks/models/llama"), ("accounts/a/deployments/d",) * 2],
)
async def test_a_name_alone_is_a_model_of_fireworks(given: str, sent: str, tmp_path: Path) -> None:
    created = httpx.Response(200, json=job())
    script = Scripted({f"POST {ROOT}/batchInferenceJobs": created})
    await scripted(script).create(draft(tmp_path / "x", "d", model=given))
    assert script.sent()["model"] == sent


async def test_the_provider_may_name_the_results(tmp_path: Path) -> None:
    output = "accounts/acme/datasets/bij-n17"
    answer = httpx.Response(200, json=job("COMPLETED", outputDatasetId=output))
    script = Scripted({f"POST {ROOT}/batchInferenceJobs": answer})
    dialect = scripted(script, fireworks={"output": "theirs"})
    made = await dialect.create(draft(tmp_path / "x", "d"))
    assert "outputDatasetId" not in script.sent()
    assert [source.ref for source in made.results] == ["bij-n17"]


async def test_a_batch_needs_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name no model"):
        await scripted(Scripted({})).create(draft(tmp_path / "x", "d", model=""))


@pytest.mark.parametrize("body", [{"code": 10, "message": "aborted"}, {"message": "conflict"}])
async def test_another_conflict_is_no_proof_of_a_batch(body: Any, tmp_path: Path) -> None:
    conflict = httpx.Response(409, json=body)
    script = Scripted({f"POST {ROOT}/batchInferenceJobs": conflict})
    with pytest.raises(RequestRejectedError):
        await scripted(script).create(draft(tmp_path / "x", "d"))
    assert all(request.method == "POST" for request in script.requests)


async def test_the_address_names_the_account() -> None:
    with pytest.raises(ConfigError, match="does not name the account"):
        dialect_to(Scripted({}), "fireworks", base_url="https://api.example.com/v1")


async def test_a_wrong_key_is_said() -> None:
    async with served(key="another") as (dialect, _):
        with pytest.raises(KeyRejectedError):
            await dialect.models()


STATES = {
    "CREATING": BatchStatus.VALIDATING,
    "CREATING_INPUT_DATASET": BatchStatus.VALIDATING,
    "VALIDATING": BatchStatus.VALIDATING,
    "PENDING": BatchStatus.QUEUED,
    "RE_QUEUEING": BatchStatus.QUEUED,
    "RUNNING": BatchStatus.IN_PROGRESS,
    "IDLE": BatchStatus.IN_PROGRESS,
    "PAUSED": BatchStatus.IN_PROGRESS,
    "WRITING_RESULTS": BatchStatus.FINALIZING,
    "CANCELLING": BatchStatus.CANCELLING,
    "DELETING": BatchStatus.CANCELLING,
    "DELETING_CLEANING_UP": BatchStatus.CANCELLING,
    "COMPLETED": BatchStatus.COMPLETED,
    "FAILED": BatchStatus.FAILED,
    "CANCELLED": BatchStatus.CANCELLED,
    "EXPIRED": BatchStatus.EXPIRED,
    "EARLY_STOPPED": BatchStatus.EXPIRED,
    "SOMETHING_NEW": BatchStatus.UNKNOWN,
}


@pytest.mark.parametrize("state", STATES)
async def test_states(state: str) -> None:
    script = Scripted(
        {f"GET {ROOT}/batchInferenceJobs/{JOB}": httpx.Response(200, json=job(state))}
    )
    found = await scripted(script).retrieve(JOB)
    assert found.status is STATES[state]
    ended = found.status in ("completed", "failed", "cancelled", "expired")
    assert (found.ended_at is not None) is ended
    assert bool(found.results) is (ended or found.status is BatchStatus.UNKNOWN)
    assert found.issues == ()


async def test_why_a_batch_failed() -> None:
    status = {"code": "INVALID_ARGUMENT", "message": "invalid role bananas in message 1"}
    none = dict.fromkeys(job()["jobProgress"], 0)
    failed = job("FAILED", status=status, jobProgress=none)
    script = Scripted({f"GET {ROOT}/batchInferenceJobs/{JOB}": httpx.Response(200, json=failed)})
    found = await scripted(script).retrieve(JOB)
    (issue,) = found.issues
    assert (issue.code, issue.message) == (status["code"], status["message"])


async def test_processed_rows_may_be_more_than_the_declared_ones() -> None:
    progress = {"totalInputRequests": 1, "successfullyProcessedRequests": 3, "failedRequests": 0}
    done = httpx.Response(200, json=job("COMPLETED", jobProgress=progress))
    found = await scripted(Scripted({f"GET {ROOT}/batchInferenceJobs/{JOB}": done})).retrieve(JOB)
    assert found.counts == RemoteCounts(total=3, completed=3, failed=0)


DOWNLOAD = f"GET {ROOT}/datasets/{JOB}-out:getDownloadEndpoint"
OUT = ResultSource(kind="output", ref=f"{JOB}-out")


def addressed(*names: str) -> httpx.Response:
    found = {f"dataset/x/{name}": f"https://store.example.net/{name}?sig=s" for name in names}
    return httpx.Response(200, json={"filenameToSignedUrls": found})


async def fetched(dialect: Dialect, **have: int) -> tuple[bytes, bool]:
    async with dialect.download(OUT, **have) as download:
        return b"".join([chunk async for chunk in download.chunks]), download.appends


async def test_several_files_are_read_as_one_and_without_the_key() -> None:
    script = Scripted(
        {
            DOWNLOAD: addressed("part-1.jsonl", "error-data", "part-2.jsonl", "manifest.json"),
            "GET /part-1.jsonl": httpx.Response(200, content=b'{"a":1}\n{"b":2}'),
            "GET /part-2.jsonl": httpx.Response(200, content=b'{"c":3}\n'),
            "GET /error-data": httpx.Response(200, content=b""),
        }
    )
    assert await fetched(scripted(script)) == (b'{"a":1}\n{"b":2}\n{"c":3}\n', False)
    store = [request for request in script.requests if request.url.host == "store.example.net"]
    assert len(store) == 3
    assert not any("authorization" in request.headers for request in store)


async def test_a_cut_download_goes_on_in_the_first_file() -> None:
    whole = b'{"a":1}\n{"b":2}\n'

    def first(request: httpx.Request) -> httpx.Response:
        start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
        place = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        return httpx.Response(206, content=whole[start:], headers={"Content-Range": place})

    script = Scripted(
        {
            DOWNLOAD: addressed("a.jsonl", "error-data"),
            "GET /a.jsonl": [httpx.Response(200, content=whole), first],
            "GET /error-data": httpx.Response(200, content=b'{"e":1}\n'),
        }
    )
    dialect = scripted(script)
    assert await fetched(dialect) == (whole + b'{"e":1}\n', False)
    assert await fetched(dialect, have_bytes=8) == (b'{"b":2}\n{"e":1}\n', True)


async def test_bytes_of_other_files_are_fetched_anew() -> None:
    script = Scripted(
        {
            DOWNLOAD: [addressed("b.jsonl"), addressed("a.jsonl", "b.jsonl")],
            "GET /a.jsonl": httpx.Response(200, content=b'{"a":1}\n'),
            "GET /b.jsonl": httpx.Response(200, content=b'{"b":2}\n'),
        }
    )
    dialect = scripted(script)
    assert await fetched(dialect) == (b'{"b":2}\n', False)
    assert await fetched(dialect, have_bytes=8) == (b'{"a":1}\n{"b":2}\n', False)
    assert not any("range" in request.headers for request in script.requests)


GONE = httpx.Response(404, json={"code": 5, "message": "resource not found", "details": []})


@pytest.mark.parametrize("state", ["FAILED", "EXPIRED", "CANCELLED"])
async def test_a_batch_of_which_nothing_ran_may_have_no_results(state: str) -> None:
    ended = httpx.Response(200, json=job(state, jobProgress=None))
    script = Scripted({f"GET {ROOT}/batchInferenceJobs/{JOB}": ended, DOWNLOAD: GONE})
    dialect = scripted(script)
    (source,) = (await dialect.retrieve(JOB)).results
    assert source.ref == OUT.ref
    assert await fetched(dialect) == (b"", False)


@pytest.mark.parametrize("state", ["COMPLETED", "EXPIRED"])
async def test_results_of_rows_that_ran_must_be_there(state: str) -> None:
    ended = httpx.Response(200, json=job(state))
    script = Scripted({f"GET {ROOT}/batchInferenceJobs/{JOB}": ended, DOWNLOAD: GONE})
    dialect = scripted(script)
    await dialect.retrieve(JOB)
    with pytest.raises(RequestRejectedError) as caught:
        await fetched(dialect)
    assert caught.value.status == 404


async def test_a_rejected_dataset_is_said(tmp_path: Path) -> None:
    bad = {"state": "READY", "status": {"code": "INVALID_ARGUMENT", "message": "not JSON"}}
    script = Scripted(
        {
            f"POST {ROOT}/datasets": httpx.Response(200, json={"state": "UPLOADING"}),
        }
    )

    async def anything(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/datasets"):
            return await script(request)
        await request.aread()
        return httpx.Response(200, json=bad if request.method == "GET" else {})

    dialect = scripted(anything)
    with pytest.raises(RequestRejectedError, match="rejected the file: not JSON"):
        await dialect.upload(rows(tmp_path / "x", dialect, ["one"]), name="b.jsonl")


async def test_an_address_for_the_upload_must_be_encrypted(tmp_path: Path) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await request.aread()
        assert request.method != "PUT"
        urls = {"rows.jsonl": "http://store.example.net/in"}
        return httpx.Response(200, json={"state": "UPLOADING", "filenameToSignedUrls": urls})

    dialect = scripted(answer, fireworks={"form_bytes": 10})
    with pytest.raises(RequestRejectedError, match="for the upload, which is not encrypted"):
        await dialect.upload(rows(tmp_path / "x", dialect, ["one"]), name="b.jsonl")


async def test_one_request_is_answered_beside_the_accounts() -> None:
    route = "POST /inference/v1/chat/completions"
    script = Scripted({route: httpx.Response(200, json={"choices": []})})
    body = {"model": MODEL, "messages": []}
    request = {"custom_id": "a", "url": "/v1/chat/completions", "body": body}
    assert await scripted(script).ask(json.dumps(request).encode()) == b'{"choices":[]}'
    assert script.calls == [route]
    assert script.sent() == body


async def test_a_list_in_any_order_is_read_to_its_end() -> None:
    old, new = (
        job(name=f"accounts/acme/batchInferenceJobs/{name}", createTime=when)
        for name, when in (("other", "2026-01-01T00:00:00Z"), (JOB, "2026-11-30T08:00:00Z"))
    )
    pages = [
        {"batchInferenceJobs": [old], "nextPageToken": "2"},
        {"batchInferenceJobs": [new], "nextPageToken": ""},
    ]
    answers = [httpx.Response(200, json=page) for page in pages]
    script = Scripted({f"GET {ROOT}/batchInferenceJobs": answers})
    dialect = scripted(script)
    found = [batch async for batch in dialect.list_batches(created_after=1_795_000_000.0)]
    assert [(batch.id, batch.intent) for batch in found] == [(JOB, INTENT)]


async def test_a_broken_second_file_is_an_error() -> None:
    script = Scripted(
        {
            DOWNLOAD: addressed("a.jsonl", "error-data"),
            "GET /a.jsonl": httpx.Response(200, content=b'{"a":1}\n'),
            "GET /error-data": raw(200, b'{"e":', httpx.ReadError("reset")),
        }
    )
    with pytest.raises(UnreachableError):
        await fetched(scripted(script))
