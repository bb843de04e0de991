"""Gemini's batch jobs: the upload, the operations, and the forms of the results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted, dialect_to
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import ResultSource
from tui.core.results.openai_lines import read_openai_line
from tui.core.rows import Outcome, RowResult
from tui.errors import (
    InputError,
    KeyRejectedError,
    QuotaError,
    RequestRejectedError,
    UnexpectedResponseError,
    UsageError,
)
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.google.gemini import GeminiEncoder

BASE = "https://api.example.com/v1beta"
CREATE = "POST /v1beta/models/gemini-3.5-flash:batchGenerateContent"
GET = "GET /v1beta/batches/q8"
START = "POST /upload/v1beta/files"
SECOND = "POST /upload/v1beta/files/session"
CONTENT = b"0123456789" * 20_000
HOP = "https://api.example.com/upload/v1beta/files/session?upload_id=secret"


def gemini(script: Any, **changes: Any) -> Any:
    return dialect_to(script, "gemini", changes, base_url=BASE)


def operation(state: str = "BATCH_STATE_RUNNING", **fields: Any) -> dict[str, Any]:
    metadata = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": "models/gemini-3.5-flash",
        "displayName": "bd-b1",
        "state": state,
        "createTime": "2026-11-20T08:01:02.123456789Z",
        "updateTime": "2026-11-20T08:05:00Z",
        "inputConfig": {"fileName": "files/k1"},
        "batchStats": {"requestCount": "3", "pendingRequestCount": "2"},
        **fields.pop("metadata", {}),
    }
    return {"name": "batches/q8", "metadata": metadata, **fields}


def started(*answers: Any, url: str = HOP) -> dict[str, Any]:
    return {
        START: httpx.Response(200, headers={"X-Goog-Upload-URL": url}),
        SECOND: list(answers),
    }


def stored(**fields: Any) -> httpx.Response:
    file = {"name": "files/k1", "state": "ACTIVE", **fields}
    return httpx.Response(200, headers={"X-Goog-Upload-Status": "final"}, json={"file": file})


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(CONTENT)
    return path


async def test_the_second_hop_of_an_upload_has_no_key(rows: Path) -> None:
    script = Scripted(started(stored()))
    assert await gemini(script).upload(rows, name="b1.jsonl") == "files/k1"
    start, second = script.requests
    assert start.headers["x-goog-api-key"] == KEY
    assert start.headers["X-Goog-Upload-Protocol"] == "resumable"
    assert start.headers["X-Goog-Upload-Command"] == "start"
    assert start.headers["X-Goog-Upload-Header-Content-Length"] == "200000"
    assert start.headers["X-Goog-Upload-Header-Content-Type"] == "application/jsonl"
    assert script.sent(0) == {"file": {"display_name": "b1"}}
    assert "x-goog-api-key" not in second.headers and KEY not in str(second.url)
    assert second.headers["X-Goog-Upload-Command"] == "upload, finalize"
    assert second.headers["X-Goog-Upload-Offset"] == "0"
    assert second.headers["Content-Length"] == "200000"
    assert script.bodies[1] == CONTENT


@pytest.mark.parametrize("trouble", [httpx.Response(503), httpx.ReadError("cut")])
async def test_a_cut_upload_goes_on_where_the_server_is(trouble: Any, rows: Path) -> None:
    has = {"X-Goog-Upload-Status": "active", "X-Goog-Upload-Size-Received": "131072"}
    script = Scripted(started(trouble, httpx.Response(200, headers=has), stored()))
    assert await gemini(script).upload(rows, name="b1") == "files/k1"
    assert script.calls[1:] == ["POST /upload/v1beta/files/session"] * 3
    assert script.requests[2].headers["X-Goog-Upload-Command"] == "query"
    assert script.requests[3].headers["X-Goog-Upload-Offset"] == "131072"
    assert script.bodies[3] == CONTENT[131_072:]
    assert all("x-goog-api-key" not in one.headers for one in script.requests[1:])


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, headers={"X-Goog-Upload-Status": "final"}),
        httpx.Response(404, json={"error": {"message": "no such upload"}}),
    ],
)
async def test_an_upload_that_cannot_go_on_begins_again(answer: Any, rows: Path) -> None:
    script = Scripted(started(httpx.ReadError("cut"), answer, stored()))
    assert await gemini(script).upload(rows, name="b1") == "files/k1"
    assert [call.partition("/upload")[2] for call in script.calls].count("/v1beta/files") == 2
    assert script.bodies[-1] == CONTENT


async def test_an_upload_address_elsewhere_is_refused_by_name(rows: Path) -> None:
    script = Scripted(started(stored(), url="https://other.example/upload?x=1"))
    with pytest.raises(RequestRejectedError, match=r"other\.example"):
        await gemini(script).upload(rows, name="b1")
    assert len(script.requests) == 1


async def test_the_file_is_waited_for(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        assert seconds > 0

    monkeypatch.setattr("tui.providers.dialects.files.asyncio.sleep", at_once)
    get = [httpx.Response(200, json={"name": "files/k1", "state": state})
           for state in ("PROCESSING", "ACTIVE")]  # fmt: skip
    script = Scripted({**started(stored(state="PROCESSING")), "GET /v1beta/files/k1": get})
    assert await gemini(script).upload(rows, name="b1") == "files/k1"
    script = Scripted(started(stored(state="FAILED", error={"message": "not lines"})))
    with pytest.raises(RequestRejectedError, match="not lines"):
        await gemini(script).upload(rows, name="b1")
    script = Scripted(started(httpx.Response(200, json={})))
    with pytest.raises(UnexpectedResponseError, match="does not name the file"):
        await gemini(script).upload(rows, name="b1")


def draft(**fields: Any) -> BatchDraft:
    given: dict[str, Any] = {
        "path": Path("rows"), "rows": 3, "endpoint": "/v1/chat/completions",
        "model": "gemini-3.5-flash", "window": "24h", "intent": "b1", "file_id": "files/k1",
    }  # fmt: skip
    return BatchDraft(**{**given, **fields})


async def test_a_batch_without_counts_has_as_many_rows_as_were_sent() -> None:
    bare = httpx.Response(200, json=operation(metadata={"batchStats": None}))
    dialect = gemini(Scripted({CREATE: bare, GET: bare}))
    assert (await dialect.create(draft())).counts == RemoteCounts(total=3)
    assert (await dialect.retrieve("q8")).counts == RemoteCounts(total=3)


async def test_files_are_found_by_the_name_of_their_upload() -> None:
    files = [
        {"name": "files/k1", "displayName": "b1"},
        {"name": "files/k2", "displayName": "another"},
        {"name": "files/k3"},
    ]
    pages = [
        httpx.Response(200, json={"files": files, "nextPageToken": "2"}),
        httpx.Response(200, json={"files": [{"name": "files/k4", "displayName": "b1"}]}),
    ]
    script = Scripted({"GET /v1beta/files": pages})
    found = await gemini(script).files_named("b1.jsonl", created_after=0.0)
    assert found == ["files/k1", "files/k4"]
    assert script.requests[1].url.params["pageToken"] == "2"
    none = Scripted({"GET /v1beta/files": httpx.Response(200, json={})})
    assert await gemini(none).files_named("b1.jsonl", created_after=0.0) == []
    unlisted = Scripted({"GET /v1beta/files": httpx.Response(404)})
    assert await gemini(unlisted).files_named("b1.jsonl", created_after=0.0) is None


async def test_a_create_names_the_model_in_its_route_and_the_intent_as_name() -> None:
    script = Scripted({CREATE: httpx.Response(200, json=operation("BATCH_STATE_PENDING"))})
    made = await gemini(script).create(draft())
    body = {"batch": {"displayName": "bd-b1", "inputConfig": {"fileName": "files/k1"}}}
    assert script.sent() == body
    assert (made.id, made.intent, made.input_file_id) == ("q8", "b1", "files/k1")
    assert (made.status, made.raw_status) == (BatchStatus.QUEUED, "BATCH_STATE_PENDING")
    assert made.created_at == pytest.approx(1_795_161_662.123456)
    assert made.expires_at == pytest.approx(made.created_at + 48 * 3600)
    embed = "POST /v1beta/models/gemini-embedding-2:asyncBatchEmbedContent"
    script = Scripted({embed: httpx.Response(200, json=operation())})
    model = "models/gemini-embedding-2"
    await gemini(script).create(draft(endpoint="/v1/embeddings", model=model))
    with pytest.raises(InputError, match="no model"):
        await gemini(script).create(draft(model=""))


async def test_a_full_queue_is_no_failure_of_the_batch() -> None:
    error = {"code": 429, "message": "You exceeded your quota", "status": "RESOURCE_EXHAUSTED"}
    script = Scripted({CREATE: httpx.Response(429, json={"error": error})})
    with pytest.raises(QuotaError, match="exceeded your quota"):
        await gemini(script).create(draft())


FILE = {"responsesFile": "files/batch-q8"}
INLINE = {"inlinedResponses": {"inlinedResponses": [
    {"metadata": {"key": "a"}, "response": {"candidates": [
        {"content": {"parts": [{"text": "4"}]}, "finishReason": "STOP"}]}},
    {"error": {"code": 3, "message": "bad"}},
]}}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "fields", "status", "refs"),
    [
        ("BATCH_STATE_UNSPECIFIED", {}, BatchStatus.VALIDATING, []),
        ("JOB_STATE_QUEUED", {}, BatchStatus.QUEUED, []),
        ("JOB_STATE_RUNNING", {}, BatchStatus.IN_PROGRESS, []),
        ("JOB_STATE_PAUSED", {}, BatchStatus.IN_PROGRESS, []),
        ("BATCH_STATE_UPDATING", {}, BatchStatus.IN_PROGRESS, []),
        ("JOB_STATE_CANCELLING", {}, BatchStatus.CANCELLING, []),
        ("BATCH_STATE_SUCCEEDED", {"done": True, "response": FILE}, BatchStatus.COMPLETED,
         ["files/batch-q8"]),
        ("BATCH_STATE_SUCCEEDED", {"done": True, "metadata": {"output": FILE}},
         BatchStatus.COMPLETED, ["files/batch-q8"]),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", {"response": INLINE}, BatchStatus.COMPLETED,
         ["inline:q8"]),
        ("BATCH_STATE_EXPIRED", {"done": True}, BatchStatus.EXPIRED, []),
        ("BATCH_STATE_FAILED", {"error": {"code": 13, "message": "m"}}, BatchStatus.FAILED, []),
        ("BATCH_STATE_RUNNING", {"done": True, "error": {"code": 1, "message": "m"}},
         BatchStatus.CANCELLED, []),
        ("BATCH_STATE_RUNNING", {"done": True, "error": {"code": 13, "message": "m"}},
         BatchStatus.FAILED, []),
        ("BATCH_STATE_NEW_WORD", {"done": True, "response": FILE}, BatchStatus.COMPLETED,
         ["files/batch-q8"]),
        ("BATCH_STATE_NEW_WORD", {}, BatchStatus.UNKNOWN, []),
    ],
)  # fmt: skip
async def test_states(
    state: str, fields: dict[str, Any], status: BatchStatus, refs: list[str]
) -> None:
    script = Scripted({GET: httpx.Response(200, json=operation(state, **fields))})
    found = await gemini(script).retrieve("q8")
    assert (found.id, found.status, found.raw_status) == ("q8", status, state)
    assert [source.ref for source in found.results] == refs
    assert not any(source.deletable for source in found.results)
    assert found.counts == RemoteCounts(total=3, completed=0, failed=0)
    assert "inlinedResponses" not in json.dumps(found.raw)
    if "error" in fields:
        assert found.issues[0].code in ("CANCELLED", "INTERNAL")


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED", "FAILED"])
async def test_a_batch_that_did_not_end_well_has_no_answers(state: str) -> None:
    stats = {"requestCount": "3", "successfulRequestCount": "2", "failedRequestCount": "1"}
    value = operation(f"BATCH_STATE_{state}", done=True, metadata={"batchStats": stats})
    script = Scripted({GET: httpx.Response(200, json=value)})
    found = await gemini(script).retrieve("q8")
    assert found.counts == RemoteCounts(total=3, completed=0, failed=0)


async def test_all_pages_of_the_list_are_read() -> None:
    theirs = {**operation(metadata={"displayName": "nightly"}), "name": "batches/p1"}
    pages = [
        httpx.Response(200, json={"operations": [theirs], "nextPageToken": "t2"}),
        httpx.Response(200, json={"nextPageToken": "t3"}),
        httpx.Response(200, json={"operations": [operation()], "nextPageToken": ""}),
    ]
    script = Scripted({"GET /v1beta/batches": pages})
    found = [one async for one in gemini(script).list_batches()]
    assert [(one.id, one.intent) for one in found] == [("p1", None), ("q8", "b1")]
    assert found[0].metadata == {"name": "nightly"}
    assert [dict(call.url.params) for call in script.requests] == [
        {"pageSize": "100"},
        {"pageSize": "100", "pageToken": "t2"},
        {"pageSize": "100", "pageToken": "t3"},
    ]


async def read(dialect: Any, source: ResultSource, **have: int) -> list[RowResult]:
    async with dialect.download(source, **have) as download:
        data = b"".join([chunk async for chunk in download.chunks])
    return [read_openai_line(line) for line in data.split(b"\n") if line]


def answer(text: str = "4", **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": text}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 1,
            "thoughtsTokenCount": 12,
            "totalTokenCount": 18,
        },
        "modelVersion": "gemini-3.5-flash",
        **fields,
    }


LINES: list[dict[str, Any]] = [
    {"response": answer(), "key": "a"},
    {"key": "b", "error": {"code": 3, "message": "bad"}},
    {"key": "c", "status": {"code": 8, "message": "later"}},
    {"key": "d", "response": {"promptFeedback": {"blockReason": "SAFETY"}}},
    {"key": "e", "response": answer(candidates=[{"finishReason": "MAX_TOKENS"}])},
    {"key": "f", "response": {"candidates": [{"content": {"parts": [
        {"functionCall": {"name": "f", "args": {"x": 1}}}]}, "finishReason": "STOP"}]}},
    {"key": "g", "response": {"embedding": {"values": [0.5, 1.0]}, "tokenCount": "7"}},
    {"key": "h", "response": answer(candidates=[{"finishReason": "RECITATION"}])},
    {"key": "i"},
    {"custom_id": "j", "response": {"status_code": 200, "body": {
        "model": "gemini-3.5-flash",
        "choices": [{"message": {"content": "4"}, "finish_reason": "stop"}],
        "usage": {"promptTokens": 5, "completionTokens": 1, "totalTokens": 18}}}},
]  # fmt: skip


async def test_the_lines_of_a_result_file() -> None:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in LINES[:8] + LINES[9:])
    script = Scripted({
        "GET /download/v1beta/files/batch-q8:download": httpx.Response(200, content=data)
    })  # fmt: skip
    source = ResultSource(kind="output", ref="files/batch-q8", deletable=False)
    found = {row.custom_id: row for row in await read(gemini(script), source)}
    assert script.requests[0].url.params["alt"] == "media"
    a, b, c, d, e, f, g, h, j = (found[name] for name in "abcdefghj")
    assert (a.outcome, a.text, a.model) == (Outcome.SUCCEEDED, "4", "gemini-3.5-flash")
    assert (a.usage.input_tokens, a.usage.output_tokens) == (5, 13)
    assert b.error is not None and c.error is not None
    assert (b.outcome, b.error.code, b.error.retryable) == (
        Outcome.FAILED, "INVALID_ARGUMENT", False)  # fmt: skip
    assert (c.error.code, c.error.message, c.error.retryable) == (
        "RESOURCE_EXHAUSTED", "later", True)  # fmt: skip
    assert (d.outcome, d.text) == (Outcome.REFUSED, "The prompt was blocked: SAFETY")
    assert e.outcome is Outcome.TRUNCATED
    assert (f.outcome, f.text) == (Outcome.SUCCEEDED, 'f({"x":1})')
    assert (g.text, g.usage.input_tokens) == ("1 vector of 2 numbers", 7)
    assert h.outcome is Outcome.REFUSED
    assert (j.text, j.usage.input_tokens, j.usage.output_tokens) == ("4", 5, 13)


async def test_results_inside_the_batch() -> None:
    done = operation("BATCH_STATE_SUCCEEDED", done=True, response=INLINE)
    script = Scripted({GET: httpx.Response(200, json=done)})
    dialect = gemini(script)
    (source,) = (await dialect.retrieve("q8")).results
    first, second = await read(dialect, source)
    assert (first.custom_id, first.text) == ("a", "4")
    # The rows of a file have keys, so an answer without one is nobody's.
    assert (second.custom_id, second.outcome) == ("an answer without a key, 1", Outcome.FAILED)
    del done["metadata"]["inputConfig"]
    inline = gemini(Scripted({GET: httpx.Response(200, json=done)}))
    _, second = await read(inline, source)
    assert second.custom_id == "request-1"


async def test_a_cut_download_goes_on_and_the_whole_file_is_taken_instead() -> None:
    route = "GET /download/v1beta/files/batch-q8:download"
    source = ResultSource(kind="output", ref="files/batch-q8")
    whole = json.dumps(LINES[0]).encode() + b"\n"
    script = Scripted({route: httpx.Response(200, content=whole)})
    async with gemini(script).download(source, have_bytes=10, have_lines=1) as download:
        assert not download.appends
    assert script.requests[0].headers["Range"] == "bytes=10-"


async def test_cancel_and_delete() -> None:
    stopped = operation("BATCH_STATE_CANCELLED", done=True, error={"code": 1, "message": "m"})
    script = Scripted({
        "POST /v1beta/batches/q8:cancel": httpx.Response(200, json={}),
        GET: httpx.Response(200, json=stopped),
        "DELETE /v1beta/batches/q8": httpx.Response(200, json={}),
        "DELETE /v1beta/files/k1": httpx.Response(200, json={}),
    })  # fmt: skip
    dialect = gemini(script)
    assert (await dialect.cancel("q8")).status is BatchStatus.CANCELLED
    await dialect.delete_batch("q8")
    await dialect.delete_file("files/k1")
    with pytest.raises(UsageError, match="result files"):
        await dialect.delete_file("files/batch-q8")
    assert script.calls[-1] == "DELETE /v1beta/files/k1"


async def test_a_file_that_is_gone_counts_as_deleted() -> None:
    def denied(text: str) -> Scripted:
        error = {"code": 403, "message": text, "status": "PERMISSION_DENIED"}
        answer = httpx.Response(403, json={"error": error})
        return Scripted({"DELETE /v1beta/files/k1": answer})

    words = "You do not have permission to access the File k1"
    await gemini(denied(f"{words} or it may not exist.")).delete_file("files/k1")
    with pytest.raises(KeyRejectedError, match="may not delete"):
        await gemini(denied("This key may not delete files.")).delete_file("files/k1")


async def test_models_that_take_batches() -> None:
    pages = [
        httpx.Response(200, json={"models": [
            {"name": "models/a", "supportedGenerationMethods": ["generateContent"]},
            {"name": "models/b", "supportedGenerationMethods": ["batchGenerateContent"]},
        ], "nextPageToken": "t"}),
        httpx.Response(200, json={"models": [
            {"name": "models/c", "supportedGenerationMethods": ["asyncBatchEmbedContent"]}]}),
    ]  # fmt: skip
    assert await gemini(Scripted({"GET /v1beta/models": pages})).models() == ["b", "c"]


def line(body: Mapping[str, Any], url: str = "/v1/chat/completions") -> bytes:
    request = {"custom_id": "a", "method": "POST", "url": url, "body": body}
    return json.dumps(request).encode()


CHAT = {"model": "gemini-3.5-flash", "messages": [{"role": "user", "content": "2+2?"}]}


async def test_one_request_now_and_its_tokens() -> None:
    model = "/v1beta/models/gemini-3.5-flash"
    script = Scripted({
        f"POST {model}:generateContent": httpx.Response(200, json=answer()),
        f"POST {model}:countTokens": httpx.Response(200, json={"totalTokens": 7}),
    })  # fmt: skip
    dialect = gemini(script)
    assert json.loads(await dialect.ask(line(CHAT)))["candidates"]
    contents = [{"role": "user", "parts": [{"text": "2+2?"}]}]
    assert script.sent() == {"contents": contents}
    assert await dialect.count_tokens(line(CHAT)) == 7
    assert script.sent() == {"contents": contents}
    system = {"role": "system", "content": "short"}
    assert await dialect.count_tokens(line({**CHAT, "messages": [system, *CHAT["messages"]]})) == 7
    counted = script.sent()["generateContentRequest"]
    assert counted["model"] == "models/gemini-3.5-flash"
    assert counted["systemInstruction"] == {"parts": [{"text": "short"}]}


def test_rows_are_native_unless_the_profile_says_openai() -> None:
    native, openai = GeminiEncoder("native"), GeminiEncoder("openai")
    contents = [{"role": "user", "parts": [{"text": "2+2?"}]}]
    assert json.loads(native.write(line(CHAT))) == {"key": "a", "request": {"contents": contents}}
    assert openai.write(line(CHAT)) == line(CHAT)
    own = {"model": "m", "contents": contents, "generationConfig": {"temperature": 0}}
    for given in (
        line(own, "/v1beta/models:generateContent"),
        line(own, "/v1beta/models/m:generateContent"),
        json.dumps({"key": "a", "request": own}).encode(),
    ):
        del_model = {name: value for name, value in own.items() if name != "model"}
        assert json.loads(native.write(given)) == {"key": "a", "request": del_model}
        with pytest.raises(InputError, match=r"gemini\.rows is openai"):
            openai.write(given)
    embedding = line({"model": "e", "input": "t", "dimensions": 256}, "/v1/embeddings")
    assert json.loads(native.write(embedding))["request"] == {
        "content": {"parts": [{"text": "t"}]},
        "outputDimensionality": 256,
    }
    with pytest.raises(InputError, match="only the SDK takes"):
        native.write(json.dumps({"key": "a", "request": {"contents": [], "config": {}}}).encode())
    with pytest.raises(InputError, match="does not support"):
        native.write(line({"model": "m", "input": "x"}, "/v1/responses"))
