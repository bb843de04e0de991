"""What a job has cost: as billed in the lines, from tokens and prices, or unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.providers_loop.serving import sandbox
from tui.config import PriceConfig
from tui.core.jobs import Cost, Job
from tui.engine.engine import Engine

from .conftest import Opener
from .rows import chat, chats, file_of


async def done(engine: Engine, path: Path) -> Job:
    job = await engine.import_file(path)
    await engine.submit(job.id)
    await engine.wait([job.id])
    return engine.history.job(job.id)


async def test_tokens_times_prices(opened: Opener, tmp_path: Path) -> None:
    price = PriceConfig(input=10, output=100)
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": price}) as engine:
            job = await done(engine, chats(tmp_path / "a.jsonl", 12, model="m", max_tokens=500))
            lines = list(engine.history.row_lines(job.id, await engine.select(job.id)))
            inputs = sum(line.usage.input_tokens or 0 for line in lines)
            outputs = sum(line.usage.output_tokens or 0 for line in lines)
            assert job.cost.actual == pytest.approx((inputs * 10 + outputs * 100) / 1e6)
            assert job.cost.estimated is not None and job.cost.estimated > job.cost.actual
            assert engine.spending().amount == pytest.approx(job.cost.actual)


async def test_a_retry_is_added(opened: Opener, tmp_path: Path) -> None:
    rows = [chat("a", "sandbox:flaky=500 Hello there", model="m"), chat("b", "Hello", model="m")]
    with sandbox("openai") as server:
        async with opened(
            "openai", server.url, prices={"m": PriceConfig(input=1000, output=1000)}
        ) as engine:
            job = await done(engine, file_of(tmp_path / "a.jsonl", *rows))
            first = job.cost.actual
            await engine.retry(await engine.plan_retry(job.id))
            await engine.wait([job.id])
            after = engine.history.job(job.id).cost.actual
            assert first is not None and after is not None and after > first


async def test_what_the_lines_bill_is_summed(opened: Opener, tmp_path: Path) -> None:
    with sandbox("melious") as server:
        async with opened("melious", server.url) as engine:
            job = await done(engine, chats(tmp_path / "a.jsonl", 4))
            lines = list(engine.history.row_lines(job.id, await engine.select(job.id)))
            costs = [line.cost for line in lines]
            assert all(costs)
            assert job.cost.actual == pytest.approx(sum(cost or 0 for cost in costs))
            assert job.cost.currency == "EUR"


async def test_unknown_stays_unknown(opened: Opener, engine: Engine, tmp_path: Path) -> None:
    assert (await done(engine, chats(tmp_path / "s.jsonl", 2))).cost == Cost()
    await engine.close()
    with sandbox("openai") as server:
        async with opened("openai", server.url) as other:
            job = await done(other, chats(tmp_path / "a.jsonl", 2, model="made-up-1"))
            assert job.cost.actual is None and job.cost.estimated is None
            failed = await done(other, file_of(tmp_path / "b.jsonl", chat("x", "sandbox:fail=400")))
            assert failed.cost.actual is None


async def test_long_prompts_are_paid_by_their_tier(opened: Opener, tmp_path: Path) -> None:
    short = [
        chat(f"s{n}", "word " * 400, model="claude-sonnet-4-5", max_tokens=5) for n in range(3)
    ]
    long = chat("long", "word " * 200_000, model="claude-sonnet-4-5", max_tokens=5)
    with sandbox("anthropic") as server:
        async with opened("anthropic", server.url) as engine:
            job = await done(engine, file_of(tmp_path / "a.jsonl", *short, long))
            lines = list(engine.history.row_lines(job.id, await engine.select(job.id)))
            from tui.compose.prices import rates_of

            rates = rates_of("claude-sonnet-4-5", engine.accounts.price_source("there"))
            assert rates is not None and len(rates.tiers) > 1
            wanted = 0.0
            for line in lines:
                tokens = line.usage.input_tokens or 0
                _, into, out = rates.tiers[rates.tier_of(tokens)]
                wanted += (tokens * into + (line.usage.output_tokens or 0) * out) / 1e6
            assert {rates.tier_of(line.usage.input_tokens or 0) for line in lines} == {0, 1}
            assert job.cost.actual == pytest.approx(wanted)
