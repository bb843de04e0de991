"""Fixtures of the provider tests: repeats without waiting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Repeatable calls are repeated as often as the profile says, but at once."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield
