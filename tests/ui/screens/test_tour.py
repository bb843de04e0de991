"""The guided first run: each step is ended by what is done, and it can be skipped and left."""

from __future__ import annotations

import asyncio

from tests.ui.conftest import BatchdeckPilot, real_app, running, screen_text, until
from tui.engine.demo import lay_out_table
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.commands.command_table import COMMAND_BY_ID
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.export import ExportDialog
from tui.ui.dialogs.pick_file import PickFileDialog
from tui.ui.dialogs.retry import RetryDialog
from tui.ui.models.tour import END, STEPS, Fact, TourProgress, tour_parts
from tui.ui.text.tones import plain


async def at_step(pilot: BatchdeckPilot, app: BatchdeckApp, number: int) -> None:
    """Wait for a step, and look whether its whole text is on the screen."""
    tour = app.main.tour
    assert tour is not None
    await until(pilot, lambda: tour.progress.place == number - 1)
    step = STEPS[number - 1]
    text = plain(tour_parts(step.text, app.dispatcher.keys()))
    shown = " ".join(screen_text(app).split())
    assert f"Tour {number} of 8 · {step.title}" in shown
    assert text in shown


async def dialog(pilot: BatchdeckPilot, app: BatchdeckApp, kind: type) -> None:
    await until(pilot, lambda: isinstance(app.screen, kind))


async def test_the_whole_tour_at_80_columns(paths: Paths, at_once: None) -> None:
    table = await asyncio.to_thread(lay_out_table, paths)
    app = real_app(paths, tour=True)
    app.session.state.folder = app.session.state.export_folder = str(table.parent)
    async with running(app, (80, 24)) as pilot:
        await at_step(pilot, app, 1)
        await pilot.press("n")
        await dialog(pilot, app, PickFileDialog)
        await until(pilot, lambda: "reviews.csv" in screen_text(app))
        await pilot.press("enter")
        await at_step(pilot, app, 2)
        await pilot.press(*"Good?")
        await until(pilot, lambda: "all rows make the" in screen_text(app))
        assert app.main.tour is not None and app.main.tour.progress.place == 1
        await pilot.press("space", *"{text}")
        await at_step(pilot, app, 3)
        await pilot.press("f8")
        await dialog(pilot, app, ConfirmDialog)
        assert "free" in screen_text(app)
        await pilot.press("y")
        await at_step(pilot, app, 4)
        batches = app.main.batches
        await until(pilot, lambda: batches.job and batches.job.counts.failed == 4)
        await pilot.press("enter")
        await at_step(pilot, app, 5)
        await pilot.press("enter")
        await at_step(pilot, app, 6)
        await pilot.press("escape", "e")
        await at_step(pilot, app, 7)
        await pilot.press("r")
        await dialog(pilot, app, RetryDialog)
        await pilot.press("y")
        await at_step(pilot, app, 8)
        await pilot.press("escape", "x")
        await dialog(pilot, app, ExportDialog)
        await pilot.press("enter")
        await until(pilot, lambda: "Tour · the end" in screen_text(app))
        assert len((table.parent / "reviews-results.csv").read_text("utf-8-sig").splitlines()) == 41
        await pilot.press("f12")
        await until(pilot, lambda: not app.main.query("TourPanel"))
        await pilot.press("2")
        await until(pilot, lambda: app.main.pane == "batches")


async def test_it_can_be_skipped_and_there_is_none_without_it(paths: Paths) -> None:
    app = real_app(paths, tour=True)
    async with running(app) as pilot:
        for number in range(1, len(STEPS) + 1):
            await at_step(pilot, app, number)
            await pilot.press("f9")
        await until(pilot, lambda: "Tour · the end" in screen_text(app))
        await pilot.press("f9", "f12")
        await until(pilot, lambda: not app.main.query("TourPanel"))
        assert app.dispatcher.why_disabled(COMMAND_BY_ID["skip_step"])


def test_facts_count_in_any_order_and_skipping_goes_on() -> None:
    progress = TourProgress()
    assert not progress.note(Fact.EXPORTED) and progress.place == 0
    assert progress.note(Fact.TABLE) and not progress.note(Fact.TABLE)
    progress.skip()
    assert progress.place == 2
    for fact in Fact:
        progress.note(fact)
    assert progress.step is None
    progress.skip()
    assert progress.place == len(STEPS)


def test_each_fact_has_a_step_and_texts_have_keys_that_exist() -> None:
    assert [step.fact for step in STEPS] == list(Fact)
    keys = {name: f"<{name}> f0" for name in COMMAND_BY_ID}
    for text in (*(step.text for step in STEPS), END):
        assert "[" not in plain(tour_parts(text, keys))
    assert plain(tour_parts("Press <submit!> or [y].", keys)) == "Press f0 or y."
