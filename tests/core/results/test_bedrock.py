"""Answers of the vendors at Bedrock, each in the shape of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.results.openai_lines import read_openai_line
from tui.core.rows import Outcome, RowResult

USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}


def read(output: Any = None, error: Any = None) -> RowResult:
    asked = {"messages": [{"role": "user", "content": "2+2?"}], "max_tokens": 5}
    line = {"recordId": "r-1", "modelInput": asked}
    line |= {} if output is None else {"modelOutput": output}
    line |= {} if error is None else {"error": error}
    row = read_openai_line(json.dumps(line).encode())
    assert row.custom_id == "r-1"
    return row


def converse(*blocks: Any, reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": list(blocks)}
    return {"output": {"message": message}, "stopReason": reason, "usage": {**USAGE, **usage}}


@pytest.mark.parametrize(
    ("output", "text", "finish", "tokens"),
    [
        ({"type": "message", "role": "assistant", "content": [{"type": "text", "text": "4"}],
          "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 2}},
         "4", "end_turn", (3, 2)),
        (converse({"text": "4"}), "4", "stop", (3, 2)),
        (converse({"reasoningContent": {"reasoningText": {"text": "2+2 …"}}}, {"text": "4"}),
         "4", "stop", (3, 2)),
        (converse({"toolUse": {"toolUseId": "a", "name": "f", "input": {"x": 1}}},
                  reason="tool_use"), 'f({"x":1})', "tool_calls", (3, 2)),
        (converse({"text": "4"}, cacheReadInputTokens=7), "4", "stop", (10, 2)),
        ({"results": [{"outputText": "4", "completionReason": "FINISH", "tokenCount": 2}],
          "inputTextTokenCount": 3}, "4", "stop", (3, 2)),
        ({"generation": "4", "prompt_token_count": 3, "generation_token_count": 2,
          "stop_reason": "stop"}, "4", "stop", (3, 2)),
        ({"outputs": [{"text": "4", "stop_reason": "stop"}]}, "4", "stop", (None, None)),
        ({"choices": [{"message": {"role": "assistant", "content": "4"}, "stop_reason": "stop"}]},
         "4", "stop", (None, None)),
        ({"choices": [{"message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 3, "completion_tokens": 2}}, "4", "stop", (3, 2)),
        ({"embedding": [0.1, 0.2], "inputTextTokenCount": 3}, "1 vector of 2 numbers", None,
         (3, None)),
    ],
)  # fmt: skip
def test_each_vendor_is_read(
    output: Any, text: str, finish: str | None, tokens: tuple[int | None, int | None]
) -> None:
    row = read(output)
    assert (row.outcome, row.text, row.finish_reason) == (Outcome.SUCCEEDED, text, finish)
    assert (row.usage.input_tokens, row.usage.output_tokens) == tokens


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        (converse({"text": "4"}, reason="max_tokens"), Outcome.TRUNCATED),
        (converse(reason="guardrail_intervened"), Outcome.REFUSED),
        (converse({"text": ""}, reason="content_filtered"), Outcome.REFUSED),
        ({"generation": "4", "stop_reason": "length"}, Outcome.TRUNCATED),
        ({"results": [{"outputText": "", "completionReason": "CONTENT_FILTERED"}]},
         Outcome.REFUSED),
        ({"outputs": [{"text": "4", "stop_reason": "length"}]}, Outcome.TRUNCATED),
    ],
)  # fmt: skip
def test_an_answer_may_be_cut_or_refused(output: Any, outcome: Outcome) -> None:
    assert read(output).outcome is outcome


@pytest.mark.parametrize(
    ("code", "can_retry"), [(400, False), (403, False), (429, True), (500, True), (503, True)]
)
def test_an_error_has_a_status_and_words(code: int, can_retry: bool) -> None:
    row = read(error={"errorCode": code, "errorMessage": "No luck"})
    assert (row.outcome, row.http_status) == (Outcome.FAILED, code)
    assert row.error is not None
    assert (row.error.message, row.error.retryable) == ("No luck", can_retry)
