from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.fakes import Scripted, batch, dialect_to, raw
from tui.core.jobs import BatchStatus
from tui.core.remote_batches import ResultSource
from tui.core.results.openai_lines import read_openai_line
from tui.errors import UnexpectedResponseError, UnreachableError, UsageError
from tui.providers.dialect import BatchDraft, Dialect

SOURCE = ResultSource(kind="output", ref="b")
LINES = [
    {"id": "r1", "custom_id": "a", "response": {"status_code": 200, "request_id": "x",
     "body": {"choices": [{"message": {"content": "One\n[}"}, "finish_reason": "stop"}]}},
     "error": None},
    {"id": "r2", "custom_id": "b", "response": None,
     "error": {"type": "provider_error", "message": "no", "param": None}},
]  # fmt: skip


@pytest.fixture
def draft(tmp_path: Path) -> BatchDraft:
    path = tmp_path / "rows"
    path.write_bytes(b'{"custom_id":"a","body":{}}\n{"custom_id":"b","body":{}}\n')
    return BatchDraft(
        path=path,
        rows=2,
        endpoint="/v1/chat/completions",
        model="m",
        window="24h",
        intent="b-1",
        metadata={"team": "blue"},
    )


async def lines(dialect: Dialect, source: ResultSource = SOURCE) -> list[Any]:
    async with dialect.download(source, have_bytes=9, have_lines=1) as download:
        assert not download.appends
        data = b"".join([chunk async for chunk in download.chunks])
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n") if line]


async def test_a_create_has_its_requests_last(draft: BatchDraft) -> None:
    answer = batch(id="b", status="validating", request_counts={"total": 2})
    script = Scripted({"POST /v1/batches": httpx.Response(202, json=answer)})
    dialect = dialect_to(script, "openrouter")
    assert (await dialect.create(draft)).status is BatchStatus.VALIDATING
    pairs = json.loads(script.bodies[0], object_pairs_hook=list)
    assert [key for key, _ in pairs] == ["endpoint", "model", "completion_window", "requests"]
    assert script.sent()["requests"] == [
        {"custom_id": "a", "body": {}},
        {"custom_id": "b", "body": {}},
    ]
    assert int(script.requests[0].headers["content-length"]) == len(script.bodies[0])
    assert json.loads(dialect.encode_line(
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}'
    )) == {"custom_id": "a", "body": {"model": "m"}}  # fmt: skip


async def test_metadata_and_other_fields_where_there_are_any(draft: BatchDraft) -> None:
    script = Scripted({
        "POST /v1/batches": httpx.Response(202, json=batch()),
        "POST /v1/batch/jobs": httpx.Response(200, json={"id": "j", "status": "QUEUED"}),
    })  # fmt: skip
    await dialect_to(script, "opper").create(draft)
    assert script.sent()["metadata"] == {"batchdeck_batch": "b-1", "team": "blue"}
    dialect = dialect_to(script, "mistral-inline")
    await dialect.create(draft)
    sent = script.sent()
    assert list(sent)[-1] == "requests"
    assert (sent["model"], sent["timeout_hours"]) == ("m", 24)
    assert "input_files" not in sent
    row = dialect.encode_line(b'{"custom_id":"a","body":{"model":"m","x":1}}')
    assert json.loads(row) == {"custom_id": "a", "body": {"x": 1}}


def finished(**fields: Any) -> dict[str, Any]:
    counts = {"total": 2, "completed": 1, "failed": 1}
    return batch(id="b", status="completed", request_counts=counts, **fields)


async def test_results_come_out_of_the_batch_object() -> None:
    text = json.dumps(finished(usage={"cost": 0.25}, results=LINES), indent=1)
    script = Scripted(
        {"GET /v1/batches/b": raw(200, *(text[n : n + 7].encode() for n in range(0, len(text), 7)))}
    )
    dialect = dialect_to(script, "openrouter")
    found = await dialect.retrieve("b")
    assert found.status is BatchStatus.COMPLETED
    assert found.results == (SOURCE,)
    assert found.cost == 0.25
    assert found.raw["results"] == []
    rows = await lines(dialect)
    assert rows == LINES
    assert read_openai_line(json.dumps(rows[0]).encode()).text == "One\n[}"


