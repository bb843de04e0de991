"""A selection of two faults at once; all of them: ``python -m tests.faults.compound``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.compound import run_point
from tests.faults.compound_cases import Point, points

pytestmark = pytest.mark.long

_CHOSEN = (
    ("create 504, acts late", "kill creating"),
    ("create answer lost", "disk full creating"),
    ("create 504 after acting", "cancel creating"),
    ("poll 404", "second program"),
)


def _point(wire: str, trouble: str) -> Point:
    (found,) = (
        point
        for point in points()
        if f"{point.wire.route} {point.wire.name}" == wire and str(point.trouble) == trouble
    )
    return found


@pytest.mark.parametrize(("wire", "trouble"), _CHOSEN)
def test_two_faults_at_once_cost_nothing_twice(wire: str, trouble: str, tmp_path: Path) -> None:
    judgement = run_point(_point(wire, trouble), tmp_path)
    assert judgement.is_compound
    assert judgement.wrong == []
