"""Sixty batches for hours; a thousand for three days: ``python -m tests.faults.long``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.long import watch

pytestmark = pytest.mark.long


def test_watching_many_batches_is_cheap(tmp_path: Path) -> None:
    watched = watch(60, 5.0, tmp_path)
    assert watched.collected > 30
    # Each alone would be asked for twelve times an hour at the least.
    assert watched.requests < 5 * 12 * 60 / 10
    assert watched.per_minute <= 30
    # Looking for what other programs wrote takes some turns of the loop each second.
    assert watched.turns < 5 * 3600 * 10
    assert watched.grown < 8 << 20
    assert watched.cpu_share < 0.01
