"""An engine whose account ``local`` sends rows one by one to a server of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

import tui.providers.dialects.direct
from tui.config.settings import AccountConfig, Config
from tui.engine.engine import Engine
from tui.paths import Paths

Opener = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tui.providers.dialects.direct, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(tui.providers.dialects.direct, "_LONGEST_PAUSE", 0.02)


@pytest.fixture
def opened(paths: Paths) -> Opener:
    """``opened(url)``: an engine with the account ``local``."""

    @asynccontextmanager
    async def open_engine(url: str, **account: Any) -> AsyncIterator[Engine]:
        table = AccountConfig(**{"provider": "direct", "base_url": f"{url}/v1", **account})
        config = Config(
            default_account="local",
            accounts={"local": table},
            providers={table.provider: {"poll": {"min_seconds": 0.05, "max_seconds": 0.2}}},
        )
        engine = await Engine.open(paths, config)
        try:
            yield engine
        finally:
            await engine.close()

    return open_engine
