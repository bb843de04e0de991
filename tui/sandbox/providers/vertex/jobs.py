"""Vertex AI: batch prediction jobs that read rows from a bucket and put results there.

The buckets of the user are the sandbox's own (`clouds/gcs.py`: every bucket exists), or those of an
`ObjectStore` that the caller hands in. With `GcsObjects` of `tests/fakes/gcs.py` they are those of
fake-gcs-server::

    options = SandboxOptions(
        like="vertex", objects=GcsObjects(gcs), key="ya29.token", rows_per_second=0,
    )
    with running(options) as url:      # tests/sandbox/conftest.py; or LocalSandbox.start(options)
        base = f"{url}/v1/projects/our-project/locations/europe-west4"

The key is the OAuth token that is accepted; without one, any is. Any project and location are
taken, by the path. The names in answers have the number of the project in place of its id, as
Google's have; a path may have either.

Results are put into the bucket at the end, as `{prefix}/prediction-model-TIME/predictions.jsonl`,
when a call looks at the job; a job that is cancelled or expires delivers the rows that ran.

What one may not expect:

- a row of Gemini has no id and the order is arbitrary. Its `request` is repeated, and so are the
  keys beside it, in which a text of digits comes back as a number;
- `completionStats` has no counts of 0, and is missing before a job runs;
- rows of Gemini are imported into a table first (`importer.py`): keys such as `$defs`, empty
  objects, deep schemas, or a key that is a list in one row and a text in another fail the job.

To make it fail:

- a bucket that does not exist or is in another region: the job is created, and ends as FAILED;
- a bucket that cannot be written: the job runs, and ends as FAILED with code 7;
- a model whose name ends with `does-not-exist`: a create is refused with 404;
- quirk `queue-full`: a create is refused with 429;
- quirk `several-files`: results are in `predictions_0001.jsonl` and `predictions_0002.jsonl`;
- quirk `incremental-predictions`: while the job runs, results are also in files of their own in the
  folder `incremental_predictions`, which stay beside the final ones;
- quirk `numeric-labels`: labels in the repeated request come back as the keys beside it do;
- `late_file`: the results come, and `outputInfo` is there, later than the end.

Sources: discovery document `aiplatform.v1`, revision 20261106; docs.cloud.google.com, "Batch
inference from Cloud Storage"; google-genai 3.6.1. Names, texts of errors and the import are as an
adapter's public notes of real jobs of 2026-09-02 show them. Not shown anywhere: the state of a job
whose time is over (here EXPIRED), and the names of files in `incremental_predictions`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import DAY, Backend, Dialect, Endpoints
from tui.sandbox.clouds.gcs import GcsObjects
from tui.sandbox.clouds.google_lists import matches, page_of
from tui.sandbox.clouds.objects import GrowingObjects, split_address
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.vertex.importer import PREFIX, problem_of
from tui.sandbox.providers.vertex.rows import EMBEDDINGS, GEMINI, ROW_FORMAT, endpoint_of
from tui.sandbox.results import iso_time
from tui.sandbox.state import BatchView, StoredBatch

_PATH = "/{version}/projects/{project}/locations/{location}/batchPredictionJobs"
_PROJECT_NUMBER = "111122223333"
_STATES = {
    "validating": "QUEUED",
    "in_progress": "RUNNING",
    "finalizing": "RUNNING",
    "cancelling": "CANCELLING",
    "completed": "SUCCEEDED",
    "failed": "FAILED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}
_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
_FIELDS = frozenset(
    {"displayName", "model", "inputConfig", "outputConfig", "labels", "modelParameters",
     "instanceConfig", "dedicatedResources", "serviceAccount", "encryptionSpec",
     "generateExplanation", "explanationSpec", "manualBatchTuningParameters",
     "unmanagedContainerModel", "disableContainerLogging", "name", "state"}
)  # fmt: skip
_MODEL = re.compile(
    r"(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/[^/]+"
    r"|projects/[^/]+/locations/[^/]+/models/[^/]+"
)
_LABEL_KEY, _LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_MULTI_REGIONS = {"us": ("us-", "northamerica-"), "eu": ("europe-",), "asia": ("asia-",)}
_TYPE = "type.googleapis.com/google.cloud.aiplatform.v1."


def error(failure: ApiError) -> Response:
    """Build the response `{"error": {code, message, status}}`."""
    message = failure.message
    inner: dict[str, Any] = {"code": failure.status, "message": message}
    if failure.status == 401:
        absent = message.startswith("You didn't")
        inner["message"] = (
            "Request is missing required authentication credential. Expected OAuth 2 access token, "
            "login cookie or other valid authentication credential."
            if absent
            else "Request had invalid authentication credentials. Expected OAuth 2 access token, "
            "login cookie or other valid authentication credential."
        )
        inner["details"] = [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "CREDENTIALS_MISSING" if absent else "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                "domain": "googleapis.com",
            }
        ]
    named = failure.code if failure.code == "FAILED_PRECONDITION" else None
    inner["status"] = named or _WORDS.get(failure.status, "UNKNOWN")
    return JSONResponse({"error": inner}, failure.status, failure.headers)


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise ApiError(400, f"Required field is not set: {name}")
    return value


def _gcs(value: Any, name: str) -> str:
    try:
        split_address(str(value), "gs")
    except ValueError:
        raise ApiError(400, f"{name}: Invalid Cloud Storage URI {value!r}") from None
    return str(value)


def _check_labels(value: Any) -> dict[str, str]:
    labels = {} if value is None else value
    if not isinstance(labels, dict) or len(labels) > 64:
        raise ApiError(400, "labels: expected an object with at most 64 labels")
    for key, text in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not isinstance(text, str) or not _LABEL.fullmatch(text):
            text = f"Invalid label {key!r}: lowercase letters, digits, underscores and dashes only"
            raise ApiError(400, text)
    return labels


class PredictionJobs(Endpoints):
    """The job routes."""

    def __init__(self, backend: Backend) -> None:
        """Serve what `backend` stores."""
        super().__init__(backend)
        self._objects = backend.objects
        self._results = GrowingObjects(self._objects)
        self._exported: dict[str, int] = {}

    def routes(self) -> list[Route]:
        """The five routes."""
        backend, one = self.backend, f"{_PATH}/{{id}}"
        return [
            route(backend, "POST", _PATH, self.create, "create"),
            route(backend, "GET", _PATH, self.list_jobs, "list"),
            route(backend, "POST", f"{one}:cancel", self.cancel, "cancel"),
            route(backend, "GET", one, self.retrieve, "retrieve"),
            route(backend, "DELETE", one, self.delete, "delete"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a job; every call makes one, also a second of the same content."""
        body = await json_body(request)
        for name in body:
            if name not in _FIELDS:
                text = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
                raise ApiError(400, text)
        if self.backend.quirks.use("queue-full"):
            raise ApiError(429, "Quota exceeded for concurrent batch prediction jobs.")
        made = await in_thread(self._create, request.path_params["location"], body)
        return JSONResponse(made)

    def _create(self, location: str, body: dict[str, Any]) -> dict[str, Any]:
        name, model = body.get("displayName"), body.get("model")
        if not isinstance(name, str) or not 1 <= len(name) <= 128:
            raise ApiError(400, "Required field is not set: display_name")
        if not isinstance(model, str) or not _MODEL.fullmatch(model):
            raise ApiError(400, f"Invalid resource name of a model: {model!r}")
        if model.endswith("does-not-exist"):
            short = model.rpartition("/")[2]
            raise ApiError(404, f"The PublisherModel {short} does not exist.")
        source, target = _object(body, "inputConfig"), _object(body, "outputConfig")
        formats = source.get("instancesFormat"), target.get("predictionsFormat")
        if formats != ("jsonl", "jsonl"):
            text = "the sandbox reads and writes jsonl only"
            raise ApiError(400, f"Unsupported instances_format or predictions_format: {text}")
        uris = _object(source, "gcsSource").get("uris")
        if not isinstance(uris, list) or len(uris) != 1:
            raise ApiError(400, "input_config.gcs_source.uris must have exactly one URI")
        extra: dict[str, Any] = {
            "name": name,
            "model": model,
            "location": location,
            "input": _gcs(uris[0], "input_config"),
            "output": _gcs(_object(target, "gcsDestination").get("outputUriPrefix"), "output"),
            "labels": _check_labels(body.get("labels")),
            "labels_change": "numeric-labels" in self.backend.quirks,
            "failure": None,
        }
        endpoint = endpoint_of(model)
        draft = self.backend.draft()
        try:
            extra["failure"] = self._failure(extra, endpoint, draft)
            if extra["failure"]:
                draft.write_bytes(b"")
            batch = self.backend.create(
                draft,
                batch_id=str(secrets.randbelow(9 * 10**18) + 10**18),
                endpoint=endpoint,
                seconds=DAY,
                extra=extra,
            )
        finally:
            draft.unlink(missing_ok=True)
        return self.show(batch, fresh=True)

    def _failure(self, extra: dict[str, Any], endpoint: str, draft: Path) -> dict[str, Any] | None:
        """Copy the input into a file; returns the error of the job, if that fails."""
        for address in (extra["input"], extra["output"]):
            bucket, _ = split_address(address, "gs")
            try:
                region = self._objects.region(bucket).lower()
            except (LookupError, PermissionError):
                text = f"Failed to get GCS bucket location for {bucket}. Please check that the"
                return _status(9, f"{text} bucket exists and permissions are set correctly.")
            if not _is_near(region, extra["location"]):
                text = f"The bucket {bucket} is in {region}, which must be near"
                return _status(9, f"{text} {extra['location']}.")
        try:
            self._objects.read(*split_address(extra["input"], "gs"), draft)
        except LookupError:
            return _status(5, f"File not found: {extra['input']}")
        except PermissionError:
            text = '"storage.objects.get" to read'
            return _status(7, f"{_agent()} doesn't have sufficient permission {text} the input.")
        problem = problem_of(draft) if endpoint in (GEMINI, EMBEDDINGS) else ""
        return _status(3, problem) if problem else None

    def list_jobs(self, request: Request) -> Response:
        """List a page of the jobs of a location that a filter keeps, newest first."""
        location, text = request.path_params["location"], request.query_params.get("filter", "")
        fresh = self.backend.options.stale_list
        shown = [
            self.show(batch, fresh=fresh)
            for batch in self.backend.batches()
            if batch.extra["location"] == location
        ]
        shown = [job for job in shown if matches(text, _fields(job))]
        page = page_of(request, "batchPredictionJobs", shown, default=100, maximum=1000)
        return JSONResponse({name: value for name, value in page.items() if value})

    def retrieve(self, request: Request) -> Response:
        """Return a job."""
        batch = self._find(request)
        if self.backend.is_hidden(batch):
            raise _missing(request)
        return JSONResponse(self.show(batch))

    def cancel(self, request: Request) -> Response:
        """Cancel a job that has not ended; the response is empty."""
        batch = self._find(request)
        if self._has_ended(batch):
            text = "The job is in a terminal state and cannot be cancelled."
            raise ApiError(400, text, code="FAILED_PRECONDITION")
        self.backend.state.record_cancel(batch, self.backend.now())
        return JSONResponse({})

    def delete(self, request: Request) -> Response:
        """Delete a job that has ended; its results stay in the bucket."""
        batch = self._find(request)
        if not self._has_ended(batch):
            text = "The job is not in a terminal state and cannot be deleted."
            raise ApiError(400, text, code="FAILED_PRECONDITION")
        self.backend.remove_batch(batch)
        place = f"projects/{_PROJECT_NUMBER}/locations/{batch.extra['location']}"
        return JSONResponse(
            {
                "name": f"{place}/operations/{secrets.randbelow(10**18)}",
                "metadata": {"@type": f"{_TYPE}DeleteOperationMetadata"},
                "done": True,
                "response": {"@type": "type.googleapis.com/google.protobuf.Empty"},
            }
        )

    def _has_ended(self, batch: StoredBatch) -> bool:
        return bool(batch.extra["failure"]) or self.backend.view(batch).ended

    def _find(self, request: Request) -> StoredBatch:
        batch = self.backend.batch(request.path_params["id"], _missing(request))
        if batch.extra["location"] != request.path_params["location"]:
            raise _missing(request)
        return batch

    def show(self, batch: StoredBatch, *, fresh: bool = False) -> dict[str, Any]:
        """Put the results into the bucket when they are due, and build the job."""
        backend = self.backend
        view = backend.view(batch, fresh=fresh)
        self._write(batch, view)
        extra = batch.extra
        failure = None if view.status == "validating" else extra["failure"] or _problem(batch)
        state = "PENDING" if fresh else "FAILED" if failure else _STATES[view.status]
        ended = view.ended or bool(failure)
        word = f"JOB_STATE_{state}"
        place = f"projects/{_PROJECT_NUMBER}/locations/{extra['location']}"
        shown: dict[str, Any] = {
            "name": f"{place}/batchPredictionJobs/{batch.id}",
            "displayName": extra["name"],
            "model": extra["model"],
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [extra["input"]]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": extra["output"]},
            },
            "state": backend.options.unknown_word or word if ended else word,
            "createTime": iso_time(batch.created),
            "updateTime": iso_time(view.ended_at or backend.now()),
            "modelVersionId": "1",
        }
        if extra["labels"]:
            shown["labels"] = extra["labels"]
        if "in_progress_at" in view.moments:
            shown["startTime"] = iso_time(view.moments["in_progress_at"])
        if ended:
            shown["endTime"] = shown["updateTime"]
        if failure:
            shown["error"] = failure
        elif view.status == "cancelled":
            shown["error"] = _status(1, "CANCELED")
        if stats := _stats(view, failed=bool(failure)):
            shown["completionStats"] = stats
        if ended and view.done and not self._is_late(view):
            shown["outputInfo"] = {"gcsOutputDirectory": _directory(batch)}
        return shown

    def _is_late(self, view: BatchView) -> bool:
        late = self.backend.options.late_file
        return view.ended and self.backend.now() < (view.ended_at or 0.0) + late

    def _write(self, batch: StoredBatch, view: BatchView) -> None:
        """Put the results into the bucket: all at the end, or parts of them while it runs."""
        if not view.done or batch.extra["failure"] or self._is_late(view):
            return
        bucket, folder = split_address(_directory(batch), "gs")
        quirks = self.backend.quirks
        try:
            if not view.ended:
                if "incremental-predictions" in quirks:
                    first = self._exported.get(batch.id, 0)
                    path = f"{folder}/incremental_predictions/predictions_{first:08}.jsonl"
                    self._put(bucket, path, batch, view, first, view.done)
                    self._exported[batch.id] = view.done
                return
            half = (view.done + 1) // 2
            if "several-files" in quirks:
                self._put(bucket, f"{folder}/predictions_0001.jsonl", batch, view, 0, half)
                self._put(bucket, f"{folder}/predictions_0002.jsonl", batch, view, half, view.done)
            else:
                self._put(bucket, f"{folder}/predictions.jsonl", batch, view, 0, view.done)
        except (LookupError, PermissionError):
            text = f'{_agent()} doesn\'t have sufficient permission "storage.objects.create" to'
            failure = _status(7, f"{text} write {_directory(batch)}/predictions.jsonl.")
            self.backend.state.change(batch, extra={**batch.extra, "failure": failure})

    def _put(
        self, bucket: str, key: str, batch: StoredBatch, view: BatchView, first: int, last: int
    ) -> None:
        result = self.backend.results(batch, view, errors=False)
        assert result is not None

        def lines() -> Iterator[bytes]:
            return islice(result.records(first), last - first)

        self._results.write(bucket, key, last - first, lines)


