"""A selection of the wire faults; all of them: ``python -m tests.faults.wire``."""

from __future__ import annotations

import pytest

from tests.faults.wire import cases, run
from tests.faults.wire_bench import Case

pytestmark = pytest.mark.long

CHOSEN = list(cases([], short=True))


@pytest.mark.parametrize(
    "case",
    [case for _, case in CHOSEN],
    ids=[f"{group}-{case.like}-{case.route}-{case.name}" for group, case in CHOSEN],
)
async def test_one_batch_and_every_row(case: Case) -> None:
    verdict = await run(case)
    assert not verdict.wrong, (verdict.wrong, verdict.said)
