"""What a question of the dashboard says about the cost is the bound of what is then sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tests.end_to_end.servers import Served, sandbox
from tests.engine.conftest import Opener
from tests.engine.conftest import opened as opened
from tests.engine.rows import chats
from tui.config.settings import PriceConfig
from tui.engine.engine import Engine
from tui.errors import UsageError
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.retry import RetryAnswer
from tui.ui.tasks.retry import RetryPlanner
from tui.ui.tasks.submit import submit_draft

PRICES = {"gpt-5-mini": PriceConfig(input=0, output=1000)}
DEARER = {"gpt-5-mini": PriceConfig(input=0, output=1001)}


class Asked:
    """Stands for the dashboard: each question is kept, something happens, and the answer is yes."""

    def __init__(self, engine: Engine, meanwhile: Callable[[], None]) -> None:
        self.engine = engine
        self.session = SimpleNamespace(now=lambda: 0.0)
        self.shown: list[str] = []
        self._meanwhile = meanwhile

    async def ask(self, dialog: Any) -> bool:
        assert isinstance(dialog, ConfirmDialog)
        self.shown.append("".join(text for text, _ in dialog.text()))
        self._meanwhile()
        return True

    async def with_key(self, account: str, call: Callable[[], Awaitable[Any]]) -> Any:
        return await call()

    def say(self, text: str, *, warn: bool = False) -> None:
        self.shown.append(text)


def reprice(engine: Engine, prices: dict[str, PriceConfig]) -> None:
    engine.apply_config(msgspec.structs.replace(engine.config, prices=prices))


def creates(server: Served) -> int:
    return server.count("POST", "/batches")


@pytest.mark.parametrize("changes", [False, True])
async def test_the_question_about_a_draft(changes: bool, opened: Opener, tmp_path: Path) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            job = await engine.requests.import_file(chats(tmp_path / "a", 4, max_tokens=1000))
            asked: Any = Asked(engine, lambda: reprice(engine, DEARER if changes else PRICES))
            if changes:
                with pytest.raises(UsageError, match="now, and not"):
                    await submit_draft(asked, job.id)
                assert creates(server) == 0
            else:
                await submit_draft(asked, job.id)
                assert creates(server) == 1
            assert "to $4.00" in asked.shown[0]
            (batch,) = engine.history.batches.of_job(job.id)
            entry = engine.history.ledger.reservation(batch.id)
            assert (entry is None) if changes else (entry and entry.amount == pytest.approx(4))


@pytest.mark.parametrize("changes", [False, True])
async def test_the_question_about_a_retry(changes: bool, opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a", 4, max_tokens=1000)
    text = await asyncio.to_thread(path.read_text)
    await asyncio.to_thread(path.write_text, text.replace("Tell me", "sandbox:flaky=500 Tell me"))
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id)
            await engine.wait([job.id])
            planner = RetryPlanner(engine, job.id, None, "all failed rows")
            edits = {"max_tokens": 2000}
            assert (await planner.price(edits, False, False)).words == "$0.00 to $8.00"
            if changes:
                reprice(engine, DEARER)
            plan = await planner.agreed(RetryAnswer(edits))
            if changes:
                with pytest.raises(UsageError, match="now, and not"):
                    await engine.retry(plan)
                assert creates(server) == 1
                return
            await engine.retry(plan)
            retry = engine.history.batches.of_job(job.id)[-1]
            entry = engine.history.ledger.reservation(retry.id)
            assert entry is not None and entry.amount == pytest.approx(8)
