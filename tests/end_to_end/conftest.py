"""An engine with one account, which is served by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.servers import join_all
from tests.fakes.bucket import boto, moto_url
from tests.fakes.gcs import gcs, gcs_process
from tests.fakes.google_sign_in import google_key, sign_in
from tui.config.settings import AccountConfig, Config
from tui.engine.engine import Engine
from tui.paths import Paths

__all__ = [
    "KEY", "QUICK", "Opener", "boto", "gcs", "gcs_process", "google_key", "moto_url", "sign_in",
]  # fmt: skip

KEY = "sk-loop-4f1c0de5ba5eba11"
QUICK = {"poll": {"min_seconds": 0.05, "max_seconds": 0.2, "grace_404_seconds": 2}}
"""Changes of a profile that let a test ask often."""

Opener = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture(scope="session", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


@pytest.fixture
def opened(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """``opened(provider, url)``: an engine with the account ``there``, and a key for it."""
    monkeypatch.setenv("BATCHDECK_KEY_THERE", KEY)
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "acme")

    @asynccontextmanager
    async def open_engine(
        provider: str, url: str, *, home: Path | None = None, clean_up: bool = False, **changes: Any
    ) -> AsyncIterator[Engine]:
        config = Config(
            default_account="there",
            accounts={"there": AccountConfig(provider=provider, base_url=url, clean_up=clean_up)},
            providers={provider: {**QUICK, **changes}},
        )
        engine = await Engine.open(paths if home is None else Paths.find(home), config)
        try:
            yield engine
        finally:
            await engine.close()

    return open_engine
