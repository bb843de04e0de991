"""Bedrock: jobs that read rows from a bucket and put results there while they run.

The buckets of the user are the sandbox's own (`clouds/s3.py`: every bucket exists), or those of an
`ObjectStore` that the caller hands in. With `BotoObjects` of `tests/fakes/bucket.py` they are those
of moto, through a client of boto3::

    options = SandboxOptions(
        like="bedrock", objects=BotoObjects(boto), region="eu-west-1", key="AKIDEXAMPLE:secret",
        rows_per_second=0,
    )
    with running(options) as url:      # tests/sandbox/conftest.py; or LocalSandbox.start(options)
        client = boto3.client("bedrock", endpoint_url=url, region_name="eu-west-1", ...)

A key of the form `ID:SECRET` is a pair of AWS, and every request must be signed with it (Signature
Version 4); any other is a Bedrock API key, sent as Bearer. Without a key, a request that is signed
must be signed for the right region and service all the same.

Objects are written when a call looks at the job: `{output}{job id}/{input file}.out` grows while
the job runs, `manifest.json.out` follows at the end.

To make it fail:

- a bucket of another region, an input that does not exist, or fewer than 100 rows: the job ends as
  Failed, with a message;
- quirk `role-without-trust`: so does every job, as Bedrock cannot assume its role;
- quirk `no-pass-role`: a create is refused with 403, since the caller may not pass the role;
- a model whose id ends with `does-not-exist`: a create is refused with ValidationException;
- quirk `queue-full`: a create is refused with ServiceQuotaExceededException;
- quirk `no-counts`: jobs have no counts of records;
- `late_file`: the last results and the manifest are put into the bucket later than the end.

Sources: botocore's service model `bedrock/2023-04-20`; the Bedrock user guide, "Process multiple
prompts with batch inference". The texts of errors are the sandbox's, but for that of too few rows.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import Backend, Dialect, Endpoints
from tui.sandbox.clouds.identity import ACCOUNT, Identity
from tui.sandbox.clouds.objects import GrowingObjects, split_address
from tui.sandbox.clouds.s3 import S3Objects
from tui.sandbox.clouds.signatures import check_key
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.bedrock.rows import ROW_FORMAT
from tui.sandbox.providers.bedrock.runtime import Runtime
from tui.sandbox.results import iso_time, number_of
from tui.sandbox.state import BatchView, StoredBatch

_PATH = "/model-invocation-job"
_HOUR = 3600.0
_STATUSES = {
    "validating": "Validating",
    "in_progress": "InProgress",
    "finalizing": "InProgress",
    "cancelling": "Stopping",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Stopped",
    "expired": "PartiallyCompleted",
}
STATUSES = frozenset({*_STATUSES.values(), "Submitted", "Scheduled", "Expired"})
"""Every status of a job."""
_TYPES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
}
_TOKEN = re.compile(r"[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}")
_NAME = re.compile(r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}")
_ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+")
_ADDRESS = re.compile(
    r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*)?/?"
)
_IDENTIFIER = re.compile(
    r"(?:arn:aws(?:-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-invocation-job/)?([a-z0-9]{12})"
)
MODELS = (
    "anthropic.claude-sandbox-v1:0",
    "amazon.nova-sandbox-v1:0",
    "openai.gpt-oss-sandbox-1:0",
)
"""The listed models; any other name works as well."""


def error(failure: ApiError) -> Response:
    """Build the response `{"message": text}`, whose type stands in a header."""
    kind = failure.code or _TYPES.get(failure.status, "InternalServerException")
    status, message = failure.status, failure.message
    if status == 401:
        status, message = 403, "The security token included in the request is invalid."
        kind = "UnrecognizedClientException"
    headers = {**(failure.headers or {}), "x-amzn-errortype": kind}
    return JSONResponse({"message": message}, status, headers)


def _invalid(name: str, value: Any, constraint: str) -> ApiError:
    text = f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint"
    return ApiError(400, f"{text}: {constraint}")


def _text(
    body: dict[str, Any], name: str, pattern: re.Pattern[str] | None, limit: int, where: str = ""
) -> str:
    """Read a text that a body must have.

    Raises:
        ApiError: It is missing, too long or of another form (400).
    """
    value = body.get(name)
    name = f"{where}{name}"
    if not isinstance(value, str) or not value:
        raise _invalid(name, value, "Member must not be null")
    if len(value) > limit:
        raise _invalid(name, value, f"Member must have length less than or equal to {limit}")
    if pattern is not None and not pattern.fullmatch(value):
        constraint = f"Member must satisfy regular expression pattern: {pattern.pattern}"
        raise _invalid(name, value, constraint)
    return value


def _address(body: dict[str, Any], outer: str, inner: str) -> str:
    found = body.get(outer)
    config = found.get(inner) if isinstance(found, dict) else None
    if not isinstance(config, dict):
        raise _invalid(f"{outer}.{inner}", config, "Member must not be null")
    form = config.get("s3InputFormat", "JSONL")
    if form != "JSONL":
        raise _invalid("s3InputFormat", form, "Member must satisfy enum value set: [JSONL]")
    return _text(config, "s3Uri", _ADDRESS, 1024, f"{outer}.{inner}.")


class InvocationJobs(Endpoints):
    """The job routes, and the list of models."""

    def __init__(self, backend: Backend) -> None:
        """Serve what `backend` stores."""
        super().__init__(backend)
        self._objects = backend.objects
        self._results = GrowingObjects(self._objects)
        self._creating = threading.Lock()

    def routes(self) -> list[Route]:
        """The four routes of jobs, and the models."""
        backend, one = self.backend, f"{_PATH}/{{id:path}}"
        return [
            route(backend, "POST", _PATH, self._signed(self.create), "create"),
            route(backend, "GET", f"{_PATH}s", self._signed(self.list_jobs), "list"),
            route(backend, "POST", f"{one}/stop", self._signed(self.stop), "cancel"),
            route(backend, "GET", one, self._signed(self.retrieve), "retrieve"),
            route(backend, "GET", "/foundation-models", self._signed(self.models), "models"),
        ]

    def _signed(self, work: Callable[[Request, dict[str, Any]], dict[str, Any]]) -> Any:
        """A handler that checks the key, and runs `work` in a thread."""

        async def handle(request: Request) -> Response:
            options = self.backend.options
            raw = await request.body()
            check_key(request, raw, options.key or "", region=options.region, service="bedrock")
            posted = request.method == "POST" and request.url.path == _PATH
            body = await json_body(request) if posted else {}
            return JSONResponse(await in_thread(work, request, body))

        return handle

    def create(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        """Create a job; with a token that was used before, it is the job of that time."""
        name = _text(body, "jobName", _NAME, 63)
        role = _text(body, "roleArn", _ROLE, 2048)
        model = _text(body, "modelId", None, 2048)
        source = _address(body, "inputDataConfig", "s3InputDataConfig")
        target = _address(body, "outputDataConfig", "s3OutputDataConfig")
        token = self.backend.token()
        if "clientRequestToken" in body:
            token = _text(body, "clientRequestToken", _TOKEN, 256)
        hours = body.get("timeoutDurationInHours", 24)
        if not isinstance(hours, int) or not 24 <= hours <= 168:
            constraint = "Member must have value between 24 and 168"
            raise _invalid("timeoutDurationInHours", hours, constraint)
        kind = body.get("modelInvocationType", "InvokeModel")
        if kind not in ("InvokeModel", "Converse"):
            constraint = "Member must satisfy enum value set: [Converse, InvokeModel]"
            raise _invalid("modelInvocationType", kind, constraint)
        quirks = self.backend.quirks
        with self._creating:
            batches = self.backend.batches()
            for known in batches:
                if known.extra["token"] == token:
                    return {"jobArn": self._arn(known)}
            if model.endswith("does-not-exist"):
                raise ApiError(400, "The provided model identifier is invalid.")
            if any(known.extra["name"] == name for known in batches):
                text = f"The job name {name} is in use by another job."
                raise ApiError(400, text, code="ConflictException")
            if quirks.use("queue-full"):
                text = "You have reached the quota for batch inference jobs in progress."
                raise ApiError(400, text, code="ServiceQuotaExceededException")
            if quirks.use("no-pass-role"):
                text = f"User is not authorized to perform: iam:PassRole on resource: {role}"
                raise ApiError(403, text)
            extra: dict[str, Any] = {
                "name": name,
                "role": role,
                "model": model,
                "input": source,
                "output": target,
                "token": token,
                "hours": hours,
                "kind": kind,
            }
            return {"jobArn": self._arn(self._create(extra))}

    def _create(self, extra: dict[str, Any]) -> StoredBatch:
        """Create a job; what stands in its way, it tells as it is validated."""
        draft = self.backend.draft()
        try:
            for name in ("input", "output"):
                if not extra.get("failure"):
                    extra["failure"] = self._failure(extra[name], extra["role"])
            if not extra["failure"]:
                extra["failure"] = self._read(extra["input"], draft)
            return self.backend.create(
                draft,
                batch_id=self.backend.token()[:12],
                endpoint="/v1/chat/completions",
                seconds=extra["hours"] * _HOUR,
                extra=extra,
            )
        finally:
            draft.unlink(missing_ok=True)

    def _failure(self, address: str, role: str) -> str:
        """Why the bucket of an address cannot be used; empty if it can."""
        if self.backend.quirks.use("role-without-trust"):
            return f"Amazon Bedrock could not assume the role {role}. Check its trust policy."
        bucket, _ = split_address(address, "s3")
        try:
            region = self._objects.region(bucket)
        except LookupError:
            return f"The bucket {bucket} does not exist."
        except PermissionError:
            return f"The role {role} has no access to the bucket {bucket}."
        if region and region != self.backend.options.region:
            return f"The bucket {bucket} is in {region}, and must be in the region of the job."
        return ""

    def _read(self, address: str, target: Any) -> str:
        """Copy the input into a file; returns why that fails, or an empty text."""
        bucket, key = split_address(address, "s3")
        if not key.endswith(".jsonl"):
            return f"The input {address} must be a .jsonl file."
        try:
            self._objects.read(bucket, key, target)
        except LookupError:
            return f"The input {address} does not exist."
        except PermissionError:
            return f"The role has no permission to read {address}."
        return ""

    def list_jobs(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """List a page of the jobs that the filters keep, newest first unless asked otherwise."""
        asked = request.query_params
        size, start = number_of(request, "maxResults", 1000), number_of(request, "nextToken")
        if not 1 <= size <= 1000:
            raise _invalid("maxResults", size, "Member must have value between 1 and 1000")
        status = asked.get("statusEquals")
        if status is not None and status not in STATUSES:
            raise _invalid("statusEquals", status, "Member must satisfy enum value set")
        found = self.backend.batches()
        if asked.get("sortOrder", "Descending") == "Ascending":
            found.reverse()
        after = _moment(asked.get("submitTimeAfter"))
        before = _moment(asked.get("submitTimeBefore"))
        shown = [
            self.show(batch, fresh=self.backend.options.stale_list)
            for batch in found
            if asked.get("nameContains", "") in batch.extra["name"]
            and (after is None or batch.created > after)
            and (before is None or batch.created < before)
        ]
        shown = [job for job in shown if status in (None, job["status"])]
        page: dict[str, Any] = {"invocationJobSummaries": shown[start : start + size]}
        if start + size < len(shown):
            page["nextToken"] = str(start + size)
        return page

    def retrieve(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """Return a job."""
        batch = self._find(request)
        if self.backend.is_hidden(batch):
            raise _missing(batch.id)
        return self.show(batch)

    def stop(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """Stop a job that has not ended."""
        batch = self._find(request)
        if self.backend.view(batch).ended or batch.extra["failure"]:
            text = f"The job {self._arn(batch)} has ended and cannot be stopped."
            raise ApiError(400, text, code="ConflictException")
        self.backend.state.record_cancel(batch, self.backend.now())
        return {}

    def models(self, request: Request, _: dict[str, Any]) -> dict[str, Any]:
        """List the models."""
        arn = f"arn:aws:bedrock:{self.backend.options.region}::foundation-model/"
        return {"modelSummaries": [{"modelArn": arn + name, "modelId": name} for name in MODELS]}

    def _find(self, request: Request) -> StoredBatch:
        given = request.path_params["id"]
        found = _IDENTIFIER.fullmatch(given)
        if found is None:
            raise _invalid("jobIdentifier", given, f"Member must satisfy {_IDENTIFIER.pattern}")
        return self.backend.batch(found[1], _missing(given))

    def _arn(self, batch: StoredBatch) -> str:
        region = self.backend.options.region
        return f"arn:aws:bedrock:{region}:{ACCOUNT}:model-invocation-job/{batch.id}"

    def show(self, batch: StoredBatch, *, fresh: bool = False) -> dict[str, Any]:
        """Put the results so far into the bucket, and build the job."""
        backend = self.backend
        view = backend.view(batch, fresh=fresh)
        self._write(batch, view)
        extra = batch.extra
        status = _STATUSES[view.status]
        if fresh:
            status = "Submitted"
        elif view.status == "in_progress" and not view.done:
            status = "Scheduled"
        elif view.status == "expired" and not view.done:
            status = "Expired"
        failure = "" if view.status == "validating" else extra["failure"] or self._problem(batch)
        if failure:
            status = "Failed"
        ended = view.ended or bool(failure)
        shown: dict[str, Any] = {
            "jobArn": self._arn(batch),
            "jobName": extra["name"],
            "modelId": extra["model"],
            "clientRequestToken": extra["token"],
            "roleArn": extra["role"],
            "status": backend.options.unknown_word or status if ended else status,
            "submitTime": iso_time(batch.created),
            "lastModifiedTime": iso_time(view.ended_at or backend.now()),
            "inputDataConfig": {
                "s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": extra["input"]}
            },
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": extra["output"]}},
            "timeoutDurationInHours": extra["hours"],
            "modelInvocationType": extra["kind"],
            "jobExpirationTime": iso_time(batch.created + batch.seconds),
        }
        if failure:
            shown["message"] = failure
        if ended:
            shown["endTime"] = shown["lastModifiedTime"]
        if "no-counts" not in backend.quirks:
            shown |= {
                "totalRecordCount": view.total,
                "processedRecordCount": view.done,
                "successRecordCount": view.succeeded,
                "errorRecordCount": view.failed,
            }
        return shown

    def _problem(self, batch: StoredBatch) -> str:
        """The message of a job whose input is not accepted; empty if it is."""
        if not batch.problems:
            return ""
        first = batch.problems[0]
        if first["code"] in ("too_few_tasks", "empty_file"):
            with self.backend.input_path(batch).open("rb") as file:
                count = sum(bool(line.strip()) for line in file)
            text = f"Batch job contains less records ({count}) than the required minimum of:"
            return f"{text} {ROW_FORMAT.min_rows}"
        return f"Record {first['line']}: {first['message']}" if first["line"] else first["message"]

    def _write(self, batch: StoredBatch, view: BatchView) -> None:
        """Put the results of the rows that ran into the bucket, and the manifest at the end."""
        result = self.backend.results(batch, view, errors=False)
        late = self.backend.now() < (view.ended_at or 0.0) + self.backend.options.late_file
        if result is None or batch.extra["failure"] or (view.ended and late):
            return
        bucket, key = split_address(batch.extra["output"], "s3")
        folder = f"{key.rstrip('/')}/{batch.id}".lstrip("/")
        name = batch.extra["input"].rpartition("/")[2]
        try:
            if view.done:
                path = f"{folder}/{name}.out"
                self._results.write(bucket, path, result.size, partial(result.chunks, 0))
            if view.ended:
                spent, made = self.backend.tokens(batch, view)
                manifest = {
                    "totalRecordCount": view.total,
                    "processedRecordCount": view.done,
                    "successRecordCount": view.succeeded,
                    "errorRecordCount": view.failed,
                    "inputTokenCount": spent,
                    "outputTokenCount": made,
                }
                data = msgspec.json.encode(manifest)
                path = f"{folder}/manifest.json.out"
                self._results.write(bucket, path, len(data), lambda: iter((data,)))
        except (LookupError, PermissionError):
            failure = f"The role has no permission to write to {batch.extra['output']}."
            self.backend.state.change(batch, extra={**batch.extra, "failure": failure})


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise _invalid("submitTime", text, "Member must be a timestamp") from None


def _missing(job_id: str) -> ApiError:
    return ApiError(404, f"Could not find the model invocation job {job_id}.")


DIALECT = Dialect(
    ROW_FORMAT,
    # The objects come last, because their paths start with any name.
    (InvocationJobs, Runtime, Identity, S3Objects),
    error,
    id_header="x-amzn-requestid",
    checks_key=True,
)
"""Bedrock."""
