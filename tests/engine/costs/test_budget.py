"""A budget stops a submit before anything is sent, and only then."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.end_to_end.servers import Served, sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chat, chats, file_of
from tui.config.settings import BudgetConfig, PriceConfig
from tui.core.send_plans import Saving
from tui.engine.batches.batch_plan import plan_first_attempt, store_plan
from tui.engine.engine import Engine
from tui.engine.submit_facts import CheckedFile, SubmitAnswer, SubmitFacts
from tui.errors import BudgetError, UsageError

DEAR = PriceConfig(input=0, output=1000)
"""A thousand answers of a thousand tokens cost a thousand."""


def nothing_was_sent(server: Served) -> bool:
    return not [call for call in server.asked if call.method == "POST"]


async def submitted(engine: Engine, path: Path, budget: float | None = None) -> None:
    job = await engine.requests.import_file(path)
    await engine.submit(job.id, budget=budget)


@pytest.mark.parametrize("by", ["call", "config"])
async def test_too_dear_is_stopped(by: str, opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 10, max_tokens=1000)
    config = BudgetConfig(per_submit=9.99 if by == "config" else None)
    with sandbox("openai") as server:
        async with opened(
            "openai", server.url, budget=config, prices={"gpt-5-mini": DEAR}
        ) as engine:
            job = await engine.requests.import_file(path)
            with pytest.raises(BudgetError, match=r"\$10\.00.*budget per submit of \$9\.99"):
                await engine.submit(job.id, budget=9.99 if by == "call" else None)
            assert nothing_was_sent(server)
            assert engine.history.jobs.get(job.id).submitted_at is None
            if by == "call":
                await engine.submit(job.id, budget=10)
                assert not nothing_was_sent(server)


async def test_the_smaller_of_two_budgets_counts(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 10, max_tokens=1000)
    prices = {"gpt-5-mini": DEAR}
    async with opened("openai", budget=BudgetConfig(per_submit=5), prices=prices) as engine:
        with pytest.raises(BudgetError, match=r"of \$5\.00"):
            await submitted(engine, path, 1000)


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"model": "made-up-1", "max_tokens": 5}, "config.toml"),
        ({"model": "gpt-5-mini"}, "--set max_tokens=800"),
    ],
    ids=["no price", "no bound"],
)
async def test_an_unknown_cost_is_stopped(
    body: dict[str, object], hint: str, opened: Opener, tmp_path: Path
) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:
            path = chats(tmp_path / "a.jsonl", 3, **body)
            with pytest.raises(BudgetError, match="cost unknown") as caught:
                await submitted(engine, path, 1000)
            assert hint in caught.value.hint and caught.value.exit_code == 5
            assert nothing_was_sent(server)


async def test_past_answers_are_no_bound(opened: Opener, tmp_path: Path) -> None:
    first = chats(tmp_path / "first.jsonl", 20)
    again = chats(tmp_path / "again.jsonl", 20, start=100)
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:
            await submitted(engine, first)
            (job,) = engine.history.jobs.list()
            await engine.wait([job.id])
            estimate = await engine.costs.estimate(again)
            assert estimate.expected is not None and estimate.high is None
            creates = server.count("POST", "/v1/batches")
            with pytest.raises(BudgetError, match="20 rows set no max_tokens"):
                await submitted(engine, again, 1000)
            assert server.count("POST", "/v1/batches") == creates


async def test_what_is_free_keeps_a_budget_of_nothing(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 3, model="local")
    free = {"local": PriceConfig(input=0, output=0)}
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=free) as engine:
            with pytest.raises(BudgetError):
                await submitted(engine, path, 0)
            capped = chats(tmp_path / "b.jsonl", 3, model="local", max_tokens=5)
            await submitted(engine, capped, 0)


async def test_the_sandbox_is_never_stopped(engine: Engine, tmp_path: Path) -> None:
    await submitted(engine, chats(tmp_path / "a.jsonl", 3, model="made-up-1"), 0)
    assert not engine.costs.has_budget("sandbox", 0)
    assert engine.costs.spending().amount == 0 and engine.costs.spending().unknown == 0


async def test_the_month_adds_up(opened: Opener, tmp_path: Path) -> None:
    budget = BudgetConfig(per_month=25)
    prices = {"gpt-5-mini": DEAR}
    with sandbox("openai", rows_per_second=0.01) as server:
        async with opened("openai", server.url, budget=budget, prices=prices) as engine:
            await submitted(engine, chats(tmp_path / "a.jsonl", 10, max_tokens=1000))
            await submitted(engine, chats(tmp_path / "b.jsonl", 10, max_tokens=1000))
            assert engine.costs.spending().amount == pytest.approx(20)
            with pytest.raises(BudgetError, match=r"\$20\.00 of \$25\.00 is spent"):
                await submitted(engine, chats(tmp_path / "c.jsonl", 10, max_tokens=1000))
            await submitted(engine, chats(tmp_path / "d.jsonl", 5, max_tokens=1000))


async def test_two_submits_at_once_do_not_both_take_what_is_left(
    opened: Opener, tmp_path: Path
) -> None:
    budget = BudgetConfig(per_month=15)
    prices = {"gpt-5-mini": DEAR}
    with sandbox("openai", rows_per_second=0.01) as server:
        async with opened("openai", server.url, budget=budget, prices=prices) as engine:
            ended = await asyncio.gather(
                submitted(engine, chats(tmp_path / "a.jsonl", 10, max_tokens=1000)),
                submitted(engine, chats(tmp_path / "b.jsonl", 10, max_tokens=1000)),
                return_exceptions=True,
            )
            assert sorted(type(error).__name__ for error in ended) == ["BudgetError", "NoneType"]


async def test_a_retry_keeps_to_the_budget(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", "sandbox:flaky=500 Tell me"))
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices={"gpt-5-mini": DEAR}) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id, budget=4)
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.failed == 4
            plan = await engine.retries.plan(job.id)
            with pytest.raises(BudgetError):
                await engine.retry(plan, budget=3.99)
            assert engine.history.jobs.get(job.id).counts.failed == 4
            await engine.retry(plan, budget=4)
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.succeeded == 4


async def test_a_stored_retry_is_bounded_by_its_own_edits(opened: Opener, tmp_path: Path) -> None:
    """The program was killed between storing the retry and sending it; the user sends it then."""
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", "sandbox:flaky=500 Tell me"))
    prices = {"gpt-5-mini": DEAR, "dearer": PriceConfig(input=0, output=100_000)}
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=prices) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id)
            await engine.wait([job.id])
            plan = await engine.retries.plan(job.id, edits={"model": "dearer"})
            (retry,) = await asyncio.to_thread(store_plan, engine._context, plan)
            with pytest.raises(BudgetError, match=r"\$400\.00, over the budget per submit of \$5"):
                await engine.submit(job.id, budget=5)
            assert server.count("POST", "/batches") == 1
            await engine.submit(job.id, budget=401)
            entry = engine.history.ledger.reservation(retry.id)
            assert entry is not None and entry.amount == pytest.approx(400)


@pytest.mark.parametrize("sample", [None, 2], ids=["whole", "sample"])
@pytest.mark.parametrize("earlier", [False, True], ids=["checked now", "checked earlier"])
async def test_a_file_that_changes_while_the_user_is_asked_is_not_sent(
    sample: int | None, earlier: bool, opened: Opener, tmp_path: Path
) -> None:
    """The question was about four rows, and a program went on writing the file."""
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    async with opened("openai", prices={"gpt-5-mini": DEAR}) as engine:
        checked = None
        if earlier:
            scan = await engine.requests.scan(path)
            checked = CheckedFile(scan.report, await engine.costs.estimate(scan))

        async def ask(facts: SubmitFacts) -> SubmitAnswer:
            assert facts.whole.rows == 4 and not facts.whole.over_budget
            chats(path, 40, max_tokens=5000)
            return "yes" if sample is None else "sample"

        with pytest.raises(UsageError, match="was changed after it was checked"):
            await engine.requests.import_to_submit(
                path, ask=ask, budget=5, sample=sample, checked=checked
            )
        assert engine.history.jobs.list() == []


@pytest.mark.parametrize("what", ["max_tokens", "price"])
async def test_what_became_dearer_while_the_user_is_asked_is_not_sent(
    what: str, opened: Opener, tmp_path: Path
) -> None:
    """The file has the same size, rows and prompts, and the question named a lower cost."""
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    async with opened("openai", prices={"gpt-5-mini": DEAR}) as engine:
        scan = await engine.requests.scan(path)
        checked = CheckedFile(scan.report, await engine.costs.estimate(scan))

        async def ask(facts: SubmitFacts) -> SubmitAnswer:
            if what == "max_tokens":
                chats(path, 4, max_tokens=9000)
            else:
                dearer = PriceConfig(input=2000.0, output=2000.0)
                changed = msgspec.structs.replace(engine.config, prices={"gpt-5-mini": dearer})
                engine.apply_config(changed)
            return "yes"

        with pytest.raises(UsageError, match=r"was changed|would cost"):
            await engine.requests.import_to_submit(path, ask=ask, checked=checked)
        assert engine.history.jobs.list() == []


@pytest.mark.parametrize("what", ["draft", "rest of a draft", "retry"])
async def test_what_became_dearer_since_it_was_shown_is_not_sent(
    what: str, opened: Opener, tmp_path: Path
) -> None:
    """The price is changed in the settings while the question about a stored job is open."""
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", "sandbox:flaky=500 Tell me"))
    prices, limits = {"gpt-5-mini": DEAR}, {"rows": 2}
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=prices, limits=limits) as engine:
            job = await engine.requests.import_file(path)
            if what == "retry":
                await engine.submit(job.id)
                await engine.wait([job.id])
                plan = await engine.retries.plan(job.id)
                shown = (await engine.costs.estimate(plan)).high
                plan = msgspec.structs.replace(plan, most_cost=shown)
            else:
                if what == "rest of a draft":
                    await send_first_part(engine, job.id)
                shown = (await engine.costs.estimate_unsent(job.id)).high
            assert shown == pytest.approx(2 if what == "rest of a draft" else 4)
            sent = server.count("POST", "/batches")
            dearer = {"gpt-5-mini": PriceConfig(input=0, output=1001)}
            engine.apply_config(msgspec.structs.replace(engine.config, prices=dearer))
            with pytest.raises(UsageError, match=r"would cost .* now, and not"):
                if what == "retry":
                    await engine.retry(plan)
                else:
                    await engine.submit(job.id, saving=Saving(most_cost=shown))
            assert server.count("POST", "/batches") == sent
            engine.apply_config(msgspec.structs.replace(engine.config, prices=prices))
            if what == "retry":
                await engine.retry(plan)
            else:
                await engine.submit(job.id, saving=Saving(most_cost=shown))
            assert server.count("POST", "/batches") > sent


async def send_first_part(engine: Engine, job_id: str) -> None:
    """Send the first of the parts of a job, as if the others had been refused."""
    await asyncio.to_thread(plan_first_attempt, engine._context, job_id)
    first = engine.history.batches.of_job(job_id)[0]
    await asyncio.to_thread(engine.history.batches.confirm_drafts, [first.id])
    await engine._leases.acquire(first.id)
    await engine._submitter.send(first.id)
    await engine._leases.release([first.id])


@pytest.mark.parametrize("edits", [{}, {"n": 2}], ids=["unchanged", "edited"])
async def test_a_sample_is_priced_by_its_own_rows(
    edits: dict[str, Any], opened: Opener, tmp_path: Path
) -> None:
    requests = [chat(f"r{n}", "Hi", max_tokens=1000 * (n + 1)) for n in range(6)]
    path = file_of(tmp_path / "a.jsonl", *requests)
    shown: list[float | None] = []

    async def ask(facts: SubmitFacts) -> SubmitAnswer:
        assert facts.sample is not None
        shown.append(facts.sample.estimate.high)
        return "sample"

    async with opened("openai", prices={"gpt-5-mini": DEAR}) as engine:
        for seed in range(4):
            sample, _ = await engine.requests.import_to_submit(
                path, ask=ask, sample=2, seed=seed, edits=edits
            )
            assert shown[-1] == (await engine.costs.estimate(sample.id)).high
        assert len(set(shown)) > 1


async def test_other_money_is_not_compared(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=10)
    prices = {"gpt-5-mini": DEAR}
    async with opened("melious", prices=prices) as engine:
        with pytest.raises(BudgetError, match="billed in EUR"):
            await submitted(engine, path, 1000)
    euros = BudgetConfig(currency="EUR")
    with sandbox("melious") as server:
        async with opened("melious", server.url, prices=prices, budget=euros) as engine:
            await submitted(engine, path, 1000)


@pytest.mark.parametrize("budget", [-1.0, float("nan"), float("inf")])
async def test_a_budget_is_an_amount(budget: float, opened: Opener, tmp_path: Path) -> None:
    async with opened("openai", prices={"gpt-5-mini": DEAR}) as engine:
        with pytest.raises(UsageError, match="invalid budget"):
            await submitted(engine, chats(tmp_path / "a.jsonl", 1, max_tokens=1), budget)


async def test_beforehand_it_says_the_same(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 10, max_tokens=1000)
    async with opened("openai", prices={"gpt-5-mini": DEAR}) as engine:
        estimate = await engine.costs.estimate(path)
        engine.costs.check_budget(estimate, budget=10)
        with pytest.raises(BudgetError):
            engine.costs.check_budget(estimate, budget=9)
        assert engine.costs.has_budget(budget=9) and not engine.costs.has_budget()
