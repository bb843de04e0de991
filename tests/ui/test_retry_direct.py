"""Rows sent again one by one, instead of as a batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ui.conftest import fake_app, real_app, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.paths import Paths
from tui.ui.dialogs.retry import RetryDialog


async def test_failed_rows_are_sent_again_one_by_one(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    file = tmp_path / "rows.jsonl"
    words = ["fine", "sandbox:flaky=500", "sandbox:flaky=429"]
    file.write_text(
        "".join(
            json.dumps(
                {
                    "custom_id": f"row-{number}",
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": {"model": "m", "messages": [{"role": "user", "content": word}]},
                }
            )
            + "\n"
            for number, word in enumerate(words)
        ),
        "utf-8",
    )
    app = real_app(paths)
    async with running(app) as pilot:
        engine = app.engine
        assert engine is not None
        job = await engine.import_file(file)
        await engine.submit(job.id)
        await engine.wait([job.id])
        assert engine.history.job(job.id).counts.failed == 2
        await until(pilot, lambda: app.main.batches.job is not None)
        app.main.open_job(job.id)
        await until(pilot, lambda: app.main.results.job_id == job.id)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        assert "d  ○ one by one" in screen_text(app)
        await pilot.press("d")
        await until(pilot, lambda: "d  ● one by one" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: engine.history.job(job.id).counts.succeeded == 3)
        accounts = [batch.account for batch in engine.history.batches(job.id)]
        assert accounts == ["sandbox", "sandbox+direct"]


async def test_a_provider_without_single_requests_offers_none(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.history.add(a_job())
    account = engine.account("sandbox")
    account.asks = False
    monkeypatch.setattr(engine, "account", lambda name: account)
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job is not None)
        app.main.open_job("job0000001")
        await until(pilot, lambda: app.main.results.job_id is not None)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        assert "one by one" not in screen_text(app)
        await pilot.press("d", "escape")
