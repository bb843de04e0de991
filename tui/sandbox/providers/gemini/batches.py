"""Gemini: batches as operations, which are created at a model and end with all results or none."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox import answers
from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import DAY, Dialect, Endpoints
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.gemini.files import (
    VERSION,
    GeminiFiles,
    iso_nanoseconds,
    token_page,
)
from tui.sandbox.providers.gemini.rows import (
    ROW_FORMAT,
    embedding,
    error_of,
    fault_of_content,
    fault_of_embedding,
    generated,
    simulated_body,
)
from tui.sandbox.rows import Row
from tui.sandbox.state import BatchView, StoredBatch
from tui.sandbox.sync import refusal, run

_CHAT, _EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
_EXPIRES_SECONDS = 2 * DAY
_MAX_INLINE_BYTES = 20_000_000
_STATES = {
    "validating": "PENDING",
    "in_progress": "RUNNING",
    "finalizing": "RUNNING",
    "cancelling": "RUNNING",
    "completed": "SUCCEEDED",
    "failed": "FAILED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}
_WORDS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main."
MODELS = ("gemini-sandbox-flash", "gemini-sandbox-pro", "gemini-sandbox-embedding")
"""The listed models; any other name works as well."""


def error(failure: ApiError) -> Response:
    """Build the response `{"error": {code, message, status}}`; a wrong key is a 400 at Google."""
    status, message = failure.status, failure.message
    details: list[dict[str, Any]] = []
    if status == 401:
        missing = message.startswith("You didn't")
        status = 403 if missing else 400
        message = (
            "Method doesn't allow unregistered callers (callers without established identity)."
            if missing
            else "API key not valid. Please pass a valid API key."
        )
        if not missing:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            details = [
                {"@type": kind, "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
            ]
    inner: dict[str, Any] = {
        "code": status,
        "message": message,
        "status": _WORDS.get(status, "UNKNOWN"),
    }
    if details:
        inner["details"] = details
    return JSONResponse({"error": inner}, status, failure.headers)


class GeminiBatches(Endpoints):
    """The batch routes."""

    def routes(self) -> list[Route]:
        """Two creates, one for each kind of row, and the routes of an operation."""
        backend = self.backend
        model, one = f"{VERSION}/models/{{model}}", f"{VERSION}/batches/{{id}}"
        return [
            route(backend, "POST", f"{model}:batchGenerateContent", self.create, "create"),
            route(backend, "POST", f"{model}:asyncBatchEmbedContent", self.create, "create"),
            route(backend, "GET", f"{VERSION}/batches", self.list_batches, "list"),
            route(backend, "GET", one, self.retrieve, "retrieve"),
            route(backend, "POST", f"{one}:cancel", self.cancel, "cancel"),
            route(backend, "DELETE", one, self.delete, "delete"),
        ]

    async def create(self, request: Request) -> Response:
        """Create a batch from an uploaded file, or from the rows in the body."""
        raw = await request.body()
        batch = (await json_body(request)).get("batch")
        if not isinstance(batch, dict):
            raise ApiError(400, "batch is required")
        if self.backend.quirks.use("queue-full"):
            text = "You exceeded your current quota, please check your plan and billing details."
            raise ApiError(429, text)
        embed = request.url.path.endswith(":asyncBatchEmbedContent")
        made = await in_thread(self._create, request.path_params["model"], batch, embed, len(raw))
        return JSONResponse(made)

    def _create(self, model: str, body: dict[str, Any], embed: bool, size: int) -> dict[str, Any]:
        backend = self.backend
        name = body.get("displayName", body.get("display_name"))
        if not isinstance(name, str) or not name:
            raise ApiError(400, "batch.display_name is required")
        config = body.get("inputConfig", body.get("input_config"))
        config = config if isinstance(config, dict) else {}
        file_name = config.get("fileName", config.get("file_name"))
        inline = config.get("requests")
        if (file_name is None) == (inline is None):
            raise ApiError(400, "input_config must have either file_name or requests")
        token = backend.token()[:24]
        values: dict[str, Any] = {
            "batch_id": token,
            "endpoint": _EMBEDDINGS if embed else _CHAT,
            "seconds": _EXPIRES_SECONDS,
            # Longer than the 40 characters that the file routes accept.
            "out_id": f"batch-{token}{backend.token()[:16]}",
            "extra": {"model": model, "name": name, "inline": inline is not None},
        }
        if inline is None:
            file_id = str(file_name).removeprefix("files/")
            missing = ApiError(404, f"The file {file_name} does not exist.")
            return self.show(backend.create(backend.upload(file_id, missing), **values), fresh=True)
        if size > _MAX_INLINE_BYTES:
            raise ApiError(400, "Request payload size exceeds the limit: 20971520 bytes.")
        rows = inline.get("requests") if isinstance(inline, dict) else None
        if not isinstance(rows, list) or not rows:
            raise ApiError(400, "input_config.requests.requests must not be empty")
        draft = backend.draft()
        try:
            self._write_rows(draft, rows)
            return self.show(backend.create(draft, **values), fresh=True)
        finally:
            draft.unlink(missing_ok=True)

    @staticmethod
    def _write_rows(path: Path, rows: list[Any]) -> None:
        with path.open("wb") as file:
            for number, row in enumerate(rows):
                row = row if isinstance(row, dict) else {}
                named = row.get("metadata")
                key = named.get("key") if isinstance(named, dict) else None
                line = {"key": key or f"request-{number}", "request": row.get("request")}
                file.write(msgspec.json.encode(line) + b"\n")

    def list_batches(self, request: Request) -> Response:
        """List a page of operations, newest first, without inlined results."""
        show = partial(self.show, fresh=self.backend.options.stale_list, listed=True)
        return token_page(request, "operations", self.backend.batches(), show, default=50)

    def retrieve(self, request: Request) -> Response:
        """Return an operation."""
        batch = self._find(request)
        if self.backend.is_hidden(batch):
            raise _missing(batch.id)
        return JSONResponse(self.show(batch))

    def cancel(self, request: Request) -> Response:
        """Cancel a batch; the response is empty, whether or not it had ended."""
        batch = self._find(request)
        if not self.backend.view(batch).ended:
            self.backend.state.record_cancel(batch, self.backend.now())
        return JSONResponse({})

    def delete(self, request: Request) -> Response:
        """Delete a batch."""
        self.backend.remove_batch(self._find(request))
        return JSONResponse({})

    def _find(self, request: Request) -> StoredBatch:
        batch_id = request.path_params["id"]
        return self.backend.batch(batch_id, _missing(batch_id))

    def show(
        self, batch: StoredBatch, *, fresh: bool = False, listed: bool = False
    ) -> dict[str, Any]:
        """Build the operation; counts are strings, and those of 0 are left out."""
        backend, options = self.backend, self.backend.options
        view = backend.view(batch, fresh=fresh)
        inline = batch.extra["inline"]
        embed = batch.endpoint == _EMBEDDINGS
        rows = backend.rows(batch)
        ended = view.ended
        word = f"BATCH_STATE_{_STATES[view.status]}"
        lost = rows - view.done if ended else 0
        stats = {
            "requestCount": rows,
            "successfulRequestCount": view.succeeded,
            "failedRequestCount": view.failed + lost,
            "pendingRequestCount": 0 if ended else rows - view.done,
        }
        metadata: dict[str, Any] = {
            "@type": _TYPE + ("EmbedContentBatch" if embed else "GenerateContentBatch"),
            "model": f"models/{batch.extra['model']}",
            "displayName": batch.extra["name"],
            "state": options.unknown_word or word if ended else word,
            "createTime": iso_nanoseconds(batch.created),
            "updateTime": iso_nanoseconds(view.ended_at or backend.now()),
            "batchStats": {name: str(count) for name, count in stats.items() if count},
            "name": f"batches/{batch.id}",
        }
        if not inline:
            metadata["inputConfig"] = {"fileName": f"files/{batch.input_id}"}
        shown: dict[str, Any] = {"name": f"batches/{batch.id}", "metadata": metadata}
        if not ended:
            return shown
        metadata["endTime"] = metadata["updateTime"]
        late = backend.now() < (view.ended_at or 0.0) + options.late_file
        if view.status != "completed":
            return {**shown, "done": True, "error": self._error(batch, view)}
        shown["done"] = True
        if late or (inline and listed):
            return shown
        kind = _TYPE + ("EmbedContentBatchOutput" if embed else "GenerateContentBatchOutput")
        output: dict[str, Any] = {"responsesFile": f"files/{batch.out_id}"}
        if inline:
            output = {"inlinedResponses": {"inlinedResponses": self._inlined(batch, view)}}
        metadata["output"] = output
        shown["response"] = {"@type": kind, **output}
        return shown

    def _inlined(self, batch: StoredBatch, view: BatchView) -> list[dict[str, Any]]:
        """The results in the order of the rows."""
        result = self.backend.results(batch, view, errors=False)
        lines = result.records(0) if result else iter(())
        found = {row.pop("key"): row for row in map(msgspec.json.decode, lines)}
        with self.backend.input_path(batch).open("rb") as source:
            keys = [msgspec.json.decode(line)["key"] for line in source]
        return [{"metadata": {"key": key}, **found[key]} for key in keys]

    @staticmethod
    def _error(batch: StoredBatch, view: BatchView) -> dict[str, Any]:
        if view.status == "cancelled":
            return {"code": 1, "message": "The operation was cancelled.", "details": []}
        if view.status == "expired":
            return {"code": 4, "message": "The batch expired.", "details": []}
        texts = [f"line {item['line']}: {item['message']}" for item in batch.problems]
        return {"code": 3, "message": "; ".join(texts), "details": []}


class GeminiModels(Endpoints):
    """The models, and single requests to them."""

    def routes(self) -> list[Route]:
        """One route for each verb of a model, and two for the list."""
        backend, model = self.backend, f"{VERSION}/models/{{model}}"
        return [
            route(backend, "POST", f"{model}:generateContent", self.generate, "generate"),
            route(backend, "POST", f"{model}:embedContent", self.embed, "embed"),
            route(backend, "POST", f"{model}:countTokens", self.count_tokens, "count"),
            route(backend, "GET", f"{VERSION}/models", self.models, "models"),
            route(backend, "GET", model, self.model, "model"),
        ]

    async def generate(self, request: Request) -> Response:
        """Answer a single request."""
        row = await self._run(request, _CHAT, fault_of_content)
        return JSONResponse((await in_thread(generated, row))[0])

    async def embed(self, request: Request) -> Response:
        """Embed a single text."""
        row = await self._run(request, _EMBEDDINGS, fault_of_embedding)
        body = embedding(row)[0]
        return JSONResponse({"embedding": body["embedding"]})

    async def _run(self, request: Request, url: str, check: Any) -> Row:
        row = await run(request, self.backend, url, lambda _, body, __: check(body))
        row.body = simulated_body(row.body, request.path_params["model"], url)
        if not row.succeeded:
            raise refusal(row, error_of(row)[1])
        return row

    async def count_tokens(self, request: Request) -> Response:
        """Count the tokens of a request."""
        body = await json_body(request)
        inner = body.get("generateContentRequest", body.get("generate_content_request", body))
        made = simulated_body(inner, request.path_params["model"], _CHAT)
        return JSONResponse({"totalTokens": answers.tokens(answers.prompt(made)[1])})

    def models(self, request: Request) -> Response:
        """List the models."""
        return JSONResponse({"models": [_model(name) for name in MODELS]})

    def model(self, request: Request) -> Response:
        """Return a model of any name."""
        return JSONResponse(_model(request.path_params["model"]))


def _model(name: str) -> dict[str, Any]:
    embeds = "embedding" in name
    methods = ["generateContent", "countTokens", "batchGenerateContent"]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": (
            ["embedContent", "asyncBatchEmbedContent"] if embeds else methods
        ),
    }


def _missing(batch_id: str) -> ApiError:
    return ApiError(404, f"Requested entity was not found: batches/{batch_id}")


DIALECT = Dialect(ROW_FORMAT, (GeminiFiles, GeminiBatches, GeminiModels), error)
"""Gemini."""
