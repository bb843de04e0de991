"""A home for each test, the app on a fake engine or on the real one, and a way to wait."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from textual.app import App
from textual.notifications import Notification
from textual.pilot import Pilot
from textual.widgets import Input

from tests.stacks import stacks
from tests.ui.fakes import NOW, FakeEngine
from tests.waiting import Patience
from tui.config.settings import Config
from tui.paths import Paths
from tui.ui.app import BatchdeckApp

BatchdeckPilot = Pilot[int]

_LOOK_SECONDS = 0.01


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours, themes, clocks or sizes of the machine that runs the tests."""
    for name in ("NO_COLOR", "TEXTUAL_THEME", "COLUMNS", "LINES", "VISUAL", "EDITOR", "PAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
    # A slow machine may look away for longer than a toast is shown.
    monkeypatch.setattr(Notification, "time_left", 3600.0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox answers without the time that its simulated model takes."""
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.find(tmp_path / "home").ensure()


@pytest.fixture
def engine(paths: Paths) -> FakeEngine:
    return FakeEngine(paths)


def fake_app(engine: FakeEngine, config: Config | None = None, **more: Any) -> BatchdeckApp:
    """The app on a fake engine, at a fixed moment."""

    async def open_engine() -> Any:
        return engine

    return BatchdeckApp(
        engine.paths, config or Config(), cast(Any, open_engine), now=lambda: NOW, **more
    )


def real_app(paths: Paths, **more: Any) -> BatchdeckApp:
    """The app on the real engine and the sandbox."""

    async def open_engine() -> Any:
        from tui.engine.engine import Engine

        return await Engine.open(paths, Config())

    return BatchdeckApp(paths, Config(), open_engine, **more)


@contextlib.asynccontextmanager
async def running(
    app: BatchdeckApp, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[BatchdeckPilot]:
    """The app, started, with its engine open; an engine that is left open is closed."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.session.ready.is_set())
        await pilot.pause()
        try:
            yield pilot
        finally:
            if app.engine is not None and app.is_running:
                await app.engine.close()


async def until(pilot: BatchdeckPilot, ready: Callable[[], object], seconds: float = 20.0) -> None:
    """Let the app run until something is so; fail when it does not happen.

    Raises:
        AssertionError: It is not so in time; the message has the screen, the widgets with
            messages left to read, and what every task and thread is waiting for.
    """
    patience: Patience | None = None
    while not (found := _timed(ready))[0]:
        patience = patience or Patience(seconds)
        assert not patience.is_over, f"it did not happen in {patience}:\n{_state_of(pilot.app)}"
        # Not the pilot's pause, which sends a message to each widget. Looking, which may draw the
        # screen, takes a fifth of the time at most: the rest is for what is waited for.
        await asyncio.sleep(max(_LOOK_SECONDS, 4 * found[1]))
    await pilot.pause()


def _timed(ready: Callable[[], object]) -> tuple[object, float]:
    begin = time.thread_time()
    return ready(), time.thread_time() - begin


def _state_of(app: App[Any]) -> str:
    """What may tell why something does not happen."""
    busy = [
        f"{node!r}: {node.message_queue_size}"
        for node in [app, *app.screen.walk_children(with_self=True)]
        if node.message_queue_size
    ]
    workers = [repr(worker) for worker in app.workers]
    toasts = [str(note.message) for note in app._notifications]
    parts = [screen_text(app), f"focus {app.focused!r}", *toasts, *busy, *workers, stacks()]
    return "\n".join(parts)


def screen_text(app: App[Any]) -> str:
    """What is on the screen, line by line, without colours."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def notes(app: BatchdeckApp) -> list[str]:
    """The messages of the toasts."""
    return [str(note.message) for note in app._notifications]
