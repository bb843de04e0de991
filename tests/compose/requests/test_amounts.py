"""No part of a request that costs something is missing in its upper bound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compose.rows import chat, lines, written
from tui.compose.checks.scan import scan_file
from tui.compose.estimate import Estimate, estimate_of
from tui.compose.prices import PriceSource, TokenPrice

PRICES = PriceSource(
    overrides={
        name: TokenPrice(input=1e6, output=1e6)
        for name in ("gpt-4o-mini", "gpt-3.5-turbo-instruct", "claude-sonnet-4-5")
    }
)
"""One for each token."""

BLOCK = 2000
"""So many rows are more than one block of the scanner, so that the typed decoder reads the rest."""


def completion(custom_id: str, **body: Any) -> dict[str, Any]:
    body = {"model": "gpt-3.5-turbo-instruct", "prompt": "hi", **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/completions", "body": body}


def of_each(folder: Path, *rows: dict[str, Any]) -> Estimate:
    return estimate_of(scan_file(written(folder, lines(*rows))).costs, PRICES)


def after_plain_rows(folder: Path, plain: dict[str, Any], odd: dict[str, Any]) -> Estimate:
    """The estimate of many plain rows and one odd row."""
    rows = [{**plain, "custom_id": f"row-{number}"} for number in range(BLOCK)]
    return of_each(folder, *rows, odd)


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ({"n": 3}, 3),
        ({"n": 2, "best_of": 5}, 5),
        ({"prompt": ["a", "b", "c"]}, 3),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": [1, 2, 3]}, 1),
        ({"n": None, "best_of": 0}, 1),
    ],
)
def test_all_answers_that_are_billed_are_counted(
    tmp_path: Path, body: dict[str, Any], answers: int
) -> None:
    odd = completion("odd", max_tokens=10, **body)
    assert of_each(tmp_path, odd).output_tokens_high == 10 * answers
    many = after_plain_rows(tmp_path, completion("", max_tokens=10), odd)
    assert many.output_tokens_high == 10 * (BLOCK + answers)


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"max_tokens": 10, "max_completion_tokens": 1000}, 1000),
        ({"max_completion_tokens": 10, "max_tokens": 1000}, 1000),
        ({"max_tokens": 0}, 0),
        ({"max_tokens": -1}, None),
        ({"max_tokens": -1, "max_completion_tokens": 5}, None),
        ({"max_tokens": "10"}, None),
        ({"max_tokens": None}, None),
    ],
)
def test_the_longest_answer_that_a_request_allows(
    tmp_path: Path, limits: dict[str, Any], most: int | None
) -> None:
    assert of_each(tmp_path, chat("a", **limits)).output_tokens_high == most


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"web_search_options": {}}, "1 tool that the provider runs is"),
        ({"search_parameters": {"mode": "on"}}, "1 tool that the provider runs is"),
        ({"plugins": [{"id": "web"}]}, "1 tool that the provider runs is"),
        ({"mcp_servers": [{"type": "url", "url": "https://x"}]}, "1 tool that the provider runs"),
        ({"tools": [{"type": "web_search"}, {"type": "mcp"}]}, "2 tools that the provider runs"),
        ({"modalities": ["text", "audio"]}, "1 answer with audio or images is"),
        ({"previous_response_id": "resp_1"}, "1 stored conversation is"),
        (
            {"messages": [{"role": "user", "content": [{"type": "new_kind", "url": "https://x"}]}]},
            "1 file is",
        ),
    ],
)
def test_what_the_provider_adds_has_no_upper_bound(
    tmp_path: Path, body: dict[str, Any], said: str
) -> None:
    odd = chat("odd", model="gpt-4o-mini", max_tokens=1)
    odd["body"] |= body
    plain = chat("", model="gpt-4o-mini", max_tokens=1)
    for estimate in (of_each(tmp_path, odd), after_plain_rows(tmp_path, plain, odd)):
        assert estimate.high is None and not estimate.is_counted
        assert any(said in note for note in estimate.notes)


LONG = "word " * 400


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "hi", "name": LONG},
        {"role": "assistant", "content": "hi", "tool_calls": [{"function": {"arguments": LONG}}]},
        {"role": "assistant", "content": "hi", "reasoning_content": LONG},
        {"role": "user", "content": [{"type": "new_kind", "words": LONG}]},
        {"role": "user", "content": [{"type": "new_kind", "words": {"of": [LONG]}}]},
        {
            "role": "user",
            "content": [
                {"type": "search_result", "title": LONG, "content": [{"type": "text", "text": ""}]}
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "document", "source": {"type": "text", "data": ""}, "context": LONG}
            ],
        },
    ],
)
def test_every_text_of_a_message_is_counted(tmp_path: Path, message: dict[str, Any]) -> None:
    odd = chat("odd", model="gpt-4o-mini", max_tokens=1)
    odd["body"]["messages"] = [message]
    alone = of_each(tmp_path, odd)
    assert alone.high is not None and alone.high > 400
    # The odd row may not be taken for one of those before it.
    plain = chat("", model="gpt-4o-mini", max_tokens=1)
    short = json.loads(json.dumps(odd).replace(LONG, "word"))
    with_short, with_long = (after_plain_rows(tmp_path, plain, row).high for row in (short, odd))
    assert with_short is not None and with_long is not None and with_long - with_short >= 400


def test_documents_beside_the_messages_are_counted(tmp_path: Path) -> None:
    estimate = of_each(
        tmp_path, chat("a", model="gpt-4o-mini", max_tokens=1, documents=[{"text": LONG}])
    )
    assert estimate.high is not None and estimate.high > 400


def test_claude_gets_a_prompt_for_its_tools(tmp_path: Path) -> None:
    """A tool of the user: 346 tokens; bash: 245 more, a text editor: 700 more."""
    own = {"name": "f", "input_schema": {"type": "object"}}
    bash = {"type": "bash_20250124", "name": "bash"}
    editor = {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}

    def row(custom_id: str, *tools: dict[str, Any], model: str = "claude-sonnet-4-5") -> Any:
        return chat(custom_id, model=model, max_tokens=1, tools=list(tools))

    plain = of_each(tmp_path, row("a")).high
    assert plain is not None
    for tools, added in (((own,), 346), ((own, bash), 591), ((bash, editor), 1291)):
        estimate = of_each(tmp_path, row("a", *tools))
        assert estimate.high is not None and plain + added < estimate.high < plain + 3 * added + 100
        assert estimate.low is not None and estimate.low < plain + added
        many = of_each(tmp_path, *(row(str(number), *tools) for number in range(BLOCK)))
        assert many.high == pytest.approx(BLOCK * estimate.high, rel=0.01)
    other = of_each(tmp_path, row("a", own, model="gpt-4o-mini"))
    assert other.high is not None and other.high < plain + 100
