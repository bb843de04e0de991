"""The frame comes first, then the list, then the other panes; what is asked early is not lost."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any, cast

import pytest

from tests.ui.conftest import fake_app, running, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job
from tui.config.settings import Config
from tui.errors import HistoryError
from tui.ui.app import BatchdeckApp


def test_the_frame_loads_neither_panes_nor_engine_nor_commands() -> None:
    code = """
import json, sys
import tui.cli, tui.cli.commands.dashboard, tui.config.settings, tui.ui.start
print(json.dumps(sorted(name for name in sys.modules if name.startswith("tui."))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    late = ("tui.engine", "tui.store", "tui.compose", "tui.providers", "tui.cli.commands.jobs")
    assert not [name for name in loaded if name.startswith(late)]
    assert {name for name in loaded if name.startswith("tui.ui.screens.")} == {
        "tui.ui.screens.main"
    }
    assert "tui.ui.tasks.runner" not in loaded


async def test_an_unexpected_error_at_the_start_is_told_and_ends_the_program(
    engine: FakeEngine,
) -> None:
    async def open_engine() -> Any:
        raise FileNotFoundError(2, "No such file or directory", "reviews.jsonl")

    app = BatchdeckApp(engine.paths, Config(), cast("Any", open_engine), now=lambda: NOW)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "the history was not opened" in screen_text(app))
        assert "reviews.jsonl" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.return_code)
    assert app.return_code == HistoryError.exit_code
    assert "FileNotFoundError" in engine.paths.log_file.read_text()


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_a_pane_that_is_asked_for_before_it_is_there_is_shown_then(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    engine.history.add(a_job())
    opened = asyncio.Event()

    async def open_engine() -> Any:
        await opened.wait()
        return engine

    app = BatchdeckApp(engine.paths, Config(), cast("Any", open_engine), now=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "Opening the history" in screen_text(app))
        await pilot.press("1")
        opened.set()
        await until(pilot, lambda: app.session.ready.is_set())
        assert app.main.pane == "compose"
        await until(pilot, lambda: app.main.compose_pane.has_focus_within)
        assert app.main.compose_pane.display and not app.main.batches.display


async def test_a_job_that_is_opened_early_is_shown_when_there_is_a_pane(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    fill_up = app.main._mount_remaining

    async def asked_first() -> None:
        app.main.open_job("job0000001")
        assert app.main.pane == "batches"
        await fill_up()

    monkeypatch.setattr(app.main, "_mount_remaining", asked_first)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.results.job_id == "job0000001")
        assert app.main.pane == "results"
        await until(pilot, lambda: app.main.results.rows_table.has_focus)


async def test_what_lives_as_long_as_the_program_is_left_out_of_the_search_for_garbage_once(
    engine: FakeEngine,
) -> None:
    told: list[bool] = []
    app = fake_app(engine)
    app.on_started = lambda: told.append(app.session.ready.is_set())
    async with running(app) as pilot:
        await until(pilot, lambda: bool(told))
        assert told == [True]


def test_the_program_starts_without_a_search_and_goes_on_with_short_ones() -> None:
    code = """
import gc, json
from tui.ui.start import freeze_gc
gc.disable()
freeze_gc()
print(json.dumps([gc.isenabled(), gc.get_freeze_count() > 1000]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, True]


def test_a_full_search_waits_for_a_pause() -> None:
    code = """
import gc, json
from tui.ui.start import collect_garbage, freeze_gc
freeze_gc()
searches = []
gc.callbacks.append(lambda phase, info: searches.append((phase, info["generation"])))
def work():
    for _ in range(100_000):
        one = []
        one.append(one)
full = ("stop", 2)
collect_garbage()
before = searches.count(full)
work()
during = searches.count(full)
collect_garbage()
print(json.dumps([before, during, searches.count(full), ("stop", 1) in searches]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, 0, 1, True]


async def test_a_pause_is_told_when_no_key_was_pressed_for_a_moment(engine: FakeEngine) -> None:
    told: list[str] = []
    app = fake_app(engine)
    app.on_pause = lambda: told.append("pause")
    async with running(app) as pilot:
        await pilot.press("down")
        app._pressed_at = time.monotonic()
        app._pause()
        assert told == []
        app._pressed_at -= 10.0
        app._pause()
        assert told == ["pause"]


def test_a_key_is_seen_within_two_short_frames() -> None:
    code = "import tui.ui.app, textual.constants; print(textual.constants.MAX_FPS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 120
