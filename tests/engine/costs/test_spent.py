"""Where the money went: every batch that was paid for is counted once, and nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.costs.test_billing import cached, done
from tests.engine.rows import chats, file_of
from tui.compose.templates.model import Template
from tui.config.settings import BudgetConfig, PriceConfig
from tui.engine.costs.spent import KnownSum, SpentGroup, sum_text, unknown_text
from tui.engine.engine import Engine
from tui.errors import UsageError

HALF = PriceConfig(input=10, output=100, batch_discount=0.5)
"""Ten and a hundred dollars for a million tokens; half of it in a batch."""


async def tokens_of(url: str) -> tuple[int, int]:
    """All input and output tokens in the provider's own answers."""
    into = out = 0
    async with httpx.AsyncClient(base_url=f"{url}/v1") as client:
        for batch in (await client.get("/batches")).json()["data"]:
            if batch["output_file_id"] is None:
                continue
            answers = await client.get(f"/files/{batch['output_file_id']}/content")
            for line in answers.iter_lines():
                usage = json.loads(line)["response"]["body"]["usage"]
                into += usage["prompt_tokens"]
                out += usage["completion_tokens"]
    return into, out


async def test_the_bill_and_the_discount_are_those_of_the_provider_s_books(
    opened: Opener, tmp_path: Path
) -> None:
    prices = {"mini": HALF, "dear": PriceConfig(input=20, output=200, batch_discount=0.5)}
    budget = BudgetConfig(per_month=90)
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=prices, budget=budget) as engine:
            one = await done(engine, chats(tmp_path / "a.jsonl", 12, model="mini", max_tokens=200))
            into, out = await tokens_of(server.url)
            regular = (into * 10 + out * 100) / 1e6
            await engine.annotate(one.id, tags=("weekly", "de"))
            two = await done(engine, chats(tmp_path / "b.jsonl", 5, model="dear", max_tokens=200))
            (all_of_it,) = (await engine.costs.spent()).groups
            assert (all_of_it.jobs, all_of_it.rows) == (2, 17)
            report = await engine.costs.spent(["model", "account"])
            by_model = {group.keys[0]: group for group in report.groups}
            assert by_model["mini"].billed == KnownSum(pytest.approx(regular / 2))
            assert by_model["mini"].saved_by_batch == KnownSum(pytest.approx(regular / 2))
            assert by_model["mini"].estimated.amount == pytest.approx(one.cost.estimated)
            assert by_model["dear"].billed.amount == pytest.approx(two.cost.actual)
            assert report.left == pytest.approx(90 - all_of_it.billed.amount)
            by_tag = await engine.costs.spent(["tag"])
            assert {g.keys: g.rows for g in by_tag.groups} == {
                ("weekly",): 12, ("de",): 12, ("",): 5,
            }  # fmt: skip
            # A job with two tags counts once in the total.
            (total,) = by_tag.totals
            assert total.billed.amount == pytest.approx(all_of_it.billed.amount)
            await engine.remote.delete(one.id)
            await engine.remote.delete(two.id)
            assert await engine.costs.spent(["tag"]) == by_tag
            assert await engine.costs.spent(["model", "account"]) == report
            names = [group.keys[0] for group in (await engine.costs.spent(["job"])).groups]
            assert names == [f"deleted ({one.id})", f"deleted ({two.id})"] or names == [
                f"deleted ({two.id})", f"deleted ({one.id})",
            ]  # fmt: skip


async def test_what_is_not_known_is_said(opened: Opener, tmp_path: Path) -> None:
    own = {"plain": PriceConfig(input=1, output=2)}
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=own) as engine:
            await done(engine, chats(tmp_path / "a.jsonl", 2, model="made-up-1"))
            await done(engine, chats(tmp_path / "b.jsonl", 3, model="plain"))
            report = await engine.costs.spent(["model"])
    plain, unknown = report.groups
    assert (plain.keys, unknown.keys) == (("plain",), ("made-up-1",))
    # A batch price alone does not say what single requests cost.
    assert plain.billed.amount and plain.saved_by_batch == KnownSum(None, 1)
    assert unknown.reserved == KnownSum(None, 1) and unknown.billed == KnownSum(0.0)
    (total,) = report.totals
    assert total.billed.amount == plain.billed.amount
    assert sum_text(unknown.reserved, "USD") == "-"
    words = unknown_text(total)
    assert "the cost of 1 job" in words and "what the batch saved of 1 job" in words


async def test_a_running_batch_is_reserved(opened: Opener, tmp_path: Path) -> None:
    prices = {"mini": HALF}
    with sandbox("openai", rows_per_second=0.001) as server:
        async with opened("openai", server.url, prices=prices) as engine:
            path = chats(tmp_path / "a.jsonl", 4, model="mini", max_tokens=1000)
            job = await engine.requests.import_file(path)
            assert (await engine.costs.spent()).groups == ()
            await engine.submit(job.id)
            (group,) = (await engine.costs.spent()).groups
            assert group.billed == KnownSum(0.0)
            assert group.reserved.amount == pytest.approx(job.cost.estimated)
            assert (await engine.costs.spent(before=1.0)).groups == ()
            assert (await engine.costs.spent(since=1.0)).groups == (group,)


