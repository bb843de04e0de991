"""A selection of faults at numbered requests; all of them: ``python -m tests.faults.pairs``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.pairs.bench import Point, run_point
from tests.faults.pairs.faults import FAULTS
from tests.faults.pairs.operations import OPERATIONS

pytestmark = pytest.mark.long

_OPERATIONS = {operation.name: operation for operation in OPERATIONS}
_FAULTS = {fault.name: fault for fault in FAULTS}

CHOSEN = (
    ("parts", "doubleword", {}),
    ("submit", "doubleword", {2: "killed after"}),
    ("submit", "openai", {1: "lost, done", 2: "killed before"}),
    ("retry", "doubleword", {0: "504, done late"}),
    ("retry", "doubleword", {0: "502, done", 1: "503, nothing done"}),
    ("parts", "anthropic", {0: "killed before", 3: "killed after"}),
    ("one by one", "openai", {2: "killed after", 3: "killed before"}),
    ("one by one", "openai", {0: "302, done", 2: "500, done"}),
    ("together", "anthropic", {0: "cut at half, done", 2: "second program"}),
)


@pytest.mark.parametrize(("operation", "like", "faults"), CHOSEN)
def test_each_row_is_paid_once_and_reserved(
    operation: str, like: str, faults: dict[int, str], tmp_path: Path
) -> None:
    found = {number: _FAULTS[name] for number, name in faults.items()}
    result = run_point(Point(_OPERATIONS[operation], like, found), tmp_path)
    assert result.wrong == []
    assert result.struck == list(faults)
