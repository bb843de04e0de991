"""A provider made of functions, for tests that need no socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from tui.providers.connect import connect
from tui.providers.dialect import Dialect
from tui.providers.profiles.load import Profile, find_profile
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.client import HttpClient

KEY = "sk-test-0123456789abcdefghijkl"


class Scripted:
    """Answers requests by route, in turn; the last answer of a route is repeated.

    A value of the script is one answer or a list of them; an answer is a response, an
    exception to raise, or a function of the request.
    """

    def __init__(self, script: Mapping[str, Any]) -> None:
        self.script = {
            route: list(answers) if isinstance(answers, list) else [answers]
            for route, answers in script.items()
        }
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(await request.aread())
        route = f"{request.method} {request.url.raw_path.decode().partition('?')[0]}"
        answers = self.script.get(route)
        if answers is None:
            return httpx.Response(404, json={"error": {"message": f"no route {route}"}})
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
        return renewed(answer)

    @property
    def calls(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def sent(self, number: int = -1) -> Any:
        return json.loads(self.bodies[number])


def renewed(answer: httpx.Response) -> httpx.Response:
    """A response that can be read although its like was read before."""
    return httpx.Response(answer.status_code, headers=answer.headers.raw, stream=Bytes(answer))


class Bytes(httpx.AsyncByteStream):
    def __init__(self, answer: httpx.Response) -> None:
        self.parts = getattr(answer, "parts", None) or [answer.content]

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part


def raw(status: int, *parts: bytes | Exception, **headers: str) -> httpx.Response:
    """A response whose body comes in these parts; an exception breaks it off."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx.Response(status, headers=named)
    response.parts = list(parts)  # type: ignore[attr-defined]
    return response


def wire_to(script: Any, profile: Profile | None = None, *, key: str | None = KEY) -> HttpClient:
    profile = profile or find_profile("openai")
    address = parse_base_url(
        "https://api.example.com/v1", provider=profile.name, query=profile.query
    )
    return HttpClient(
        profile, address, key, transport=httpx.MockTransport(script), clock=lambda: 1000.0
    )


def dialect_to(
    script: Any,
    provider: str = "openai",
    changes: Mapping[str, Any] | None = None,
    *,
    base_url: str = "https://api.example.com/v1",
) -> Dialect:
    tables = {"made-up": {"base": provider, **(changes or {})}}
    return connect(
        find_profile("made-up", tables),
        base_url=base_url,
        key=KEY,
        transport=httpx.MockTransport(script),
        params={
            "bucket": "answers",
            "region": "eu-west-1",
            "role_arn": "arn:aws:iam::111122223333:role/bd",
        },
    )


def batch(**fields: Any) -> dict[str, Any]:
    """A batch object of OpenAI's shape."""
    return {
        "id": "batch_1",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "errors": None,
        "input_file_id": "file-1",
        "completion_window": "24h",
        "status": "in_progress",
        "created_at": 1_795_000_000,
        "request_counts": {"total": 3, "completed": 1, "failed": 0},
        "metadata": None,
        **fields,
    }
