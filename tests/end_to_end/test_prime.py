"""One row fills the prompt cache, and the others are sent when its batch has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import Maker, chat, params, written
from tests.end_to_end.servers import sandbox
from tests.end_to_end.test_full_loop import ended
from tui.core.jobs import BatchStatus, Job, Submission
from tui.core.send_plans import Saving
from tui.engine.engine import Engine
from tui.errors import UsageError

PRIME = Saving(prime=True)


def marked(number: int, text: str) -> dict[str, Any]:
    """A request whose system prompt is to be cached."""
    request = params(number, text)
    system = [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}]
    return {**request, "params": {**request["params"], "system": system}}


def requests(path: Path, *texts: str) -> Path:
    lines = (json.dumps(marked(number, text)) for number, text in enumerate(texts))
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


async def primed(engine: Engine, path: Path) -> Job:
    job = await engine.requests.import_file(path)
    await engine.submit(job.id, saving=PRIME)
    return job


async def test_the_rest_is_sent_when_the_first_row_has_ended(
    tmp_path: Path, opened: Opener
) -> None:
    path = requests(tmp_path / "r.jsonl", *(f"Say {number}" for number in range(30)))
    with sandbox("anthropic", key=KEY) as server:
        async with opened("anthropic", server.url, limits={"rows": 20}) as engine:
            job = await primed(engine, path)
            first, *rest = engine.history.batches.of_job(job.id)
            assert (first.rows, first.after) == (1, None)
            assert [(batch.rows, batch.after) for batch in rest] == [(20, first.id), (9, first.id)]
            job = await ended(engine, job.id)
            assert job.status is BatchStatus.COMPLETED and job.counts.succeeded == 30
            creates = [
                at
                for at, call in enumerate(server.asked)
                if call.method == "POST" and call.path.endswith("/batches")
            ]
            results = next(at for at, call in enumerate(server.asked) if "/results" in call.path)
            assert len(creates) == 3 and creates[0] < results < creates[1]


async def test_nothing_more_is_sent_if_the_first_row_has_no_answer(
    tmp_path: Path, opened: Opener
) -> None:
    path = requests(tmp_path / "r.jsonl", "sandbox:fail=400", "Say 1", "Say 2")
    with sandbox("anthropic", key=KEY) as server:
        async with opened("anthropic", server.url) as engine:
            job = await primed(engine, path)
            await ended(engine, job.id)
            first, rest = engine.history.batches.of_job(job.id)
            assert first.collected and rest.submission is Submission.DRAFT
            assert server.count("POST", "/batches") == 1
            told = [entry.what for entry in engine.history.jobs.timeline(job.id)]
            assert "Not sent, because the first row has no answer" in told
            # It can be sent anyway.
            await engine.submit(job.id)
            job = await ended(engine, job.id)
            assert (job.counts.succeeded, job.counts.failed) == (2, 1)


async def test_a_program_that_is_closed_meanwhile_goes_on_with_the_rest(
    tmp_path: Path, opened: Opener
) -> None:
    path = requests(tmp_path / "r.jsonl", "Say 0", "Say 1", "Say 2")
    with sandbox("anthropic", key=KEY) as server:
        async with opened("anthropic", server.url) as engine:
            job = await primed(engine, path)
            rest = engine.history.batches.of_job(job.id)[1]
            assert rest.submission is Submission.UPLOADING
        async with opened("anthropic", server.url) as engine:
            job = await ended(engine, job.id)
            assert job.counts.succeeded == 3
            assert server.count("POST", "/batches") == 2


async def test_a_cancel_stops_what_waits(tmp_path: Path, opened: Opener) -> None:
    path = requests(tmp_path / "r.jsonl", "Say 0", "Say 1", "Say 2")
    with sandbox("anthropic", key=KEY, rows_per_second=0.01) as server:
        async with opened("anthropic", server.url) as engine:
            job = await primed(engine, path)
            await engine.cancel(job.id)
            job = await ended(engine, job.id)
            assert job.counts.cancelled == 3
            assert server.count("POST", "/batches") == 1


@pytest.mark.parametrize(("provider", "make"), [("openai", chat), ("anthropic", params)])
async def test_where_nothing_is_cached_it_is_refused(
    provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", make)
    with sandbox(provider, key=KEY) as server:
        async with opened(provider, server.url) as engine:
            job = await engine.requests.import_file(path)
            with pytest.raises(UsageError, match="cache"):
                await engine.submit(job.id, saving=PRIME)
            assert not server.count("POST", "/batches") and not server.count("POST", "/files")
