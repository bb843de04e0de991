"""The names and behaviours of ScaleDown's integration guide, against a server written from it."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.client.fake_scaledown import KEY, FakeScaleDown
from tests.waiting import within
from tui.client import (
    BatchItemResult,
    BatchResult,
    ClassifyItem,
    ExtractItem,
    ScaleDownBatchClient,
    ScaleDownBatchError,
    SummarizeItem,
    get_results,
    poll_until_done,
    run_batch,
    submit_batch,
)
from tui.errors import BatchdeckError, UsageError
from tui.paths import Paths
from tui.store.history import History

LABELS = [{"name": "refund", "rubric": "Is money wanted back?"},
          {"name": "other", "rubric": "Is it anything else?"}]  # fmt: skip
ITEMS = [
    SummarizeItem("s", "A long text about a harbour", None, 500),
    ExtractItem("e", "Elsinore froze", {"place": "A town"}, "All of them"),
    ClassifyItem("c", "Give me my money", LABELS, None),
]


def line(custom_id: str, **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


DICTS = [
    line("s", model="summarize", text="A long text about a harbour", max_tokens=20048),
    line("e", model="extract", text="Elsinore froze", entities={"place": "A town"}),
    line("c", model="classify", text="Give me my money", labels=LABELS),
]


def jobs_at(home: Path) -> list[tuple[str, str]]:
    history = History(Paths.find(home))
    try:
        return [(job.account, job.status.value) for job in history.jobs.list()]
    finally:
        history.close()


def test_the_three_functions(server: FakeScaleDown, home: Path) -> None:
    batch_id = submit_batch(DICTS, KEY, base_url=server.url)
    assert batch_id == "batch_0001"
    assert [json.loads(row) for row in server.asked[0][2].split(b"\n") if row] == DICTS
    status = poll_until_done(batch_id, KEY, interval=0.01, base_url=server.url)
    assert (status["batch_id"], status["status"]) == (batch_id, "completed")
    assert (status["total_count"], status["completed_count"], status["failed_count"]) == (3, 3, 0)
    results = get_results(batch_id, KEY, base_url=server.url)
    assert [set(result) for result in results] == [{"custom_id", "model", "content", "error"}] * 3
    found = {result["custom_id"]: result for result in results}
    assert {name: row["model"] for name, row in found.items()} == {
        "s": "summarize", "e": "extract", "c": "classify"
    }  # fmt: skip
    assert found["s"]["content"] == {"summary": "A long text ", "input_chars": 27,
                                     "output_chars": 12}  # fmt: skip
    assert found["c"]["content"]["top_label"] == "refund"
    assert found["e"]["content"]["entities"][0]["type"] == "place"
    assert all(row["error"] is None for row in results)
    port = server.url.rpartition(":")[2]
    assert jobs_at(home) == [(f"scaledown-127-0-0-1-{port}", "completed")]


def test_a_row_that_failed_has_its_error(server: FakeScaleDown) -> None:
    server.failing = {"e"}
    batch_id = submit_batch(DICTS, KEY, base_url=server.url)
    poll_until_done(batch_id, KEY, interval=0.01, base_url=server.url)
    rows = {row["custom_id"]: row for row in get_results(batch_id, KEY, base_url=server.url)}
    assert rows["e"]["error"] == {"code": "model_error", "message": "upstream failed"}
    assert rows["e"]["content"] is None and rows["e"]["model"] == "extract"
    assert rows["s"]["error"] is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, '{"detail":"bad row"}'), (401, "no"), (402, "pay"), (404, "gone"), (429, "slow")],
)
def test_every_other_status_is_a_value_error_with_status_and_body(
    status: int, body: str, server: FakeScaleDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A provider that is busy is asked again after growing pauses.
    wait = asyncio.sleep
    monkeypatch.setattr("tui.providers.wire.retry.sleep", lambda seconds: wait(0))
    server.refuses = (status, body)
    with pytest.raises(ValueError) as caught:
        submit_batch(DICTS, KEY, base_url=server.url)
    assert str(status) in str(caught.value) and body in str(caught.value)


def test_a_wrong_key_is_a_value_error(server: FakeScaleDown) -> None:
    for ask in (
        lambda: submit_batch(DICTS, "wrong", base_url=server.url),
        lambda: poll_until_done("batch_1", "wrong", base_url=server.url),
        lambda: get_results("batch_1", "wrong", base_url=server.url),
    ):
        with pytest.raises(ValueError, match=r"401.*Invalid API key") as caught:
            ask()
        assert "wrong" not in str(caught.value)


def test_results_of_a_batch_that_was_made_elsewhere(server: FakeScaleDown, key: str) -> None:
    server.polls = 0
    server.batches["far"] = DICTS
    server._left["far"] = 0
    results = get_results("far", KEY, base_url=server.url)
    assert {row["custom_id"] for row in results} == {"s", "e", "c"}
    assert ScaleDownBatchClient(base_url=server.url).results("far").batch_id == "far"
    assert server.count("POST", "/v1/batches") == 0


def test_no_key_is_a_clear_value_error_at_construction() -> None:
    with pytest.raises(ValueError, match="SCALEDOWN_API_KEY"):
        ScaleDownBatchClient()


def test_the_types_are_those_of_the_guide() -> None:
    def fields(kind: type) -> list[str]:
        return [field.name for field in dataclasses.fields(kind)]

    assert fields(SummarizeItem) == ["custom_id", "text", "instructions", "max_tokens"]
    assert fields(ExtractItem) == ["custom_id", "text", "entities", "instruction"]
    assert fields(ClassifyItem) == ["custom_id", "text", "labels", "system_prompt"]
    assert fields(BatchItemResult) == ["custom_id", "model", "content", "error"]
    assert fields(BatchResult) == ["batch_id", "items"]
    assert SummarizeItem("a", "t").max_tokens == 20048
    error = ScaleDownBatchError(502, "bad gateway")
    assert (error.status_code, error.message) == (502, "bad gateway")
    waits = inspect.signature(ScaleDownBatchClient.wait).parameters["poll_interval"]
    assert waits.default == 5.0
    assert list(inspect.signature(run_batch).parameters)[:4] == [
        "items", "callbacks", "api_key", "poll_interval"
    ]  # fmt: skip
    assert inspect.signature(poll_until_done).parameters["interval"].default == 5


def test_the_client_in_four_steps(server: FakeScaleDown, key: str) -> None:
    client = ScaleDownBatchClient(base_url=server.url)
    batch_id = client.submit(ITEMS)
    status = client.wait(batch_id, poll_interval=0.01)
    assert status["status"] == "completed"
    result = client.results(batch_id)
    assert result.batch_id == batch_id
    assert [item.custom_id for item in result.items] == ["s", "e", "c"]
    assert result.items[2].content["scores"] == {"refund": 0.5, "other": 0.5}
    sent = [json.loads(row)["body"] for row in server.asked[0][2].split(b"\n") if row]
    assert sent[0] == {"model": "summarize", "text": ITEMS[0].text, "max_tokens": 500}
    assert sent[1]["instruction"] == "All of them"


def test_the_client_in_one(server: FakeScaleDown, key: str) -> None:
    result = ScaleDownBatchClient(base_url=server.url).run(ITEMS, poll_interval=0.01)
    assert [item.model for item in result.items] == ["summarize", "extract", "classify"]


def test_more_than_a_batch_takes_becomes_several(server: FakeScaleDown, key: str) -> None:
    items = [SummarizeItem(f"r{n}", f"Text no. {n}") for n in range(120)]
    client = ScaleDownBatchClient(base_url=server.url)
    batch_id = client.submit(items)
    assert [len(rows) for rows in server.batches.values()] == [50, 50, 20]
    status = client.wait(batch_id, poll_interval=0.01)
    assert (status["total_count"], len(status["batches"])) == (120, 3)
    result = client.results(batch_id)
    assert [item.custom_id for item in result.items] == [item.custom_id for item in items]


def test_results_are_asked_for_again_after_2_4_and_8_seconds(
    server: FakeScaleDown, key: str, pauses: list[float]
) -> None:
    client = ScaleDownBatchClient(base_url=server.url)
    batch_id = client.submit(ITEMS)
    client.wait(batch_id, poll_interval=0.01)
    pauses.clear()
    server.broken = {"output": 3}
    assert len(client.results(batch_id).items) == 3
    assert [int(pause) for pause in pauses] == [2, 4, 8]


def test_after_that_it_is_an_error_with_the_status(
    server: FakeScaleDown, key: str, pauses: list[float]
) -> None:
    client = ScaleDownBatchClient(base_url=server.url)
    server.broken = {"create": 1}
    with pytest.raises(ScaleDownBatchError) as caught:
        client.submit(ITEMS)
    assert caught.value.status_code == 503 and caught.value.message
    # The batch may have been made: it is not submitted again.
    assert server.count("POST", "/v1/batches") == 1
    server.broken = {}
    batch_id = client.submit(ITEMS)
    client.wait(batch_id, poll_interval=0.01)
    server.broken = {"output": 4}
    with pytest.raises(ScaleDownBatchError) as caught:
        client.results(batch_id)
    assert caught.value.status_code == 503
    assert len(client.results(batch_id).items) == 3


def test_a_failed_batch_is_an_error_of_run(server: FakeScaleDown, key: str) -> None:
    server.ends = "failed"
    client = ScaleDownBatchClient(base_url=server.url)
    batch_id = client.submit(ITEMS)
    assert client.wait(batch_id, poll_interval=0.01)["status"] == "failed"
    with pytest.raises(ScaleDownBatchError, match="batch_0002 failed"):
        client.run(ITEMS, poll_interval=0.01)


def test_an_item_that_the_model_does_not_take_is_not_sent(server: FakeScaleDown, key: str) -> None:
    client = ScaleDownBatchClient(base_url=server.url)
    with pytest.raises(UsageError, match="labels"):
        client.submit([ClassifyItem("c", "text", LABELS[:1])])
    assert server.asked == []


def test_without_the_history_nothing_is_left(server: FakeScaleDown, key: str, home: Path) -> None:
    client = ScaleDownBatchClient(base_url=server.url, keep=False)
    assert len(client.run(ITEMS, poll_interval=0.01).items) == 3
    assert not home.exists()


async def test_it_may_be_called_inside_a_running_loop(server: FakeScaleDown, key: str) -> None:
    assert len(ScaleDownBatchClient(base_url=server.url).run(ITEMS, 0.01).items) == 3


async def test_answers_go_to_the_handlers_for_their_models(
    server: FakeScaleDown, home: Path
) -> None:
    server.failing = {"e2"}
    seen: dict[str, dict[str, Any]] = {}
    together = asyncio.Barrier(2)

    def taker(model: str) -> Any:
        async def take(custom_id: str, content: dict[str, Any]) -> None:
            # Only handlers that run at the same time come past this.
            async with within(20):
                await together.wait()
            seen[custom_id] = {"model": model, **content}

        return take

    items = [*DICTS, {**DICTS[1], "custom_id": "e2"}]
    callbacks = {name: taker(name) for name in ("summarize", "extract")}
    await run_batch(items, callbacks, KEY, 0.05, base_url=server.url)
    assert {name: entry["model"] for name, entry in seen.items()} == {
        "s": "summarize", "e": "extract"
    }  # fmt: skip
    assert seen["s"]["summary"] == "A long text "
    assert len(jobs_at(home)) == 1


async def test_a_failed_batch_is_a_runtime_error_with_its_id(server: FakeScaleDown) -> None:
    server.ends = "failed"
    with pytest.raises(RuntimeError, match="batch_0001"):
        await run_batch(DICTS, {}, KEY, 0.05, base_url=server.url)


async def test_a_handler_that_fails_does_not_stop_the_others(server: FakeScaleDown) -> None:
    seen = []

    async def fails(custom_id: str, content: dict[str, Any]) -> None:
        raise KeyError(custom_id)

    async def takes(custom_id: str, content: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        seen.append(custom_id)

    with pytest.raises(KeyError, match="s"):
        await run_batch(DICTS, {"summarize": fails, "*": takes}, KEY, 0.05, base_url=server.url)
    assert sorted(seen) == ["c", "e"]


def test_errors_are_of_the_one_tree() -> None:
    assert issubclass(ScaleDownBatchError, BatchdeckError)
    assert issubclass(ScaleDownBatchError, RuntimeError)
