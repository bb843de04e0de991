"""Fireworks' datasets: uploads by one call or to signed addresses, and results to download."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import DAY, Backend, Endpoints
from tui.sandbox.clouds.google_lists import matches, page_of
from tui.sandbox.clouds.signed_addresses import (
    PATH,
    length_range,
    refused,
    signed_address,
    storage_error,
)
from tui.sandbox.errors import ApiError
from tui.sandbox.results import iso_time, read_file, send_bytes
from tui.sandbox.state import StoredBatch, StoredFile, stage_seconds

ACCOUNT = "/v1/accounts/{account}"
RESULTS, ERRORS = "BIJOutputSet.jsonl", "error-data"
"""The two files of an output dataset."""
_MAX_UPLOAD = 150_000_000
_UPLOAD_SECONDS, _DOWNLOAD_SECONDS = 3600, 599
_LIFE = 3650 * DAY
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_FIELDS = frozenset(
    {"displayName", "exampleCount", "format", "userUploaded", "evalProtocol", "externalUrl",
     "sourceJobName", "splitted", "transformed", "evaluationResult"}
)  # fmt: skip


def missing() -> ApiError:
    """The error for an unknown resource."""
    return ApiError(404, "resource not found")


def precondition(text: str) -> ApiError:
    """The error for a call that the state of a resource does not allow."""
    return ApiError(400, text, code="FAILED_PRECONDITION")


def check_id(value: Any, what: str) -> str:
    """Check an id that the client chose; 400 if it cannot be one."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        text = "lowercase letters, digits and hyphens, at most 63 characters"
        raise ApiError(400, f"invalid {what} {value!r}: must be {text}")
    return value


def camel(body: Any, known: frozenset[str], where: str) -> dict[str, Any]:
    """An object with its keys in camelCase; both spellings are accepted, other keys are not."""
    if not isinstance(body, dict):
        raise ApiError(400, f"{where}: expected an object")
    made = {}
    for name, value in body.items():
        first, *rest = str(name).split("_")
        full = first + "".join(map(str.capitalize, rest))
        if full not in known:
            raise ApiError(400, f'proto: unknown field "{name}"')
        made[full] = value
    return made


@dataclass
class Dataset:
    """An uploaded dataset; what the sandbox's table of files has no column for.

    Attributes:
        account: The account.
        name: The id that the client chose.
        count: The number of examples that the client declared.
        display: The display name.
        files: The registered files, and the sizes that were declared.
        ready: Unix time from which it is ready; 0 before its content is there.
    """

    account: str
    name: str
    count: str
    display: str = ""
    files: dict[str, int] | None = None
    ready: float = 0.0


