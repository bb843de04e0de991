"""Keys and clicks that arrive in one read do what they do when they come one after the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Select

from tests.ui.conftest import fake_app, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.config.settings import Config, create_config, set_option
from tui.ui import input_order
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.dialogs.confirm import DeleteDialog
from tui.ui.dialogs.help.dialog import HelpDialog
from tui.ui.dialogs.input import InputDialog
from tui.ui.dialogs.pick_file import PickFileDialog
from tui.ui.dialogs.settings import SettingsDialog


def type_at_once(app: App[Any], *keys: str) -> None:
    """Post keys before the app can handle the first."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_letters_after_a_key_that_clears_the_field_stay(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        dialog = InputDialog("Note", "hint", "before")
        app.push_screen(dialog)
        await until(pilot, lambda: isinstance(app.focused, Input))
        type_at_once(app, "ctrl+u", "a", "b", "ctrl+a", "c")
        app.post_message(events.Paste("def"))
        await until(pilot, lambda: dialog.query_one(Input).value == "cdefab")


async def test_letters_after_a_slash_are_the_filter(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: "1 of 1" in screen_text(app))
        type_at_once(app, "slash", "t", "D", "q")
        app.post_message(events.Paste("x"))
        await until(pilot, lambda: isinstance(app.focused, Input))
        field = app.focused
        assert isinstance(field, Input)
        await until(pilot, lambda: field.value.endswith("tDqx"))


async def test_a_key_after_the_one_that_opens_a_dialog_goes_to_the_dialog(
    engine: FakeEngine,
) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        type_at_once(app, "n", "x", "y", "z")
        await until(pilot, lambda: isinstance(app.screen, PickFileDialog))
        await until(pilot, lambda: app.screen.query_one(Input).value.endswith("xyz"))


async def test_n_after_D_answers_the_question(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: "1 of 1" in screen_text(app))
        asked: list[str] = []
        push = app.push_screen

        def pushed(screen: Any, *args: Any, **options: Any) -> Any:
            asked.append(type(screen).__name__)
            return push(screen, *args, **options)

        app.push_screen = pushed  # type: ignore[method-assign]
        type_at_once(app, "D", "n")
        await until(pilot, lambda: asked == [DeleteDialog.__name__] and app.screen is app.main)


async def test_escape_closes_the_settings_while_a_change_is_written(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is there all the time: it does not come back after the keys that close it."""
    create_config(engine.paths)
    written = threading.Event()

    def set_slowly(*arguments: Any) -> Config:
        assert written.wait(20)
        return set_option(*arguments)

    monkeypatch.setattr("tui.ui.tasks.settings.set_option", set_slowly)
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("comma")
        await until(pilot, lambda: isinstance(app.screen, SettingsDialog))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        type_at_once(app, "down", "enter", "escape", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        written.set()
        await until(pilot, lambda: app.session.config.theme == "batchdeck-light")
        await until(pilot, lambda: not app.workers)
        assert isinstance(app.screen, HelpDialog) and len(app.screen_stack) == 2


@pytest.mark.parametrize("keys", [("enter",), ("enter", "down"), ("tab",), ("tab", "x")])
async def test_escape_closes_an_open_list_and_then_the_account_dialog(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    monkeypatch.setattr(input_order, "SETTLE_SECONDS", 0.0)
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        app.session.tasks.add_account()
        await until(pilot, lambda: isinstance(app.focused, Select))
        await pilot.press(*keys)
        await pilot.pause()
        type_at_once(app, *["escape"] * (2 if keys[0] == "enter" else 1))
        await until(pilot, lambda: app.screen is app.main)


@pytest.mark.parametrize("key", ["comma", "a", "t", "N", "D", "question_mark", "L"])
async def test_escape_closes_the_dialog_of_the_key_before_it(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Even on a machine so busy that what a key has caused is not waited for."""
    monkeypatch.setattr(input_order, "SETTLE_SECONDS", 0.0)
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: "1 of 1" in screen_text(app))
        opened: list[Screen[Any]] = []
        push = app.push_screen

        def pushed(screen: Any, *args: Any, **options: Any) -> Any:
            opened.append(screen)
            return push(screen, *args, **options)

        app.push_screen = pushed  # type: ignore[method-assign]
        type_at_once(app, key, "escape", "escape")
        await until(pilot, lambda: bool(opened) and not opened[0].is_attached)
        assert app.screen is app.main


async def test_a_handler_that_never_ends_does_not_block_the_keyboard(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_order, "HANDLER_SECONDS", 0.05)
    app = fake_app(engine)
    forever = asyncio.Event()
    async with running(app) as pilot:
        dialog = InputDialog("Note", "hint")
        app.push_screen(dialog)
        await until(pilot, lambda: isinstance(app.focused, Input))

        async def hangs(event: events.Key) -> None:
            if event.key == "a":
                await forever.wait()

        # Of the screen, so that the field itself can still be typed in.
        dialog._on_key = hangs  # type: ignore[method-assign]
        type_at_once(app, "a", "b")
        await until(pilot, lambda: dialog.query_one(Input).value == "ab")
        forever.set()


def click_at_once(app: App[Any], *places: tuple[int, int]) -> None:
    """Post clicks as a terminal does, before the app can handle the first."""
    for x, y in places:
        for kind in (events.MouseDown, events.MouseUp):
            app.post_message(kind(None, x, y, 0, 0, 1, False, False, False))


@asynccontextmanager
async def one_job(engine: FakeEngine) -> AsyncIterator[tuple[BatchdeckApp, Pilot[int], list[str]]]:
    """A dashboard with one job; the list gets the panes that are gone to."""
    engine.history.add(a_job())
    app = fake_app(engine)
    panes: list[str] = []
    async with running(app) as pilot:
        await until(pilot, lambda: app.session.ready.is_set() and "1 of 1" in screen_text(app))
        app.main.watch(app.main, "pane", lambda pane: panes.append(pane), init=False)
        yield app, pilot, panes


def compose_tab(app: BatchdeckApp) -> tuple[int, int]:
    tab = app.main.query_one("#tab-compose").region
    return tab.x + 3, tab.y


async def test_a_click_after_a_double_click_comes_after_what_that_has_opened(
    engine: FakeEngine,
) -> None:
    async with one_job(engine) as (app, pilot, panes):
        table = app.main.batches.jobs_table.region
        row = (table.x + 20, table.y + 1)
        click_at_once(app, row, row, compose_tab(app))
        await until(pilot, lambda: len(panes) == 2)
        assert panes == ["results", "compose"]


async def test_a_key_after_a_click_comes_after_what_that_has_opened(engine: FakeEngine) -> None:
    async with one_job(engine) as (app, pilot, panes):
        click_at_once(app, compose_tab(app))
        type_at_once(app, "2")
        await until(pilot, lambda: len(panes) == 2)
        assert panes == ["compose", "batches"]
