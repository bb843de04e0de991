"""Whatever a server says, it becomes a batch, an error of ours, or nothing; never a crash."""

from __future__ import annotations

import json
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.fakes import Scripted, dialect_to, raw
from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import read_anthropic_line
from tui.core.retry_rules import RetryRules
from tui.errors import BatchdeckError
from tui.providers.dialects.batch_responses import read_batch
from tui.providers.profiles.load import find_profile
from tui.providers.profiles.model import Quota
from tui.providers.wire.errors import ErrorContext, RawResponse, parse_error_body

PROFILES = [
    find_profile(name) for name in ("openai", "melious", "mistral", "together", "doubleword")
]
FIELDS = [
    *("id", "batch_id", "status", "request_counts", "errors", "error", "metadata", "usage"),
    *("output_file_id", "error_file_id", "input_file_id", "input_files", "output_file"),
    *("created_at", "expires_at", "completed_at", "endpoint", "progress", "total_requests"),
    *("results", "outputs", "data", "job"),
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*FIELDS, "total", "completed", "message", "code", "line"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
objects = st.dictionaries(st.sampled_from(FIELDS), anything, max_size=8)


@settings(max_examples=300, deadline=None)
@given(value=objects, number=st.integers(0, len(PROFILES) - 1))
def test_any_object_is_read(value: dict[str, Any], number: int) -> None:
    batch = read_batch({"id": "b", **value}, PROFILES[number], 10)
    if batch is not None:
        assert batch.id
        counts = batch.counts
        figures = (counts.total, counts.completed, counts.failed, counts.cancelled, counts.expired)
        assert all(figure is None or figure >= 0 for figure in figures)
        assert all(isinstance(text, str) for text in batch.metadata.values())


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()),
       status=st.integers(300, 599), idempotent=st.booleans())  # fmt: skip
def test_any_refusal_has_words(body: bytes, status: int, idempotent: bool) -> None:
    context = ErrorContext("Corner", "localhost", "k", Quota(), RetryRules({}), lambda: 0.0)
    answer = RawResponse(status, httpx.Headers(), body)
    error = context.response_error(answer, "try", idempotent=idempotent)
    assert error.message
    assert "\n" not in error.message
    code, words = parse_error_body(body.decode("utf-8", "replace"))
    assert code is None or isinstance(code, str)
    assert isinstance(words, str)


@settings(max_examples=200, deadline=None)
@given(value=st.dictionaries(st.sampled_from(["result", "status", "response"]), anything))
def test_any_result_line_is_read(value: dict[str, Any]) -> None:
    line = json.dumps({"custom_id": "a", **value}).encode()
    assert read_anthropic_line(line).custom_id == "a"
    with pytest.raises(UnreadableLineError):
        read_anthropic_line(json.dumps(value).encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "b", "status": "completed", "x": NaN}',
        b'{"id": "b", "status": "completed", "x": "\\ud800 alone"}',
        b'{"id": "b", "status": "completed", "x": "\xff\xfe"}',
        b'{"id": "b", "status": "completed", "x": 1e999}',
        b'{"id": "b", "status": "completed", "x": "tab\there"}',
    ],
)
async def test_json_that_is_not_quite_json_can_be_kept(body: bytes) -> None:
    dialect = dialect_to(Scripted({"GET /v1/batches/b": raw(200, body)}))
    batch = await dialect.retrieve("b")
    assert batch.status == "completed"
    kept = msgspec.json.encode(batch.raw)
    assert json.loads(kept)["id"] == "b"
    str(batch.raw["x"]).encode()


async def test_a_nest_that_is_too_deep() -> None:
    deep = b'{"id": ' + b"[" * 100_000
    dialect = dialect_to(Scripted({"GET /v1/batches/b": raw(200, deep)}))
    with pytest.raises(BatchdeckError):
        await dialect.retrieve("b")
    refused = dialect_to(Scripted({"GET /v1/batches/b": raw(400, deep)}))
    with pytest.raises(BatchdeckError):
        await refused.retrieve("b")
