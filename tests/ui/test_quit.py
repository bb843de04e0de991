"""Quitting, being ended, and coming back."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from textual.notifications import Notification

from tests.ui.conftest import fake_app, notes, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.config.settings import Config
from tui.ui.app import BatchdeckApp
from tui.ui.commands.command_table import COMMAND_BY_ID
from tui.ui.state import State


async def test_quitting_drains_the_engine_first(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert engine.asked[-2:] == [("drain",), ("close",)]
    assert app.return_code == 0


async def test_a_second_quit_does_not_wait(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(seconds: float = 0) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(engine, "drain", never)
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: "Finishing up" in screen_text(app))
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0


async def test_the_time_to_end_begins_also_while_the_engine_is_being_opened(
    engine: FakeEngine,
) -> None:
    """A thread that opens it may wait for a disk or a keyring, and Python waits for the thread."""
    app = fake_app(engine)
    left: list[int] = []
    app.on_left = left.append

    async def never() -> FakeEngine:
        await asyncio.Event().wait()
        return engine

    app._open_engine = never  # type: ignore[assignment]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert left == [0]


async def test_ctrl_c_asks_for_a_second_one(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "Press ctrl+c again" in screen_text(app))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not app.is_running)


@pytest.mark.parametrize(("pressed", "quits"), [(2.0, False), (4.0, True)])
async def test_the_second_ctrl_c_counts_from_when_it_was_pressed(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, pressed: float, quits: bool
) -> None:
    """The loop stood still: the notice has been gone for three seconds when the key is handled."""
    app = fake_app(engine)
    async with running(app) as pilot:
        app.action_help_quit()
        await until(pilot, lambda: "Press ctrl+c again" in screen_text(app))
        monkeypatch.setattr(Notification, "time_left", -3.0)
        monkeypatch.setattr(app, "_pressed_at", time.monotonic() - pressed)
        leaving: list[int] = []
        monkeypatch.setattr(app, "_leave", leaving.append)
        app.action_help_quit()
        assert bool(leaving) is quits


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
async def test_signals_end_it_cleanly(engine: FakeEngine, name: str) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        os.kill(os.getpid(), getattr(signal, name))
        await until(pilot, lambda: not app.is_running)
    assert ("close",) in engine.asked
    assert app.return_code == 130


async def test_the_job_and_the_pane_are_found_again(engine: FakeEngine) -> None:
    engine.history.add(*(a_job(number) for number in range(1, 60)))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("G", "k", "enter")
        await until(pilot, lambda: app.main.pane == "results")
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    again = fake_app(engine)
    async with running(again) as pilot:
        await until(pilot, lambda: again.main.pane == "results")
        assert again.main.results.job_id == "job0000058"


async def test_a_broken_state_file_is_forgotten(engine: FakeEngine) -> None:
    (engine.paths.data / "dashboard.json").write_text("{broken", "utf-8")
    assert State.load(engine.paths) == State()
    State(job_id="x").save(engine.paths)
    assert State.load(engine.paths).job_id == "x"


async def test_a_chosen_theme_is_kept(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        app.theme = "batchdeck-light"
        await pilot.pause()
    assert 'theme = "batchdeck-light"' in engine.paths.config_file.read_text("utf-8")


async def test_without_colours_the_terminals_own_theme_is_worn(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    engine.history.add(a_job())
    app = fake_app(engine, Config(theme="batchdeck-light"))
    async with running(app):
        assert app.theme == "batchdeck-ansi"


async def test_an_unknown_theme_starts_with_the_default(engine: FakeEngine) -> None:
    app = fake_app(engine, Config(theme="no such theme"))
    async with running(app):
        assert app.theme == "batchdeck-dark"
        assert any("no such theme" in entry.text for entry in app.session.log.entries)
        assert any("unknown theme 'no such theme'" in note for note in notes(app))


def panes_held_back(app: BatchdeckApp, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let the panes of an app wait for the event before they are there."""
    may_go_on = asyncio.Event()
    fill = app.main.mount_panes

    async def later() -> None:
        await may_go_on.wait()
        await fill()

    monkeypatch.setattr(app.main, "mount_panes", later)
    return may_go_on


@pytest.mark.parametrize(
    "key", ["1", "2", "3", "n", "r", "e", "slash", "escape", "question_mark", "L", "T", "ctrl+p"]
)
async def test_keys_before_anything_is_there_do_no_harm(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    app = fake_app(engine)
    may_go_on = panes_held_back(app, monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        may_go_on.set()
        await until(pilot, lambda: app.session.ready.is_set())
        assert app.is_running


async def test_a_command_of_a_pane_that_is_not_there_yet_says_so(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = fake_app(engine)
    may_go_on = panes_held_back(app, monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        app.dispatcher.run(COMMAND_BY_ID["outside"])
        await until(pilot, lambda: "The dashboard is still starting." in notes(app))
        may_go_on.set()
        await until(pilot, lambda: app.session.ready.is_set())
