"""What every test gets: no keys, no keyring and no home of the person who runs them."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tui.config import api_keys
from tui.paths import Paths

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "batchdeck-hypothesis")
hypothesis.settings.register_profile("batchdeck", deadline=None, database=None)
hypothesis.settings.load_profile("batchdeck")


def pytest_collection_finish() -> None:
    """Spare the collector the modules and the tests.

    An app of Textual makes some hundred thousand objects that refer to each other; with the usual
    thresholds more than a quarter of the time of the UI tests is spent on looking for garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(autouse=True)
def _nobodys_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without keys, whose keyring holds nothing and whose home is empty."""
    for name in list(os.environ):
        if name.startswith("BATCHDECK_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BATCHDECK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(api_keys, "_session", {})


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A home of its own for each test."""
    return Paths.find(tmp_path / "home").ensure()
