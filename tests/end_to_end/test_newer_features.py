"""What OpenAI and Anthropic have added to their batches, over HTTP with the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import params
from tests.end_to_end.servers import sandbox
from tests.end_to_end.test_full_loop import ended, submitted
from tui.core.rows import Outcome
from tui.errors import RequestRejectedError

BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hello"}]},
    "/v1/responses": {"input": "Hello"},
    "/v1/embeddings": {"input": "Hello"},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/moderations": {"input": "Hello"},
    "/v1/images/generations": {"prompt": "A cat"},
    "/v1/images/edits": {"prompt": "A dog", "images": [{"file_id": "file-1"}]},
    "/v1/videos": {"prompt": "A cat walks"},
}


def rows_of(path: Path, endpoint: str, rows: int = 2) -> Path:
    lines = [
        {
            "custom_id": f"row-{number}",
            "method": "POST",
            "url": endpoint,
            "body": {"model": "gpt-5-mini", **BODIES[endpoint]},
        }
        for number in range(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.mark.parametrize("endpoint", BODIES)
async def test_each_of_the_eight_endpoints(endpoint: str, tmp_path: Path, opened: Opener) -> None:
    path = rows_of(tmp_path / "rows.jsonl", endpoint)
    with sandbox("openai", key=KEY) as server:
        async with opened("openai", server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            assert (job.endpoint, job.counts.succeeded) == (endpoint, 2)
            lines = engine.history.rows.lines(job.id, await engine.results.select(job.id))
            assert all(line.outcome is Outcome.SUCCEEDED for line in lines)
            (entry,) = await engine.remote.sync()
            assert entry.remote.model == "gpt-5-mini"
            assert entry.remote.counts.input_tokens
            assert entry.remote.counts.output_tokens is not None


async def test_result_files_expire_when_the_profile_says_so(tmp_path: Path, opened: Opener) -> None:
    path = rows_of(tmp_path / "rows.jsonl", "/v1/responses")
    with sandbox("openai", key=KEY) as server:
        create = {"output_expires_seconds": 7200}
        async with opened("openai", server.url, create=create) as engine:
            await ended(engine, await submitted(engine, path))
        head = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=server.url, headers=head) as client:
            listed = await client.get("/v1/files", params={"purpose": "batch_output"})
        (file,) = listed.json()["data"]
        assert file["expires_at"] - file["created_at"] == 7200
        create = {"output_expires_seconds": 60}
        async with opened("openai", server.url, create=create) as engine:
            job = await engine.requests.import_file(path)
            with pytest.raises(RequestRejectedError, match="between 3600 and 2592000"):
                await engine.submit(job.id)


async def test_long_answers_of_anthropic_need_a_beta(tmp_path: Path, opened: Opener) -> None:
    request = params(0, "Write a book.")
    request["params"]["max_tokens"] = 200_000
    request["params"]["messages"][0]["content"] = [
        {"type": "document", "source": {"type": "file", "file_id": "file_011"}},
        {"type": "text", "text": "Write a book about it."},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(request) + "\n", "utf-8")
    for beta, outcome in (
        ((), Outcome.FAILED),
        (("output-300k-2026-03-24",), Outcome.SUCCEEDED),
    ):
        with sandbox("anthropic", key=KEY) as server:
            home = tmp_path / str(len(beta))
            messages = {"beta": list(beta)}
            async with opened("anthropic", server.url, home=home, messages=messages) as engine:
                job = await ended(engine, await submitted(engine, path))
                (line,) = engine.history.rows.lines(job.id, await engine.results.select(job.id))
                assert line.outcome is outcome
                if outcome is Outcome.FAILED:
                    assert line.error is not None
                    assert "max_tokens: 200000 > 128000" in line.error.message
