"""One request asked at once, in every dialect that can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chat, chats, file_of, flat, line
from tui.core.rows import Outcome
from tui.engine.engine import Engine
from tui.errors import InputError, RequestRejectedError, UsageError


async def test_the_sandbox_of_this_machine(engine: Engine, tmp_path: Path) -> None:
    rows = [chat("a", "Hello"), chat("b", "sandbox:say=just this")]
    trial = await engine.try_request(file_of(tmp_path / "a.jsonl", *rows), 2)
    assert trial.custom_id == "b" and trial.result.text == "just this"
    assert trial.result.usage.output_tokens is not None
    assert json.loads(trial.raw)["choices"][0]["message"]["content"] == "just this"
    assert json.loads(trial.request)["custom_id"] == "b"
    assert engine.history.jobs.list() == []


async def test_openai(opened: Opener) -> None:
    with sandbox("openai", key="sk-compose-4f1c0de5ba5e") as server:
        async with opened("openai", server.url) as engine:
            cut = chat("a", "sandbox:truncate Hello there", max_tokens=5)
            trial = await engine.try_request(line(cut))
            assert trial.result.outcome is Outcome.TRUNCATED
            assert [call.path for call in server.asked] == ["/v1/chat/completions"]
            vector = {"custom_id": "v", "method": "POST", "url": "/v1/embeddings",
                      "body": {"model": "e", "input": "x"}}  # fmt: skip
            assert "1 vector" in (await engine.try_request(line(vector))).result.text


@pytest.mark.parametrize("form", ["chat", "params"])
async def test_anthropic(form: str, opened: Opener, tmp_path: Path) -> None:
    body = {"model": "claude-haiku-4-5", "max_tokens": 50,
            "messages": [{"role": "user", "content": "sandbox:say=Bonjour"}]}  # fmt: skip
    row = chat("a", "", **body) if form == "chat" else {"custom_id": "a", "params": body}
    with sandbox("anthropic", key="sk-compose-4f1c0de5ba5e") as server:
        async with opened("anthropic", server.url) as engine:
            trial = await engine.try_request(file_of(tmp_path / "a.jsonl", row))
            assert trial.result.text == "Bonjour" and trial.result.outcome is Outcome.SUCCEEDED
            assert [call.path for call in server.asked] == ["/v1/messages"]


@pytest.mark.parametrize("like", ["scaledown", "scaledown-2"])
async def test_scaledown(like: str, opened: Opener) -> None:
    rows = {
        "summary": flat("a", model="summarize", text="A long text about ships."),
        "entities": flat("b", model="extract", text="Ships in Kiel.", entities={"town": "A town"}),
        "top_label": flat("c", model="classify", text="Ships!",
                          labels=[{"name": n, "rubric": n} for n in ("sea", "land")]),
    }  # fmt: skip
    with sandbox(like) as server:
        async with opened("scaledown", server.url) as engine:
            for key, row in rows.items():
                assert key in json.loads((await engine.try_request(line(row))).result.text)


async def test_a_refusal_is_the_providers_own(engine: Engine) -> None:
    with pytest.raises(RequestRejectedError) as caught:
        await engine.try_request(line(chat("a", "sandbox:fail=400")))
    assert caught.value.status == 400 and not caught.value.retryable


async def test_only_endpoints_of_the_provider_are_asked(opened: Opener) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:
            for url in ("/v1/batches", "/v1/files", "@evil.example/v1/chat/completions", ""):
                with pytest.raises(UsageError, match="has no endpoint"):
                    await engine.try_request(line({**chat("a", "x"), "url": url}))
            assert server.asked == []


async def test_a_provider_that_cannot_is_not_asked(opened: Opener) -> None:
    with sandbox("openai") as server:
        async with opened("azure-openai", server.url) as engine:
            with pytest.raises(UsageError, match="does not accept single requests"):
                await engine.try_request(line(chat("a", "x")))
            assert server.asked == []


async def test_a_request_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 3)
    with pytest.raises(InputError, match="no request 4"):
        await engine.try_request(path, 4)
    with pytest.raises(UsageError, match="no request 0"):
        await engine.try_request(path, 0)
    for bad in (b"xx", b"[1]", b"{}"):
        with pytest.raises(InputError, match="cannot be read"):
            await engine.try_request(bad)
