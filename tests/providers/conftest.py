"""Fixtures of the provider tests: repeats without waiting."""

from __future__ import annotations

import pytest

from tui.providers.wire import retry


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that repeats asked for; nobody waits for them."""
    asked: list[float] = []

    async def note(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(retry, "sleep", note)
    return asked
