"""The JSON of an answer: where it may stand, and both spellings of ScaleDown's entities."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui.core.results.json_answers import extract_json, normalise_entities, parse_answer
from tui.core.results.readers import READERS

LABEL = {"label": "refund (part)", "score": 3}


@pytest.mark.parametrize("said", [None, "I look at the review.\n\nThen I say what it is."])
@pytest.mark.parametrize("style", ["openai", "messages"])
def test_the_arguments_of_a_tool_call_are_the_json_of_an_answer(
    style: str, said: str | None
) -> None:
    call = {"name": "classify", "arguments": json.dumps(LABEL)}
    message = {"content": said, "tool_calls": [{"type": "function", "function": call}]}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    line: dict[str, Any] = {"custom_id": "a", "response": {"status_code": 200, "body": body}}
    if style == "messages":
        text = [] if said is None else [{"type": "text", "text": said}]
        content = [*text, {"type": "tool_use", "name": "classify", "input": LABEL}]
        result = {"content": content, "stop_reason": "tool_use"}
        line = {"custom_id": "a", "result": {"type": "succeeded", "message": result}}
    answer = READERS[style](json.dumps(line).encode(), None)
    assert parse_answer(answer.text) == LABEL


@pytest.mark.parametrize(
    "text",
    [
        'a({"x": 1})\n\nb({"x": 2})',
        "a({x: 1})",
        'Call it with a({"x": 1})',
        'a({"x": 1}) and no more',
        'a({"x": 1}))',
        '({"x": 1})',
    ],
)
def test_what_is_no_single_call_has_no_json(text: str) -> None:
    assert extract_json(text) is None


def test_the_other_spelling_is_read_as_the_usual_one() -> None:
    data = {"entities": [{"type": "city", "value": "Kiel", "score": 0.9}]}
    assert normalise_entities(data) == {
        "entities": [
            {"type": "city", "value": "Kiel", "score": 0.9, "text": "Kiel", "confidence": 0.9}
        ]
    }


@pytest.mark.parametrize(
    "data",
    [
        {"entities": [{"type": "city", "text": "Kiel", "confidence": 0.9, "start": 0, "end": 4}]},
        {"entities": ["Kiel", None, 3]},
        {"entities": "Kiel"},
        {"summary": "short"},
        [1, 2],
        None,
    ],
)
def test_everything_else_stays_as_it_came(data: Any) -> None:
    assert normalise_entities(data) == data
