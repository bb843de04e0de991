"""Whatever bytes come: a row, or a refusal to read, and nothing that cannot be stored."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import READERS
from tui.core.rows import RowResult

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18, max_value=10**25)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=8)
    | st.sampled_from(["stop", "length", "failed", "batch_expired", '{"type":"x"}', "200"])
)
WORDS = (
    "custom_id", "response", "error", "status_code", "body", "message", "code", "type", "choices",
    "content", "refusal", "text", "tool_calls", "function", "finish_reason", "usage", "output",
    "prompt_tokens", "input_tokens", "cache_read_input_tokens", "data", "embedding", "results",
    "billing_cost", "credits", "status", "incomplete_details", "reason", "details", "result",
    "model", "errored",
)  # fmt: skip
KEYS = st.sampled_from(WORDS) | st.text(max_size=3)


def nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=3) | st.dictionaries(KEYS, children, max_size=4)


VALUES = st.recursive(SCALARS, nested, max_leaves=12)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "model": VALUES,
        "choices": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "message": st.dictionaries(KEYS, VALUES, max_size=3) | VALUES,
                    "finish_reason": SCALARS,
                    "text": SCALARS,
                },
            ),
            max_size=2,
        ),
        "usage": st.dictionaries(KEYS, st.integers() | SCALARS, max_size=5),
        "output": VALUES,
        "data": VALUES,
        "content": VALUES,
        "status": SCALARS,
        "error": VALUES,
        "billing_cost": VALUES,
    },
)
LINES = st.fixed_dictionaries(
    {"custom_id": st.text(max_size=4) | SCALARS},
    optional={
        "response": VALUES
        | st.fixed_dictionaries(
            {"status_code": st.sampled_from([200, 200, 400, 0]) | SCALARS, "body": BODIES | VALUES}
        ),
        "error": VALUES,
        "result": VALUES | st.fixed_dictionaries({"type": SCALARS, "message": BODIES | VALUES}),
    },
)


def stored(row: RowResult) -> None:
    """Everything in it fits into SQLite and can be written as JSON."""
    usage = row.usage
    for number in (
        row.http_status,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
    ):
        assert number is None or -(2**63) <= number < 2**63
    for text in (row.custom_id, row.text, row.model, row.finish_reason):
        assert text is None or text.encode() is not None
    if row.error is not None:
        row.error.message.encode()
        (row.error.code or "").encode()
    assert row.cost is None or math.isfinite(row.cost)


def check(line: bytes) -> None:
    for reader in READERS.values():
        try:
            row = reader(line, None)
        except UnreadableLineError:
            continue
        stored(row)


@given(st.binary(max_size=200))
def test_any_bytes(line: bytes) -> None:
    check(line)


@given(LINES | VALUES, st.booleans())
def test_any_json(value: Any, ascii_only: bool) -> None:
    check(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@given(LINES, st.data())
def test_any_json_with_some_bytes_changed(value: Any, data: st.DataObject) -> None:
    line = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(line))
