"""How long a batch may take is said from earlier batches of the same kind, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.costs.test_billing import done
from tests.engine.requests.test_submit_file import Asked
from tests.engine.rows import chats
from tui.engine.costs.forecast import Forecast, forecast
from tui.engine.engine import Engine


async def ended(engine: Engine, path: Path, seconds: float, status: str = "completed") -> str:
    """A job of one batch that took so long; returns its id."""
    job = await done(engine, chats(path, 1))
    (batch,) = engine.history.batches.of_job(job.id)
    begin = engine._context.clock()
    changes = {"submitted_at": begin, "ended_at": begin + seconds, "status": status}
    await engine._context.update(batch.id, changes)
    return job.id


async def test_what_the_last_batches_took(opened: Opener, tmp_path: Path) -> None:
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:

            def said(model: str = "gpt-5-mini", window: str = "24h") -> Forecast | None:
                return forecast(engine._context, "there", model, window)

            for minutes in (40, 90):
                await ended(engine, tmp_path / f"a{minutes}.jsonl", 60 * minutes)
            await ended(engine, tmp_path / "cancelled.jsonl", 60, "cancelled")
            await ended(engine, tmp_path / "failed.jsonl", 1, "failed")
            assert said() is None
            await ended(engine, tmp_path / "b.jsonl", 3 * 3600)
            await ended(engine, tmp_path / "c.jsonl", 24 * 3600, "expired")
            found = said()
            assert found == Forecast(
                batches=3, shortest=2400, median=5400, longest=10_800, expired=1
            )
            assert found.text == (
                "40 min to 3 h in your last 3 batches with this model; 1 more expired"
            )
            assert said("gpt-5") is None and said(window="1h") is None and said(window="") is None
            path = chats(tmp_path / "new.jsonl", 30)
            ask = Asked("no")
            await engine.requests.import_to_submit(path, ask=ask)
            assert ask.facts[0].forecast == found
            report = await engine.requests.check(path)
            assert await engine.requests.forecast(report) == found
            assert await engine.costs.forecast("there", "gpt-5-mini", "24h") == found
            assert await engine.requests.forecast(report, account="there+direct") is None


@pytest.mark.parametrize(
    ("took", "text"),
    [
        ((50, 50, 50), "50 s in your last 3 batches with this model"),
        ((60, 61, 62), "1 min in your last 3 batches with this model"),
        (
            (2400, 3600, 5400, 11_000),
            "40 min to 3 h 3 min in your last 4 batches with this model",
        ),
    ],
)
def test_the_words(took: tuple[float, ...], text: str) -> None:
    of = Forecast(
        batches=len(took), shortest=took[0], median=took[(len(took) - 1) // 2], longest=took[-1]
    )
    assert of.text == text
