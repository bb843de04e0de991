"""A deadline in the dashboard: set with the submit, then changed and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.conftest import notes, real_app, running, screen_text, until
from tests.ui.panes.composing import asked, loaded, save, write_reviews
from tui.paths import Paths
from tui.ui.dialogs.confirm import SubmitDialog
from tui.ui.dialogs.input import InputDialog


async def test_a_deadline_is_set_changed_and_removed(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0.001")
    save(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await loaded(pilot, app, write_reviews(tmp_path / "reviews.csv"))
        await asked(pilot, app)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        assert "18:00, +6h" in screen_text(app)
        await pilot.press(*"noon", "enter")
        await until(pilot, lambda: isinstance(app.screen, SubmitDialog))
        await until(pilot, lambda: any("'noon' is not a time" in note for note in notes(app)))
        assert not app.screen.deadline  # type: ignore[attr-defined]
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        await pilot.press(*"+6h", "enter")
        await until(pilot, lambda: "; then one by one" in screen_text(app))
        await pilot.press("y")
        assert app.engine is not None
        history = app.engine.history
        await until(pilot, lambda: history.batches.unfinished())
        (job,) = history.jobs.list()
        assert job.deadline is not None and job.deadline.is_open

        await pilot.press("2", "d")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        await pilot.press("ctrl+u", *"2099-12-01T18:00Z", "enter")
        await until(pilot, lambda: history.jobs.get(job.id).deadline != job.deadline)
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        await pilot.press("ctrl+u", "enter")
        await until(pilot, lambda: history.jobs.get(job.id).deadline is None)
