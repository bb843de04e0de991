"""Nothing above a budget is sent: of a call, of the session, of ``config.toml``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.servers import Served as Provider
from tests.end_to_end.servers import sandbox
from tests.mcp.conftest import KEY, Call, Served
from tui.config.settings import BudgetConfig
from tui.engine.engine import Engine
from tui.errors import BudgetError


@pytest.fixture
def files(work: Path) -> None:
    """Files whose requests cost at most ten dollars each: one, two, three requests."""
    for rows in (1, 2, 3):
        text = "".join(
            json.dumps({
                "custom_id": f"r{n}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": "m",
                    "max_tokens": 10,
                    "messages": [
                        {"role": "user", "content": f"sandbox:flaky=500 of {rows}"}
                    ],
                },
            }) + "\n"
            for n in range(rows)
        )  # fmt: skip
        (work / f"{rows}.jsonl").write_text(text, "utf-8")


def creates(provider: Provider) -> int:
    return provider.count("POST", "/v1/batches")


async def submit(call: Call, rows: int, budget: float) -> str:
    return (await call("submit", file=f"{rows}.jsonl", budget=budget, account="there")).text


async def test_a_call_sends_nothing_above_its_budget(served: Served, files: None) -> None:
    with sandbox("openai") as provider:
        async with served(provider.url) as call:
            checked = (await call("check", file="2.jsonl", account="there")).document
            assert 20 < checked["cost"]["high"] < 20.01
            refused = await call("submit", file="2.jsonl", budget=20, account="there")
            assert refused.failed and "over the budget" in refused.text
            assert "Nothing was sent. Ask the user" in refused.text
            for arguments in ({}, {"budget": -1}, {"budget": "much"}):
                wrong = await call("submit", file="2.jsonl", account="there", **arguments)
                assert wrong.failed and "budget" in wrong.text
            assert creates(provider) == 0
            assert (await call("list_jobs")).document["jobs"] == []
            assert "Sent." in await submit(call, 2, 21)
            assert creates(provider) == 1


async def test_all_calls_together_stay_within_the_session(served: Served, files: None) -> None:
    with sandbox("openai") as provider:
        async with served(provider.url, budget=35) as call:
            sent = json.loads(await submit(call, 2, 1_000))
            assert 14.9 < sent["session_budget_left"] < 15
            refused = await submit(call, 3, 1_000)
            assert "The session has $15.00 of $35.00 left" in refused
            assert "nothing was sent again" in await submit(call, 2, 1_000)
            assert "Sent." in await submit(call, 1, 1_000)
            assert creates(provider) == 2
            await call("wait", job=sent["job"], seconds=50)
            # All rows failed, which is not billed. What a retry may cost counts too.
            retried = await call("retry", job=sent["job"], budget=19)
            assert retried.failed and "over the budget" in retried.text
            assert creates(provider) == 2
        async with served(provider.url, budget=35) as call:
            assert (await call("list_jobs")).document["session_budget_left"] == 35
            retried = await call("retry", job=sent["job"], budget=19)
            assert retried.failed and "Nothing was sent." in retried.text
            done = (await call("retry", job=sent["job"], budget=1_000)).document
            assert done["rows_sent"] == 2 and done["session_budget_left"] < 15.01
            assert (await call("list_jobs")).document["session_budget_left"] < 15.01
            assert "The session has" in await submit(call, 3, 1_000)
            assert creates(provider) == 3


async def test_the_budgets_of_the_settings_stay(served: Served, files: None) -> None:
    with sandbox("openai") as provider:
        limits = BudgetConfig(per_submit=15)
        async with served(provider.url, budget=1_000, config_budget=limits) as call:
            assert "over the budget per submit of $15.00" in await submit(call, 2, 1_000)
            assert creates(provider) == 0
            assert "Sent." in await submit(call, 1, 1_000) and creates(provider) == 1


async def test_a_clock_that_is_set_back_gives_nothing_back(
    served: Served, files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox("openai", rows_per_second=0.01) as provider:
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + 3_600)
        async with served(provider.url, budget=35) as call:
            monkeypatch.undo()
            monkeypatch.setenv("BATCHDECK_KEY_THERE", KEY)
            assert "Sent." in await submit(call, 2, 1_000)
            assert "The session has $15.00 of $35.00 left" in await submit(call, 3, 1_000)
            assert creates(provider) == 1


async def test_what_was_sent_before_a_later_part_is_too_dear_counts(
    served: Served, files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Engine.submit_once

    async def too_dear(*values: Any, **named: Any) -> Any:
        await send(*values, **named)
        raise BudgetError("the provider quotes more for the second part")

    with sandbox("openai", rows_per_second=0.01) as provider:
        async with served(provider.url, budget=35) as call:
            with monkeypatch.context() as patch:
                patch.setattr(Engine, "submit_once", too_dear)
                assert "the provider quotes more" in await submit(call, 2, 1_000)
            assert "The session has $15.00 of $35.00 left" in await submit(call, 3, 1_000)
            assert creates(provider) == 1
