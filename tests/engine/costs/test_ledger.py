"""What was committed stays committed: over deletes, programs at once, lost answers and kills."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.bench import Bench
from tests.engine.conftest import Opener
from tests.engine.rows import chat, chats, file_of
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import failed_line, good_line
from tui.client import AsyncBatchClient
from tui.config.settings import AccountConfig, BudgetConfig, Config, PriceConfig
from tui.core.jobs import BatchStatus, RemoteCounts, Submission
from tui.core.remote_batches import RemoteBatch
from tui.engine.batches.batch_plan import plan_first_attempt, store_plan
from tui.engine.engine import Engine
from tui.errors import (
    BatchdeckError,
    BudgetError,
    RequestRejectedError,
)
from tui.paths import Paths
from tui.providers.dialect import BatchDraft
from tui.store.history import LedgerEntry

PRICES = {"gpt-5-mini": PriceConfig(input=0, output=1000)}
"""A thousand answers of a thousand tokens cost a thousand."""

MONTH = BudgetConfig(per_month=15)

DEAR = Config(
    default_account="there",
    accounts={"there": AccountConfig(provider="openai")},
    budget=MONTH,
    prices={"m": PriceConfig(input=0, output=1000)},
)
"""A token of an answer costs a thousandth, so that a row of 1,000 tokens costs 1."""


async def submit(engine: Engine, path: Path, rows: int = 10) -> str:
    job = await engine.requests.import_file(chats(path, rows, max_tokens=1000))
    await engine.submit(job.id)
    return job.id


async def test_a_deleted_job_stays_spent(opened: Opener, tmp_path: Path) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, budget=MONTH, prices=PRICES) as engine:
            job_id = await submit(engine, tmp_path / "a.jsonl")
            await engine.wait([job_id])
            billed = engine.history.jobs.get(job_id).cost.actual
            assert billed is not None
            await engine.remote.delete(job_id)
            assert engine.costs.spending().amount == pytest.approx(billed)
            left = engine.costs.left_this_month()
            assert left == pytest.approx(15 - billed)


async def test_programs_that_check_at_once_do_not_both_reserve(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox("openai", rows_per_second=0.01) as server:
        async with (
            opened("openai", server.url, budget=MONTH, prices=PRICES) as one,
            opened("openai", server.url, budget=MONTH, prices=PRICES) as other,
        ):
            both = threading.Barrier(2, timeout=30)
            for engine in (one, other):
                reserve = engine.history.ledger.reserve

                def at_once(*values, reserve=reserve, **named):  # type: ignore[no-untyped-def]
                    both.wait()
                    return reserve(*values, **named)

                monkeypatch.setattr(engine.history.ledger, "reserve", at_once)
            ended = await asyncio.gather(
                submit(one, tmp_path / "a.jsonl"),
                submit(other, tmp_path / "b.jsonl"),
                return_exceptions=True,
            )
            assert sum(isinstance(error, BudgetError) for error in ended) == 1
            assert server.count("POST", "/batches") == 1


async def test_what_another_program_is_about_to_send_stays_reserved(
    opened: Opener, tmp_path: Path
) -> None:
    """Between its reservation and its first step on the wire it is a draft."""
    with sandbox("openai", rows_per_second=0.01) as server:
        async with (
            opened("openai", server.url, budget=MONTH, prices=PRICES) as one,
            opened("openai", server.url, budget=MONTH, prices=PRICES) as other,
        ):
            seen: list[float] = []

            one._context.reach = lambda step: (  # type: ignore[method-assign]
                seen.append(other.costs.spending().amount) if step == "reserved" else None
            )
            job_id = await submit(one, tmp_path / "a.jsonl")
            assert seen == [pytest.approx(10)]
            (entry,) = one.history.ledger.of_job(job_id)
            assert (entry.kind, entry.amount) == ("reserved", pytest.approx(10))


async def test_what_was_given_back_and_is_sent_holds_its_bound_again(
    opened: Opener, tmp_path: Path
) -> None:
    """The bound of its own requests, not the share of what the job was expected to cost."""
    async with opened("openai", budget=MONTH, prices=PRICES) as engine:
        job = await engine.requests.import_file(chats(tmp_path / "a", 10, max_tokens=1000))
        with pytest.raises(BatchdeckError):
            await engine.submit(job.id, budget=12)
        (batch,) = engine.history.batches.of_job(job.id)
        engine.history.costs.set_estimate(job.id, 0.1, "USD")
        await asyncio.to_thread(engine.costs.budgets.check_quote_budget, batch)
        (entry,) = engine.history.ledger.of_job(job.id)
        assert (entry.kind, entry.amount) == ("reserved", pytest.approx(10))
        assert entry.submit_limit == 12


async def test_what_was_not_created_gives_the_money_back(opened: Opener, tmp_path: Path) -> None:
    with sandbox("openai", key="another") as server:
        async with opened("openai", server.url, budget=MONTH, prices=PRICES) as engine:
            for name in ("a", "b", "c"):
                with pytest.raises(BatchdeckError) as caught:
                    await submit(engine, tmp_path / f"{name}.jsonl")
                assert not isinstance(caught.value, BudgetError)
            assert engine.costs.spending().amount == 0


@pytest.mark.parametrize("fate", ["fail=400", "fail=500", "expire"])
async def test_what_failed_without_usage_gives_the_money_back(
    fate: str, opened: Opener, tmp_path: Path
) -> None:
    path = chats(tmp_path / "a.jsonl", 10, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", f"sandbox:{fate} Tell me"))
    with sandbox("openai") as server:
        async with opened("openai", server.url, budget=MONTH, prices=PRICES) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id)
            assert engine.costs.spending().amount == pytest.approx(10)
            await engine.wait([job.id])
            assert engine.costs.spending().amount == 0
            assert engine.history.jobs.get(job.id).cost.actual == 0
            (entry,) = engine.history.ledger.of_job(job.id)
            assert entry.kind == "billed"


def test_what_may_have_been_answered_keeps_its_reservation(tmp_path: Path) -> None:
    """The provider counts answers that its files do not have: they were paid."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine(DEAR) as engine:
            file = chats(tmp_path / "a.jsonl", 2, model="m", max_tokens=1000)
            job = await engine.requests.import_file(file)
            await engine.submit(job.id)
            batch = bench.provider.only()
            batch.status = BatchStatus.EXPIRED
            batch.counts = RemoteCounts(total=2, completed=1, failed=0)
            batch.errors = failed_line("nobody") + b"\n"
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.expired == 2
            assert engine.history.jobs.get(job.id).cost.actual is None
            assert engine.costs.spending().amount == pytest.approx(2)

    run(test)


