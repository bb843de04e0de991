from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kill import run_case
from tests.faults.kill_cases import SHORT, Case

pytestmark = pytest.mark.long


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_nothing_is_lost_or_paid_twice_after_a_kill(case: Case, tmp_path: Path) -> None:
    assert run_case(case, tmp_path).wrong == []
