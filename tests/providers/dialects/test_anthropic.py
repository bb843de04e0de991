from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted, dialect_to, raw
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import ResultSource
from tui.errors import (
    LimitError,
    ProviderError,
    RequestRejectedError,
    ResponseLostError,
    UsageError,
)
from tui.progress import Progress
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.anthropic import MessagesDialect

BATCHES = "/v1/messages/batches"
ROW = b'{"custom_id":"%s","params":{"model":"m","max_tokens":1,"messages":[]}}\n'


def batch(**fields: Any) -> dict[str, Any]:
    return {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": counts(processing=3),
        "created_at": "2026-11-18T10:26:40.123456+00:00",
        "expires_at": "2026-11-19T10:26:40.123456+00:00",
        "ended_at": None,
        "cancel_initiated_at": None,
        "archived_at": None,
        "results_url": None,
        **fields,
    }


def counts(**fields: int) -> dict[str, int]:
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    return {name: fields.get(name, 0) for name in names}


def ended(**fields: Any) -> dict[str, Any]:
    return batch(
        **{
            "processing_status": "ended",
            "ended_at": "2026-11-18T11:26:40Z",
            "request_counts": counts(succeeded=3),
            "results_url": f"https://api.example.com{BATCHES}/msgbatch_1/results",
            **fields,
        }
    )


def anthropic(script: Any, **changes: Any) -> MessagesDialect:
    dialect = dialect_to(script, "anthropic", changes, base_url="https://api.example.com")
    assert isinstance(dialect, MessagesDialect)
    return dialect


def draft(path: Path) -> BatchDraft:
    return BatchDraft(
        path=path, rows=2, endpoint="/v1/messages", model="m", window="24h", intent="b-1"
    )


async def test_a_create_streams_one_document_with_a_length(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(ROW % b"a" + ROW % b"b")
    script = Scripted({f"POST {BATCHES}": httpx.Response(200, json=batch())})
    told: list[tuple[int, int]] = []
    made = await anthropic(script).create(
        draft(path), progress=Progress(lambda a, b: told.append((a, b)), seconds=0)
    )
    assert made.id == "msgbatch_1"
    assert made.status is BatchStatus.IN_PROGRESS
    assert [row["custom_id"] for row in script.sent()["requests"]] == ["a", "b"]
    headers = script.requests[0].headers
    assert headers["x-api-key"] == KEY
    assert headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in headers
    assert "authorization" not in headers
    assert "transfer-encoding" not in headers
    assert int(headers["content-length"]) == len(script.bodies[0])
    assert told[-1][0] == told[-1][1] == len(script.bodies[0])


async def test_version_and_betas_can_be_set() -> None:
    script = Scripted({f"GET {BATCHES}/m": httpx.Response(200, json=batch())})
    dialect = anthropic(script, messages={"version": "2026-10-21", "beta": ["one", "two"]})
    await dialect.retrieve("m")
    assert script.requests[0].headers["anthropic-version"] == "2026-10-21"
    assert script.requests[0].headers["anthropic-beta"] == "one,two"


async def test_counts_say_nothing_before_the_end() -> None:
    running = [httpx.Response(200, json=batch()) for _ in range(5)]
    mixed = ended(request_counts=counts(succeeded=1, errored=1, canceled=0, expired=1))
    script = Scripted({f"GET {BATCHES}/m": [*running, httpx.Response(200, json=mixed)]})
    dialect = anthropic(script)
    for _ in range(5):
        found = await dialect.retrieve("m")
        assert found.counts == RemoteCounts(total=3)
        assert found.counts.ended is None
        assert found.results == ()
        assert found.ended_at is None
    found = await dialect.retrieve("m")
    assert found.counts == RemoteCounts(total=3, completed=1, failed=1, cancelled=0, expired=1)
    assert found.raw_status == "ended"
    assert found.ended_at == 1_795_001_200.0
    assert len(found.results) == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, BatchStatus.COMPLETED),
        ({"request_counts": counts(errored=3)}, BatchStatus.COMPLETED),
        ({"request_counts": counts(expired=1, succeeded=2)}, BatchStatus.EXPIRED),
        (
            {"cancel_initiated_at": "2026-11-18T11:00:00Z",
             "request_counts": counts(canceled=1, succeeded=2)},
            BatchStatus.CANCELLED,
        ),
        ({"cancel_initiated_at": "2026-11-18T11:00:00Z"}, BatchStatus.COMPLETED),
    ],
)  # fmt: skip
async def test_how_a_batch_ended(fields: dict[str, Any], status: BatchStatus) -> None:
    script = Scripted({f"GET {BATCHES}/m": httpx.Response(200, json=ended(**fields))})
    assert (await anthropic(script).retrieve("m")).status is status