def test_lost_rows_beside_answers_keep_their_share_of_the_reservation(tmp_path: Path) -> None:
    """The month does not have more left than it may have, until their answers come after all."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        bench.provider.ends_after = None
        async with bench.engine(DEAR) as engine:
            job = await engine.requests.import_file(
                chats(tmp_path / "a.jsonl", 4, model="m", max_tokens=1000)
            )
            await engine.submit(job.id)
            batch = bench.provider.only()
            lines = [billed_line(one) for one in batch.ids]
            batch.status = BatchStatus.COMPLETED
            batch.output = b"".join(lines[:1])
            batch.counts = RemoteCounts(total=4, completed=1, failed=0)
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.missing == 3
            assert engine.history.jobs.get(job.id).cost.actual == pytest.approx(0.1)
            assert engine.costs.spending().amount == pytest.approx(0.1 + 3)
            (total,) = (await engine.costs.spent()).totals
            assert (total.jobs, total.rows) == (1, 4)
            assert total.billed.amount == pytest.approx(0.1)
            assert total.reserved.amount == pytest.approx(3)
            batch.output = b"".join(lines)
            batch.counts = RemoteCounts(total=4, completed=4, failed=0)
            await engine.collect(job.id)
            assert engine.history.jobs.get(job.id).counts.succeeded == 4
            assert engine.costs.spending().amount == pytest.approx(0.4)

    run(test)


def billed_line(custom_id: str) -> bytes:
    """A line with an answer of a hundred tokens."""
    line = json.loads(good_line(custom_id, "yes"))
    line["response"]["body"]["usage"] = {"prompt_tokens": 5, "completion_tokens": 100}
    return json.dumps(line).encode() + b"\n"


async def test_a_batch_that_may_exist_keeps_its_reservation(opened: Opener, tmp_path: Path) -> None:
    async with opened("openai", budget=MONTH, prices=PRICES) as engine:
        job = await engine.requests.import_file(chats(tmp_path / "a", 10, max_tokens=1000))
        with pytest.raises(BatchdeckError):
            await engine.submit(job.id)
        [batch] = engine.history.batches.of_job(job.id)
        assert engine.costs.spending().amount == 0
        reserve = await engine.costs.jobs_within_budget([engine.history.jobs.get(job.id)], None)
        await reserve([batch])
        engine.history.batches.update(
            batch.id,
            {"submission": Submission.UNCERTAIN, "status": BatchStatus.SUBMITTING},
            engine._context.clock(),
        )
        engine.costs.budgets.release_unsent([batch])
        assert engine.costs.spending().amount == pytest.approx(10)


UNLIKE = [
    chat("short-1", "sandbox:say=a", max_tokens=1),
    chat("short-2", "sandbox:say=a", max_tokens=1),
    chat("long-1", "Tell me all of it", max_tokens=999),
    chat("long-2", "Tell me all of it", max_tokens=999),
]
"""Two parts of equal size, of which the second may cost nearly all."""


async def test_a_part_that_is_left_may_cost_what_the_others_did_not(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is that of the job; the share of a part by its rows is none."""
    with sandbox("openai") as server:
        month = BudgetConfig(per_month=2.5)
        limits, prices = {"rows": 2}, {"gpt-5-mini": PriceConfig(input=0, output=1000)}
        async with opened(
            "openai", server.url, budget=month, prices=prices, limits=limits
        ) as engine:
            dialect = await engine.accounts.dialect("there")
            create, made = dialect.create, 0

            async def second_fails(draft: BatchDraft, **named: Any) -> RemoteBatch:
                nonlocal made
                made += 1
                if made == 2:
                    raise RequestRejectedError("not today", status=400)
                return await create(draft, **named)

            monkeypatch.setattr(dialect, "create", second_fails)
            job = await engine.requests.import_file(file_of(tmp_path / "a", *UNLIKE))
            with pytest.raises(RequestRejectedError):
                await engine.submit(job.id)
            await engine.wait([job.id])
            assert engine.costs.spending().amount < 0.1
            reserve = await engine.costs.jobs_within_budget([job], None)
            (left,) = (b for b in engine.history.batches.of_job(job.id) if b.is_unsent)
            await reserve([left])
            held = engine.history.ledger.spending(0, "USD").amount
            assert held == pytest.approx(2.0)


