"""What a job has cost: as billed in the lines, from tokens and prices, or unknown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chat, chats, file_of
from tui.compose.prices import PriceSource, find_rates
from tui.config.settings import PriceConfig
from tui.core.jobs import Cost, Job
from tui.core.send_plans import Saving
from tui.engine.batches.collector import Collector
from tui.engine.engine import Engine


async def done(engine: Engine, path: Path) -> Job:
    job = await engine.requests.import_file(path)
    await engine.submit(job.id)
    await engine.wait([job.id])
    return engine.history.jobs.get(job.id)


async def primed(engine: Engine, path: Path) -> Job:
    """A job whose first row fills the cache for the others, and that has ended."""
    job = await engine.requests.import_file(path)
    await engine.submit(job.id, saving=Saving(prime=True))
    await engine.wait([job.id])
    return engine.history.jobs.get(job.id)


async def test_tokens_times_prices(opened: Opener, tmp_path: Path) -> None:
    price = PriceConfig(input=10, output=100)
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": price}) as engine:
            job = await done(engine, chats(tmp_path / "a.jsonl", 12, model="m", max_tokens=500))
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            inputs = sum(line.usage.input_tokens or 0 for line in lines)
            outputs = sum(line.usage.output_tokens or 0 for line in lines)
            assert job.cost.actual == pytest.approx((inputs * 10 + outputs * 100) / 1e6)
            assert job.cost.estimated is not None and job.cost.estimated > job.cost.actual
            assert engine.costs.spending().amount == pytest.approx(job.cost.actual)


async def test_a_retry_is_added(opened: Opener, tmp_path: Path) -> None:
    rows = [chat("a", "sandbox:flaky=500 Hello there", model="m"), chat("b", "Hello", model="m")]
    with sandbox("openai") as server:
        async with opened(
            "openai", server.url, prices={"m": PriceConfig(input=1000, output=1000)}
        ) as engine:
            job = await done(engine, file_of(tmp_path / "a.jsonl", *rows))
            first = job.cost.actual
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            after = engine.history.jobs.get(job.id).cost.actual
            assert first is not None and after is not None and after > first


async def test_parts_that_end_at_the_same_moment_are_billed(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = PriceConfig(input=0, output=1_000_000)
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": price}, limits={"rows": 2}) as engine:
            both = asyncio.Barrier(2)
            finish = Collector.finish_rows

            async def finish_together(*values: Any) -> int:
                missing = await finish(*values)
                await both.wait()
                return missing

            monkeypatch.setattr(Collector, "finish_rows", finish_together)
            job = await done(engine, chats(tmp_path / "a.jsonl", 4, model="m", max_tokens=500))
            assert len(engine.history.batches.of_job(job.id)) == 2
            assert job.cost.actual is not None
            assert engine.costs.spending().amount == pytest.approx(job.cost.actual)


async def test_what_the_lines_bill_is_summed(opened: Opener, tmp_path: Path) -> None:
    with sandbox("melious") as server:
        async with opened("melious", server.url) as engine:
            job = await done(engine, chats(tmp_path / "a.jsonl", 4))
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
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
            assert failed.cost.actual == 0.0


async def test_long_prompts_are_paid_by_their_tier(opened: Opener, tmp_path: Path) -> None:
    short = [
        chat(f"s{n}", "word " * 400, model="claude-sonnet-4-5", max_tokens=5) for n in range(3)
    ]
    long = chat("long", "word " * 200_000, model="claude-sonnet-4-5", max_tokens=5)
    with sandbox("anthropic") as server:
        async with opened("anthropic", server.url) as engine:
            job = await done(engine, file_of(tmp_path / "a.jsonl", *short, long))
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            from tui.compose.prices import find_rates

            rates = find_rates("claude-sonnet-4-5", engine.accounts.price_source("there"))
            assert rates is not None and len(rates.tiers) > 1
            wanted = 0.0
            for line in lines:
                tokens = line.usage.input_tokens or 0
                _, into, out = rates.tiers[rates.tier_of(tokens)]
                wanted += (tokens * into + (line.usage.output_tokens or 0) * out) / 1e6
            assert {rates.tier_of(line.usage.input_tokens or 0) for line in lines} == {0, 1}
            assert job.cost.actual == pytest.approx(wanted)


def test_a_dated_model_has_its_own_price() -> None:
    source = PriceSource(provider="openai", batch_discount=0.5)
    dated = find_rates("gpt-4o-2024-05-13", source)
    plain = find_rates("gpt-4o", source)
    assert dated is not None and plain is not None
    assert dated.tiers[0][1] == 2 * plain.tiers[0][1] == 2.5


def test_cache_writes_and_tiers_have_their_own_prices() -> None:
    rates = find_rates("claude-sonnet-4-5", PriceSource(provider="anthropic"))
    assert rates is not None
    # Half of 3 dollars in a batch; reads 0.1, writes 1.25 and 2 times as much.
    assert rates.caching(0) == pytest.approx((0.15, 1.875, 3.0))
    single = PriceSource(provider="openai", single=True)
    flex = find_rates("gpt-5-mini", single, service_tier="flex")
    priority = find_rates("gpt-5-mini", single, service_tier="priority")
    usual = find_rates("gpt-5-mini", single)
    assert flex is not None and priority is not None and usual is not None
    assert flex.tiers[0][1] < usual.tiers[0][1] < priority.tiers[0][1]


async def test_rows_have_the_cost_that_the_job_has(opened: Opener, tmp_path: Path) -> None:
    price = PriceConfig(input=10, output=100)
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"m": price}) as engine:
            job = await done(engine, chats(tmp_path / "a.jsonl", 12, model="m", max_tokens=500))
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            assert all(line.cost for line in lines)
            assert sum(line.cost or 0 for line in lines) == pytest.approx(job.cost.actual)
            first = lines[0]
            expected = (first.usage.input_tokens or 0) * 10 + (first.usage.output_tokens or 0) * 100
            assert first.cost == pytest.approx(expected / 1e6)


def cached(custom_id: str, ttl: str) -> dict[str, Any]:
    """A Messages request whose system prompt of 4,000 characters is kept in the cache."""
    mark = {"type": "ephemeral", "ttl": ttl}
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be kind. " * 444, "cache_control": mark}],
        "messages": [{"role": "user", "content": "Hello there, how are you today?"}],
    }
    return {"custom_id": custom_id, "params": body}


@pytest.mark.parametrize("ttl,times", [("5m", 1.25), ("1h", 2.0)])
async def test_what_the_cache_took_and_gave_is_billed_at_its_own_price(
    opened: Opener, tmp_path: Path, ttl: str, times: float
) -> None:
    with sandbox("anthropic") as server:
        async with opened("anthropic", server.url) as engine:
            path = file_of(tmp_path / "a.jsonl", *(cached(f"r{n}", ttl) for n in range(3)))
            job = await primed(engine, path)
            select = await engine.results.select(job.id)
            lines = list(engine.history.rows.lines(job.id, select))
            written, *read = lines
            wrote = written.usage.cache_write_1h_tokens if ttl == "1h" else (
                written.usage.cache_write_tokens
            )  # fmt: skip
            assert wrote == read[0].usage.cached_tokens == 999
            # Half of 3 and 15 dollars a million.
            answered = (written.usage.output_tokens or 0) * 7.5
            new = (written.usage.input_tokens or 0) - 999
            assert written.cost == pytest.approx((new * 1.5 + 999 * 1.5 * times + answered) / 1e6)
            answered = (read[0].usage.output_tokens or 0) * 7.5
            new = (read[0].usage.input_tokens or 0) - 999
            assert read[0].cost == pytest.approx((new * 1.5 + 999 * 0.15 + answered) / 1e6)
            assert sum(line.cost or 0 for line in lines) == pytest.approx(job.cost.actual)
            engine.history.jobs.reindex(job.id, rules_of=lambda _: {}, now=0.0)
            again = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            assert [line.cost for line in again] == pytest.approx([line.cost for line in lines])


@pytest.mark.parametrize("tier", ["flex", "priority"])
async def test_a_tier_that_the_answer_names_is_billed(
    opened: Opener, tmp_path: Path, tier: str
) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:
            rows = [
                chat("a", "Hello", max_completion_tokens=50),
                chat("b", "Hello", max_completion_tokens=50, service_tier=tier),
            ]
            job = await done(engine, file_of(tmp_path / "a.jsonl", *rows))
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            assert lines[1].usage.service_tier == tier
            assert all(line.cost for line in lines)
            assert sum(line.cost or 0 for line in lines) == pytest.approx(job.cost.actual)