def _stats(view: BatchView, *, failed: bool) -> dict[str, str]:
    """The counts as texts, without those of 0; nothing before a job runs."""
    if failed and not view.done:
        return {"incompleteCount": "-1"}
    counts = {
        "successfulCount": view.succeeded,
        "failedCount": view.failed,
        "incompleteCount": view.total - view.done,
    }
    return {name: str(count) for name, count in counts.items() if count and view.done}


def _status(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _problem(batch: StoredBatch) -> dict[str, Any] | None:
    """The error of a job whose rows are not accepted."""
    if not batch.problems:
        return None
    first = batch.problems[0]
    return _status(3, f"{PREFIX}Row {first['line'] or 0}: {first['message']}")


def _directory(batch: StoredBatch) -> str:
    prefix = batch.extra["output"].rstrip("/")
    return f"{prefix}/prediction-model-{iso_time(batch.created)}"


def _agent() -> str:
    agent = f"service-{_PROJECT_NUMBER}@gcp-sa-aiplatform.iam.gserviceaccount.com"
    return f"Service account {agent}"


def _is_near(region: str, location: str) -> bool:
    """Whether a bucket in a region, or in several, may be used by a job in a location."""
    near = _MULTI_REGIONS.get(region, (region,))
    return not region or location == "global" or location.startswith(near)


def _fields(job: dict[str, Any]) -> dict[str, str]:
    """The fields of a job that a filter may name."""
    labels = {f"labels.{name}": value for name, value in job.get("labels", {}).items()}
    return {
        "display_name": job["displayName"],
        "model_display_name": job["model"],
        "state": job["state"],
        "create_time": job["createTime"],
        **labels,
    }


def _missing(request: Request) -> ApiError:
    path = request.url.path.partition("/projects/")[2]
    return ApiError(404, f"The BatchPredictionJob does not exist: projects/{path}")


DIALECT = Dialect(ROW_FORMAT, (PredictionJobs, GcsObjects), error)
"""Vertex AI."""
