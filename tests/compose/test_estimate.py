from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tui.compose.estimate import Estimate, estimate_file
from tui.compose.prices import PriceSource, TokenPrice, rates_of
from tui.errors import InputError

from .rows import chat, lines, written

OPENAI = PriceSource(provider="openai", batch_discount=0.5)
AT = datetime(2026, 11, 1, tzinfo=UTC)


def estimated(folder: Path, source: PriceSource, *rows: dict[str, Any], **more: Any) -> Estimate:
    return estimate_file(written(folder, lines(*rows)), source, **more)


def words(tokens: int) -> str:
    return "abc " * tokens


def test_batch_prices_are_used_where_they_are_documented(tmp_path: Path) -> None:
    rates = rates_of("gpt-5-mini", OPENAI, at=AT)
    assert rates is not None and rates.exact and "batch price" in rates.note
    assert rates.tiers == ((0, 0.125, 1.0),)
    row = chat("a", words(1_000_000), model="gpt-5-mini", max_tokens=1_000_000)
    estimate = estimated(tmp_path, OPENAI, row)
    assert estimate.low == pytest.approx(0.125)
    assert estimate.high == pytest.approx(1.125)
    assert estimate.exact_prices and estimate.currency == "USD"


def test_without_a_batch_price_the_documented_discount_is_taken_off() -> None:
    ordinary = rates_of("mistral-large-latest", PriceSource(provider="mistral"), at=AT)
    half = rates_of(
        "mistral-large-latest", PriceSource(provider="mistral", batch_discount=0.5), at=AT
    )
    assert ordinary is not None and half is not None
    assert "no batch price" in ordinary.note and not ordinary.exact and not half.exact
    assert half.tiers[0][1] == ordinary.tiers[0][1] / 2


def test_a_batch_price_does_not_count_before_its_day() -> None:
    early = rates_of("gpt-5-mini", OPENAI, at=datetime(2026, 1, 1, tzinfo=UTC))
    assert early is not None and not early.exact
    assert "less 50%" in early.note


def test_tiers_go_by_the_row_and_not_by_the_sum(tmp_path: Path) -> None:
    source = PriceSource(provider="anthropic")
    short = [chat(str(n), words(1000), model="claude-sonnet-4-5", max_tokens=1) for n in range(300)]
    assert estimated(tmp_path, source, *short).low == pytest.approx(0.3 * 1.5)
    long = chat("a", words(300_000), model="claude-sonnet-4-5", max_tokens=1)
    assert estimated(tmp_path, source, long).low == pytest.approx(0.3 * 3)


def test_unknown_prices_are_none_and_never_zero(tmp_path: Path) -> None:
    estimate = estimated(tmp_path, OPENAI, chat("a", model="nobody"), chat("b", model="gpt-5-mini"))
    assert estimate.low is None and estimate.high is None
    assert any("no price is known for nobody" in note for note in estimate.notes)
    assert [part.low is None for part in estimate.models] == [True, False]
    assert estimated(tmp_path, PriceSource(), chat("a")).low is None


def test_own_prices_win(tmp_path: Path) -> None:
    source = PriceSource(
        provider="openai",
        currency="EUR",
        overrides={"gpt-5-mini": TokenPrice(input=1.0, output=2.0)},
        aliases={"mine": "gpt-5-mini"},
    )
    row = chat("a", words(1000), model="gpt-5-mini", max_tokens=500)
    estimate = estimated(tmp_path, source, row)
    assert (estimate.currency, estimate.low, estimate.high) == ("EUR", 0.001, 0.002)
    # Dollars of the table are not mixed with euros.
    assert estimated(tmp_path, source, row, chat("b", model="gpt-5")).low is None
    dollars = PriceSource(provider="openai", aliases={"mine": "gpt-5-mini"})
    assert rates_of("mine", dollars, at=AT) == rates_of("gpt-5-mini", dollars, at=AT)


def test_answers_make_the_range(tmp_path: Path) -> None:
    source = PriceSource(overrides={"m": TokenPrice(input=0, output=1e6)})
    rows = [chat("a", max_tokens=10), chat("b", max_completion_tokens=30, n=2)]
    estimate = estimated(tmp_path, source, *rows, answers={"m": 20.0})
    assert (estimate.low, estimate.high) == (10 + 40, 10 + 60)
    assert (estimate.output_tokens_low, estimate.output_tokens_high) == (50, 70)
    unbounded = estimated(tmp_path, source, *rows, chat("c"))
    assert unbounded.high is None and unbounded.output_tokens_high is None
    assert unbounded.low == 0
    assert any("1 row names no longest answer" in note for note in unbounded.notes)


def test_embeddings_have_no_answer(tmp_path: Path) -> None:
    row = {"custom_id": "a", "url": "/v1/embeddings", "body": {"model": "m", "input": words(100)}}
    source = PriceSource(overrides={"m": TokenPrice(input=1.0, output=9.0)})
    estimate = estimated(tmp_path, source, row)
    assert estimate.low == estimate.high == pytest.approx(0.0001)


def test_other_forms_and_bad_lines(tmp_path: Path) -> None:
    source = PriceSource(overrides={"m": TokenPrice(input=1e6, output=0)})
    params = {"custom_id": "a", "params": {"model": "m", "system": words(2), "max_tokens": 1,
              "messages": [{"role": "user", "content": words(3)}]}}  # fmt: skip
    scaledown = {
        "custom_id": "b",
        "url": "/v1/chat/completions",
        "body": {"model": "m", "text": words(4)},
    }
    content = lines(params) + b"\n{bad}\n[1]\n" + lines(scaledown, {"custom_id": "c"})
    estimate = estimate_file(written(tmp_path, content), source)
    assert estimate.low == 9 and estimate.input_tokens == 9
    assert [part.rows for part in estimate.models] == [2]


def test_it_can_be_stopped(tmp_path: Path) -> None:
    path = written(tmp_path, lines(*(chat(str(n)) for n in range(1500))))
    with pytest.raises(InputError, match="not read to its end"):
        estimate_file(path, OPENAI, stop=lambda: True)


def test_the_short_way_and_the_long_one_agree(tmp_path: Path) -> None:
    text = "Grüße aus Kiel " * 30
    plain = [chat(str(n), text, model="gpt-5-mini", max_tokens=9) for n in range(70)]
    parts = [chat(str(n), "", model="gpt-5-mini", max_tokens=9) for n in range(70)]
    for row in parts:
        content = [{"type": "text", "text": text}]
        row["body"]["messages"] = [{"role": "user", "content": content}]
    first, second = (estimated(tmp_path, OPENAI, *rows) for rows in (plain, parts))
    assert first == second
    mixed = estimated(tmp_path, OPENAI, *parts, *plain)
    assert mixed.input_tokens == pytest.approx(2 * first.input_tokens, abs=1)
    for row in plain:
        row["body"]["system"] = text
    assert estimated(tmp_path, OPENAI, *plain).input_tokens == mixed.input_tokens
