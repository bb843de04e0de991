from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases.files.case import CASES, wrong_in

SPREADSHEETS = frozenset(path.parent.name for path in CASES.glob("*/*.xlsx"))


@pytest.mark.parametrize("case", sorted(path.parent.name for path in CASES.glob("*/case.toml")))
def test_what_people_have_goes_in_whole(case: str, tmp_path: Path) -> None:
    if case in SPREADSHEETS:
        pytest.importorskip("openpyxl")
        pytest.importorskip("python_calamine")
    wrong = wrong_in(case, tmp_path)
    assert not wrong, "\n\n".join(wrong)
