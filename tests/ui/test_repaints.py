"""What is drawn again: what has changed, and not the rest of the screen with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.dom import DOMNode
from textual.widget import Widget

from tests.ui.conftest import BatchdeckPilot, fake_app, running, until
from tests.ui.fakes import FakeEngine, a_job
from tests.ui.test_terminal_driver import digest
from tui.ui import repaints
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.input import InputDialog
from tui.ui.widgets.basics import PlainList


def test_the_replaced_method_is_that_of_textual_8_2() -> None:
    """Textual has changed it: compare ours with it, then note what it is now."""
    assert digest(repaints._compositor_refresh) == "7a40efe5"


@contextmanager
def _frames(app: BatchdeckApp) -> Iterator[list[Any]]:
    """What is drawn meanwhile."""
    frames: list[Any] = []
    display = app._display

    def note(screen: Any, frame: Any) -> None:
        if frame is not None:
            frames.append(frame)
        display(screen, frame)

    app._display = note  # type: ignore[method-assign,assignment]
    try:
        yield frames
    finally:
        app._display = display  # type: ignore[method-assign]


def _whole(frames: list[Any]) -> int:
    return sum(isinstance(frame, LayoutUpdate) for frame in frames)


async def test_another_pane_is_drawn_without_a_frame_of_the_whole_screen(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        with _frames(app) as frames:
            await pilot.press("1")
            await until(pilot, lambda: frames and app.main.compose_pane.has_focus_within)
            await pilot.press("2")
            await until(pilot, lambda: app.main.batches.has_focus_within)
        assert _whole(frames) == 0


async def test_a_field_that_gets_the_focus_does_not_draw_the_screen(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: app.main.compose_pane.has_focus_within)
        before = app.focused
        with _frames(app) as frames:
            await pilot.press("tab")
            await until(pilot, lambda: frames and app.focused is not before)
        assert _whole(frames) == 0


async def test_a_change_behind_a_dialog_draws_what_has_changed(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        dialog = InputDialog("Note", "hint")
        app.push_screen(dialog)
        await until(pilot, lambda: app.screen is dialog and dialog.is_current)
        app.main.top_bar.refresh()
        await pilot.pause()
        for _ in range(2):
            with _frames(app) as frames:
                app.main.top_bar.refresh()
                await until(pilot, lambda: frames)
            assert [type(frame) for frame in frames] == [ChopsUpdate]
            (frame,) = frames
            assert {y for y, _, _ in frame.spans} == {0}


async def test_the_focus_within_a_pane_styles_the_two_widgets_only(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        before = await _in_compose(pilot, app)
        assert app.main.compose_pane.has_class("-focused")
        assert not app.main.batches.has_class("-focused")
        with _styled(app, monkeypatch) as styled:
            await pilot.press("shift+tab")
            await until(pilot, lambda: app.focused is not before)
        assert before in styled and app.focused in styled
        # Some fields have parts of their own.
        assert len(set(styled)) < 12


async def test_a_pane_that_holds_the_focus_for_a_moment_styles_nothing_in_it(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        pane, before = app.main.compose_pane, await _in_compose(pilot, app)
        with _styled(app, monkeypatch) as styled:
            pane.focus()
            await until(pilot, lambda: app.focused is pane)
            before.focus()
            await until(pilot, lambda: app.focused is before)
        assert set(styled) <= {before, *before.walk_children()}


async def _in_compose(pilot: BatchdeckPilot, app: BatchdeckApp) -> Widget:
    """Open Compose; the list there that has the focus then."""
    await pilot.press("1")
    await until(pilot, lambda: isinstance(app.focused, PlainList))
    assert app.focused is not None
    return app.focused


@contextmanager
def _styled(app: BatchdeckApp, patch: pytest.MonkeyPatch) -> Iterator[list[DOMNode]]:
    """The widgets that get their styles anew meanwhile."""
    styled: list[DOMNode] = []
    update = app.stylesheet.update_nodes

    def noted(nodes: Iterable[DOMNode], animate: bool = False) -> None:
        nodes = list(nodes)
        styled.extend(nodes)
        update(nodes, animate)

    with patch.context() as patched:
        patched.setattr(app.stylesheet, "update_nodes", noted)
        yield styled
