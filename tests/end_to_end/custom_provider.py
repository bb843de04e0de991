"""A made-up provider with its own names for everything, and with wrapped answers.

Bundles are uploaded, runs are created from them, and a run gives answers and failures. The
first create is rejected, because all workers are busy.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

PROFILE = """
[accounts.work]
provider = "acme"
base_url = "{url}"
clean_up = true

[providers.acme]
name = "Acme AI"
base_url = "https://api.acme.example/v2"
endpoints = ["/v1/chat/completions"]
retry_codes = {{ worker_lost = true, "no_*" = false }}
limits = {{ rows = 200 }}
poll = {{ min_seconds = 0.05, max_seconds = 0.1 }}

[providers.acme.auth]
header = "X-Acme-Key"
scheme = ""
env = ["ACME_KEY"]

[providers.acme.paths]
upload = "PUT /bundles"
content = "/bundles/{{id}}/answers"
file_delete = "DELETE /bundles/{{id}}"
create = "/runs"
get = "/runs/{{id}}"
list = "/runs"
cancel = "POST /runs/{{id}}/stop"
models = ""

[providers.acme.upload]
purpose_field = "use"
purpose = "inference"
file_field = "bundle"
unwrap = "answer.bundle"

[providers.acme.create]
input = {{ field = "bundles", list = true }}
endpoint_field = "route"
window = {{ field = "hours", kind = "hours", values = ["6h"] }}
metadata = {{ field = "labels" }}
unwrap = "answer.run"

[providers.acme.batch]
id = "number"
status = "state.word"
total = "state.rows"
done = "state.good"
failed = "state.bad"
input = "bundles.0"
output = "answers"
error = "failures"
errors = "problems"
metadata = "labels"
created = "times.created"
ended = ["times.ended"]
status_map = {{ checking = "validating", "working on it" = "in_progress", ready = "completed" }}

[providers.acme.list]
items = "answer.runs"
paging = "token"
cursor_param = "from"
next = "answer.more"
limit_param = "count"
limit = 2

[providers.acme.quota]
text = ["all workers are busy"]
"""


class AcmeServer:
    """The server: bundles, runs, and the rows that have failed once.

    Args:
        key: The required value of ``X-Acme-Key``.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.bundles: dict[str, bytes] = {}
        self.uploads = 0
        self.runs: dict[int, dict[str, Any]] = {}
        self.polls: dict[int, int] = {}
        self.rows: dict[int, tuple[int, int]] = {}
        self.bad: set[str] = set()
        self.full = 1
        self.app = Starlette(
            routes=[
                Route("/v2/bundles", self.upload, methods=["PUT"]),
                Route("/v2/bundles/{id}/answers", self.content),
                Route("/v2/bundles/{id}", self.delete, methods=["DELETE"]),
                Route("/v2/runs", self.create, methods=["POST"]),
                Route("/v2/runs", self.list_runs),
                Route("/v2/runs/{id:int}", self.get),
            ]
        )

    def _reject(self, request: Request) -> Response | None:
        if request.headers.get("x-acme-key") == self.key:
            return None
        return JSONResponse({"oops": {"why": "Unknown key"}}, 401)

    async def upload(self, request: Request) -> Response:
        """Store a bundle."""
        if (refused := self._reject(request)) is not None:
            return refused
        form = await request.form()
        assert form["use"] == "inference"
        data = await form["bundle"].read()  # type: ignore[union-attr]
        self.uploads += 1
        name = f"bundle-{self.uploads}"
        self.bundles[name] = data
        return JSONResponse({"answer": {"bundle": {"id": name}}}, 202)

    async def create(self, request: Request) -> Response:
        """Create a run, unless all workers are busy."""
        if (refused := self._reject(request)) is not None:
            return refused
        if self.full:
            self.full -= 1
            return JSONResponse({"oops": {"why": "Sorry, all workers are busy"}}, 429)
        asked = await request.json()
        assert asked["route"] == "/v1/chat/completions"
        assert asked["hours"] == 6
        number = 100 + len(self.runs)
        self.polls[number] = 0
        answers, failures = self._process(self.bundles[asked["bundles"][0]])
        self.bundles[f"answers-{number}"] = answers
        self.bundles[f"failures-{number}"] = failures
        self.rows[number] = (answers.count(b"\n"), failures.count(b"\n"))
        self.runs[number] = {"bundles": asked["bundles"], "labels": asked["labels"]}
        return JSONResponse({"answer": {"run": self._document(number)}}, 201)

    def _process(self, bundle: bytes) -> tuple[bytes, bytes]:
        answers, failures = [], []
        for line in bundle.splitlines():
            row = json.loads(line)
            custom_id = row["custom_id"]
            text = row["body"]["messages"][-1]["content"]
            code = None
            if "fail=400" in text:
                code = "no_prompt"
            elif "flaky" in text and custom_id not in self.bad:
                self.bad.add(custom_id)
                code = "worker_lost"
            if code is not None:
                error = {"code": code, "message": f"Failed: {code}"}
                failures.append({"custom_id": custom_id, "response": None, "error": error})
                continue
            choice = {"message": {"role": "assistant", "content": f"Answer to {custom_id}"}}
            body = {"model": "acme-small", "choices": [{**choice, "finish_reason": "stop"}]}
            response = {"status_code": 200, "body": body}
            answers.append({"custom_id": custom_id, "response": response, "error": None})
        return _jsonl(answers), _jsonl(failures)

    def _document(self, number: int) -> dict[str, Any]:
        """The document of a run; each poll moves it one step on."""
        step = min(self.polls[number], 2)
        ready = step == 2
        good, bad = self.rows[number]
        return {
            "number": number,
            **self.runs[number],
            "state": {
                "word": ["Checking", "working on it", "ready"][step],
                "rows": str(good + bad),
                "good": good if ready else 0,
                "bad": bad if ready else 0,
            },
            "answers": f"answers-{number}" if ready else None,
            "failures": f"failures-{number}" if ready and bad else None,
            "problems": None,
            "times": {"created": "2026-11-18T10:26:40Z", "ended": "1795000000" if ready else None},
        }

    async def get(self, request: Request) -> Response:
        """Return a run."""
        number = request.path_params["id"]
        if number not in self.runs:
            return JSONResponse({"oops": {"why": "No such run"}}, 404)
        self.polls[number] += 1
        return self._reject(request) or JSONResponse({"answer": {"run": self._document(number)}})

    async def list_runs(self, request: Request) -> Response:
        """Return runs, two per page, the newest first."""
        start = int(request.query_params.get("from", "0"))
        numbers = sorted(self.runs, reverse=True)
        page: dict[str, Any] = {"runs": [self._document(n) for n in numbers[start : start + 2]]}
        if start + 2 < len(numbers):
            page["more"] = str(start + 2)
        return self._reject(request) or JSONResponse({"answer": page})

    async def content(self, request: Request) -> Response:
        """Return the content of a bundle."""
        bundle = self.bundles.get(request.path_params["id"])
        if bundle is None:
            return JSONResponse({"oops": {"why": "No such bundle"}}, 404)
        return self._reject(request) or PlainTextResponse(bundle)

    async def delete(self, request: Request) -> Response:
        """Delete a bundle."""
        self.bundles.pop(request.path_params["id"], None)
        return self._reject(request) or Response(status_code=204)


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
