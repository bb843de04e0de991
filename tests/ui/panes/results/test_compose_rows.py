"""A new job from the rows of another: marked, filtered, or all answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import BatchdeckPilot, real_app, running, screen_text, until
from tests.ui.test_whole_loop import requests_file
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.confirm import ConfirmDialog


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")


WORDS = {
    0: 'sandbox:say={"label": "good"}',
    1: 'sandbox:say={"label": "bad"}',
    2: "sandbox:fail=400",
    3: 'sandbox:say={"label": "bad"}',
}


async def results(app: BatchdeckApp, pilot: BatchdeckPilot) -> Any:
    """Submit the file that is open, and show its rows."""
    await until(pilot, lambda: "Ready to submit" in screen_text(app))
    await pilot.press("S")
    await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
    await pilot.press("y")
    await until(pilot, lambda: app.main.batches.job and app.main.batches.job.counts.ended == 6)
    await pilot.press("enter")
    await until(pilot, lambda: app.main.pane == "results")
    return app.main.results.rows_table


async def form(app: BatchdeckApp, pilot: BatchdeckPilot) -> Any:
    """Press the key, and wait for the form in Compose."""
    await pilot.press("N")
    await until(pilot, lambda: app.main.pane == "compose")
    await until(pilot, lambda: getattr(app.main.compose_pane.step, "columns", None))
    return app.main.compose_pane.step


async def test_all_answers_become_the_rows_of_compose(paths: Paths, tmp_path: Path) -> None:
    app = real_app(paths, open_file=requests_file(tmp_path, 6, WORDS))
    async with running(app, (120, 36)) as pilot:
        await results(app, pilot)
        step = await form(app, pilot)
        assert {"custom_id", "prompt", "answer", "@label", "outcome", "model"} <= {*step.columns}
        assert step.text.id == "custom_id"
        await until(pilot, lambda: "5 rows" in screen_text(app))
        assert "reviews-next" in screen_text(app)


async def test_the_rows_of_the_filter_become_a_job_that_remembers_them(
    paths: Paths, tmp_path: Path
) -> None:
    app = real_app(paths, open_file=requests_file(tmp_path, 6, WORDS))
    async with running(app, (120, 36)) as pilot:
        rows = await results(app, pilot)
        await pilot.press("slash", *"json:ok", "enter")
        await until(pilot, lambda: rows.row_count == 3)
        step = await form(app, pilot)
        await pilot.press("f2")
        await until(pilot, lambda: "Translate answers" in screen_text(app))
        await pilot.press("end", "enter")
        await until(pilot, lambda: step.text.user == "{answer}")
        await pilot.press("f8")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: len(app.engine.history.jobs.list()) == 2)
        new, old = app.engine.history.jobs.list()
        with app.engine.history.rows.inputs(new.id) as inputs:
            assert inputs.origin is not None
            assert (inputs.origin.job, inputs.origin.where) == (old.id, "json:ok")


async def test_the_marked_rows_come_first(paths: Paths, tmp_path: Path) -> None:
    app = real_app(paths, open_file=requests_file(tmp_path, 6, WORDS))
    async with running(app, (80, 24)) as pilot:
        rows = await results(app, pilot)
        await pilot.press("space", "down", "space")
        await until(pilot, lambda: rows.marked == 2)
        step = await form(app, pilot)
        await until(pilot, lambda: "2 rows" in screen_text(app))
        assert step.draft is None
