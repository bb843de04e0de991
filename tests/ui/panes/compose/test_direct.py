"""Composing for an account whose rows are sent one by one: nothing is said of batches."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Select

from tests.ui.conftest import running, screen_text, until
from tests.ui.panes.composing import asked, form_of, loaded, save, write_reviews
from tui.config.settings import AccountConfig, Config
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp

pytestmark = pytest.mark.usefixtures("at_once")


def two_lanes(paths: Paths) -> BatchdeckApp:
    """The app with the sandbox as it is, and as an account whose rows go one by one."""
    config = Config(accounts={"now": AccountConfig(provider="sandbox", kind="direct")})

    async def open_engine() -> Engine:
        return await Engine.open(paths, config)

    return BatchdeckApp(paths, config, open_engine)


async def test_an_account_without_batches_has_no_window(paths: Paths, tmp_path: Path) -> None:
    save(paths)
    app = two_lanes(paths)
    async with running(app) as pilot:
        await loaded(pilot, app, write_reviews(tmp_path / "reviews.csv"))
        pane = app.main.compose_pane
        assert "Window" in screen_text(app) and "24h" in screen_text(app)
        pane.query_one("#compose-account", Select).value = "now"
        await until(pilot, lambda: "Window" not in screen_text(app))
        assert "24h" not in screen_text(app) and "Name" in screen_text(app)
        await form_of(pilot, app)
        question = await asked(pilot, app, "f8")
        assert "window" not in question and "24h" not in question
        assert "one by one" in " ".join(question.split())
        await pilot.press("y")
        await until(pilot, lambda: app.main.batches.job and app.main.batches.job.counts.succeeded)
        job = app.main.batches.job
        assert job is not None and (job.account, job.window) == ("now", "")
        # Back at a provider with batches, the window is there again.
        await pilot.press("1")
        pane.query_one("#compose-account", Select).value = "sandbox"
        await until(pilot, lambda: "24h" in screen_text(app))
