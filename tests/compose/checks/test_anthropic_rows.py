"""Chat rows for Anthropic: what is taken quickly is just what a close look finds no fault with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.compose.checks.line import LineChecker
from tui.compose.checks.scan import check_file
from tui.compose.checks.typed_decoder import UniformRows
from tui.compose.requests.rules import RequestLimits
from tui.engine.accounts import limits_of
from tui.providers.profiles.load import find_profile

URL = "/v1/chat/completions"
MODEL = "claude-haiku-4-5"
NEW = {"anthropic": {"base": "anthropic", "messages": {"version": "2026-10-21"}}}
LIMITS = [limits_of(find_profile("anthropic")), limits_of(find_profile("anthropic", NEW))]

messages = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "x"]),
            "content": st.sampled_from(["a", "longer text", "", " ", None, ["x"], 5]),
        },
        optional={"name": st.just("n"), "tool_calls": st.just([])},
    ),
    max_size=4,
)
options = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.sampled_from([1, 300, 0, None, "9", 1.5, True]),
        "max_completion_tokens": st.sampled_from([1, 300, None]),
        "temperature": st.sampled_from([0, 1, 0.5, 1.5, -1, None, "hot", True]),
        "top_p": st.sampled_from([0.5, 1, None]),
        "top_k": st.sampled_from([5, None]),
        "stop": st.sampled_from(["x", ["x"], [], None, 3]),
        "n": st.sampled_from([1, 2]),
        "stream": st.sampled_from([False, True, None]),
        "user": st.sampled_from(["me", None, 4]),
        "system": st.sampled_from(["s", None]),
        "tools": st.sampled_from([[], None, [{"type": "function", "function": {"name": "f"}}], 5]),
        "tool_choice": st.sampled_from(["auto", "required", None, "odd"]),
        "parallel_tool_calls": st.sampled_from([True, False, None]),
        "response_format": st.sampled_from([{"type": "text"}, {"type": "json_object"}, None]),
        "model": st.sampled_from([MODEL, "claude-opus-4-7", "", None]),
        "logit_bias": st.sampled_from([{}, {"5": 1}]),
    },
)


def line_of(body: dict[str, Any], **more: Any) -> bytes:
    row = {"custom_id": "a", "method": "POST", "url": URL, "body": body, **more}
    return msgspec.json.encode(row)


def uniform(
    limits: RequestLimits, *, loose: bool, options: dict[str, Any] | None = None
) -> UniformRows:
    """The decoder that is made of a row of at most nine tokens with these options."""
    body = {**(options or {}), "max_tokens": 9}
    return UniformRows(
        ready_made=False, url=URL, model=MODEL, body=body, limits=limits, loose=loose
    )


@given(messages, options, st.sampled_from(LIMITS), st.booleans(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_what_is_taken_quickly_has_no_fault(
    turns: list[dict[str, Any]],
    changes: dict[str, Any],
    limits: RequestLimits,
    loose: bool,
    with_length: bool,
) -> None:
    body = {"model": MODEL, "messages": turns} | ({"max_tokens": 9} if with_length else {})
    line = line_of(body | changes)
    if uniform(limits, loose=loose, options=changes).decode([line]) is not None:
        assert not LineChecker(limits).explain(line, 1).problems


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("loose", [False, True])
def test_ordinary_rows_are_taken_quickly(limits: RequestLimits, loose: bool) -> None:
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    body = {"model": MODEL, "messages": turns, "max_tokens": 9, "response_format": {"type": "text"}}
    form = {"response_format": {"type": "text"}}
    assert uniform(limits, loose=loose, options=form).decode([line_of(body)] * 3) is not None
    assert (uniform(limits, loose=loose).decode([line_of(body)]) is not None) == loose
    late = [*turns, turns[0]]
    assert uniform(limits, loose=loose).decode([line_of({**body, "messages": late})]) is None
    assert uniform(limits, loose=loose).decode([line_of({**body, "max_tokens": None})]) is None
    assert uniform(limits, loose=loose).decode([line_of(body, params={})]) is None


def test_one_row_that_cannot_be_said_is_found_among_many(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "word " * 40}]
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        for number in range(20_000):
            body: dict[str, Any] = {"model": MODEL, "messages": turns, "max_tokens": 9}
            if number == 15_000:
                body["logprobs"] = True
            if number == 17_000:
                body["messages"] = [*turns, {"role": "system", "content": "late"}]
            row = {"custom_id": f"r{number}", "method": "POST", "url": URL, "body": body}
            file.write(msgspec.json.encode(row) + b"\n")
    report = check_file(path, limits=LIMITS[0])
    found = {(problem.line, problem.code) for problem in report.problems}
    assert found == {(15_001, "untranslatable"), (17_001, "untranslatable")}
    assert report.rows == 20_000
