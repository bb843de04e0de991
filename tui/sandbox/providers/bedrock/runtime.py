"""Bedrock's runtime: `Converse` and `InvokeModel`, which answer single requests.

An error has the same form as one of jobs. A model whose id ends with `does-not-exist` is refused.

Sources: botocore's service model `bedrock-runtime/2023-09-30`; the Bedrock user guide, "Submit
prompts and generate responses using the API".
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tui.sandbox.app import in_thread, json_body, route
from tui.sandbox.backend import Endpoints
from tui.sandbox.clouds.signatures import check_key
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.bedrock.rows import INPUT, family_of, reason_of
from tui.sandbox.sync import refusal, run

_ENDPOINT = "/v1/chat/completions"


class Runtime(Endpoints):
    """The two routes."""

    def routes(self) -> list[Route]:
        """The routes; the id of a model may be an ARN, with slashes in it."""
        one = "/model/{model:path}"
        return [
            route(self.backend, "POST", f"{one}/converse", self.converse, "converse"),
            route(self.backend, "POST", f"{one}/invoke", self.invoke, "invoke"),
        ]

    async def converse(self, request: Request) -> Response:
        """Answer in the form that is the same for all models."""
        return await self._answer(request, "Converse")

    async def invoke(self, request: Request) -> Response:
        """Answer in the form of the vendor of the model."""
        return await self._answer(request, "InvokeModel")

    async def _answer(self, request: Request, kind: str) -> Response:
        options = self.backend.options
        raw = await request.body()
        check_key(request, raw, options.key or "", region=options.region, service="bedrock")
        model = request.path_params["model"]
        if model.endswith("does-not-exist"):
            raise ApiError(400, "The provided model identifier is invalid.")
        extra = {"kind": kind, "model": model}
        family = family_of(extra)
        body = await json_body(request)
        row = await run(request, self.backend, _ENDPOINT, lambda *_: family.fault(body))
        row.extra = extra
        if not row.succeeded:
            raise refusal(row, reason_of(row.outcome) or family.fault(body))
        row.body = family.read(body) | {"model": model, INPUT: body}
        reply, spent, made = await in_thread(family.build, row)
        counts = (
            {}
            if kind == "Converse"
            else {
                "x-amzn-bedrock-input-token-count": str(spent),
                "x-amzn-bedrock-output-token-count": str(made),
            }
        )
        return JSONResponse(reply, headers=counts)
