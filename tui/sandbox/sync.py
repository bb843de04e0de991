"""The synchronous endpoints: one request, one simulated answer."""

from __future__ import annotations

import hashlib
import secrets
from functools import partial
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import fates, words
from .desk import Desk
from .endpoints import MAKERS, OPENAI
from .failures import ApiError
from .fates import Fate
from .shape import Fault, Row, openai_fault
from .wire import Endpoint, in_thread, json_body, route

_SLOW_SECONDS = 10.0
MODELS = ("sandbox-small", "sandbox-large", "sandbox-embedding")
"""The model names that are listed; any other name works as well."""
_LISTED_SINCE = 1_767_225_600


def routes(desk: Desk, fault: Fault = openai_fault) -> list[Route]:
    """The answer endpoints and the model list."""
    answers = [
        route(desk, "POST", path, endpoint(desk, path, fault), path.removeprefix("/v1/"))
        for path in OPENAI
    ]
    return [
        *answers,
        route(desk, "GET", "/v1/models", _models, "models"),
        route(desk, "GET", "/v1/models/{id:path}", _model, "model"),
    ]


def endpoint(desk: Desk, path: str, fault: Fault = openai_fault) -> Endpoint:
    """Make the handler of one answer endpoint; ``fault`` says what it refuses."""

    async def answer(request: Request) -> Response:
        row = await run(request, desk, path, fault)
        if row.fate not in fates.GOOD:
            status = fates.STATUS[row.fate]
            headers = {"retry-after": "1"} if status == 429 else None
            refused = "" if fault is openai_fault else fault(path, row.body, {})
            body = fates.error_body(row.fate, path, row.body, refused)
            raise ApiError(status, body["error"]["message"], headers=headers, body=body)
        made = await in_thread(
            partial(MAKERS[path], row.body, row.fate, row.words, row.mark, row.when, row.seed)
        )
        return JSONResponse(made[0])

    return answer


async def run(request: Request, desk: Desk, path: str, fault: Fault = openai_fault) -> Row:
    """Decide what becomes of a synchronous request.

    Raises:
        ApiError: The body is not JSON (400), or its row would never run (504).
    """
    body = await json_body(request)
    found = words.read(body)
    if found.slow:
        await anyio.sleep(_SLOW_SECONDS)
    known = "sync:" + hashlib.blake2b(await request.body(), digest_size=12).hexdigest()
    mark = secrets.token_hex(12)
    first = bool(await in_thread(desk.state.first_sends, [known], mark)) if found.flaky else False
    fate = fates.decide(
        found,
        first_send=first,
        chance=secrets.randbits(32),
        fail_rate=desk.options.fail_rate,
        valid=not fault(path, body, {}),
    )
    if fate is Fate.NEVER:
        raise ApiError(504, "The request timed out.", kind="timeout", code="timeout")
    return Row("", path, body, 0, fate, found, mark, int(desk.now()), desk.options.seed, {})


def model_object(name: str) -> dict[str, Any]:
    """Describe a model as OpenAI does."""
    return {"id": name, "object": "model", "created": _LISTED_SINCE, "owned_by": "sandbox"}


def _models(request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [model_object(name) for name in MODELS]})


def _model(request: Request) -> Response:
    return JSONResponse(model_object(request.path_params["id"]))
