"""A home without keys, an engine, and the official client in this process."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from tests.end_to_end.servers import join_all
from tui.config.settings import AccountConfig, BudgetConfig, Config, PriceConfig
from tui.engine.engine import Engine
from tui.mcp.server import make_server
from tui.paths import Paths

KEY = "sk-agents-4f1c0de5ba5e"
DESCRIPTIONS = {"submit": "Submit a requests file as a new job."}


@dataclass
class Reply:
    """What a tool said."""

    text: str
    failed: bool

    @property
    def document(self) -> Any:
        assert not self.failed, self.text
        return json.loads(self.text)


Call = Callable[..., Awaitable[Reply]]


def caller(client: Client) -> Call:
    """A function that calls a tool by its name."""

    async def call(tool: str, **arguments: Any) -> Reply:
        done = await client.call_tool(tool, arguments)
        (content,) = done.content
        assert content.type == "text" and done.structured_content is None
        return Reply(content.text, bool(done.is_error))

    return call


@pytest.fixture(scope="module", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the agent; no keys but one, and a sandbox that answers at once."""
    for name in list(os.environ):
        if name.startswith("BATCHDECK_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BATCHDECK_KEY_THERE", KEY)
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


Served = Callable[..., AbstractAsyncContextManager[Call]]


@pytest.fixture
def served(tmp_path: Path, work: Path) -> Served:
    """``served(url, budget=…)``: the tools, with the account ``there`` at this address."""

    @asynccontextmanager
    async def serve(
        url: str = "http://127.0.0.1:9",
        *,
        budget: float | None = None,
        config_budget: BudgetConfig | None = None,
    ) -> AsyncIterator[Call]:
        config = Config(
            accounts={"there": AccountConfig(provider="openai", base_url=f"{url}/v1")},
            providers={"openai": {"poll": {"min_seconds": 0.05, "max_seconds": 0.1}}},
            # A dollar for each token of an answer.
            prices={"m": PriceConfig(input=1, output=1_000_000)},
            budget=config_budget or BudgetConfig(),
        )
        engine = await Engine.open(Paths.find(tmp_path / "home"), config, watch=True)
        try:
            server = make_server(engine, DESCRIPTIONS, folders=[work], budget=budget)
            async with Client(server) as client:
                yield caller(client)
        finally:
            await engine.close()

    return serve