async def test_bills_that_are_stored_again_free_nothing_twice(
    opened: Opener, tmp_path: Path
) -> None:
    async with opened("openai", budget=MONTH, prices=PRICES) as engine:
        job = await engine.requests.import_file(chats(tmp_path / "a", 2, max_tokens=1000))
        ledger = engine.history.ledger
        kept = LedgerEntry(batch="b-1", job=job.id, account="there", provider="openai", amount=5.0)
        ledger.reserve(
            [kept, msgspec.structs.replace(kept, batch="b-2")],
            since=0, currency="USD", limit=None, now=1.0,
        )  # fmt: skip
        bill = msgspec.structs.replace(kept, kind="billed", amount=2.0)
        for _ in range(3):
            ledger.bill([bill], 2.0)
            assert ledger.spending(0, "USD").amount == pytest.approx(10)
        ledger.bill([bill, msgspec.structs.replace(bill, batch="b-2", amount=1.0)], 3.0)
        assert ledger.spending(0, "USD").amount == pytest.approx(3)


async def test_a_retry_is_added_to_what_the_job_was_billed(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", "sandbox:flaky=500 Tell me"))
    with sandbox("openai") as server:
        async with opened("openai", server.url, budget=MONTH, prices=PRICES) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id)
            await engine.wait([job.id])
            before = engine.costs.spending().amount
            await engine.retry(await engine.retries.plan(job.id))
            assert engine.costs.spending().amount == pytest.approx(before + 4)
            await engine.wait([job.id])
            actual = engine.history.jobs.get(job.id).cost.actual
            newest = engine.history.ledger.spending(0, "USD").amount
            assert actual is not None and newest >= actual


