"""A model server without batches: it counts what it is asked, and misbehaves on request."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.end_to_end.servers import Served, serving


class ModelServer:
    """Answers chat requests one by one.

    Words in a request's text: ``busy`` (429 with Retry-After 0 the first time), ``broken`` (500
    the first time), ``bad`` (always 400), ``page`` (200 with a web page), ``plain`` (418 in
    plain text), ``twice`` (500 for ever).

    Args:
        seconds: How long an answer takes.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.sent: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.under_way = 0
        self.most_under_way = 0
        self.key: str | None = None
        self.held = False
        """No answer is given while it is so; the test sets it from its own thread."""
        self.held_after: int | None = None
        """After so many answers none is given any more; the test sets it."""
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/models", self.models),
            ]
        )

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "tiny"}]})

    async def chat(self, request: Request) -> Response:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"error": {"message": "Bad key", "code": "invalid_api_key"}}, 401)
        body = await request.json()
        text = body["messages"][-1]["content"]
        self.sent[text] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
            while self._is_held():  # noqa: ASYNC110 - set by another thread
                await asyncio.sleep(0.01)
            # Without a pause: another request would be answered beyond `held_after`.
            return self._answer(text, body)
        finally:
            self.under_way -= 1

    def _is_held(self) -> bool:
        return self.held or (
            self.held_after is not None and self.answered.total() >= self.held_after
        )

    def _answer(self, text: str, body: dict[str, Any]) -> Response:
        first = self.sent[text] == 1
        if "busy" in text and first:
            error = {"message": "Slow down", "code": "rate_limit_exceeded"}
            return JSONResponse({"error": error}, 429, {"retry-after": "0"})
        if "twice" in text or ("broken" in text and first):
            return JSONResponse({"error": {"message": "Out of memory"}}, 500)
        if "bad" in text:
            error = {"message": "No such model", "code": "model_not_found"}
            return JSONResponse({"error": error}, 400)
        if "page" in text:
            return Response("<html>hello</html>", media_type="text/html")
        if "plain" in text:
            return PlainTextResponse("I am a teapot", 418)
        self.answered[text] += 1
        message = {"role": "assistant", "content": f"Answer to {text}"}
        made = {
            "id": "chatcmpl-1",
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        }
        # Some servers send JSON for people to read.
        return Response(json.dumps(made, indent=2), media_type="application/json")

    @contextmanager
    def running(self) -> Iterator[Served]:
        """Serve over TCP while the block runs."""
        config = uvicorn.Config(self.app, log_config=None, lifespan="off", ws="none")
        with serving(config) as served:
            yield served


def written(path: Path, texts: list[str]) -> Path:
    """Requests ``row-0`` … with these texts."""
    lines = []
    for number, text in enumerate(texts):
        body = {"model": "tiny", "messages": [{"role": "user", "content": text}]}
        row = {"custom_id": f"row-{number}", "method": "POST", "url": "/v1/chat/completions"}
        lines.append(json.dumps({**row, "body": body}) + "\n")
    path.write_text("".join(lines), "utf-8")
    return path
