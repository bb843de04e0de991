"""A provider that says what a file will cost is believed before anything is paid."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.end_to_end.servers import Served, sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chats
from tui.config.settings import BudgetConfig, PriceConfig
from tui.engine.batches.batch_plan import plan_first_attempt
from tui.engine.engine import Engine
from tui.errors import BudgetError


async def imported(engine: Engine, path: Path) -> str:
    return (await engine.requests.import_file(path)).id


def creates(server: Served) -> int:
    return server.count("POST", "/batches")


async def test_the_guess_of_the_provider_is_kept(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 5, model="made-up-1")
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            job_id = await imported(engine, path)
            await engine.submit(job_id)
            document = engine.history.jobs.document(job_id)
            told = document["batches"][0]["told_cost"]
            assert told > 0 and document["cost"]["told"] == told
            assert document["cost"]["estimated"] is None


async def test_it_is_what_a_budget_compares_where_nobody_else_knows(
    opened: Opener, tmp_path: Path
) -> None:
    path = chats(tmp_path / "a.jsonl", 5, model="made-up-1")
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            job_id = await imported(engine, path)
            with pytest.raises(BudgetError, match="the provider quotes"):
                await engine.submit(job_id, budget=0.000001)
            assert creates(server) == 0
            assert server.count("DELETE", "") == 1, "the upload is taken back"
            (batch,) = engine.history.batches.of_job(job_id)
            assert batch.is_unsent and batch.input_file_id is None
            await engine.submit(job_id, budget=10)
            assert creates(server) == 1


async def test_the_parts_of_a_job_add_up(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 4, model="made-up-1")
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url, limits={"rows": 2}) as engine:
            job_id = await imported(engine, path)
            await engine.submit(job_id)
            each = engine.history.batches.of_job(job_id)[0].told_cost
            assert each is not None
            again = await imported(engine, path)
            with pytest.raises(BudgetError):
                await engine.submit(again, budget=1.5 * each)
            assert creates(server) == 3


async def test_what_was_billed_meanwhile_is_part_of_the_submit(
    opened: Opener, tmp_path: Path
) -> None:
    """One job of an experiment has ended when the batch of another one, that waited, is quoted."""
    async with opened("doubleword") as engine:
        jobs = []
        for name in ("a", "b"):
            path = chats(tmp_path / f"{name}.jsonl", 2, model="made-up-1")
            jobs.append(engine.history.jobs.get(await imported(engine, path)))
            plan_first_attempt(engine._context, jobs[-1].id)
        first, second = (engine.history.batches.of_job(job.id)[0] for job in jobs)
        reserve = await engine.costs.jobs_within_budget(jobs, 5.0)
        await reserve([first, second])
        budgets, ledger = engine.costs.budgets, engine.history.ledger
        budgets.check_quote_budget(msgspec.structs.replace(first, told_cost=4.0))
        quoted = ledger.entry(first.id)
        assert quoted is not None and quoted.kind == "quoted"
        ledger.bill([msgspec.structs.replace(quoted, kind="billed", amount=3.5)], 0.0)
        with pytest.raises(BudgetError, match="over the budget per submit"):
            budgets.check_quote_budget(msgspec.structs.replace(second, told_cost=2.0))
        budgets.check_quote_budget(msgspec.structs.replace(second, told_cost=1.5))


async def test_a_quote_is_a_guess_and_lowers_no_bound(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 4, model="m", max_tokens=1000)
    price = {"m": PriceConfig(input=0, output=1000)}
    with sandbox("doubleword", rows_per_second=0.01) as server:
        async with opened("doubleword", server.url, prices=price) as engine:
            job_id = await imported(engine, path)
            await engine.submit(job_id, budget=10)
            (batch,) = engine.history.batches.of_job(job_id)
            assert batch.told_cost is not None and batch.told_cost < 1
            assert engine.costs.spending().amount == pytest.approx(4)


async def test_a_quote_in_other_money_is_not_compared(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 2, model="made-up-1")
    with sandbox("doubleword") as server:
        euros = BudgetConfig(currency="EUR", per_submit=1000.0)
        async with opened("doubleword", server.url, budget=euros) as engine:
            job_id = await imported(engine, path)
            with pytest.raises(BudgetError, match="billed in USD"):
                await engine.submit(job_id)
            assert creates(server) == 0


async def test_without_a_word_of_the_provider_an_unknown_cost_stops(
    opened: Opener, tmp_path: Path
) -> None:
    path = chats(tmp_path / "a.jsonl", 5, model="made-up-1")
    paths = {"estimate": "/files/{id}/there-is-no-such-route"}
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url, paths=paths) as engine:
            job_id = await imported(engine, path)
            with pytest.raises(BudgetError, match="cost unknown"):
                await engine.submit(job_id, budget=10)
            assert creates(server) == 0
            await engine.submit(job_id)
            assert creates(server) == 1
