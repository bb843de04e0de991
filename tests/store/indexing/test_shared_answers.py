"""Copies of result lines have the answer of the line, another id, and no usage."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tui.core.results.readers import READERS
from tui.store.indexing.shared_answers import copy_line

CHAT = {
    "model": "m",
    "choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "cost": 0.1},
}
TOOL = {"type": "tool_use", "id": "t", "name": "price", "input": {"cost": 3, "usage": "daily"}}
LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenAI": ("openai", {"custom_id": "a", "response": {"status_code": 200, "body": CHAT}}),
    "an own id that is equal": (
        "openai",
        {"id": "a", "custom_id": "a", "response": {"body": CHAT}},
    ),
    "an id that is a status": (
        "openai",
        {"status": "completed", "custom_id": "completed", "response": {"body": CHAT}},
    ),
    "a body as a text": ("openai", {"custom_id": "a", "response": {"body": json.dumps(CHAT)}}),
    "Anthropic with a tool": (
        "messages",
        {
            "custom_id": "a",
            "result": {
                "type": "succeeded",
                "message": {
                    "model": "c",
                    "content": [TOOL],
                    "stop_reason": "tool_use",
                    "usage": {"input_tokens": 9, "output_tokens": 3},
                },
            },
        },
    ),
    "Llama at Bedrock": (
        "openai",
        {
            "recordId": "a",
            "modelOutput": {
                "generation": "x",
                "prompt_token_count": 9,
                "generation_token_count": 3,
                "stop_reason": "stop",
            },
        },
    ),
    "Titan at Bedrock": (
        "openai",
        {
            "recordId": "a",
            "modelOutput": {
                "inputTextTokenCount": 9,
                "results": [{"tokenCount": 3, "outputText": "x", "completionReason": "FINISH"}],
            },
        },
    ),
    "Gemini": (
        "openai",
        {
            "key": "a",
            "response": {
                "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3},
            },
        },
    ),
    "a vector of Gemini": (
        "openai",
        {"key": "a", "response": {"embedding": {"values": [1, 0.1]}, "tokenCount": "9"}},
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_the_answer_stays_and_the_usage_goes(name: str) -> None:
    style, value = LINES[name]
    line = json.dumps(value).encode()
    copied = copy_line(line, "other é", style)
    before, after = READERS[style](line, None), READERS[style](copied, None)
    assert after.custom_id == "other é"
    assert (after.outcome, after.text) == (before.outcome, before.text)
    assert any(number is not None for number in msgspec.structs.astuple(before.usage))
    assert all(number is None for number in msgspec.structs.astuple(after.usage))
    if "tool" in name:
        assert json.loads(copied)["result"]["message"]["content"] == [TOOL]
