"""Fireworks: jobs whose ids the client chooses, over datasets.

    options = SandboxOptions(like="fireworks", key="fw_right", rows_per_second=0)
    with running(options) as url:      # tests/sandbox/conftest.py; or LocalSandbox.start(options)
        client = Fireworks(api_key="fw_right", account_id="acme", base_url=url)

Any account name is taken, and sees only its own jobs and datasets. Signed addresses are those of
this machine under its other name, which is another origin (`localhost` for `127.0.0.1`), so it has
to be served on a port. They end after 10 minutes (uploads: an hour) of the sandbox's clock, refuse
every request that carries a key, and answer errors in XML, as Google Cloud Storage does.

What one may not expect:

- a job that is deleted while it runs is DELETING_CLEANING_UP for a moment, then unknown, and has no
  output dataset; there is no cancel. A job that is deleted later leaves its output dataset;
- a row of a wrong form (a role that there is not, no messages) fails the whole job;
- `totalInputRequests` is what the dataset declared as `exampleCount`, true or not;
- the output dataset has the files `BIJOutputSet.jsonl` and `error-data`, under names that begin
  with `dataset/ID/`; one of them may be empty;
- there is no output dataset before the end, nor after a failure; with `late_file` it comes later.

The quirk `queue-full` refuses a create with 429.

Sources: client library fireworks-ai 1.2.30; docs.fireworks.ai, "Batch API". What they leave open is
as an adapter's public notes of real calls of 2026-08-30 show it: names of the files, the form of
lines, `example_count`, the 403 of a wrong key, a failed job, a delete. The form of lines in
`error-data` nobody has shown.
"""

from __future__ import annotations

import re
import secrets
import threading
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import Backend, Dialect, Endpoints
from tui.sandbox.clouds.google_lists import matches, page_of
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.fireworks.datasets import (
    ACCOUNT,
    Datasets,
    camel,
    check_id,
    find_dataset,
    missing,
    precondition,
)
from tui.sandbox.providers.fireworks.rows import ROW_FORMAT
from tui.sandbox.results import iso_time
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import MODELS

_STATES = {
    "validating": "VALIDATING",
    "in_progress": "RUNNING",
    "finalizing": "WRITING_RESULTS",
    "cancelling": "DELETING_CLEANING_UP",
    "cancelled": "DELETING_CLEANING_UP",
    "completed": "COMPLETED",
    "failed": "FAILED",
    "expired": "EXPIRED",
}
_CODES = {400: 3, 403: 7, 404: 5, 405: 12, 409: 6, 429: 8, 500: 13, 503: 14}
"""The gRPC code of each HTTP status."""
_NAMED = {"FAILED_PRECONDITION": 9}
_JOB = frozenset(
    {"displayName", "model", "inputDatasetId", "outputDatasetId", "inferenceParameters",
     "precision", "continuedFromJobName", "systemPrompt", "maxJobDuration"}
)  # fmt: skip
_PARAMETERS = frozenset({"maxTokens", "temperature", "topP", "topK", "n", "extraBody"})
_MODEL = re.compile(r"accounts/[a-z0-9-]+/(?:models|deployments|deployedModels)/[^/]+")


def error(failure: ApiError) -> Response:
    """Build the response `{code, message, details}` of gRPC, or OpenAI's for a wrong key."""
    if failure.status == 401:
        absent = failure.message.startswith("You didn't")
        text = "API key is missing" if absent else "The API key you provided is invalid."
        inner = {"message": text, "param": None, "code": "UNAUTHORIZED", "type": "error"}
        body: dict[str, Any] = {"error": inner, "request_id": secrets.token_hex(16)}
        return JSONResponse(body, 401 if absent else 403, failure.headers)
    code = _NAMED.get(failure.code or "", _CODES.get(failure.status, 2))
    body = {"code": code, "message": failure.message, "details": []}
    return JSONResponse(body, failure.status, failure.headers)


