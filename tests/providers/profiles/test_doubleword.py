"""Doubleword's habits, through the shipped profile."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.providers.fakes import Scripted, dialect_to
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import ResultSource
from tui.core.results.openai_lines import read_openai_line
from tui.core.rows import Outcome
from tui.errors import LimitError, ProviderError, RequestRejectedError, UsageError
from tui.providers.dialects.files import FilesDialect

UUID = "5b2f0c1e-7d55-4c8e-9a77-0d6f1f0a9e01"


def doubleword(script: Any, provider: str = "doubleword") -> FilesDialect:
    dialect = dialect_to(script, provider)
    assert isinstance(dialect, FilesDialect)
    return dialect


def batch(**fields: Any) -> dict[str, Any]:
    """A batch as the server writes it: what is null is left out, the files are there at once."""
    return {
        "id": UUID,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "in",
        "completion_window": "24h",
        "status": "in_progress",
        "output_file_id": "out",
        "error_file_id": "err",
        "created_at": 1_795_000_000,
        "expires_at": 1_795_086_400,
        "request_counts": {"total": 10, "completed": 4, "failed": 1},
        "metadata": {"batchdeck_batch": "b-1", "request_source": "api"},
        **fields,
    }


def route(suffix: str = "") -> str:
    return f"/v1/batches/{UUID}{suffix}"


async def test_absent_keys_and_files_that_grow() -> None:
    script = Scripted({f"GET {route()}": httpx.Response(200, json=batch())})
    found = await doubleword(script).retrieve(UUID)
    assert (found.id, found.intent) == (UUID, "b-1")
    assert found.results == (
        ResultSource(kind="output", ref="out", growing=True),
        ResultSource(kind="errors", ref="err", growing=True),
    )
    assert found.ended_at is None
    assert found.issues == ()
    bare = Scripted(
        {f"GET {route()}": httpx.Response(200, json={"id": UUID, "status": "validating"})}
    )
    assert (await doubleword(bare).retrieve(UUID)).counts == RemoteCounts()


async def test_expired_at_on_a_good_batch_means_nothing() -> None:
    done = batch(status="completed", completed_at=1_795_000_500, expired_at=1_795_086_400)
    script = Scripted({f"GET {route()}": httpx.Response(200, json=done)})
    found = await doubleword(script).retrieve(UUID)
    assert found.status is BatchStatus.COMPLETED
    assert found.ended_at == 1_795_000_500.0
    late = Scripted({f"GET {route()}": httpx.Response(200, json=batch(expired_at=1_795_086_400))})
    assert (await doubleword(late).retrieve(UUID)).status is BatchStatus.IN_PROGRESS


async def test_the_cancelled_rows_are_what_is_left() -> None:
    stopped = batch(status="cancelled", input_file_id="")
    script = Scripted({f"GET {route()}": httpx.Response(200, json=stopped)})
    found = await doubleword(script).retrieve(UUID)
    assert found.counts == RemoteCounts(total=10, completed=4, failed=1, cancelled=5)
    assert found.input_file_id is None


async def test_a_finished_batch_is_never_cancelled() -> None:
    script = Scripted({
        f"GET {route()}": httpx.Response(200, json=batch(status="completed")),
        f"POST {route('/cancel')}": httpx.Response(200, json=batch(status="cancelled")),
    })  # fmt: skip
    assert (await doubleword(script).cancel(UUID)).status is BatchStatus.COMPLETED
    assert script.calls == [f"GET {route()}"]


async def test_a_retry_in_place_brings_the_batch_back_and_files_begin_anew() -> None:
    def content(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("skip", 0))
        body = b"".join(b'{"custom_id":"r%d"}\n' % n for n in range(start, 2))
        return httpx.Response(200, content=body, headers={"X-Last-Line": "2"})

    script = Scripted({
        "GET /v1/files/err/content": content,
        f"POST {route('/retry')}": httpx.Response(200, json=batch(status="in_progress")),
        f"POST {route('/retry-requests')}": httpx.Response(200, json=batch()),
    })  # fmt: skip
    dialect = doubleword(script)
    source = ResultSource(kind="errors", ref="err", growing=True)

    async def fetch(have_lines: int) -> tuple[int, bool]:
        async with dialect.download(source, have_bytes=9, have_lines=have_lines) as download:
            data = b"".join([chunk async for chunk in download.chunks])
            return data.count(b"\n"), download.appends

    assert await fetch(0) == (2, False)
    assert await fetch(2) == (0, True)
    assert (await dialect.retry(UUID)).status is BatchStatus.IN_PROGRESS
    assert await fetch(2) == (2, False)
    await dialect.retry_rows(UUID, [f"batch_req_{UUID}", "bare"])
    assert script.sent() == {"request_ids": [UUID, "bare"]}
    assert dialect.capabilities.native_retry


async def test_a_retry_in_place_elsewhere() -> None:
    with pytest.raises(UsageError, match="in place"):
        await doubleword(Scripted({}), "openai").retry("b")


async def test_an_estimate() -> None:
    answer = {
        "file_id": "f",
        "total_requests": 10,
        "total_estimated_input_tokens": 1000,
        "total_estimated_output_tokens": 1100,
        "total_estimated_cost": "0.0125",
        "models": [],
    }
    script = Scripted({"GET /v1/files/f/cost-estimate": httpx.Response(200, json=answer)})
    guess = await doubleword(script).estimate("f", "1h")
    assert guess is not None
    assert (guess.requests, guess.input_tokens, guess.output_tokens) == (10, 1000, 1100)
    assert guess.cost == 0.0125
    assert script.requests[0].url.params["completion_window"] == "1h"
    assert await doubleword(Scripted({}), "openai").estimate("f", "24h") is None


async def test_errors_in_plain_text() -> None:
    answer = httpx.Response(400, text="Line 3: custom_id is missing")
    with pytest.raises(RequestRejectedError, match="Line 3: custom_id is missing"):
        await doubleword(Scripted({f"GET {route()}": answer})).retrieve(UUID)


async def test_when_to_come_back() -> None:
    body = {"error": "too_many_requests", "message": "too many uploads", "retry_after_seconds": 30}
    both = httpx.Response(429, json=body, headers={"Retry-After": "90"})
    with pytest.raises(ProviderError, match="too many uploads") as caught:
        await doubleword(Scripted({f"GET {route()}": both})).retrieve(UUID)
    assert caught.value.retry_after == 90.0
    alone = httpx.Response(429, json={**body, "retry_after_seconds": 300})
    with pytest.raises(ProviderError) as caught:
        await doubleword(Scripted({f"GET {route()}": alone})).retrieve(UUID)
    assert caught.value.retry_after == 300.0
    unverified = {"error": "too_many_requests", "message": "Unverified accounts may send 24000"}
    with pytest.raises(LimitError):
        answer = httpx.Response(429, json=unverified)
        await doubleword(Scripted({f"GET {route()}": answer})).retrieve(UUID)


async def test_deleting_a_batch_answers_with_nothing() -> None:
    script = Scripted({f"DELETE {route()}": httpx.Response(204)})
    await doubleword(script).delete_batch(UUID)
    assert script.calls == [f"DELETE {route()}"]


def test_a_row_error_is_json_in_a_text() -> None:
    inner = {"status": 400, "body": json.dumps({"error": "bad temperature"})}
    message = json.dumps({"type": "NonRetriableHttpStatus", "details": inner})
    line = {"custom_id": "a", "response": None, "error": {"code": None, "message": message}}
    result = read_openai_line(json.dumps(line).encode(), doubleword(Scripted({})).retry_rules)
    assert result.outcome is Outcome.FAILED
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == ("NonRetriableHttpStatus", False)
    assert (result.http_status, result.error.message) == (400, "bad temperature")
