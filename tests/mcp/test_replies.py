"""Replies are bounded, have no key in them, and errors say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.mcp.conftest import KEY, Served
from tests.threads import in_thread
from tui.errors import BudgetError, UsageError
from tui.mcp.replies import MOST_BYTES, Replies, shortened


def row(custom_id: str, text: str) -> str:
    body = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": text}]}
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line) + "\n"


@contextmanager
def repeating_server() -> Iterator[str]:
    """A server that refuses everything, and says the key that it was given."""

    async def refuse(request: Request) -> Response:
        message = f"No rights for {request.headers['authorization']}"
        return JSONResponse({"error": {"message": message, "code": "no_rights"}}, 400)

    route = Route("/{path:path}", refuse, methods=["GET", "POST", "DELETE"])
    with in_thread(uvicorn.Config(Starlette(routes=[route]), log_level="error")) as url:
        yield url


async def test_a_key_in_a_server_s_error_is_in_no_reply(served: Served, work: Path) -> None:
    (work / "a.jsonl").write_text(row("a", "Hi"))
    with repeating_server() as url:
        async with served(url) as call:
            texts = [
                (await call("submit", file="a.jsonl", budget=100, account="there")).text,
                (await call("wait", job="a", seconds=1)).text,
                (await call("show_job", job="a")).text,
                (await call("list_jobs")).text,
            ]
            assert "No rights for Bearer" in texts[0] and "stored as job" in texts[0]
            assert not any(KEY in text for text in texts)


async def test_a_key_in_an_answer_is_in_no_reply(served: Served, work: Path) -> None:
    (work / "a.jsonl").write_text(row("a", f"sandbox:say=The key is {KEY}."))
    async with served() as call:
        await call("submit", file="a.jsonl", budget=0, account="sandbox")
        await call("wait", job="a", seconds=50)
        for tool, more in (("results", {}), ("results", {"columns": ["answer"]}), ("count", {})):
            text = (await call(tool, job="a", **more)).text
            assert "The key is [key]" in text and KEY not in text


async def test_answers_are_cut_and_lists_are_bounded(served: Served, work: Path) -> None:
    (work / "a.jsonl").write_text(
        "".join(row(f"r{n}", "sandbox:say=" + "x" * 5_000) for n in range(30))
    )
    async with served() as call:
        await call("submit", file="a.jsonl", budget=0, account="sandbox")
        await call("wait", job="a", seconds=50)
        short = (await call("results", job="a", limit=2, longest=10)).document
        assert short["rows"][0]["answer"] == "xxxxxxxxxx… (5,000 characters)"
        full = await call("results", job="a", limit=30, longest=20_000)
        assert len(full.text.encode()) <= MOST_BYTES
        assert len(full.document["rows"]) + full.document["left_off"] == 30
        assert full.document["more"]
        unknown = await call("results", job="a", where="@label:")
        assert unknown.failed and "needs a value" in unknown.text
        unknown = await call("show_job", job="none")
        assert unknown.failed and "there is no job" in unknown.text
        wrong = await call("list_jobs", status="done")
        assert wrong.failed and "in_progress" in wrong.text
        tokens = await call("retry", job="a", budget=0, max_tokens="many")
        assert tokens.failed and "x2" in tokens.text


def test_a_list_says_what_is_left_off() -> None:
    replies = Replies()
    document = json.loads(replies.listed({"job": "j"}, "rows", [1, 2], 0, "more"))
    assert document == {"job": "j", "rows": [1, 2]}
    text = replies.listed({}, "rows", ["x" * 30_000, "y" * 30_000, "z"], 5, "go on")
    assert json.loads(text) == {"rows": ["x" * 30_000], "left_off": 7, "more": "go on"}
    assert shortened("abc", 3) == "abc" and shortened("abcd", 3) == "abc… (4 characters)"


def test_errors_say_what_to_do() -> None:
    replies = Replies()
    replies.keys.add(KEY)
    assert (
        replies.error(UsageError(f"no {KEY}", "Do it."))
        == f"no {'[key]'.ljust(len(KEY), '*')}. Do it."
    )
    assert replies.error(BudgetError("too much")).endswith(
        "Ask the user before you raise a budget."
    )
    assert len(replies.error(UsageError("x" * 10_000))) <= 2_010