async def test_a_retry_is_counted_with_its_own_estimate(opened: Opener, tmp_path: Path) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"mini": HALF}) as engine:
            job = await done(engine, chats(tmp_path / "a.jsonl", 8, model="mini", max_tokens=50))
            await engine.retry(await engine.retries.plan(job.id, range(8)))
            await engine.wait([job.id])
            (group,) = (await engine.costs.spent(["job"])).groups
            into, out = await tokens_of(server.url)
    assert group.keys == (f"a ({job.id})",)
    assert (group.jobs, group.rows) == (1, 16)
    assert group.billed.amount == pytest.approx((into * 10 + out * 100) / 2e6)
    assert group.saved_by_batch.amount == pytest.approx(group.billed.amount)
    assert group.estimated.amount == pytest.approx(2 * (job.cost.estimated or 0))


async def test_a_cache_can_save_and_lose(opened: Opener, tmp_path: Path) -> None:
    """Claude Sonnet 4.5 in a batch: $1.50 for a million input tokens, a tenth for those read."""
    with sandbox("anthropic") as server:
        async with opened("anthropic", server.url) as engine:
            one = await done(engine, file_of(tmp_path / "a.jsonl", cached("only", "1h")))
            select = engine.results.select
            lines = list(engine.history.rows.lines(one.id, await select(one.id)))
            written = lines[0].usage.cache_write_1h_tokens
            assert written
            (group,) = (await engine.costs.spent()).groups
            # An hour costs twice the input: what is written once and never read is a loss.
            assert group.saved_by_cache == KnownSum(pytest.approx(-written * 1.5 / 1e6))
            assert sum_text(group.saved_by_cache, "USD").startswith("-$0.00")
            rows = [cached(f"r{n}", "1h") for n in range(20)]
            many = await done(engine, file_of(tmp_path / "b.jsonl", *rows))
            usages = [
                line.usage for line in engine.history.rows.lines(many.id, await select(many.id))
            ]
            read = sum(usage.cached_tokens or 0 for usage in usages)
            wrote = sum(usage.cache_write_1h_tokens or 0 for usage in usages)
            by_job = {g.keys[0]: g for g in (await engine.costs.spent(["job"])).groups}
            saved = by_job[f"b ({many.id})"].saved_by_cache
            assert saved == KnownSum(pytest.approx((read * 0.9 - wrote) * 1.5 / 1e6))
            cache = (await engine.results.summary(many.id)).cache
            assert cache is not None and cache.saved == pytest.approx(saved.amount)
            assert (cache.read, cache.written, cache.written_1h) == (read, 0, wrote)
            readers = sum(bool(usage.cached_tokens) for usage in usages)
            assert (cache.reading_rows, cache.rows) == (readers, 20)
            share = read / sum(usage.input_tokens or 0 for usage in usages)
            assert f"{share:.0%} of the input, by {readers} of 20 rows" in cache.text


async def test_a_template_with_a_cache(opened: Opener, tmp_path: Path) -> None:
    """What the template marks is written and read at the provider, and the summary says so."""
    table = tmp_path / "table.csv"
    table.write_text("text\n" + "".join(f"row {n}\n" for n in range(10)))
    template = Template(
        kind="messages", model="claude-sonnet-4-5", system="Be kind. " * 444, user="{text}",
        cache="5m",
    )  # fmt: skip
    with sandbox("anthropic") as server:
        async with opened("anthropic", server.url) as engine:
            report = await engine.requests.compose(str(table), template, tmp_path / "t.jsonl")
            assert (await engine.requests.check(Path(report.path))).ok
            job = await done(engine, Path(report.path))
            assert job.counts.all_succeeded
            cache = (await engine.results.summary(job.id)).cache
    assert cache is not None and cache.rows == 10 and cache.written_1h == 0
    assert cache.read + cache.written == 10 * cache.written / (10 - cache.reading_rows)
    price = 1.5 / 1e6
    assert cache.saved == pytest.approx((cache.read * 0.9 - cache.written * 0.25) * price)


def group(month: str, model: str, billed: float) -> SpentGroup:
    known, nothing = KnownSum(billed), KnownSum()
    return SpentGroup(
        keys=(month, model), currency="USD", jobs=1, rows=1, estimated=known, billed=known,
        reserved=nothing, saved_by_batch=nothing, saved_by_cache=nothing, saved_by_reuse=nothing,
    )  # fmt: skip


def test_the_newest_month_and_the_most_expensive_model_come_first() -> None:
    from tui.engine.costs.spent import _sorted

    groups = [
        group("2026-09", "b", 50), group("2026-11", "a", 1), group("2026-11", "b", 2),
        group("2026-10", "a", 3),
    ]  # fmt: skip
    order = [each.keys for each in _sorted(groups, ("month", "model"))]
    assert order == [("2026-11", "b"), ("2026-11", "a"), ("2026-10", "a"), ("2026-09", "b")]


async def test_unknown_groups(engine: Engine) -> None:
    with pytest.raises(UsageError, match="cannot be grouped by 'colour'"):
        await engine.costs.spent(["month", "colour"])
    with pytest.raises(UsageError, match="no group"):
        await engine.costs.spent([])
