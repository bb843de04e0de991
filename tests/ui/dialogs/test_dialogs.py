"""Dialogs: what they say, and that their keys reach nothing below."""

from __future__ import annotations

import errno

import pytest

from tests.ui.conftest import fake_app, notes, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.errors import BatchdeckError, ProviderError
from tui.ui.dialogs.text import ErrorDialog


async def test_an_error_shows_message_hint_and_the_words_of_the_provider(
    engine: FakeEngine,
) -> None:
    error = ProviderError(
        "the provider answered 502",
        "Try again in a minute.",
        status=502,
        request_id="req_1",
        body="<html>[/bad gateway]\x1b[2J</html>",
    )
    app = fake_app(engine)
    async with running(app) as pilot:
        app.push_screen(ErrorDialog(error, "Submitting"))
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        text = screen_text(app)
        for words in ("Submitting", "answered 502", "Try again", "req_1", "[/bad gateway]\\x1b[2J"):
            assert words in text
        await pilot.press("c")
        await until(pilot, lambda: notes(app))
        assert isinstance(app.screen, ErrorDialog)
        await pilot.press("q")
        await until(pilot, lambda: app.screen is app.main)
        assert app.is_running
        assert app.main.pane == "batches"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BatchdeckError("the queue is full", "Wait a little."), "the queue is full"),
        (ZeroDivisionError("oops"), "bug in Batchdeck"),
        (OSError(errno.ENOSPC, "No space left on device"), "Free some space"),
    ],
)
async def test_work_that_fails_is_shown_and_ends_nothing(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    engine.history.add(a_job())

    async def fail(job_id: str) -> None:
        raise error

    monkeypatch.setattr(engine, "collect", fail, raising=False)
    app = fake_app(engine)
    async with running(app) as pilot:
        app.session.tasks.collect("job0000001")
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        assert words in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("L")
        await until(pilot, lambda: app.screen is not app.main)
        assert (getattr(error, "strerror", None) or str(error)) in screen_text(app)
    if isinstance(error, ZeroDivisionError):
        assert "ZeroDivisionError" in engine.paths.log_file.read_text("utf-8")


async def test_a_history_that_cannot_be_opened_ends_with_its_exit_code(
    engine: FakeEngine,
) -> None:
    from tui.errors import NewerHistoryError

    async def refuse() -> None:
        raise NewerHistoryError("history.db is from a newer version", "Update Batchdeck.")

    app = fake_app(engine)
    app._open_engine = refuse  # type: ignore[assignment]
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        assert "newer version" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 2


async def test_keys_do_not_leak_through_a_dialog(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is not app.main)
        await pilot.press("3", "x", "n", "e")
        assert app.main.pane == "batches"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert len(app.screen_stack) == 1
