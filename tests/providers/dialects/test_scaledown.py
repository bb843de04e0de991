from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted, dialect_to, raw
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import ResultSource
from tui.errors import ProviderError, RequestRejectedError, ResponseLostError, UsageError
from tui.providers.dialect import BatchDraft, Dialect
from tui.providers.wire.errors import may_have_acted

ROWS = (
    b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"classify"}}\n'
)
FIRST = {"batch_id": "b1", "status": "queued", "total_count": 2}
SECOND = {
    "id": "b1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": None,
    "completion_window": "24h",
    "status": "validating",
    "output_file_id": None,
    "error_file_id": None,
    "created_at": 1_795_000_000,
    "request_counts": {"total": 2, "completed": 0, "failed": 0},
    "metadata": None,
}


def scaledown(script: Any) -> Dialect:
    return dialect_to(script, "scaledown", base_url="https://api.example.com")


@pytest.fixture
def draft(tmp_path: Path) -> BatchDraft:
    path = tmp_path / "rows"
    path.write_bytes(ROWS * 2)
    return BatchDraft(
        path=path,
        rows=2,
        endpoint="/v1/chat/completions",
        model="classify",
        window="24h",
        intent="b-1",
    )


@pytest.mark.parametrize(
    ("answer", "status", "counts"),
    [
        (FIRST, BatchStatus.QUEUED, RemoteCounts(total=2)),
        (SECOND, BatchStatus.VALIDATING, RemoteCounts(total=2, completed=0, failed=0)),
    ],
)
async def test_both_generations_take_the_rows_as_they_are(
    draft: BatchDraft, answer: Any, status: BatchStatus, counts: RemoteCounts
) -> None:
    script = Scripted({"POST /v1/batches": httpx.Response(200, json=answer)})
    dialect = scaledown(script)
    assert dialect.passes_through
    made = await dialect.create(draft)
    assert (made.id, made.status, made.counts) == ("b1", status, counts)
    assert script.bodies[0] == ROWS * 2
    headers = script.requests[0].headers
    assert headers["x-api-key"] == KEY
    assert headers["content-type"] == "application/jsonl"
    assert int(headers["content-length"]) == len(ROWS) * 2


@pytest.mark.parametrize(
    ("answer", "status", "results"),
    [
        ({"batch_id": "b1", "status": "processing", "total_count": 2, "completed_count": 1,
          "failed_count": 0}, BatchStatus.IN_PROGRESS, 0),
        ({"batch_id": "b1", "status": "completed", "total_count": 2, "completed_count": 1,
          "failed_count": 1}, BatchStatus.COMPLETED, 1),
        ({"status": "completed"}, BatchStatus.COMPLETED, 1),
        ({"batch_id": "b1", "status": "failed"}, BatchStatus.FAILED, 0),
        ({"batch_id": "b1", "status": "failed", "completed_count": 1}, BatchStatus.FAILED, 1),
        ({**SECOND, "status": "in_progress"}, BatchStatus.IN_PROGRESS, 0),
        ({**SECOND, "status": "completed", "output_file_id": "b1_output"},
         BatchStatus.COMPLETED, 1),
    ],
)  # fmt: skip
async def test_both_generations_are_read(answer: Any, status: BatchStatus, results: int) -> None:
    script = Scripted({"GET /v1/batches/b1": httpx.Response(200, json=answer)})
    found = await scaledown(script).retrieve("b1")
    assert (found.id, found.status) == ("b1", status)
    assert found.results == (ResultSource(kind="output", ref="b1"),) * results


async def test_an_output_that_is_not_ready_is_asked_for_again() -> None:
    missing = httpx.Response(404, json={"detail": "not ready"})
    busy = httpx.Response(503, text="busy")
    script = Scripted({"GET /v1/batches/b1/output": [missing, busy, raw(200, b"{}\n")]})
    async with scaledown(script).download(ResultSource(kind="output", ref="b1")) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"{}\n"
    assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.ReadTimeout(""), ResponseLostError),
        (httpx.RemoteProtocolError("cut"), ResponseLostError),
        (httpx.Response(400, text="51 rows"), RequestRejectedError),
        (httpx.Response(429, text="slow"), ProviderError),
        (httpx.Response(500, text="bad"), ProviderError),
        (httpx.Response(502, text="bad"), ResponseLostError),
        (httpx.Response(503, headers={"Retry-After": "1"}), ProviderError),
    ],
)
async def test_a_create_is_sent_once_unless_it_was_put_off(
    draft: BatchDraft, answer: Any, kind: type[ProviderError]
) -> None:
    script = Scripted({"POST /v1/batches": answer})
    with pytest.raises(kind) as raised:
        await scaledown(script).create(draft)
    acted = isinstance(answer, Exception) or answer.status_code >= 500
    put_off = not acted and answer.status_code == 429
    assert len(script.requests) == (4 if put_off else 1)
    assert may_have_acted(raised.value) is acted


async def test_what_scaledown_has_not() -> None:
    dialect = scaledown(Scripted({}))
    can = dialect.capabilities
    assert (can.uploads, can.lists, can.cancels, can.metadata) == (False,) * 4
    assert (can.deletes_files, can.deletes_batches) == (False, False)
    for call in (dialect.cancel("b1"), dialect.delete_file("f"), dialect.upload(Path(), name="x")):
        with pytest.raises(UsageError):
            await call
    models = httpx.Response(200, json={"data": [{"id": "extract"}, {"id": "classify"}]})
    assert await scaledown(Scripted({"GET /v1/models": models})).models() == ["extract", "classify"]
