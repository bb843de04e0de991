"""Known prices, unknown ones, one's own, and what past results change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chats
from tui.config.settings import PriceConfig
from tui.engine.costs.budget import cost_text
from tui.engine.costs.calibration import calibrate
from tui.engine.engine import Engine
from tui.errors import InputError
from tui.progress import Progress
from tui.store.history import PastJob


async def test_openai_models_have_a_price_and_made_up_ones_have_none(
    engine: Engine, tmp_path: Path
) -> None:
    known = await engine.costs.estimate(chats(tmp_path / "a.jsonl", 20, max_tokens=100), "openai")
    assert known.low is not None and known.high is not None
    # gpt-5-mini: 0.125 and 1 dollar a million in a batch.
    assert known.input_tokens_high is not None
    assert known.high == pytest.approx((known.input_tokens_high * 0.125 + 20 * 100) / 1e6, rel=0.01)
    assert known.low == pytest.approx(known.input_tokens_low * 0.125 / 1e6, rel=0.01)
    assert known.currency == "USD" and known.rows == 20 and not known.calibrated
    assert known.expected is None and known.expected_or_high == known.high
    path = chats(tmp_path / "b.jsonl", 20, model="made-up-1", max_tokens=100)
    unknown = await engine.costs.estimate(path, "openai")
    assert unknown.low is None and unknown.high is None and unknown.expected_or_high is None
    assert unknown.input_tokens == known.input_tokens
    assert "made-up-1" in unknown.notes[0]
    assert cost_text(unknown) == "unknown"


async def test_without_a_longest_answer_there_is_no_upper_bound(
    engine: Engine, tmp_path: Path
) -> None:
    estimate = await engine.costs.estimate(chats(tmp_path / "a.jsonl", 3), "openai")
    assert estimate.low is not None and estimate.high is None and estimate.expected_or_high is None
    assert cost_text(estimate) == "unknown, with no upper bound"


async def test_edits_are_counted(engine: Engine, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 5, model="made-up-1")
    edits = {"model": "gpt-5-mini", "max_tokens": 10}
    estimate = await engine.costs.estimate(path, "openai", edits=edits)
    assert estimate.high is not None and estimate.output_tokens_high == 50


async def test_own_prices_win_and_may_have_a_discount(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 10, model="made-up-1", max_tokens=100)
    price = PriceConfig(input=0, output=4, batch_discount=0.5)
    async with opened("openai", prices={"made-up-1": price}) as engine:
        estimate = await engine.costs.estimate(path)
        assert estimate.low == 0 and estimate.high == pytest.approx(10 * 100 * 2 / 1e6)
        assert estimate.exact_prices and "your own price" in estimate.notes


async def test_a_window_may_have_its_own_price(engine: Engine, tmp_path: Path) -> None:
    profile = engine.accounts.profile("doubleword")
    model, price = next((m, p) for m, p in profile.prices.overrides.items() if "1h" in p.windows)
    path = chats(tmp_path / "a.jsonl", 10, model=model, max_tokens=100)
    day = await engine.costs.estimate(path, "doubleword")
    hour = await engine.costs.estimate(path, "doubleword", window="1h")
    assert day.low is not None and hour.low is not None
    assert hour.low / day.low == pytest.approx(price.windows["1h"].input / price.input)


async def test_past_results_change_the_estimate(opened: Opener, tmp_path: Path) -> None:
    first = chats(tmp_path / "first.jsonl", 20, max_tokens=5000)
    again = chats(tmp_path / "again.jsonl", 40, start=100, max_tokens=5000)
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:
            before = await engine.costs.estimate(again)
            assert before.expected is None
            job = await engine.requests.import_file(first)
            await engine.submit(job.id)
            await engine.wait([job.id])
            after = await engine.costs.estimate(again)
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            mean = sum(line.usage.output_tokens or 0 for line in lines) / len(lines)
            assert after.calibrated and after.output_tokens_low == pytest.approx(
                40 * mean, rel=0.01
            )
            measured = sum(line.usage.input_tokens or 0 for line in lines)
            assert after.input_tokens == pytest.approx(2 * measured, rel=0.02)
            assert before.high is not None and after.expected is not None
            assert after.expected < before.high / 10
            assert after.expected_or_high == after.expected
            new = await engine.requests.import_file(again)
            assert new.cost.estimated == pytest.approx(after.expected)
            other = await engine.costs.estimate(again, "groq")
            assert not other.calibrated


def test_prompts_that_a_gateway_lengthens_are_measured() -> None:
    def past(tokens: int) -> PastJob:
        models = {"m": (20, 100, 20, tokens)}
        return PastJob(model="m", rows=20, guessed=1000, models=models)

    assert calibrate([past(12_000)]).inputs == {"m": 12.0, "": 12.0}
    assert calibrate([past(10**12)]).inputs["m"] == 100
    assert calibrate([past(1)]).inputs["m"] == 0.25


async def test_a_stop_ends_it(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"reading .* was stopped"):
        await engine.costs.estimate(
            chats(tmp_path / "a.jsonl", 3000), "openai", progress=Progress(stop=lambda: True)
        )