async def test_a_retry_in_place_that_does_not_fit_is_not_sent(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program takes what was left between the check of the budget and the reservation."""
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", "sandbox:flaky=500 Tell me"))
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url, budget=MONTH, prices=PRICES) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id)
            await engine.wait([job.id])
            plan = await engine.retries.plan(job.id)
            spent = engine.costs.spending()
            with monkeypatch.context() as patch:
                patch.setattr(engine.history.ledger, "reserve", lambda *_, **__: spent)
                with pytest.raises(BudgetError):
                    await engine.retry(plan)
            rest, native = engine.history.batches.of_job(job.id)
            assert native.native_of == rest.id and native.submission is Submission.REFUSED
            assert not native.is_watched
            assert engine.history.jobs.get(job.id).counts.failed == 4
            assert server.count("POST", "/retry") == 0
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).counts.succeeded == 4
            assert server.count("POST", "/retry") == 1


async def test_a_client_that_keeps_nothing_is_remembered(tmp_path: Path) -> None:
    with sandbox("openai") as server:
        config = Config(
            default_account="there",
            accounts={"there": AccountConfig(provider="openai", base_url=server.url)},
            providers={"openai": {"poll": {"min_seconds": 0.05, "max_seconds": 0.2}}},
            budget=MONTH,
            prices=PRICES,
        )
        rows = [
            {
                "custom_id": f"r{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": "gpt-5-mini",
                    "max_tokens": 1000,
                    "messages": [{"role": "user", "content": "sandbox:slow hello"}],
                },
            }
            for number in range(10)
        ]
        ended = []
        for _ in range(2):
            async with AsyncBatchClient(
                home=tmp_path / "home", config=config, api_key="sk-1", keep=False
            ) as client:
                try:
                    await client.submit(rows)
                    ended.append("sent")
                except BudgetError:
                    ended.append("over")
        assert ended == ["sent", "over"] and server.count("POST", "/batches") == 1


async def test_an_unattended_send_keeps_to_the_month(opened: Opener, tmp_path: Path) -> None:
    async with opened("openai", budget=MONTH, prices=PRICES) as engine:
        job = await engine.requests.import_file(chats(tmp_path / "a", 10, max_tokens=1000))
        with pytest.raises(BatchdeckError):
            await engine.submit(job.id)
        [batch] = engine.history.batches.of_job(job.id)
        await asyncio.to_thread(engine.costs.budgets.check_quote_budget, batch)
        assert engine.costs.spending().amount == 0, "a draft holds nothing"
        engine.costs.budgets.config = BudgetConfig(per_month=1)
        with pytest.raises(BudgetError, match="per month"):
            await asyncio.to_thread(engine.costs.budgets.check_quote_budget, batch)


FLAKY = "sandbox:flaky=500 Tell me"


async def with_short_answers(engine: Engine, path: Path) -> None:
    """Have a job answered, so that answers are expected to be short from here on."""
    job = await engine.requests.import_file(chats(path, 20, max_tokens=1000))
    await engine.submit(job.id)
    await engine.wait([job.id])


async def test_without_a_budget_the_most_is_reserved_too(opened: Opener, tmp_path: Path) -> None:
    """A budget that is set an hour later counts what may still be billed."""
    path = chats(tmp_path / "a.jsonl", 10, start=100, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", FLAKY))
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            await with_short_answers(engine, tmp_path / "first.jsonl")
            job = await engine.requests.import_file(path)
            estimated = job.cost.estimated
            assert estimated is not None and estimated < 9
            await engine.submit(job.id)
            (first,) = engine.history.batches.of_job(job.id)
            entry = engine.history.ledger.reservation(first.id)
            assert entry is not None and entry.amount == pytest.approx(10)
            await engine.wait([job.id])
            plan = await engine.retries.plan(job.id, edits={"max_tokens": 4000})
            await engine.retry(plan)
            _, retry = engine.history.batches.of_job(job.id)
            entry = engine.history.ledger.reservation(retry.id)
            assert entry is not None and entry.amount == pytest.approx(40)


async def test_without_a_budget_a_stored_retry_reserves_its_own_most(
    opened: Opener, tmp_path: Path
) -> None:
    path = chats(tmp_path / "a.jsonl", 4, max_tokens=1000)
    path.write_text(path.read_text().replace("Tell me", FLAKY))
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id)
            await engine.wait([job.id])
            plan = await engine.retries.plan(job.id, edits={"max_tokens": 4000})
            (retry,) = await asyncio.to_thread(store_plan, engine._context, plan)
            await engine.submit(job.id)
            entry = engine.history.ledger.reservation(retry.id)
            assert entry is not None and entry.amount == pytest.approx(16)


async def test_where_nothing_is_a_bound_what_is_expected_is_reserved(
    opened: Opener, tmp_path: Path
) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            await with_short_answers(engine, tmp_path / "first.jsonl")
            job = await engine.requests.import_file(chats(tmp_path / "a.jsonl", 10, start=100))
            await engine.submit(job.id)
            (batch,) = engine.history.batches.of_job(job.id)
            entry = engine.history.ledger.reservation(batch.id)
            assert entry is not None and entry.amount == pytest.approx(job.cost.estimated)


async def test_a_history_that_is_made_anew_has_what_was_reserved(
    opened: Opener, tmp_path: Path, paths: Paths
) -> None:
    with sandbox("openai", rows_per_second=0.01) as server:
        async with opened("openai", server.url, budget=MONTH, prices=PRICES) as engine:
            path = chats(tmp_path / "a.jsonl", 10, max_tokens=1000)
            job = await engine.requests.import_file(path)
            await engine.submit(job.id, budget=12)
            (batch,) = engine.history.batches.of_job(job.id)
            before = engine.history.ledger.entry(batch.id)
        for file in paths.history_db.parent.glob("history.db*"):
            file.unlink()
        async with opened("openai", server.url, budget=MONTH, prices=PRICES) as engine:
            back, _ = await asyncio.to_thread(engine.history.jobs.restore, 1.0)
            assert back == [job.id]
            assert engine.history.ledger.entry(batch.id) == before
            assert engine.costs.spending().amount == pytest.approx(10)


async def test_what_has_no_reservation_is_sent_by_its_most(opened: Opener, tmp_path: Path) -> None:
    """The reservation is not in the ledger: it was made with an older copy of the history."""
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            await with_short_answers(engine, tmp_path / "first.jsonl")
            path = chats(tmp_path / "a.jsonl", 10, start=100, max_tokens=1000)
            job = await engine.requests.import_file(path)
            await asyncio.to_thread(plan_first_attempt, engine._context, job.id)
            (batch,) = engine.history.batches.of_job(job.id)
            await asyncio.to_thread(engine.costs.budgets.check_quote_budget, batch)
            entry = engine.history.ledger.reservation(batch.id)
            assert entry is not None and entry.amount == pytest.approx(10)
