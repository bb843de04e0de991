"""Marks for a prompt cache decide what a request may cost: they are found wherever they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tui.compose.checks.scan import scan_file
from tui.compose.checks.statistics import CostInputs

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
TEXT = {"type": "text", "text": "Be kind."}


def places(mark: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tool = {"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}
    user = {"role": "user", "content": "Hi"}
    return {
        "in the system message": {"system": [{**TEXT, "cache_control": mark}]},
        "in a part": {"messages": [{**user, "content": [{**TEXT, "cache_control": mark}]}]},
        "in a message": {"messages": [{**user, "cache_control": mark}]},
        "in a tool": {"tools": [tool]},
        "in the body": {"cache_control": mark},
    }


@pytest.mark.parametrize("of_all", [False, True], ids=["one row", "all rows"])
@pytest.mark.parametrize("is_ready_made", [False, True], ids=["chat", "params"])
@pytest.mark.parametrize("place", places(MARK))
def test_a_mark_is_found(place: str, is_ready_made: bool, of_all: bool, tmp_path: Path) -> None:
    assert marks(place, MARK, is_ready_made, of_all, tmp_path).cache == "5m"
    assert marks(place, HOUR, is_ready_made, of_all, tmp_path).cache == "1h"


def marks(
    place: str, mark: dict[str, Any], is_ready_made: bool, of_all: bool, folder: Path
) -> CostInputs:
    plain: dict[str, Any] = {
        "model": "claude-haiku-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi " * 100}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    }
    path = folder / "rows.jsonl"
    with path.open("wb") as file:
        for number in range(1500):
            is_marked = of_all or number == 1000
            body = plain | (places(mark)[place] if is_marked else {})
            row = {"custom_id": f"r{number}", "params": body}
            if not is_ready_made:
                url = "/v1/chat/completions"
                row = {"custom_id": f"r{number}", "method": "POST", "url": url, "body": body}
            file.write(msgspec.json.encode(row) + b"\n")
    return scan_file(path).costs
