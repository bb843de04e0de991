"""Engines with the sandbox of this machine, or with an account at a server of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.servers import join_all
from tui.config.settings import AccountConfig, BudgetConfig, Config, PriceConfig
from tui.engine.engine import Engine
from tui.paths import Paths

Opener = Callable[..., AbstractAsyncContextManager[Engine]]

QUICK = {"poll": {"min_seconds": 0.05, "max_seconds": 0.2}}


@pytest.fixture(scope="session", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


@pytest.fixture
async def engine(paths: Paths) -> AsyncIterator[Engine]:
    """An engine whose sandbox answers at once."""
    engine = await Engine.open(paths, Config(), sandbox_rate=0)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
def opened(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """``opened(provider, url)``: an engine with the account ``there``, and a key for it."""
    monkeypatch.setenv("BATCHDECK_KEY_THERE", "sk-compose-4f1c0de5ba5e")

    @asynccontextmanager
    async def open_engine(
        provider: str,
        url: str = "http://127.0.0.1:9/v1",
        *,
        budget: BudgetConfig | None = None,
        prices: dict[str, PriceConfig] | None = None,
        **changes: Any,
    ) -> AsyncIterator[Engine]:
        config = Config(
            default_account="there",
            accounts={"there": AccountConfig(provider=provider, base_url=url)},
            providers={provider: {**QUICK, **changes}},
            budget=budget or BudgetConfig(),
            prices=prices or {},
        )
        engine = await Engine.open(paths, config)
        try:
            yield engine
        finally:
            await engine.close()

    return open_engine


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """``written("name", bytes)``: a file with this content."""

    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
