from __future__ import annotations

from pathlib import Path

import pytest

from tests.compose.rows import lines, written
from tui.compose.checks.scan import check_file
from tui.compose.requests.scaledown import (
    BatchInputItem,
    ClassifyItem,
    ExtractItem,
    Label,
    SummarizeItem,
    item_request,
)
from tui.errors import UsageError

LABELS = (Label("yes", "Is it?"), Label("no", "Is it not?"))


def test_items_become_requests_that_pass_the_check(tmp_path: Path) -> None:
    items: list[BatchInputItem] = [
        SummarizeItem("a", "text", "short"),
        ExtractItem("b", "text", {"name": "who"}, "all"),
        ClassifyItem("c", "text", LABELS),
    ]
    requests = [item_request(item) for item in items]
    assert [request["body"] for request in requests] == [
        {"model": "summarize", "text": "text", "instructions": "short", "max_tokens": 20048},
        {
            "model": "extract",
            "text": "text",
            "entities": {"name": "who"},
            "instruction": "all",
        },
        {
            "model": "classify",
            "text": "text",
            "labels": [{"name": "yes", "rubric": "Is it?"}, {"name": "no", "rubric": "Is it not?"}],
        },
    ]
    report = check_file(written(tmp_path, lines(*requests)))
    assert report.ok and report.models == {"summarize": 1, "extract": 1, "classify": 1}


@pytest.mark.parametrize(
    "item",
    [
        SummarizeItem("", "text"),
        SummarizeItem("a", "text", max_tokens=0),
        ExtractItem("a", "text", {}),
        ExtractItem("a", "text", {"": "x"}),
        ClassifyItem("a", "text", LABELS[:1]),
        ClassifyItem("a", "text", LABELS * 14),
        ClassifyItem("a", "text", (LABELS[0], LABELS[0])),
    ],
)
def test_items_that_the_models_do_not_take(item: BatchInputItem) -> None:
    with pytest.raises(UsageError) as caught:
        item_request(item)
    assert caught.value.hint