class Datasets(Endpoints):
    """The dataset routes, and the object store behind their signed addresses."""

    def __init__(self, backend: Backend) -> None:
        """Serve what `backend` stores."""
        super().__init__(backend)
        # Two creates under one id make one dataset.
        self._creating = threading.Lock()

    def routes(self) -> list[Route]:
        """The routes of datasets and of the object store."""
        backend, all_of = self.backend, f"{ACCOUNT}/datasets"
        one, stored = f"{all_of}/{{id}}", f"{PATH}/{{account}}/dataset/{{id}}/{{file}}"
        return [
            route(backend, "POST", all_of, self.create, "create-dataset"),
            route(backend, "GET", all_of, self.list_datasets, "list-files"),
            route(backend, "POST", f"{one}:upload", self.upload, "upload"),
            route(backend, "POST", f"{one}:getUploadEndpoint", self.upload_endpoint, "endpoint"),
            route(backend, "POST", f"{one}:validateUpload", self.validate, "validate"),
            route(backend, "GET", f"{one}:getDownloadEndpoint", self.download_endpoint, "endpoint"),
            route(backend, "GET", one, self.retrieve, "retrieve-file"),
            route(backend, "DELETE", one, self.delete, "delete"),
            route(backend, "PUT", stored, self.put, "upload"),
            route(backend, "GET", stored, self.get, "content"),
        ]

    async def create(self, request: Request) -> Response:
        """Create an empty dataset under the id that the client chose."""
        known = frozenset({"datasetId", "dataset", "sourceDatasetId"})
        body = camel(await json_body(request), known, "body")
        name = check_id(body.get("datasetId"), "dataset id")
        dataset = camel(body.get("dataset"), _FIELDS, "dataset")
        count = dataset.get("exampleCount")
        if not isinstance(count, str | int) or not str(count).isdecimal() or not int(count):
            raise ApiError(400, "example_count is required for uploaded datasets")
        account = request.path_params["account"]
        made = Dataset(account, name, str(count), str(dataset.get("displayName") or ""))
        return JSONResponse(await in_thread(self._create_once, made))

    def _create_once(self, made: Dataset) -> dict[str, Any]:
        with self._creating:
            return self._create(made)

    def _create(self, made: Dataset) -> dict[str, Any]:
        if find_dataset(self.backend, made.account, made.name) or self._results_of(
            made.account, made.name
        ):
            raise ApiError(409, f"dataset {made.name} already exists")
        draft = self.backend.draft()
        with draft.open("rb") as empty:
            file = self.backend.keep(
                empty,
                file_id=self.backend.token(),
                name=f"{made.account}/{made.name}",
                purpose=_written(made),
                life=_LIFE,
            )
        draft.unlink()
        return self.show(file)

    async def upload(self, request: Request) -> Response:
        """Take the content in one call."""
        file, dataset = await in_thread(self._waiting, request)
        form = await request.form(max_files=1, max_fields=20)
        try:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise ApiError(400, "file is required")
            if (upload.size or 0) > _MAX_UPLOAD:
                raise ApiError(400, "file is larger than 150 MB, use getUploadEndpoint")
            name = upload.filename or "rows.jsonl"
            dataset.files = {name: upload.size or 0}
            await in_thread(self._store, file, name, upload.file.read)
        finally:
            await form.close()
        await in_thread(self._finish, file, dataset)
        return JSONResponse(
            {
                "id": f"accounts/{file.name.replace('/', '/datasets/', 1)}",
                "object": "file",
                "bytes": file.bytes,
                "created_at": int(self.backend.now()),
                "filename": name,
                "purpose": "dataset",
            }
        )

    async def upload_endpoint(self, request: Request) -> Response:
        """Register files, in place of those of an earlier call, and sign an address for each."""
        body = camel(await json_body(request), frozenset({"filenameToSize", "readMask"}), "body")
        sizes = body.get("filenameToSize")
        if not isinstance(sizes, dict) or not sizes:
            raise ApiError(400, "filename_to_size is required")
        if not all(str(size).isdecimal() and "/" not in name for name, size in sizes.items()):
            raise ApiError(400, "filename_to_size must map names of files to their sizes in bytes")
        file, dataset = await in_thread(self._waiting, request)
        dataset.files = {name: int(size) for name, size in sizes.items()}
        await in_thread(self._save, file, dataset)
        sign = partial(self._sign, request, dataset, "PUT", _UPLOAD_SECONDS)
        urls = {}
        for name, size in dataset.files.items():
            needed = {
                "content-type": "application/octet-stream",
                "x-goog-content-length-range": f"{size},{size}",
            }
            urls[name] = sign(name, headers=needed)
        return JSONResponse({"filenameToSignedUrls": urls})

    async def put(self, request: Request) -> Response:
        """Take the content of one file at its signed address."""
        problem = self._refused(request)
        if problem is not None:
            return problem
        place = request.path_params
        found = await in_thread(find_dataset, self.backend, place["account"], place["id"])
        if found is None:
            return storage_error(404, "NoSuchBucket", "The specified bucket does not exist.")
        data = await request.body()
        allowed = length_range(request)
        if allowed is None or not allowed[0] <= len(data) <= allowed[1]:
            return storage_error(400, "EntityTooLarge", "The length is not in the signed range.")
        pieces = iter((data, b""))
        await in_thread(self._store, found[0], place["file"], lambda _: next(pieces))
        return Response()

    async def validate(self, request: Request) -> Response:
        """Look at the files that were put, and make the dataset ready."""
        await json_body(request)
        file, dataset = await in_thread(self._waiting, request)
        await in_thread(self._finish, file, dataset)
        return JSONResponse({})

    def list_datasets(self, request: Request) -> Response:
        """List a page of the datasets of an account, by name."""
        account = request.path_params["account"]
        files = self.backend.state.files(self.backend.options.like)
        shown = [self.show(file) for file in files if file.name.startswith(f"{account}/")]
        for batch in self.backend.batches():
            if batch.extra["account"] == account and self._results_are_there(batch):
                shown.append(self._show_results(batch))
        asked = request.query_params.get("filter", "")
        shown = [
            one for one in shown if matches(asked, {"name": one["name"], "state": one["state"]})
        ]
        shown.sort(key=lambda one: str(one["name"]))
        page = page_of(request, "datasets", shown, default=50, maximum=200)
        return JSONResponse({**page, "totalSize": len(shown)})

    def retrieve(self, request: Request) -> Response:
        """Return a dataset, uploaded or made by a job."""
        account, name = request.path_params["account"], request.path_params["id"]
        found = find_dataset(self.backend, account, name)
        if found is not None:
            return JSONResponse(self.show(found[0]))
        batch = self._results_of(account, name)
        if batch is None:
            raise missing()
        return JSONResponse(self._show_results(batch))

    def delete(self, request: Request) -> Response:
        """Delete a dataset, uploaded or made by a job."""
        account, name = request.path_params["account"], request.path_params["id"]
        found = find_dataset(self.backend, account, name)
        batch = None if found else self._results_of(account, name)
        if found is not None:
            self.backend.remove_file(found[0])
            for part in self._parts(*found):
                part.unlink(missing_ok=True)
        elif batch is not None:
            self.backend.state.change(batch, out_gone=1)
        else:
            raise missing()
        return JSONResponse({})

    async def download_endpoint(self, request: Request) -> Response:
        """Sign an address for each file of a dataset; a call with a body is refused."""
        if await request.body():
            return Response("<html><title>Error 400 (Bad Request)!!1</title></html>", 400)
        account, name = request.path_params["account"], request.path_params["id"]
        found = await in_thread(find_dataset, self.backend, account, name)
        if found is not None:
            dataset = found[1]
            if not self._is_ready(dataset):
                raise precondition(f"dataset {name} is not ready")
            names = list(dataset.files or ())
        elif await in_thread(self._results_of, account, name):
            dataset, names = Dataset(account, name, ""), [RESULTS, ERRORS]
        else:
            raise missing()
        sign = partial(self._sign, request, dataset, "GET", _DOWNLOAD_SECONDS)
        urls = {f"dataset/{name}/{file}": sign(file) for file in names}
        return JSONResponse({"filenameToSignedUrls": urls})

    def get(self, request: Request) -> Response:
        """Send one file from its signed address."""
        problem = self._refused(request)
        if problem is not None:
            return problem
        account, name, file_name = (request.path_params[key] for key in ("account", "id", "file"))
        found = find_dataset(self.backend, account, name)
        chunks: Callable[[int], Iterator[bytes]]
        if found is not None and file_name in (found[1].files or ()):
            path = self.backend.file_path(found[0])
            path = path.with_name(f"{path.name}.{file_name}")
            return send_bytes(
                request, path.stat().st_size, partial(read_file, path), "application/octet-stream"
            )
        batch = self._results_of(account, name)
        if batch is None or file_name not in (RESULTS, ERRORS):
            return storage_error(404, "NoSuchKey", "The specified key does not exist.")
        view = self.backend.view(batch)
        result = self.backend.results(batch, view, errors=file_name == ERRORS)
        assert result is not None
        chunks = result.chunks
        return send_bytes(request, result.size, chunks, "application/octet-stream")

    def _sign(
        self,
        request: Request,
        dataset: Dataset,
        method: str,
        seconds: int,
        file: str,
        headers: dict[str, str] | None = None,
    ) -> str:
        backend = self.backend
        path = f"/{dataset.account}/dataset/{dataset.name}/{file}"
        return signed_address(
            request, path, method=method, now=backend.now(), seconds=seconds,
            seed=backend.options.seed, headers=headers,
        )  # fmt: skip

    def _refused(self, request: Request) -> Response | None:
        path = request.url.path.removeprefix(PATH)
        return refused(request, path, now=self.backend.now(), seed=self.backend.options.seed)

    def _waiting(self, request: Request) -> tuple[StoredFile, Dataset]:
        """The dataset of a request that waits for its content."""
        account, name = request.path_params["account"], request.path_params["id"]
        found = find_dataset(self.backend, account, name)
        if found is None:
            raise missing()
        if found[1].ready:
            raise precondition(f"dataset {name} is not in state UPLOADING")
        return found

    def _store(self, file: StoredFile, name: str, read: Callable[[int], bytes]) -> None:
        path = self.backend.file_path(file)
        with path.with_name(f"{path.name}.{name}").open("wb") as target:
            while piece := read(1 << 20):
                target.write(piece)

    def _parts(self, file: StoredFile, dataset: Dataset) -> list[Path]:
        path = self.backend.file_path(file)
        return [path.with_name(f"{path.name}.{name}") for name in sorted(dataset.files or ())]

    def _finish(self, file: StoredFile, dataset: Dataset) -> None:
        """Join the files of a dataset in the order of their names."""
        path, parts = self.backend.file_path(file), self._parts(file, dataset)
        if not parts or not all(part.exists() and part.stat().st_size for part in parts):
            raise ApiError(400, f"dataset {dataset.name} has files without content")
        with path.open("wb") as target:
            for part in parts:
                for piece in read_file(part):
                    target.write(piece)
        self.backend.state.change(file, bytes=path.stat().st_size)
        dataset.ready = self.backend.now() + stage_seconds(self.backend.options.rows_per_second)
        self._save(file, dataset)

    def _save(self, file: StoredFile, dataset: Dataset) -> None:
        self.backend.state.change(file, purpose=_written(dataset))

    def _is_ready(self, dataset: Dataset) -> bool:
        return 0 < dataset.ready <= self.backend.now()

    def show(self, file: StoredFile) -> dict[str, Any]:
        """Build the object of an uploaded dataset."""
        dataset = _read(file)
        return {
            **_common(dataset.account, dataset.name, dataset.count, file.created),
            "displayName": dataset.display,
            "state": "READY" if self._is_ready(dataset) else "UPLOADING",
            "userUploaded": {},
        }

    def _show_results(self, batch: StoredBatch) -> dict[str, Any]:
        view, account = self.backend.view(batch), batch.extra["account"]
        ended = view.ended_at or batch.created
        return {
            **_common(account, batch.extra["output"], str(view.succeeded), ended),
            "sourceJobName": f"accounts/{account}/batchInferenceJobs/{batch.extra['job']}",
            "state": "READY",
        }

    def _results_of(self, account: str, name: str) -> StoredBatch | None:
        """The job whose results are a dataset, if they are there."""
        for batch in self.backend.batches():
            if (batch.extra["account"], batch.extra["output"]) == (account, name):
                return batch if self._results_are_there(batch) else None
        return None

    def _results_are_there(self, batch: StoredBatch) -> bool:
        view = self.backend.view(batch)
        late = self.backend.now() < (view.ended_at or 0.0) + self.backend.options.late_file
        return view.status in ("completed", "expired") and not late and not batch.out_gone


def find_dataset(backend: Backend, account: str, name: str) -> tuple[StoredFile, Dataset] | None:
    """Find an uploaded dataset."""
    for file in backend.state.files(backend.options.like):
        if file.name == f"{account}/{name}":
            return file, _read(file)
    return None


def _written(dataset: Dataset) -> str:
    return msgspec.json.encode(dataset).decode()


def _read(file: StoredFile) -> Dataset:
    return msgspec.json.decode(file.purpose, type=Dataset)


def _common(account: str, name: str, count: str, created: float) -> dict[str, Any]:
    return {
        "name": f"accounts/{account}/datasets/{name}",
        "displayName": "",
        "createTime": iso_time(created),
        "updateTime": iso_time(created),
        "createdBy": "user@example.com",
        "exampleCount": count,
        "estimatedTokenCount": "0",
        "averageTurnCount": 0,
        "encryptionState": "ENCRYPTION_STATE_PLAINTEXT",
        "externalUrl": "",
        "format": "FORMAT_UNSPECIFIED",
        "sourceJobName": "",
        "status": {"code": "OK", "message": ""},
    }
