"""What a first row that fills the prompt cache saves: the estimate, and the provider's books."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.end_to_end.servers import Served, sandbox
from tests.engine.conftest import Opener
from tests.engine.costs.test_billing import cached, done, primed
from tests.engine.rows import chat, file_of
from tui.compose.prices import PriceSource
from tui.engine.costs.priming import PrimingEstimate, priming_estimate
from tui.engine.engine import Engine

ROWS = 40
INPUT, WRITE, WRITE_1H, READ = 1.5, 1.875, 3.0, 0.15
"""Claude Sonnet 4.5 in a batch, dollars a million tokens."""


def input_dollars(server: Served) -> Iterator[tuple[float, int, int]]:
    """What the provider bills for the input of each row, tokens written, and tokens read."""
    headers = {"x-api-key": "sk-compose-4f1c0de5ba5e", "anthropic-version": "2023-06-01"}

    def ask(path: str) -> bytes:
        request = urllib.request.Request(server.url + path, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    for batch in json.loads(ask("/v1/messages/batches?limit=100"))["data"]:
        for line in ask(f"/v1/messages/batches/{batch['id']}/results").splitlines():
            usage: dict[str, Any] = json.loads(line)["result"]["message"]["usage"]
            kept = usage["cache_creation"]
            short, long = kept["ephemeral_5m_input_tokens"], kept["ephemeral_1h_input_tokens"]
            read = usage["cache_read_input_tokens"]
            cost = usage["input_tokens"] * INPUT + short * WRITE + long * WRITE_1H + read * READ
            yield cost / 1e6, short + long, read


async def estimated(engine: Engine, path: Path) -> PrimingEstimate:
    estimate = await engine.costs.estimate(path)
    found = await engine.costs.priming_of(path, estimate)
    assert found is not None
    return found


@pytest.mark.parametrize(("ttl", "saves_at_least"), [("5m", 0.8), ("1h", 0.85)])
async def test_both_ways_at_the_books_of_the_provider(
    ttl: str, saves_at_least: float, opened: Opener, tmp_path: Path
) -> None:
    path = file_of(tmp_path / "a.jsonl", *(cached(f"r{n}", ttl) for n in range(ROWS)))
    billed: dict[str, float] = {}
    for way in (done, primed):
        with sandbox("anthropic") as server:
            async with opened("anthropic", server.url) as engine:
                said = await estimated(engine, path)
                job = await way(engine, path)
                assert job.counts.succeeded == ROWS
                rows = list(input_dollars(server))
                bound = (await engine.costs.estimate(path)).high
                assert bound is not None and bound >= (job.cost.actual or 0.0)
                billed[way.__name__] = sum(cost for cost, _, _ in rows)
                writers = sum(written > 0 for _, written, _ in rows)
                readers = sum(read > 0 for _, _, read in rows)
                # Rows of one batch do not see each other's writes.
                assert (writers, readers) == ((ROWS, 0) if way is done else (1, ROWS - 1))
                await engine.remote.delete(job.id)
    assert said.plain == pytest.approx(billed["done"], rel=0.05)
    assert said.primed == pytest.approx(billed["primed"], rel=0.05)
    assert 1 - billed["primed"] / billed["done"] >= saves_at_least
    assert f"{ROWS - 1} read" in said.text and "% less" in said.text


SOURCE = PriceSource(provider="anthropic", batch_discount=0.5)


def lines(*rows: dict[str, Any]) -> list[bytes]:
    return [msgspec.json.encode(row) for row in rows]


def test_nothing_is_said_where_a_first_row_would_not_help() -> None:
    marked = cached("a", "1h")
    other = cached("b", "1h")
    other["params"]["system"][0]["text"] = "Something else."
    for rows in (
        lines(marked),
        lines(marked, other),
        lines(chat("a", "hello"), marked),
        lines({"custom_id": "a", "params": {"messages": []}}, marked),
    ):
        assert priming_estimate(rows, len(rows), 1.0, SOURCE) is None
    assert priming_estimate(lines(marked, marked), 2, 1.0, PriceSource()) is None


def test_rows_that_share_the_mark_are_counted() -> None:
    rows = lines(*(cached(f"r{n}", "5m") for n in range(3)), chat("x", "hello"))
    found = priming_estimate(rows, 4_000, 1.0, SOURCE)
    assert found is not None and (found.rows, found.of, found.hour) == (3_000, 4_000, False)
    assert found.primed < found.unmarked < found.plain
    assert "some models cache nothing under 4,096 tokens" in found.text or found.tokens < 1_024
