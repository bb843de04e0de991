"""The synchronous endpoints, which answer single requests outside any batch."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox import outcomes
from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import Backend, Endpoints
from tui.sandbox.bodies import MEDIA, OPENAI, build
from tui.sandbox.errors import ApiError
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.rows import BodyCheck, Row, openai_fault

MODELS = ("sandbox-small", "sandbox-large", "sandbox-embedding")
"""The listed models; any other name works as well."""
_MODELS_CREATED = 1_767_225_600


class SyncEndpoints(Endpoints):
    """OpenAI's synchronous endpoints and its list of models."""

    def routes(self) -> list[Route]:
        """One route for each endpoint, and two for the models."""
        backend = self.backend
        return [
            *(route(backend, "POST", path, self.answer, path) for path in (*OPENAI, *MEDIA)),
            route(backend, "GET", "/v1/models", self.models, "models"),
            route(backend, "GET", "/v1/models/{id:path}", self.model, "model"),
        ]

    async def answer(self, request: Request) -> Response:
        """Answer a single request."""
        check = self.backend.row_format.fault
        row = await run(request, self.backend, request.url.path, check)
        if row.succeeded:
            return JSONResponse((await in_thread(build, row))[0])
        violation = check(row.url, row.body, {})
        usual = violation == openai_fault(row.url, row.body, {})
        body = outcomes.error_body(row.outcome, row.url, row.body, "" if usual else violation)
        raise refusal(row, body["error"]["message"], body)

    def models(self, request: Request) -> Response:
        """List the models."""
        return JSONResponse({"object": "list", "data": [model_object(name) for name in MODELS]})

    def model(self, request: Request) -> Response:
        """Return a model of any name."""
        return JSONResponse(model_object(request.path_params["id"]))


def refusal(row: Row, message: str, body: dict[str, Any] | None = None) -> ApiError:
    """The error response for a row that failed; a 429 says when to try again."""
    headers = {"retry-after": "1"} if row.status == 429 else None
    return ApiError(row.status, message, headers=headers, body=body)


async def run(request: Request, backend: Backend, path: str, check: BodyCheck) -> Row:
    """Run a synchronous request and choose its outcome.

    Raises:
        ApiError: The body is not JSON (400), or the request would never run (504).
    """
    body = await json_body(request)
    found = outcomes.read(body)
    if found.slow:
        await anyio.sleep(outcomes.SLOW_SECONDS)
    known = "sync:" + hashlib.blake2b(await request.body(), digest_size=12).hexdigest()
    mark = secrets.token_hex(12)
    first = found.flaky and await in_thread(backend.state.first_sends, [known], mark)
    outcome = outcomes.decide(
        found,
        first_send=bool(first),
        chance=secrets.randbits(32),
        fail_rate=backend.options.fail_rate,
        valid=not check(path, body, {}),
    )
    if outcome is RowOutcome.NEVER:
        raise ApiError(504, "The request timed out.", kind="timeout", code="timeout")
    when = int(backend.now())
    return Row("", path, body, 0, found, mark, backend.options.seed, {}, outcome, when)


def model_object(name: str) -> dict[str, Any]:
    """Build OpenAI's model object."""
    return {"id": name, "object": "model", "created": _MODELS_CREATED, "owned_by": "sandbox"}