async def test_canceling_with_one_l() -> None:
    answer = httpx.Response(200, json=batch(processing_status="canceling"))
    script = Scripted({f"POST {BATCHES}/m/cancel": answer})
    found = await anthropic(script).cancel("m")
    assert (found.status, found.raw_status) == (BatchStatus.CANCELLING, "canceling")
    assert script.requests[0].headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        (f"https://api.example.com{BATCHES}/m/results", f"https://api.example.com{BATCHES}/m/results"),
        ("https://evil.example/results", f"{BATCHES}/msgbatch_1/results"),
        (None, f"{BATCHES}/msgbatch_1/results"),
        ("not a url", f"{BATCHES}/msgbatch_1/results"),
    ],
)  # fmt: skip
async def test_the_key_goes_to_the_results_of_our_own_host_only(url: str | None, ref: str) -> None:
    script = Scripted({f"GET {BATCHES}/m": httpx.Response(200, json=ended(results_url=url))})
    found = await anthropic(script).retrieve("m")
    assert found.results == (ResultSource(kind="output", ref=ref),)


async def test_archived_results_are_gone() -> None:
    gone = ended(archived_at="2026-12-18T00:00:00Z")
    script = Scripted({f"GET {BATCHES}/m": httpx.Response(200, json=gone)})
    assert (await anthropic(script).retrieve("m")).results == ()


async def test_a_404_right_after_the_create_or_the_end_passes() -> None:
    missing = httpx.Response(404, json={"type": "error", "error": {"type": "not_found_error"}})
    script = Scripted({
        f"GET {BATCHES}/m": [missing, httpx.Response(200, json=ended())],
        f"GET {BATCHES}/m/results": [missing, missing, raw(200, b"{}\n")],
    })  # fmt: skip
    dialect = anthropic(script)
    assert (await dialect.retrieve("m")).status is BatchStatus.COMPLETED
    source = ResultSource(kind="output", ref=f"{BATCHES}/m/results")
    async with dialect.download(source, have_bytes=7, have_lines=1) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"{}\n"
        assert not download.appends
    assert "range" not in script.requests[-1].headers
    assert script.requests[-1].headers["anthropic-version"] == "2023-06-01"
    unknown = Scripted({f"GET {BATCHES}/x": missing})
    with pytest.raises(RequestRejectedError) as caught:
        await anthropic(unknown).retrieve("x")
    assert caught.value.status == 404
    assert len(unknown.requests) == 4


