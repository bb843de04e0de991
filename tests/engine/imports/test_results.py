from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.rows import chat, file_of
from tui.config.settings import AccountConfig, Config
from tui.engine.engine import Engine
from tui.errors import InputError
from tui.paths import Paths


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def answer(custom_id: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    body = {
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": custom_id, "response": response, "error": None}


async def test_a_batch_that_ran_elsewhere_becomes_a_job(engine: Engine, tmp_path: Path) -> None:
    asked = file_of(tmp_path / "asked.jsonl", *(chat(f"r{n}", f"Question {n}") for n in range(4)))
    output = written(tmp_path / "output.jsonl", answer("r2", "Two"), answer("r0", "Zero"))
    failure = {"code": "rate_limit", "message": "Too many"}
    failed = {"custom_id": "r1", "response": None, "error": failure, "id": "b"}
    errors = written(tmp_path / "errors.jsonl", failed)
    job = await engine.import_results(asked, [output, errors])
    assert (job.name, job.account, job.status) == ("asked", "openai", "completed")
    assert (job.counts.total, job.counts.succeeded) == (4, 2)
    assert (job.counts.failed, job.counts.missing) == (1, 1)
    lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
    assert [line.text for line in lines] == ["Zero", "", "Two", ""]
    assert lines[1].error is not None and lines[1].error.code == "rate_limit"
    # Half of 0.15 and 0.6 dollars a million: the answered rows have a cost, and so has the job.
    assert lines[0].cost == pytest.approx((1000 * 0.075 + 100 * 0.3) / 1e6)
    assert job.cost.actual == pytest.approx(2 * (lines[0].cost or 0))
    # Nothing waits to be polled, and the failed rows can be retried.
    assert not engine.history.batches.unfinished()
    assert (await engine.retries.plan(job.id)).rows == 2


async def test_results_of_anthropic(engine: Engine, tmp_path: Path) -> None:
    message = {"role": "user", "content": "x"}
    params = {"model": "claude-haiku-4-5", "max_tokens": 5, "messages": [message]}
    asked = written(tmp_path / "a.jsonl", {"custom_id": "a", "params": params})
    said = {
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    result = {"custom_id": "a", "result": {"type": "succeeded", "message": said}}
    job = await engine.import_results(asked, [written(tmp_path / "r.jsonl", result)], name="x")
    assert (job.name, job.account, job.counts.succeeded) == ("x", "anthropic", 1)


async def test_files_in_the_wrong_place_are_named(engine: Engine, tmp_path: Path) -> None:
    asked = file_of(tmp_path / "asked.jsonl", chat("a", "x"))
    output = written(tmp_path / "output.jsonl", answer("a", "One"))
    with pytest.raises(InputError, match="not requests") as caught:
        await engine.import_results(output, [output])
    assert "results of an OpenAI-style batch" in caught.value.message
    with pytest.raises(InputError, match="not the results of a batch"):
        await engine.import_results(asked, [asked])
    assert engine.history.jobs.list(search="") == []


GENERATED = {
    "candidates": [
        {"content": {"parts": [{"text": "Four"}], "role": "model"}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6},
}


def asks(text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


CLAUDE = {"anthropic_version": "x", "max_tokens": 5, "messages": [{"role": "user", "content": "?"}]}
MESSAGE = {
    "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Four"}],
    "stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 1},
}  # fmt: skip
REFUSED = {"errorCode": 400, "errorMessage": "no"}
ELSEWHERE: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "gemini": (
        [{"key": "a", "request": asks("2+2")}, {"key": "b", "request": asks("3+3")}],
        [{"key": "a", "response": GENERATED}, {"key": "b", "error": {"code": 8, "message": "no"}}],
    ),
    # Rows have no id, and come in any order.
    "vertex": (
        [{"request": asks("2+2")}, {"request": asks("3+3")}],
        [
            {"request": asks("3+3"), "response": {}, "status": "no"},
            {"request": asks("2+2"), "response": GENERATED, "status": ""},
        ],
    ),
    "bedrock": (
        [{"recordId": "a", "modelInput": CLAUDE}, {"recordId": "b", "modelInput": CLAUDE}],
        [
            {"recordId": "b", "modelInput": CLAUDE, "error": REFUSED},
            {"recordId": "a", "modelInput": CLAUDE, "modelOutput": MESSAGE},
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("provider", ELSEWHERE)
async def test_results_of_other_forms(engine: Engine, tmp_path: Path, provider: str) -> None:
    requests, results = ELSEWHERE[provider]
    asked = written(tmp_path / "asked.jsonl", *requests)
    job = await engine.import_results(asked, [written(tmp_path / "found.jsonl", *results)])
    assert (job.counts.total, job.counts.succeeded, job.counts.failed) == (2, 1, 1)
    lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
    assert lines[0].text == "Four" and lines[0].usage.input_tokens == 5
    assert lines[1].error is not None and "no" in lines[1].error.message
    assert (job.account, job.provider) == (provider, provider)


async def test_results_of_one_provider_belong_to_an_account_of_it(
    paths: Paths, tmp_path: Path
) -> None:
    requests, results = ELSEWHERE["bedrock"]
    asked = written(tmp_path / "asked.jsonl", *requests)
    found = written(tmp_path / "found.jsonl", *results)
    accounts = {
        "far": AccountConfig(provider="openai"),
        "odd": AccountConfig(provider="nobody"),
        "aws": AccountConfig(provider="bedrock"),
    }
    engine = await Engine.open(paths, Config(default_account="far", accounts=accounts))
    job = await engine.import_results(asked, [found])
    assert (job.account, job.provider, job.endpoint) == ("aws", "bedrock", "/v1/messages")
    await engine.close()
