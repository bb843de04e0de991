"""Rows sent again one by one, instead of as a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compose.rows import chat, lines
from tests.ui.conftest import fake_app, real_app, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.paths import Paths
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.retry import RetryDialog, RetryEditDialog


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("edited", [False, True])
async def test_failed_rows_are_sent_again_one_by_one(
    paths: Paths, tmp_path: Path, edited: bool
) -> None:
    file = tmp_path / "rows.jsonl"
    words = ["fine", "sandbox:flaky=429", "sandbox:flaky=429 too"]
    file.write_bytes(lines(*(chat(f"row-{n}", word) for n, word in enumerate(words))))
    app = real_app(paths)
    async with running(app) as pilot:
        engine = app.engine
        assert engine is not None
        job = await engine.requests.import_file(file)
        await engine.submit(job.id)
        await engine.wait([job.id])
        assert engine.history.jobs.get(job.id).counts.failed == 2
        await until(pilot, lambda: app.main.batches.job is not None)
        app.main.open_job(job.id)
        await until(pilot, lambda: app.main.results.job_id == job.id)
        await pilot.press("R" if edited else "r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog | RetryEditDialog))
        assert "○ send now, one by one, while Batchdeck is open" in screen_text(app)
        if edited:
            await pilot.press(*"big")
            await pilot.click("#switch-d")
            await until(pilot, lambda: "+ model  big" in screen_text(app))
        else:
            await pilot.press("d")
        await until(pilot, lambda: "● send now" in screen_text(app))
        await until(pilot, lambda: "cost free" in " ".join(screen_text(app).split()))
        if edited:
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
            assert "mode send now, one by one" in " ".join(screen_text(app).split())
        await pilot.press("y")
        await until(pilot, lambda: engine.history.jobs.get(job.id).counts.succeeded == 3)
        accounts = [batch.account for batch in engine.history.batches.of_job(job.id)]
        assert accounts == ["sandbox", "sandbox+direct"]
        assert engine.history.rows.get(job.id, 1).row.model == ("big" if edited else "m")


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
        for key, dialog in (("r", RetryDialog), ("R", RetryEditDialog)):
            await pilot.press(key)
            await until(pilot, lambda d=dialog: isinstance(app.screen, d))  # type: ignore[misc]
            assert "one by one" not in screen_text(app)
            await pilot.press("d", "escape")
            await until(pilot, lambda: app.screen is app.main)
