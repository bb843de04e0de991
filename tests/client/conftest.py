"""A home for the clients, a fake server of each generation, and pauses that take no time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.fake_scaledown import KEY, FakeScaleDown, fake_scaledown
from tui.providers.wire import retry


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No keys but the fake's, and a sandbox that answers at once."""
    for name in list(os.environ):
        if name.startswith("BATCHDECK_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BATCHDECK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return tmp_path / "home"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SCALEDOWN_API_KEY", KEY)
    return KEY


@pytest.fixture(params=[1, 2], ids=["generation 1", "generation 2"])
def server(request: pytest.FixtureRequest) -> Iterator[FakeScaleDown]:
    with fake_scaledown(request.param) as fake:
        yield fake


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before a call was made again, which are not waited for."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(retry, "sleep", note)
    return waited