@pytest.mark.parametrize("status", ["in_progress", "completed", "expired"])
@pytest.mark.parametrize("results", [None, []])
async def test_a_batch_without_results(status: str, results: Any) -> None:
    value = batch(id="b", status=status, results=results)
    dialect = dialect_to(
        Scripted({"GET /v1/batches/b": httpx.Response(200, json=value)}), "openrouter"
    )
    assert (await dialect.retrieve("b")).results == ()


async def test_results_of_a_batch_that_ended_badly_are_read_when_they_are_there() -> None:
    value = batch(id="b", status="cancelled", results=LINES)
    dialect = dialect_to(
        Scripted({"GET /v1/batches/b": httpx.Response(200, json=value)}), "openrouter"
    )
    assert (await dialect.retrieve("b")).results == (SOURCE,)


async def test_lists_have_no_results_and_the_batch_itself_decides() -> None:
    async def ask(status: str) -> list[Any]:
        listed = batch(id="b", status=status)
        script = Scripted({
            "GET /v1/batches": httpx.Response(200, json={"data": [listed]}),
            "GET /v1/batches/b": httpx.Response(200, json={**listed, "results": None}),
        })  # fmt: skip
        dialect = dialect_to(script, "openrouter")
        found = [one async for one in dialect.list_batches()]
        assert found[0].results == (SOURCE,)
        return await lines(dialect)

    assert await ask("failed") == []
    with pytest.raises(UnexpectedResponseError, match="contains no results"):
        await ask("completed")


async def test_results_by_a_route_of_their_own() -> None:
    jobs = {
        "GET /v1/batch/jobs/b": [
            httpx.Response(200, json={"id": "b", "status": "SUCCESS", "total_requests": 2}),
            httpx.Response(200, json={"id": "b", "status": "SUCCESS", "outputs": LINES}),
        ]
    }
    script = Scripted(jobs)
    dialect = dialect_to(script, "mistral-inline")
    found = await dialect.retrieve("b")
    assert found.results == (SOURCE,)
    assert await lines(dialect) == LINES
    assert script.requests[1].url.params["inline"] == "true"


@pytest.mark.parametrize(
    "content_type", ["application/x-ndjson", "application/jsonl", "text/plain", "application/json"]
)
async def test_results_as_json_lines(content_type: str) -> None:
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    answer = raw(200, text[:30].encode(), text[30:].encode(), content_type=content_type)
    dialect = dialect_to(Scripted({"GET /v1/batches/b/results": answer}), "merge")
    assert await lines(dialect) == LINES


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"results": rows}])
async def test_results_as_an_array(wrap: Any) -> None:
    answer = httpx.Response(200, json=wrap(LINES))
    dialect = dialect_to(Scripted({"GET /v1/batches/b/results": answer}), "merge")
    assert await lines(dialect) == LINES


async def test_results_that_break_off() -> None:
    text = json.dumps(finished(results=LINES))[:-40].encode()
    dialect = dialect_to(Scripted({"GET /v1/batches/b": raw(200, text)}), "openrouter")
    with pytest.raises(UnreachableError, match="incomplete"):
        await lines(dialect)


async def test_what_an_inline_provider_has_not() -> None:
    dialect = dialect_to(Scripted({}), "openrouter")
    can = dialect.capabilities
    assert (can.uploads, can.cancels, can.metadata, can.deletes_files) == (False,) * 4
    assert (can.lists, can.deletes_batches) == (True, True)
    for call in (dialect.cancel("b"), dialect.delete_file("f"), dialect.upload(Path(), name="x")):
        with pytest.raises(UsageError):
            await call
