"""Batch prediction jobs over a bucket, as Vertex AI's pages describe them, for the whole loop.

A job runs when it is created: it reads its file, and writes results to the bucket in an order of
its own, in several files.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.gcs import GCS_BUCKET, GcsServer
from tests.fakes.google_sign_in import PROJECT, SignIn
from tests.threads import in_thread

REGION = "europe-west4"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
JOBS = f"/v1/{PARENT}/batchPredictionJobs"
_PASSED = ("content-type", "content-range", "range")
_RETURNED = ("content-type", "content-range", "range", "location")
_WORD = re.compile(r"sandbox:(\w+)(?:=(\w+))?")
_FILTER = re.compile(r'labels\.batchdeck="([a-z0-9]+)"')


@dataclass
class VertexServer:
    """The jobs of one project.

    Attributes:
        gcs: The bucket.
        sign_in: Gives the tokens that are accepted.
        repeats_labels: Results repeat the labels of their request; otherwise the request as a
            server may write it, without labels.
        holds: Jobs run until they are cancelled; half of their rows are done then.
        late_files: So many looks at a job that has ended find half of its result files.
        denies_lists: The bucket at this server's address may not be listed.
        jobs: The jobs, by id.
        creates: How often a create was asked for.
        lost: So many creates are carried out, and their responses are lost.
    """

    gcs: GcsServer
    sign_in: SignIn
    repeats_labels: bool = True
    holds: bool = False
    late_files: int = 0
    denies_lists: bool = False
    lost: int = 0
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    creates: int = 0
    looks: dict[str, int] = field(default_factory=dict)
    url: str = ""
    _seen: set[str] = field(default_factory=set)
    _waiting: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """The routes of the service."""
        return [
            Route(JOBS, self._guarded(self.create), methods=["POST"]),
            Route(JOBS, self._guarded(self.list), methods=["GET"]),
            Route(f"{JOBS}/{{id}}:cancel", self._guarded(self.cancel), methods=["POST"]),
            Route(f"{JOBS}/{{id}}", self._guarded(self.get), methods=["GET"]),
            Route(f"{JOBS}/{{id}}", self._guarded(self.delete), methods=["DELETE"]),
            Route("/{path:path}", self.pass_on, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    def _guarded(self, act: Any) -> Any:
        async def guarded(request: Request) -> Response:
            if not self.sign_in.accepts(request.headers.get("authorization", "")):
                return _error(401, "UNAUTHENTICATED", "Request had invalid credentials.")
            if "id" in request.path_params and request.path_params["id"] not in self.jobs:
                return _error(404, "NOT_FOUND", "The BatchPredictionJob does not exist.")
            answer: Response = await act(request)
            return answer

        return guarded

    async def pass_on(self, request: Request) -> Response:
        """Pass a call on to the bucket, unless it is denied."""
        is_list = request.method == "GET" and request.url.path.endswith(f"/{GCS_BUCKET}/o")
        if is_list and self.denies_lists:
            words = "batches does not have storage.objects.list access to the bucket."
            return _error(403, "PERMISSION_DENIED", words)
        path = request.scope["raw_path"].decode()
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(
                request.method,
                f"{self.gcs.url}{path}?{request.url.query}",
                content=await request.body(),
                headers={
                    name: value
                    for name, value in request.headers.items()
                    if name in _PASSED or name.startswith("x-upload")
                },
            )
        kept = {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
        if "location" in kept:
            kept["location"] = kept["location"].replace(self.gcs.url, self.url)
        return Response(answer.content, answer.status_code, kept)

    async def create(self, request: Request) -> Response:
        """Create a job, and run it."""
        self.creates += 1
        job = json.loads(await request.body())
        job_id = str(7_000_000 + len(self.jobs))
        self.jobs[job_id] = {
            **job,
            "name": f"{PARENT}/batchPredictionJobs/{job_id}",
            "state": "JOB_STATE_RUNNING",
            "createTime": "2026-11-20T08:00:00Z",
            "startTime": "2026-11-20T08:01:00Z",
        }
        (uri,) = job["inputConfig"]["gcsSource"]["uris"]
        rows = [json.loads(line) for line in self.gcs.get(_key(uri)).split(b"\n") if line]
        if self.holds:
            rows = rows[: len(rows) // 2]
        results = [self._result(row) for row in rows]
        random.Random(job_id).shuffle(results)
        self._write(job_id, results)
        if self.lost:
            self.lost -= 1
            # The connection is cut in the middle of the response.
            return Response(b"{", headers={"content-length": "1000"})
        return JSONResponse({**self.jobs[job_id], "state": "JOB_STATE_PENDING"})

    def _write(self, job_id: str, results: list[dict[str, Any]]) -> None:
        job = self.jobs[job_id]
        prefix = job["outputConfig"]["gcsDestination"]["outputUriPrefix"]
        folder = f"{prefix}/prediction-model-2026-11-20T08:01:00.000Z"
        half = len(results) // 2
        files = [
            (f"{_key(folder)}/predictions_{number:04}.jsonl", _lines(part))
            for number, part in enumerate((results[:half], results[half:]), 1)
            if part
        ]
        self.gcs.put(*files[0])
        self._waiting[job_id] = files[1:]
        if not self.late_files:
            self._write_rest(job_id)
        failed = sum(bool(result.get("status")) for result in results)
        job["completionStats"] = {
            "successfulCount": str(len(results) - failed),
            "failedCount": str(failed),
            "incompleteCount": "0",
        }
        job["outputInfo"] = {"gcsOutputDirectory": folder}

    def _write_rest(self, job_id: str) -> None:
        for name, data in self._waiting.pop(job_id, ()):
            self.gcs.put(name, data)

    def _result(self, row: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(row)
        match = _WORD.search(text)
        word, value = (match[1], match[2] or "") if match else ("", "")
        custom_id = row.get("custom_id") or json.dumps(row["request"]["labels"])
        if word == "flaky" and custom_id in self._seen:
            word = ""
        self._seen.add(custom_id)
        if "body" in row:
            return _openai_result(row, word, value)
        claude = "messages" in row["request"]
        made: dict[str, Any] = {"status": "", "processed_time": "2026-11-20T08:02:00.000+00:00"}
        if claude:
            made = {"custom_id": row["custom_id"], **made}
        made["request"] = row["request"] if self.repeats_labels else _rewritten(row["request"])
        if word in ("fail", "flaky"):
            error = {"code": int(value), "message": f"Asked to fail with {value}."}
            made["status"] = f"Error: {json.dumps({'error': error})}"
            return {**made, "response": {}}
        return {**made, "response": _claude_answer(word) if claude else _gemini_answer(word)}

    async def list(self, request: Request) -> Response:
        """List the jobs, newest first."""
        match = _FILTER.fullmatch(request.query_params.get("filter", ""))
        found = [
            job
            for job in reversed(self.jobs.values())
            if match is None or job["labels"].get("batchdeck") == match[1]
        ]
        return JSONResponse({"batchPredictionJobs": found} if found else {})

    async def get(self, request: Request) -> Response:
        """Show a job; at the second look it has ended."""
        job_id = request.path_params["id"]
        job = self.jobs[job_id]
        looks = self.looks[job_id] = self.looks.get(job_id, 0) + 1
        if job["state"] == "JOB_STATE_RUNNING" and looks > 1 and not self.holds:
            job |= {"state": "JOB_STATE_SUCCEEDED", "endTime": "2026-11-20T08:05:00Z"}
        elif looks > 2 + self.late_files:
            self._write_rest(job_id)
        if job["state"] == "JOB_STATE_CANCELLING":
            job |= {"state": "JOB_STATE_CANCELLED", "endTime": "2026-11-20T08:05:00Z"}
        return JSONResponse(job)

    async def cancel(self, request: Request) -> Response:
        """Cancel a job; what is done is delivered."""
        self.jobs[request.path_params["id"]]["state"] = "JOB_STATE_CANCELLING"
        return JSONResponse({})

    async def delete(self, request: Request) -> Response:
        """Delete a job that has ended."""
        del self.jobs[request.path_params["id"]]
        return JSONResponse({"name": "operations/1", "done": True})


def _error(code: int, status: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "status": status}}, code)


def _key(uri: str) -> str:
    return uri.removeprefix(f"gs://{GCS_BUCKET}/")


def _lines(rows: list[dict[str, Any]]) -> bytes:
    # The last line has no line end.
    return b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows)


def _rewritten(request: Any) -> Any:
    """A request as a server that reads and writes it again may write it."""
    if isinstance(request, dict):
        return {
            re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower(): _rewritten(value)
            for name, value in reversed(request.items())
            if name != "labels"
        }
    if isinstance(request, list):
        return [_rewritten(value) for value in request]
    return float(request) if type(request) is int else request


def _gemini_answer(word: str) -> dict[str, Any]:
    finish = {"truncate": "MAX_TOKENS", "refuse": "SAFETY"}.get(word, "STOP")
    content = {"role": "model", "parts": [{"text": "An answer."}]}
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
    return {
        "candidates": [{"content": content, "finishReason": finish, "index": 0}],
        "usageMetadata": usage,
        "modelVersion": "gemini-3.5-flash",
    }


def _claude_answer(word: str) -> dict[str, Any]:
    stop = {"truncate": "max_tokens", "refuse": "refusal"}.get(word, "end_turn")
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": "An answer."}],
        "stop_reason": stop,
        "usage": {"input_tokens": 7, "output_tokens": 3},
    }


def _openai_result(row: dict[str, Any], word: str, value: str) -> dict[str, Any]:
    if word in ("fail", "flaky"):
        body: dict[str, Any] = {"error": {"message": f"Asked to fail with {value}."}}
        return {
            "custom_id": row["custom_id"],
            "response": {"status_code": int(value), "body": body},
            "status": "failed",
        }
    finish = {"truncate": "length", "refuse": "content_filter"}.get(word, "stop")
    message = {"role": "assistant", "content": "An answer."}
    body = {
        "model": row["body"]["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
    return {"custom_id": row["custom_id"], "response": {"status_code": 200, "body": body}}


@contextmanager
def vertex_server(gcs: GcsServer, sign_in: SignIn, **options: Any) -> Iterator[VertexServer]:
    """Serve the jobs while the block runs."""
    server = VertexServer(gcs, sign_in, **options)
    app = Starlette(routes=server.routes())
    with in_thread(uvicorn.Config(app, http="h11", ws="none", log_config=None)) as url:
        server.url = url
        yield server
