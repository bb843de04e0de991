"""Batch objects and result lines in which any one value is something else, or is not there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.providers.fakes import Scripted, dialect_to
from tui.core.jobs import BatchStatus
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.core.rows import Outcome

ABSENT = object()
VALUES: tuple[Any, ...] = (
    ABSENT, None, "", [], {}, "text", 5, -1, 5.5, True, "5", "2026-11-21T09:03:00Z", [None],
    ["x"], {"a": 1}, [{"id": 1}], 10**30, float("inf"),
)  # fmt: skip

BATCH: dict[str, Any] = {
    "id": "b1",
    "object": "batch",
    "status": "completed",
    "processing_status": "ended",
    "endpoint": "/v1/chat/completions",
    "errors": {"object": "list", "data": [{"code": "c", "message": "m", "line": 3}]},
    "error": "x",
    "input_file_id": "f",
    "output_file_id": "o",
    "error_file_id": "e",
    "created_at": 1_795_000_000,
    "completed_at": 1_795_000_100,
    "expires_at": 1_795_000_200,
    "ended_at": "2026-11-21T09:03:00Z",
    "request_counts": {
        "total": 3, "completed": 2, "failed": 1, "processing": 0, "succeeded": 2, "errored": 1,
        "canceled": 0, "expired": 0,
    },
    "metadata": {"batchdeck_batch": "i"},
    "usage": {"cost": 1},
    "results_url": "https://elsewhere.example/x",
    "archived_at": None,
    "progress": 50,
}  # fmt: skip

GOOD = {
    "id": "x",
    "custom_id": "a",
    "response": {
        "status_code": 200,
        "request_id": "r",
        "body": {
            "model": "m",
            "choices": [
                {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"},
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        },
    },
    "error": None,
}
INNER = json.dumps({"type": "Timeout", "details": {"status": 504, "body": "{}"}})
LINES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("openai", GOOD),
    ("openai", {"custom_id": "a", "response": None, "error": {"code": None, "message": INNER}}),
    ("openai", {"custom_id": "a", "response": {
        "status_code": 400, "body": {"error": {"code": 1}}}}),
    ("messages", {"custom_id": "a", "result": {"type": "succeeded", "message": {
        "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1}}}}),
    ("messages", {"custom_id": "a", "result": {"type": "errored", "error": {
        "type": "error", "error": {"type": "api_error", "message": "m"}}}}),
)  # fmt: skip


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*before, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*before, key))


def changed(value: Any) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Each place with each odd value, and the whole with that in it."""
    for place in places(value):
        for odd in VALUES:
            whole = copy.deepcopy(value)
            inside = whole
            for key in place[:-1]:
                inside = inside[key]
            if odd is ABSENT:
                del inside[place[-1]]
            else:
                inside[place[-1]] = odd
            yield place, odd, whole


@pytest.mark.parametrize(
    "name", ["doubleword", "anthropic", "scaledown", "melious", "mistral", "together", "openrouter"]
)
def test_no_batch_object_stops_the_reading(name: str) -> None:
    dialect = dialect_to(Scripted({}), name)
    for place, odd, whole in changed(BATCH):
        batch = dialect._read(whole)  # type: ignore[attr-defined]
        if batch is None:
            assert place[0] in ("id", "batch_id"), (place, odd)
            continue
        assert isinstance(batch.status, BatchStatus)
        for count in (batch.counts.total, batch.counts.completed, batch.counts.failed):
            assert count is None or count >= 0, (place, odd)


def test_no_result_line_stops_the_reading() -> None:
    for style, line in LINES:
        good = READERS[style](json.dumps(line).encode(), None)  # type: ignore[index]
        for place, odd, whole in changed(line):
            try:
                found = READERS[style](json.dumps(whole).encode(), None)  # type: ignore[index]
            except UnreadableLineError:
                assert place == ("custom_id",), (place, odd)
                continue
            assert isinstance(found.outcome, Outcome)
            if good.outcome is Outcome.FAILED and place[:1] == ("id",):
                assert found.outcome is Outcome.FAILED
