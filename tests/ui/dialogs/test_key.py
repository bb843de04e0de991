"""A key that is missing or refused is asked for, unseen, and the work goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Button, Input

from tests.sandbox.conftest import running as serving
from tests.ui.conftest import BatchdeckPilot, real_app, running, screen_text, until
from tests.ui.test_whole_loop import requests_file
from tui.config import api_keys
from tui.config.settings import AccountConfig, Config
from tui.core.jobs import BatchStatus
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.sandbox import SandboxOptions
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.input import KeyDialog
from tui.ui.dialogs.uncertain import UncertainDialog

KEY = "sk-sesame-0123456789"


def app_on(paths: Paths, url: str, file: Path) -> BatchdeckApp:
    account = AccountConfig(provider="openai-compatible", base_url=f"{url}/v1")
    config = Config(default_account="locked", accounts={"locked": account})

    async def open_engine() -> Engine:
        return await Engine.open(paths, config)

    return BatchdeckApp(paths, config, open_engine, open_file=file)


async def submit_without_key(pilot: BatchdeckPilot, app: BatchdeckApp) -> None:
    """Submit the opened file, up to the question for the key."""
    await until(pilot, lambda: "Ready to submit" in screen_text(app))
    await pilot.press("S")
    await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
    await pilot.press("y")
    await until(pilot, lambda: isinstance(app.screen, KeyDialog))


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "_session", {})


async def test_a_refused_key_is_asked_for_and_the_job_is_sent(paths: Paths, tmp_path: Path) -> None:
    file = requests_file(tmp_path, rows=5)
    with serving(SandboxOptions(key=KEY, rows_per_second=0)) as url:
        app = app_on(paths, url, file)
        async with running(app, (120, 36)) as pilot:
            await submit_without_key(pilot, app)
            assert "401" in screen_text(app)
            assert "BATCHDECK_KEY_LOCKED" in screen_text(app)

            app.screen.query_one("#key", Input).value = KEY
            await pilot.pause()
            assert KEY not in screen_text(app)
            await pilot.press("enter")

            def ended() -> bool:
                assert app.engine is not None
                jobs = app.engine.history.jobs.list()
                return bool(jobs) and jobs[0].status is BatchStatus.COMPLETED

            await until(pilot, ended)
    written = b"".join(path.read_bytes() for path in paths.data.rglob("*") if path.is_file())
    assert KEY.encode() not in written


async def test_leaving_the_question_keeps_the_job(paths: Paths, tmp_path: Path) -> None:
    file = requests_file(tmp_path, rows=5)
    with serving(SandboxOptions(key=KEY, rows_per_second=0)) as url:
        app = app_on(paths, url, file)
        async with running(app, (120, 36)) as pilot:
            await submit_without_key(pilot, app)
            await pilot.press("escape")
            # The dialog said what is wrong; after it, one line is enough.
            await until(pilot, lambda: "Submitting stopped" in screen_text(app))
            assert app.screen is app.main
            assert app.engine is not None
            assert app.engine.history.jobs.list()[0].status is BatchStatus.DRAFT


@pytest.mark.parametrize("dialog", ["key", "uncertain"])
async def test_all_buttons_are_on_a_small_screen(paths: Paths, dialog: str) -> None:
    async def attach(_: str) -> None:
        raise AssertionError("nothing is attached")

    app = real_app(paths)
    async with running(app, (80, 24)) as pilot:
        asked: KeyDialog | UncertainDialog = KeyDialog("work", "The account has no key.", "Set it.")
        if dialog == "uncertain":
            asked = UncertainDialog([("job", "reviews")], attach)
        app.push_screen(asked)
        await until(pilot, lambda: any(one.region.width for one in asked.query(Button)))

        def all_are_inside() -> bool:
            box = asked.query_one(".dialog").region.shrink((1, 1, 1, 1))
            return all(box.contains_region(button.region) for button in asked.query(Button))

        await until(pilot, all_are_inside)
