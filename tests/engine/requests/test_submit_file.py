"""From a file to a submitted job: one question, one budget check, and nothing left after a no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chat, chats, file_of
from tui.config.settings import BudgetConfig, PriceConfig
from tui.core.jobs import Job
from tui.engine.engine import Engine
from tui.engine.submit_facts import CheckedFile, SubmitAnswer, SubmitFacts
from tui.errors import BudgetError, InputError, KeyMissingError, UsageError
from tui.progress import Progress

PRICES = {"gpt-5-mini": PriceConfig(input=0, output=1000, batch_discount=0)}
"""A thousand answers of a thousand tokens cost a thousand dollars."""


class Asked:
    """A face that remembers the facts and gives one answer."""

    def __init__(self, answer: SubmitAnswer) -> None:
        self.answer = answer
        self.facts: list[SubmitFacts] = []

    async def __call__(self, facts: SubmitFacts) -> SubmitAnswer:
        self.facts.append(facts)
        return self.answer


async def submit_file(
    engine: Engine, path: Path, *, budget: float | None = None, **options: Any
) -> list[Job]:
    """Import a file and submit it, as a face does."""
    jobs = await engine.requests.import_to_submit(path, budget=budget, **options)
    return await engine.submit_imported(jobs, budget=budget)


async def test_the_facts_say_what_each_answer_would_send(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "reviews.jsonl", 100, max_tokens=1000)
    budget = BudgetConfig(per_submit=50, per_month=70)
    async with opened("openai", budget=budget, prices=PRICES) as engine:
        ask = Asked("no")
        assert await submit_file(engine, path, ask=ask) == []
        (facts,) = ask.facts
        assert (facts.name, facts.model, facts.window) == ("reviews", "gpt-5-mini", "24h")
        assert facts.account.name == "there" and not facts.account.is_free
        assert (facts.whole.rows, facts.whole.estimate.high) == (100, pytest.approx(100))
        assert "over the budget per submit" in facts.whole.over_budget
        assert facts.sample is not None and facts.sample.rows == 20
        assert facts.sample.estimate.high == pytest.approx(20)
        assert facts.sample.over_budget == ""
        assert facts.sample.input_tokens == facts.whole.input_tokens // 5
        assert facts.left_this_month == 70
        assert engine.history.jobs.list() == []


async def test_a_small_file_has_no_sample(opened: Opener, tmp_path: Path) -> None:
    async with opened("openai") as engine:
        ask = Asked("no")
        await submit_file(engine, chats(tmp_path / "a.jsonl", 20), ask=ask)
        await submit_file(engine, chats(tmp_path / "a.jsonl", 20), ask=ask, sample=19)
        first, second = ask.facts
        assert first.sample is None and second.sample is not None and second.sample.rows == 19


@pytest.mark.parametrize("ask", [None, Asked("yes")], ids=["nobody asks", "yes"])
async def test_the_whole_file_is_submitted(
    ask: Asked | None, engine: Engine, tmp_path: Path
) -> None:
    (job,) = await submit_file(engine, chats(tmp_path / "a.jsonl", 30), ask=ask, name="mine")
    await engine.wait([job.id])
    job = engine.history.jobs.get(job.id)
    assert (job.name, job.counts.succeeded) == ("mine", 30)


async def test_a_sample_is_submitted_and_the_rest_is_a_draft(
    engine: Engine, tmp_path: Path
) -> None:
    path = chats(tmp_path / "a.jsonl", 30)
    sample, rest = await submit_file(engine, path, ask=Asked("sample"))
    assert (sample.counts.total, rest.counts.total) == (20, 10)
    assert engine.history.batches.of_job(sample.id) and not engine.history.batches.of_job(rest.id)
    sample, rest = await submit_file(engine, path, sample=5)
    assert (sample.counts.total, rest.counts.total) == (5, 25)
    with pytest.raises(UsageError, match="only 30 requests"):
        await submit_file(engine, path, sample=30)


@pytest.mark.parametrize("sample", [None, 5])
async def test_over_budget_nothing_stays(
    sample: int | None, opened: Opener, tmp_path: Path
) -> None:
    path = chats(tmp_path / "a.jsonl", 10, max_tokens=1000)
    with sandbox("openai") as server:
        async with opened("openai", server.url, prices=PRICES) as engine:
            with pytest.raises(BudgetError, match="over the budget per submit"):
                await submit_file(engine, path, sample=sample, budget=1)
            assert engine.history.jobs.list() == []
            assert not server.count("POST", "")


async def test_a_quote_over_the_budget_takes_the_job_back(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 5, model="made-up-1")
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            with pytest.raises(BudgetError, match="the provider quotes"):
                await submit_file(engine, path, budget=0.000001)
            assert engine.history.jobs.list() == []
            assert server.count("POST", "/batches") == 0


async def test_the_question_says_what_a_later_quote_allows(opened: Opener, tmp_path: Path) -> None:
    """The provider quotes the cost before anything is paid, so an unknown cost stops nothing."""
    path = chats(tmp_path / "a.jsonl", 5, model="made-up-1")
    ask = Asked("yes")
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url) as engine:
            assert await submit_file(engine, path, budget=10, ask=ask)
            assert [facts.whole.over_budget for facts in ask.facts] == [""]
            assert server.count("POST", "/batches") == 1


async def test_a_part_that_was_sent_keeps_the_job(opened: Opener, tmp_path: Path) -> None:
    """Its rows are paid for."""
    path = chats(tmp_path / "a.jsonl", 4, model="made-up-1")
    with sandbox("doubleword") as server:
        async with opened("doubleword", server.url, limits={"rows": 2}) as engine:
            (job,) = await submit_file(engine, path)
            each = engine.history.batches.of_job(job.id)[0].told_cost
            assert each is not None
            with pytest.raises(BudgetError):
                await submit_file(engine, path, budget=1.5 * each)
            assert len(engine.history.jobs.list()) == 2


async def test_a_face_may_submit_again_with_a_key(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:
            monkeypatch.delenv("BATCHDECK_KEY_THERE")
            jobs = await engine.requests.import_to_submit(chats(tmp_path / "a.jsonl", 3))
            with pytest.raises(KeyMissingError):
                await engine.submit_imported(jobs)
            engine.accounts.set_key("there", "sk-1")
            (job,) = await engine.submit_imported(jobs)
            assert [job.id] == [job.id for job in jobs] and job.submitted_at is not None
            assert len(engine.history.jobs.list()) == 1


async def test_a_bad_file_is_rejected_before_the_question(engine: Engine, tmp_path: Path) -> None:
    ask = Asked("yes")
    bad = file_of(tmp_path / "b.jsonl", chat("a", "x"), chat("a", "y"))
    with pytest.raises(InputError, match="line 2"):
        await submit_file(engine, bad, ask=ask)
    with pytest.raises(UsageError, match="no window"):
        await submit_file(engine, chats(tmp_path / "a.jsonl", 3), window="9y", ask=ask)
    with pytest.raises(InputError, match="stopped"):
        await submit_file(
            engine, chats(tmp_path / "a.jsonl", 3), ask=ask, progress=Progress(stop=lambda: True)
        )
    assert ask.facts == [] and engine.history.jobs.list() == []


async def test_an_earlier_check_is_used_for_the_question_alone(
    engine: Engine, tmp_path: Path
) -> None:
    path = chats(tmp_path / "a.jsonl", 30)
    scan = await engine.requests.scan(path)
    checked = CheckedFile(scan.report, await engine.costs.estimate(scan))
    ask = Asked("yes")
    (job,) = await submit_file(engine, path, ask=ask, checked=checked)
    assert ask.facts[0].whole.rows == 30 and job.counts.total == 30
    chats(path, 40)
    (job,) = await submit_file(engine, path, ask=ask, checked=checked)
    assert ask.facts[1].whole.rows == 40 and job.counts.total == 40
    path.write_text("{}\n")
    with pytest.raises(InputError):
        await submit_file(engine, path, ask=ask, checked=checked)
    assert len(engine.history.jobs.list()) == 2
