"""xAI: a profile of the files dialect with names, counts and pages of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.providers.fakes import Scripted, dialect_to
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.core.results.openai_lines import read_openai_line
from tui.core.rows import Outcome
from tui.providers.dialect import BatchDraft, Dialect
from tui.providers.dialects.batch_responses import read_batch
from tui.providers.profiles.load import find_profile

CREATED = 1_795_161_662.0
SOON = {"Date": "Fri, 20 Nov 2026 08:01:03 GMT"}


ROUTE = "/batches/batch_9/results"
RESULTS = ResultSource(kind="output", ref=ROUTE, growing=True, deletable=False)


def state(total: int, left: int = 0, good: int = 0, bad: int = 0, cancelled: int = 0) -> Any:
    return {
        "num_requests": total,
        "num_pending": left,
        "num_success": good,
        "num_error": bad,
        "num_cancelled": cancelled,
    }


def batch(**fields: Any) -> dict[str, Any]:
    return {
        "batch_id": "batch_9",
        "name": "bd-b1",
        "create_time": "2026-11-20T08:01:02Z",
        "expire_time": "2026-11-21T08:01:02Z",
        "cancel_time": None,
        "cancel_by_xai_message": None,
        "input_file_id": "file_2",
        "state": state(3, 1, 1, 1),
        "cost_breakdown": {"total_cost_usd_ticks": "1250000", "endpoint_costs": []},
        **fields,
    }


def read(value: Mapping[str, Any], now: float = CREATED + 60) -> RemoteBatch:
    found = read_batch(value, find_profile("xai"), now=now)
    assert found is not None
    return found


async def test_the_intent_is_the_name_and_nothing_else_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    script = Scripted({
        "POST /v1/files": httpx.Response(200, json={"id": "file_2"}),
        "POST /v1/batches": httpx.Response(200, headers=SOON, json=batch(state=state(0))),
        "GET /v1/batches": [
            httpx.Response(200, json={"batches": [batch(name="theirs", batch_id="b0")],
                                      "pagination_token": "p2"}),
            httpx.Response(200, json={"batches": [batch()], "pagination_token": None}),
        ],
    })  # fmt: skip
    dialect = dialect_to(script, "xai", {"upload": {"expires_seconds": 3600}})
    assert dialect.capabilities.metadata
    file_id = await dialect.upload(path, name="rows")
    form = script.bodies[0]
    assert b'name="purpose"' not in form
    assert form.index(b'name="expires_after"\r\n\r\n3600') < form.index(b'name="file"')
    draft = BatchDraft(path, 3, "/v1/chat/completions", "grok-4.3", "24h", "b1", file_id)
    made = await dialect.create(draft)
    assert script.sent() == {"name": "bd-b1", "input_file_id": "file_2"}
    assert (made.id, made.status, made.intent) == ("batch_9", BatchStatus.VALIDATING, "b1")
    theirs, ours = [one async for one in dialect.list_batches()]
    assert (theirs.intent, theirs.metadata) == (None, {"name": "theirs"})
    assert (ours.intent, ours.metadata, ours.input_file_id) == ("b1", {}, "file_2")
    assert script.requests[-1].url.params["pagination_token"] == "p2"


@pytest.mark.parametrize(
    ("fields", "after", "status"),
    [
        ({"state": state(0)}, 60, BatchStatus.VALIDATING),
        ({"state": {}}, 60, BatchStatus.VALIDATING),
        ({"state": state(3, 1, 2)}, 60, BatchStatus.IN_PROGRESS),
        ({"state": state(3, 0, 2, 1)}, 60, BatchStatus.COMPLETED),
        ({"state": state(3, 0, 2, 1)}, 90_000, BatchStatus.COMPLETED),
        ({"state": state(3, 1, 2)}, 90_000, BatchStatus.EXPIRED),
        ({"cancel_time": "2026-11-20T08:02:02Z"}, 90, BatchStatus.CANCELLING),
        ({"cancel_time": "2026-11-20T08:02:02Z"}, 4000, BatchStatus.CANCELLED),
        ({"cancel_time": "2026-11-20", "state": state(3, 0, 1, 0, 2)}, 60, BatchStatus.CANCELLED),
        ({"cancel_by_xai_message": "JSONL file validation failed: x"}, 60, BatchStatus.FAILED),
    ],
)
def test_the_status_follows_from_counts_and_times(
    fields: dict[str, Any], after: float, status: BatchStatus
) -> None:
    found = read(batch(**fields), CREATED + after)
    assert (found.status, found.raw_status) == (status, status.value)


def test_counts_cost_and_reason() -> None:
    found = read(batch(cancel_by_xai_message="JSONL file validation failed: line 2"))
    assert found.issues[0].message == "JSONL file validation failed: line 2"
    found = read(batch())
    assert found.counts == RemoteCounts(total=3, completed=1, failed=1, cancelled=0)
    assert found.cost == pytest.approx(0.000125)
    assert found.results == (RESULTS,)
    assert read(batch(state=state(0))).results == ()


def answered(name: str, ticks: int = 410_000, **more: Any) -> dict[str, Any]:
    body = {
        "model": "grok-4.3",
        "choices": [{"message": {"content": f"to {name}"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cost_in_usd_ticks": ticks},
    }
    result = {"response": {"chat_get_completion": body}, **more}
    return {"batch_request_id": name, "batch_result": result}


def failed(name: str, code: Any, message: str = "no") -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"batch_request_id": name, "batch_result": {"error": error}, "error_message": message}


def page(*items: dict[str, Any], token: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"results": list(items), "pagination_token": token})


async def fetched(dialect: Dialect, lines: int = 0, growing: bool = True) -> tuple[bool, list[Any]]:
    source = msgspec.structs.replace(RESULTS, growing=growing)
    async with dialect.download(source, have_bytes=9 * lines, have_lines=lines) as download:
        data = b"".join([chunk async for chunk in download.chunks])
        assert download.growing is growing
        return download.appends, [json.loads(line) for line in data.split(b"\n") if line]


def ids(lines: list[Any]) -> list[str]:
    return [line["custom_id"] for line in lines]


async def test_rows_come_page_by_page_while_it_runs() -> None:
    def pages(request: httpx.Request) -> httpx.Response:
        return served[request.url.params.get("pagination_token", "")]

    script = Scripted({"GET /v1/batches/batch_9/results": pages})
    dialect = dialect_to(script, "xai")
    served = {"": page(answered("a"), answered("b"), token="p2"), "p2": page(answered("c"))}
    appends, lines = await fetched(dialect)
    assert (appends, ids(lines)) == (False, ["a", "b", "c"])
    assert script.requests[0].url.params["limit"] == "500"
    # The last page has grown, and there is another one.
    served["p2"] = page(answered("c"), answered("d"), token="p3")
    served["p3"] = page()
    appends, lines = await fetched(dialect, 3)
    assert (appends, ids(lines)) == (True, ["d"])
    assert [call.url.params.get("pagination_token") for call in script.requests[2:]] == ["p2", "p3"]
    served["p3"] = page(answered("e"))
    assert await fetched(dialect, 4, growing=False) == (True, [line_of("e")])
    # Another number of stored lines: an earlier process stored them, so all are read.
    appends, lines = await fetched(dialect, 2)
    assert (appends, ids(lines)) == (False, ["a", "b", "c", "d", "e"])
    # A cursor that the server does not know any more.
    served["p3"] = httpx.Response(400, json={"code": "x", "error": "unknown token"})
    served["p2"] = page(answered("c"), answered("d"), answered("e"))
    appends, lines = await fetched(dialect, 5)
    assert (appends, ids(lines)) == (False, ["a", "b", "c", "d", "e"])


async def test_a_reading_that_broke_off_begins_again() -> None:
    first = page(answered("a"), token="p2")
    answers = [first, httpx.Response(500), first, page(answered("b"))]
    script = Scripted({"GET /v1/batches/batch_9/results": answers})
    dialect = dialect_to(script, "xai", {"http": {"attempts": 1}})
    with pytest.raises(Exception, match="500"):
        await fetched(dialect)
    assert await fetched(dialect, 1) == (False, [line_of("a"), line_of("b")])


def line_of(name: str) -> dict[str, Any]:
    body = answered(name)["batch_result"]["response"]["chat_get_completion"]
    return {"custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}


async def test_which_rows_failed() -> None:
    items = [
        answered("a", error={"code": 0, "message": ""}),
        answered("b", error={"code": "0", "message": "ignored"}),
        failed("c", 3),
        failed("d", 8),
        failed("e", 1, "cancelled"),
        {"batch_request_id": "f", "batch_result": {"error": {"message": "odd"}}},
        {"batch_request_id": "g", "batch_result": {}},
        {"batch_request_id": "h", "batch_result": {"response": {}}, "error_message": "late"},
    ]
    script = Scripted({"GET /v1/batches/batch_9/results": page(*items)})
    _, lines = await fetched(dialect_to(script, "xai"), growing=False)
    rows = [read_openai_line(json.dumps(line).encode()) for line in lines]
    assert [row.outcome for row in rows[:2]] == [Outcome.SUCCEEDED] * 2
    assert rows[0].cost == pytest.approx(0.000041)
    assert (rows[0].text, rows[0].usage.output_tokens) == ("to a", 2)
    errors = {row.custom_id: (row.outcome, row.error) for row in rows[2:]}
    c, d, e = (errors[name] for name in "cde")
    assert c[1] is not None and (c[1].code, c[1].retryable) == ("INVALID_ARGUMENT", False)
    assert d[1] is not None and (d[1].code, d[1].retryable) == ("RESOURCE_EXHAUSTED", True)
    assert e[0] is Outcome.CANCELLED
    assert {name: error.message for name, (_, error) in errors.items() if error}["h"] == "late"
    assert all(outcome is Outcome.FAILED for name, (outcome, _) in errors.items() if name != "e")


async def test_cancel_is_an_action_of_the_batch() -> None:
    stopped = batch(cancel_time="2026-11-20T08:02:02Z", state=state(3, 0, 1, 0, 2))
    script = Scripted({"POST /v1/batches/batch_9:cancel": httpx.Response(200, json=stopped)})
    found = await dialect_to(script, "xai").cancel("batch_9")
    assert found.status is BatchStatus.CANCELLED
    assert found.counts.cancelled == 2