async def test_a_spend_limit_is_a_limit_and_no_pause(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(ROW % b"a")
    error = {
        "type": "rate_limit_error",
        "message": "spend limit reached",
        "details": {"error_code": "enforced_spend_limit_reached"},
    }
    answer = httpx.Response(429, json={"type": "error", "error": error, "request_id": "req_1"})
    with pytest.raises(LimitError, match="spend limit"):
        await anthropic(Scripted({f"POST {BATCHES}": answer})).create(draft(path))
    plain = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}
    again = httpx.Response(429, json=plain, headers={"retry-after": "9", "request-id": "req_2"})
    with pytest.raises(ProviderError) as caught:
        await anthropic(Scripted({f"POST {BATCHES}": again})).create(draft(path))
    assert caught.value.retryable
    assert (caught.value.retry_after, caught.value.request_id) == (9.0, "req_2")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            raw(413, b"<html>Too Large</html>", content_type="text/html"),
            RequestRejectedError,
            "web",
        ),
        (httpx.Response(409, json={"error": {"type": "conflict_error"}}), ProviderError, "409"),
        (httpx.Response(529, json={"error": {"type": "overloaded_error"}}), ProviderError, "529"),
        (httpx.ReadTimeout(""), ResponseLostError, "in time"),
    ],
)
async def test_troubles_of_a_create(
    tmp_path: Path, answer: Any, kind: type[ProviderError], words: str
) -> None:
    path = tmp_path / "rows"
    path.write_bytes(ROW % b"a")
    script = Scripted({f"POST {BATCHES}": answer})
    with pytest.raises(kind, match=words) as caught:
        await anthropic(script).create(draft(path))
    assert type(caught.value) is kind
    assert len(script.requests) == 1
    if caught.value.status == 413:
        assert "Split" in caught.value.hint


async def test_lists_go_on_after_the_last_id() -> None:
    first = {"data": [batch(id="m2")], "has_more": True, "first_id": "m2", "last_id": "m2"}
    second = {"data": [batch(id="m1")], "has_more": False, "first_id": "m1", "last_id": "m1"}
    pages = [httpx.Response(200, json=page) for page in (first, second)]
    script = Scripted({f"GET {BATCHES}": pages})
    found = [one.id async for one in anthropic(script).list_batches()]
    assert found == ["m2", "m1"]
    assert script.requests[1].url.params["after_id"] == "m2"
    assert script.requests[1].headers["anthropic-version"] == "2023-06-01"


async def test_models_that_take_no_batches_are_left_out_and_unknown_ones_not() -> None:
    def model(name: str, supported: Any) -> dict[str, Any]:
        return {"id": name, "capabilities": supported}

    first = {
        "data": [
            model("a", {"batch": {"supported": True}}),
            model("b", {"batch": {"supported": False}}),
        ],
        "has_more": True,
        "last_id": "b",
    }  # fmt: skip
    second = {"data": [model("c", None), {"id": "d"}], "has_more": False, "last_id": "d"}
    pages = [httpx.Response(200, json=page) for page in (first, second)]
    assert await anthropic(Scripted({"GET /v1/models": pages})).models() == ["a", "c", "d"]


async def test_counting_tokens() -> None:
    script = Scripted(
        {"POST /v1/messages/count_tokens": httpx.Response(200, json={"input_tokens": 12})}
    )
    row = (
        b'{"custom_id":"a","params":{"model":"m","messages":[{"role":"user","content":"x"}],'
        b'"max_tokens":5,"temperature":1,"system":"s"}}'
    )
    assert await anthropic(script).count_tokens(row) == 12
    messages = [{"role": "user", "content": "x"}]
    assert script.sent() == {"model": "m", "messages": messages, "system": "s"}
    assert anthropic(script).capabilities.counts_tokens


async def test_deleting_a_batch_and_what_is_not_there(tmp_path: Path) -> None:
    script = Scripted({f"DELETE {BATCHES}/m": httpx.Response(200, json={"id": "m"})})
    dialect = anthropic(script)
    await dialect.delete_batch("m")
    assert script.requests[0].headers["anthropic-version"] == "2023-06-01"
    can = dialect.capabilities
    assert (can.uploads, can.metadata, can.deletes_files, can.deletes_batches) == (
        False,
        False,
        False,
        True,
    )
    assert dialect.result_style == "messages"
    with pytest.raises(UsageError):
        await dialect.upload(tmp_path, name="x")
    with pytest.raises(UsageError):
        await dialect.delete_file("x")
