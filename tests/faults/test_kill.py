from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.kill import SHORT, Case, run_case


@pytest.mark.parametrize("case", SHORT, ids=lambda case: f"{case.doing}-{case.like}-{case.step}")
def test_killed_and_started_again(case: Case, tmp_path: Path) -> None:
    assert run_case(case, tmp_path).trouble(case) == ""
