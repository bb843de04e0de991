"""A server with Fireworks' API on one port, and the store of its files on another.

Written from docs.fireworks.ai/api-reference and from recorded answers that others have published.
The store refuses a request with a key. ``lose`` names calls that act and then drop the
connection, each once for every time that it is named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.end_to_end.servers import Served, serving
from tui.sandbox.app import in_thread
from tui.sandbox.backend import Backend
from tui.sandbox.options import SandboxOptions
from tui.sandbox.providers.openai import ROW_FORMAT
from tui.sandbox.state import StoredBatch

ACCOUNT = "acme"
ROOT = f"/v1/accounts/{ACCOUNT}"
MODEL = "accounts/fireworks/models/sandbox-small"
_STATES = {
    "validating": "VALIDATING",
    "in_progress": "RUNNING",
    "finalizing": "WRITING_RESULTS",
    "completed": "COMPLETED",
    "failed": "FAILED",
    "expired": "EXPIRED",
}


def _problem(status: int, code: int, message: str) -> Response:
    return JSONResponse({"code": code, "message": message, "details": []}, status)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


class FireworksServer:
    """The datasets and jobs of one account.

    Args:
        key: The key that calls of the API must have.
        lose: The names of the calls whose answers are lost: ``dataset``, ``upload``, ``put``,
            ``create``.
        **options: More of ``SandboxOptions``.

    Attributes:
        datasets: By id: its state, its rows, and the path of its file.
        puts: The headers of the requests to signed addresses.
        created: The ids of the jobs that were made, oldest first.
    """

    def __init__(self, key: str, lose: tuple[str, ...] = (), **options: Any) -> None:
        self.backend = Backend(SandboxOptions(**{"rows_per_second": 0, **options}), ROW_FORMAT)
        self.key = key
        self.lose = list(lose)
        self.datasets: dict[str, dict[str, Any]] = {}
        self.puts: list[dict[str, str]] = []
        self.created: list[str] = []
        self.storage_url = ""

    def api(self) -> Starlette:
        """The application of the API."""
        one = "/datasets/{id}"
        job = "/batchInferenceJobs/{id}"
        plain: list[tuple[str, str, Callable[..., Any], str]] = [
            ("POST", "/datasets", self._make_dataset, "dataset"),
            ("GET", "/datasets", self._list_datasets, ""),
            ("POST", f"{one}:upload", self._upload, "upload"),
            ("POST", f"{one}:getUploadEndpoint", self._upload_endpoint, ""),
            ("POST", f"{one}:validateUpload", self._validate, ""),
            ("GET", f"{one}:getDownloadEndpoint", self._download_endpoint, ""),
            ("GET", one, self._get_dataset, ""),
            ("DELETE", one, self._delete_dataset, ""),
            ("POST", "/batchInferenceJobs", self._create, "create"),
            ("GET", "/batchInferenceJobs", self._list_jobs, ""),
            ("GET", job, self._get_job, ""),
            ("DELETE", job, self._delete_job, ""),
        ]
        routes = [
            Route(ROOT + path, self._checked(act, name), methods=[method])
            for method, path, act, name in plain
        ]
        models = "/v1/accounts/{owner}/models"
        return Starlette(routes=[*routes, Route(models, self._checked(self._models, ""))])

    def storage(self) -> Starlette:
        """The application of the object store."""
        return Starlette(
            routes=[
                Route("/in/{id}", _Lossy(self, self._put, "put"), methods=["PUT"]),
                Route("/out/{id}/{name}", self._stored, methods=["GET"]),
            ]
        )

    def _checked(self, act: Callable[..., Any], name: str) -> Any:
        async def checked(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.key}":
                words = {"message": "The API key you provided is invalid.", "code": "UNAUTHORIZED"}
                return JSONResponse({"error": {**words, "type": "error", "param": None}}, 403)
            answer: Response = await act(request)
            return answer

        return _Lossy(self, checked, name)

    async def _make_dataset(self, request: Request) -> Response:
        body = await request.json()
        dataset_id = body["datasetId"]
        if dataset_id in self.datasets:
            return _problem(409, 6, "dataset already exists")
        count = body["dataset"].get("exampleCount")
        if not count:
            return _problem(400, 3, "example_count is required for uploaded datasets")
        self.datasets[dataset_id] = {"state": "UPLOADING", "rows": count, "path": None}
        return JSONResponse(self._dataset(dataset_id))

    def _dataset(self, dataset_id: str) -> dict[str, Any]:
        held = self.datasets[dataset_id]
        return {
            "name": f"accounts/{ACCOUNT}/datasets/{dataset_id}",
            "exampleCount": held["rows"],
            "state": held["state"],
            "status": {"code": "OK", "message": ""},
            "userUploaded": {},
        }

    async def _list_datasets(self, request: Request) -> Response:
        found = [self._dataset(each) for each in self.datasets]
        return JSONResponse({"datasets": found, "nextPageToken": "", "totalSize": len(found)})

    async def _get_dataset(self, request: Request) -> Response:
        if request.path_params["id"] not in self.datasets:
            return _problem(404, 5, "resource not found")
        return JSONResponse(self._dataset(request.path_params["id"]))

    async def _delete_dataset(self, request: Request) -> Response:
        if self.datasets.pop(request.path_params["id"], None) is None:
            return _problem(404, 5, "resource not found")
        return JSONResponse({})

    def _keep(self, dataset_id: str, data: bytes) -> None:
        path = self.backend.draft()
        path.write_bytes(data)
        self.datasets[dataset_id].update(state="READY", path=path)

    async def _upload(self, request: Request) -> Response:
        dataset_id = request.path_params["id"]
        if self.datasets[dataset_id]["state"] == "READY":
            return _problem(400, 9, "dataset is already uploaded")
        form = await request.form()
        self._keep(dataset_id, await form["file"].read())  # type: ignore[union-attr]
        return JSONResponse({"filename": "rows.jsonl", "object": "file", "purpose": "dataset"})

    async def _upload_endpoint(self, request: Request) -> Response:
        ((name, size),) = (await request.json())["filenameToSize"].items()
        address = f"{self.storage_url}/in/{request.path_params['id']}?size={size}&signature=right"
        return JSONResponse({"filenameToSignedUrls": {name: address}})

    async def _put(self, request: Request) -> Response:
        self.puts.append(dict(request.headers))
        size = request.query_params["size"]
        data = await request.body()
        wrong = "authorization" in request.headers or len(data) != int(size)
        if wrong or request.headers.get("x-goog-content-length-range") != f"{size},{size}":
            return Response("<Error><Code>SignatureDoesNotMatch</Code></Error>", 403)
        path = self.backend.draft()
        path.write_bytes(data)
        self.datasets[request.path_params["id"]]["path"] = path
        return Response()

    async def _validate(self, request: Request) -> Response:
        self.datasets[request.path_params["id"]]["state"] = "READY"
        return JSONResponse({})

    async def _create(self, request: Request) -> Response:
        body = await request.json()
        job_id = request.query_params["batchInferenceJobId"]
        if job_id in self.created:
            return _problem(409, 6, "batch inference job already exists")
        held = self.datasets.get(body["inputDatasetId"].rpartition("/")[2])
        if held is None or held["state"] != "READY":
            return _problem(400, 9, "input dataset is not ready")
        await in_thread(self._start, job_id, body, held["path"])
        self.created.append(job_id)
        return JSONResponse(self._job(job_id, fresh=True))

    def _start(self, job_id: str, body: dict[str, Any], path: Path) -> None:
        rows = self.backend.draft()
        with path.open("rb") as source, rows.open("w") as target:
            for line in source:
                row = json.loads(line)
                assert set(row) == {"custom_id", "body"}
                assert "model" not in row["body"]
                row["body"] = {"model": body["model"], **row["body"]}
                whole = {**row, "method": "POST", "url": "/v1/chat/completions"}
                target.write(json.dumps(whole) + "\n")
        output = body["outputDatasetId"].rpartition("/")[2]
        self.backend.create(
            rows,
            endpoint="/v1/chat/completions",
            batch_id=job_id,
            extra={"body": body, "output": output},
        )
        self.datasets[output] = {"state": "READY", "rows": "0", "path": None, "job": job_id}

    def _find(self, job_id: str) -> StoredBatch | None:
        found = self.backend.state.batch(job_id)
        return None if found is None or found.deleted else found

    def _job(self, job_id: str, *, fresh: bool = False) -> dict[str, Any]:
        batch = self._find(job_id)
        assert batch is not None
        view = self.backend.view(batch, fresh=fresh)
        ended = view.ended_at
        progress = {
            "percent": 100 * view.done // max(view.total, 1),
            "totalInputRequests": view.total,
            "totalProcessedRequests": view.done,
            "successfullyProcessedRequests": view.succeeded,
            "failedRequests": view.failed,
        }
        return {
            **batch.extra["body"],
            "name": f"accounts/{ACCOUNT}/batchInferenceJobs/{job_id}",
            "createTime": _time(batch.created),
            "expireTime": _time(batch.created + batch.seconds),
            "state": f"JOB_STATE_{_STATES[view.status]}",
            "status": {"code": "OK", "message": ""},
            "jobProgress": None if view.status == "validating" else progress,
            "lifecycle": {"endTime": None if ended is None else _time(ended)},
        }

    async def _list_jobs(self, request: Request) -> Response:
        found = [self._job(each) for each in self.created if self._find(each)]
        start = int(request.query_params.get("pageToken") or 0)
        page = found[start : start + 2]
        more = str(start + 2) if start + 2 < len(found) else ""
        return JSONResponse({"batchInferenceJobs": page, "nextPageToken": more})

    async def _get_job(self, request: Request) -> Response:
        if self._find(request.path_params["id"]) is None:
            return _problem(404, 5, "resource not found")
        return JSONResponse(self._job(request.path_params["id"]))

    async def _delete_job(self, request: Request) -> Response:
        batch = self._find(request.path_params["id"])
        if batch is None:
            return _problem(404, 5, "resource not found")
        self.backend.remove_batch(batch)
        return JSONResponse({})

    async def _download_endpoint(self, request: Request) -> Response:
        dataset_id = request.path_params["id"]
        held = self.datasets.get(dataset_id)
        if held is None:
            return _problem(404, 5, "resource not found")
        names = ["BIJOutputSet.jsonl", "error-data"] if "job" in held else ["rows.jsonl"]
        found = {
            f"dataset/{dataset_id}/{name}": f"{self.storage_url}/out/{dataset_id}/{name}?sig=right"
            for name in names
        }
        return JSONResponse({"filenameToSignedUrls": found})

    async def _stored(self, request: Request) -> Response:
        if "authorization" in request.headers or request.query_params["sig"] != "right":
            return Response("<Error><Code>AccessDenied</Code></Error>", 403)
        held = self.datasets[request.path_params["id"]]
        if "job" not in held:
            return Response(held["path"].read_bytes())
        errors = request.path_params["name"] == "error-data"
        batch = self._find(held["job"])
        assert batch is not None
        result = self.backend.results(batch, self.backend.view(batch), errors=errors)
        assert result is not None
        lines = b"".join(result.chunks()).splitlines()
        return StreamingResponse(iter([_line(json.loads(line)) + b"\n" for line in lines]))

    async def _models(self, request: Request) -> Response:
        owner = request.path_params["owner"]
        name = {"fireworks": MODEL}.get(owner, f"accounts/{owner}/models/own")
        return JSONResponse({"models": [{"name": name}], "nextPageToken": ""})


def _line(line: dict[str, Any]) -> bytes:
    """A result line in Fireworks' form."""
    response = line["response"] or {"status_code": 0, "body": {"error": line["error"]}}
    answer = {"response": response["body"]}
    if response["status_code"] != 200:
        answer = {"error": response["body"]["error"]}
    return json.dumps({"custom_id": line["custom_id"], **answer}).encode()


class _Lossy:
    """A route whose response is lost for every time that it is named in ``lose``."""

    def __init__(self, server: FireworksServer, act: Callable[..., Any], name: str) -> None:
        self._server, self._act, self._name = server, act, name

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        answer: Response = await self._act(request)
        if self._name not in self._server.lose:
            await answer(scope, receive, send)
            return
        self._server.lose.remove(self._name)
        receive.__self__.transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


@contextmanager
def fireworks(
    key: str, lose: tuple[str, ...] = (), **options: Any
) -> Iterator[tuple[Served, FireworksServer]]:
    """Serve it while the block runs; yields the API with its record, and the server."""
    server = FireworksServer(key, lose, **options)

    def config(app: Starlette) -> uvicorn.Config:
        return uvicorn.Config(app, http="h11", ws="none", log_config=None)

    with serving(config(server.api())) as api, serving(config(server.storage())) as storage:
        server.storage_url = storage.url
        yield api, server
    server.backend.close()
