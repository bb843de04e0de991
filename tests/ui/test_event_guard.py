"""What no event may do: end the dashboard, close a dialog twice, lay a screen out for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from textual import events
from textual.command import CommandPalette
from textual.css.query import NoMatches
from textual.geometry import Region, Size
from textual.widgets import Input, Static

from tests.ui.conftest import fake_app, notes, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.core.counters import Distribution
from tui.ui.dialogs.input import InputDialog
from tui.ui.text.plots import histogram_lines
from tui.ui.widgets.cards import Card
from tui.ui.widgets.compose_inputs import PlainTextArea


async def test_an_error_in_a_handler_is_told_and_what_was_typed_stays(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    app.outlives_errors = True
    async with running(app) as pilot:
        dialog = InputDialog("Note", "hint")
        app.push_screen(dialog)
        await until(pilot, lambda: app.screen is dialog)
        await pilot.press(*"kept")

        def fails() -> None:
            raise ZeroDivisionError("on purpose")

        dialog.action_confirm = fails  # type: ignore[method-assign]
        await pilot.press("enter")
        await until(
            pilot, lambda: any("ZeroDivisionError: on purpose" in each for each in notes(app))
        )
        assert any("L shows the log" in each for each in notes(app))
        assert dialog.query_one(Input).value == "kept"
        await pilot.press("!")
        assert dialog.query_one(Input).value == "kept!"
        assert "on purpose" in engine.paths.log_file.read_text("utf-8")


async def test_the_same_error_is_told_once_in_a_while(engine: FakeEngine) -> None:
    app = fake_app(engine)
    app.outlives_errors = True
    async with running(app) as pilot:

        def fails() -> None:
            raise ZeroDivisionError("again")

        for _ in range(5):
            app.call_later(fails)
        await until(pilot, lambda: any("again" in each for each in notes(app)))
        assert sum("again" in each for each in notes(app)) == 1


async def test_a_log_that_cannot_be_written_does_not_hide_the_error(engine: FakeEngine) -> None:
    app = fake_app(engine)
    app.outlives_errors = True
    engine.paths.log_file.mkdir()
    async with running(app) as pilot:

        def fails() -> None:
            raise ZeroDivisionError("still told")

        app.call_later(fails)
        await until(pilot, lambda: any("still told" in each for each in notes(app)))


async def test_the_end_by_an_error_is_two_lines_without_locals(engine: FakeEngine) -> None:
    app = fake_app(engine)
    lines = app.report_fatal(ValueError("the reason\nand more")).splitlines()
    assert lines == [
        "batchdeck ended by an unexpected error: ValueError: the reason and more",
        f"Details are in {engine.paths.log_file}",
    ]


async def test_what_finds_the_history_closed_at_the_end_is_not_told(engine: FakeEngine) -> None:
    app = fake_app(engine)
    app.outlives_errors = True
    async with running(app):
        engine.is_closed = True
        assert app.survive(ZeroDivisionError("too late"))
        assert notes(app) == []


async def test_a_worker_of_a_closed_palette_is_not_told(engine: FakeEngine) -> None:
    app = fake_app(engine)
    app.outlives_errors = True
    go_on = asyncio.Event()
    async with running(app) as pilot:
        palette = CommandPalette()
        app.push_screen(palette)
        await until(pilot, lambda: app.screen is palette)

        async def fails() -> None:
            await go_on.wait()
            raise NoMatches("no list")

        worker = palette.run_worker(fails())
        app._screen_stack.pop()
        go_on.set()
        await until(pilot, lambda: worker.is_finished)
        assert notes(app) == []
        app._screen_stack.append(palette)


async def test_a_text_area_behind_a_dialog_may_have_no_styles_yet(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        await app.main.mount(PlainTextArea("some text", id="area"))
        await pilot.pause()
        area = app.main.query_one("#area", PlainTextArea)
        area._component_styles.clear()
        assert [len(strip.text) for strip in area.render_lines(Region(0, 0, 7, 2))] == [7, 7]


async def test_a_card_in_a_window_without_room_is_drawn(engine: FakeEngine) -> None:
    spread = Distribution(bars=((1, 2, 3), (3, 4, 5)), count=8, median=2, p95=3, most=3)
    card = Card("Lengths", lambda width: histogram_lines(spread, "characters", width, 4))
    for width in (-3, 0, 1):
        assert card.get_content_height(None, None, width) == 6
        assert card.height_at(width) == 8


async def test_a_click_on_what_was_removed_and_is_still_drawn_hits_nothing(
    engine: FakeEngine,
) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        dialog = InputDialog("Note", "hint to click on")
        app.push_screen(dialog)
        await until(pilot, lambda: "hint to click on" in screen_text(app))
        text = dialog.query_one(".dialog-text", Static)
        x, y = text.region.offset
        parent, text._parent = text._parent, None
        click = {"widget": None, "delta_x": 0, "delta_y": 0, "button": 1}
        app.post_message(
            events.MouseDown(x=x, y=y, shift=False, meta=False, ctrl=False, **click)  # type: ignore[arg-type]
        )
        await pilot.pause()
        text._parent = parent
        await pilot.press("a")
        await until(pilot, lambda: dialog.query_one(Input).value == "a")


async def test_a_dialog_is_closed_once(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        answers: list[Any] = []
        dialog = InputDialog("Note", "hint")
        app.push_screen(dialog, answers.append)
        await until(pilot, lambda: app.screen is dialog)
        dialog.dismiss("first")
        dialog.dismiss("second")
        await until(pilot, lambda: answers)
        assert answers == ["first"]
        assert app.screen is app.main


async def test_a_covered_dialog_that_is_done_goes_when_it_is_on_top(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        answers: list[Any] = []
        below, above = InputDialog("Below", "hint"), InputDialog("Above", "hint")
        app.push_screen(below, answers.append)
        app.push_screen(above)
        await until(pilot, lambda: app.screen is above)
        below.dismiss("done")
        await pilot.pause()
        assert app.screen is above
        above.dismiss(None)
        await until(pilot, lambda: app.screen is app.main)
        assert answers == ["done"]


async def test_sizes_of_the_past_do_not_bring_each_other_back(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        laid_out: list[Size] = []
        layout = app.main._refresh_layout

        def count(size: Size | None = None, scroll: bool = False) -> None:
            laid_out.append(size or app.size)
            layout(size, scroll)

        app.main._refresh_layout = count  # type: ignore[method-assign]
        for width in (100, 80, 100, 80):
            size = Size(width, 24)
            app.main.post_message(events.Resize(size, size))
        await pilot.pause(0.5)
        assert {size.width for size in laid_out} <= {80}
        assert len(laid_out) < 10
        assert "Batches" in screen_text(app)


async def test_a_dialog_that_cannot_be_made_leaves_no_empty_screen(engine: FakeEngine) -> None:
    class Broken(InputDialog):
        def on_mount(self) -> None:
            raise ZeroDivisionError("no dialog")

    app = fake_app(engine)
    app.outlives_errors = True
    async with running(app) as pilot:
        app.push_screen(Broken("Note", "hint"))
        await until(pilot, lambda: any("no dialog" in each for each in notes(app)))
        await until(pilot, lambda: app.screen is app.main)


async def test_the_palette_may_be_asked_for_twice(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        app.action_command_palette()
        app.action_command_palette()
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