class InferenceJobs(Endpoints):
    """The job routes, and the lists of accounts and models."""

    def __init__(self, backend: Backend) -> None:
        """Serve what `backend` stores."""
        super().__init__(backend)
        # Two creates under one id make one job.
        self._creating = threading.Lock()

    def routes(self) -> list[Route]:
        """The four routes of jobs, and two lists."""
        backend, all_of = self.backend, f"{ACCOUNT}/batchInferenceJobs"
        return [
            route(backend, "POST", all_of, self.create, "create"),
            route(backend, "GET", all_of, self.list_jobs, "list"),
            route(backend, "GET", f"{all_of}/{{id}}", self.retrieve, "retrieve"),
            route(backend, "DELETE", f"{all_of}/{{id}}", self.delete, "cancel"),
            route(backend, "GET", "/v1/accounts", self.accounts, "accounts"),
            route(backend, "GET", f"{ACCOUNT}/models", self.models, "models"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a job under the id that the client chose, or a generated one."""
        body = camel(await json_body(request), _JOB, "body")
        name = request.query_params.get("batchInferenceJobId") or f"bij-{secrets.token_hex(4)}"
        check_id(name, "batch inference job id")
        if self.backend.quirks.use("queue-full"):
            raise ApiError(429, "quota exceeded for batch inference jobs")
        account = request.path_params["account"]
        return JSONResponse(await in_thread(self._create_once, account, name, body))

    def _create_once(self, account: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        with self._creating:
            return self._create(account, name, body)

    def _create(self, account: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        backend = self.backend
        if self._find(account, name) is not None:
            raise ApiError(409, f"batch inference job {name} already exists")
        model = body.get("model")
        if not isinstance(model, str) or not _MODEL.fullmatch(model):
            raise ApiError(400, f"invalid model {model!r}: must be accounts/ACCOUNT/models/MODEL")
        source = _short(body.get("inputDatasetId"), account, "input_dataset_id")
        target = f"bij-{secrets.token_hex(4)}"
        if body.get("outputDatasetId"):
            target = check_id(
                _short(body["outputDatasetId"], account, "output_dataset_id"), "dataset id"
            )
        found = find_dataset(backend, account, source)
        if found is None:
            raise missing()
        file, dataset = found
        if not 0 < dataset.ready <= backend.now():
            raise precondition(f"dataset {source} is not ready")
        if find_dataset(backend, account, target) or self._by(account, "output", target):
            raise ApiError(409, f"dataset {target} already exists")
        given = camel(body.get("inferenceParameters") or {}, _PARAMETERS, "inference_parameters")
        self._check_extra(given)
        batch = backend.create(
            file,
            batch_id=f"bij_{backend.token()}",
            endpoint="/v1/chat/completions",
            extra={
                "account": account,
                "job": name,
                "display": str(body.get("displayName") or ""),
                "model": model,
                "input": source,
                "files": sorted(dataset.files or ()),
                "declared": int(dataset.count),
                "output": target,
                "parameters": given,
                "precision": body.get("precision", "PRECISION_UNSPECIFIED"),
                "hidden": False,
            },
        )
        return self.show(batch, fresh=True)

    @staticmethod
    def _check_extra(given: dict[str, Any]) -> None:
        text = given.get("extraBody")
        if text is None:
            return
        try:
            value = msgspec.json.decode(text) if isinstance(text, str) else None
        except msgspec.DecodeError:
            value = None
        if not isinstance(value, dict):
            raise ApiError(400, "inference_parameters.extra_body must be a JSON object as text")

    def list_jobs(self, request: Request) -> Response:
        """List a page of jobs, oldest first unless asked otherwise."""
        account, asked = request.path_params["account"], request.query_params
        order = asked.get("orderBy", "created_time").split()
        if order[0] not in ("created_time", "create_time") or order[1:] not in ([], ["desc"]):
            raise ApiError(400, f"invalid order_by {asked['orderBy']!r}")
        found = [batch for batch in self.backend.batches() if self._is_visible(batch, account)]
        if order[1:] != ["desc"]:
            found.reverse()
        shown = [self.show(batch, fresh=self.backend.options.stale_list) for batch in found]
        shown = [job for job in shown if matches(asked.get("filter", ""), _fields(job))]
        page = page_of(request, "batchInferenceJobs", shown, default=50, maximum=200)
        return JSONResponse({**page, "totalSize": len(shown)})

    def retrieve(self, request: Request) -> Response:
        """Return a job."""
        batch = self._wanted(request)
        if self.backend.is_hidden(batch):
            raise missing()
        return JSONResponse(self.show(batch))

    def delete(self, request: Request) -> Response:
        """Delete a job; one that runs ends, and its results are lost."""
        batch = self._wanted(request)
        if self.backend.view(batch).ended:
            self.backend.state.change(batch, extra={**batch.extra, "hidden": True})
        else:
            self.backend.state.record_cancel(batch, self.backend.now())
        return JSONResponse({})

    def accounts(self, request: Request) -> Response:
        """List the account of the key."""
        account = {"name": "accounts/sandbox", "displayName": "Sandbox", "state": "READY"}
        return JSONResponse({"accounts": [account], "nextPageToken": "", "totalSize": 1})

    def models(self, request: Request) -> Response:
        """List the models of an account."""
        account = request.path_params["account"]
        shown = [{"name": f"accounts/{account}/models/{name}", "state": "READY"} for name in MODELS]
        return JSONResponse({"models": shown, "nextPageToken": "", "totalSize": len(shown)})

    def _wanted(self, request: Request) -> StoredBatch:
        batch = self._find(request.path_params["account"], request.path_params["id"])
        if batch is None:
            raise missing()
        return batch

    def _find(self, account: str, name: str) -> StoredBatch | None:
        found = self._by(account, "job", name)
        return found if found is not None and self._is_visible(found, account) else None

    def _by(self, account: str, key: str, value: str) -> StoredBatch | None:
        """The newest job of an account with a value, deleted ones too."""
        for batch in self.backend.batches():
            if batch.extra["account"] == account and batch.extra[key] == value:
                return batch
        return None

    def _is_visible(self, batch: StoredBatch, account: str) -> bool:
        """Whether a job is of an account and not deleted."""
        if batch.extra["account"] != account or batch.extra["hidden"]:
            return False
        return self.backend.view(batch).status != "cancelled"

    def show(self, batch: StoredBatch, *, fresh: bool = False) -> dict[str, Any]:
        """Build the job object; empty texts are not left out."""
        backend, extra = self.backend, batch.extra
        view = backend.view(batch, fresh=fresh)
        word = f"JOB_STATE_{_STATES[view.status]}"
        if view.status == "in_progress" and not view.done:
            word = "JOB_STATE_PENDING"
        account = f"accounts/{extra['account']}"
        return {
            "name": f"{account}/batchInferenceJobs/{extra['job']}",
            "displayName": extra["display"],
            "createTime": iso_time(batch.created),
            "updateTime": iso_time(view.ended_at or backend.now()),
            "expireTime": iso_time(batch.created + batch.seconds),
            "createdBy": "user@example.com",
            "state": backend.options.unknown_word or word if view.ended else word,
            "status": self._status(batch, view),
            "model": extra["model"],
            "inputDatasetId": f"{account}/datasets/{extra['input']}",
            "outputDatasetId": f"{account}/datasets/{extra['output']}",
            "inferenceParameters": {"extraBody": "{}", **extra["parameters"]},
            "precision": extra["precision"],
            "jobProgress": None if view.status == "validating" else self._progress(batch, view),
            "continuedFromJobName": "",
            "systemPrompt": "",
            "maxJobDuration": None,
            "waitingOnCapacity": False,
        }

    def _progress(self, batch: StoredBatch, view: BatchView) -> dict[str, int]:
        spent, made = self.backend.tokens(batch, view)
        return {
            "percent": 100 * view.done // view.total if view.total else 0,
            "epoch": 0,
            "totalInputRequests": batch.extra["declared"] if view.done else 0,
            "totalProcessedRequests": view.done,
            "successfullyProcessedRequests": view.succeeded,
            "failedRequests": view.failed,
            "outputRows": view.succeeded,
            "inputTokens": spent,
            "outputTokens": made,
            "cachedInputTokenCount": 0,
        }

    @staticmethod
    def _status(batch: StoredBatch, view: BatchView) -> dict[str, str]:
        if view.status != "failed":
            return {"code": "OK", "message": ""}
        first = batch.problems[0]
        # Its numbers of lines begin at 0.
        place = f"{batch.extra['files'][0]}:{(first['line'] or 1) - 1}"
        text = "Dataset has a syntax error: chat dataset validation failed on"
        return {"code": "INVALID_ARGUMENT", "message": f"{text} {place}: {first['message']}"}


def _fields(job: dict[str, Any]) -> dict[str, str]:
    """The fields of a job that a filter may name."""
    return {
        "name": job["name"],
        "display_name": job["displayName"],
        "state": job["state"],
        "model": job["model"],
        "create_time": job["createTime"],
        "input_dataset_id": job["inputDatasetId"],
        "output_dataset_id": job["outputDatasetId"],
    }


def _short(value: Any, account: str, name: str) -> str:
    """The id of a dataset, which may be given as a resource name of this account."""
    if not isinstance(value, str) or not value:
        raise ApiError(400, f"{name} is required")
    short = value.removeprefix(f"accounts/{account}/datasets/")
    if "/" in short:
        raise ApiError(403, f"no permission for {value}")
    return short


DIALECT = Dialect(ROW_FORMAT, (Datasets, InferenceJobs), error)
"""Fireworks."""
