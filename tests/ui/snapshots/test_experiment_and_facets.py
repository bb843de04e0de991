"""Pictures of the table of an experiment, of the values of a column, and of a pivot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.conftest import real_app, screen_text, until
from tests.ui.labelled_job import labelled_job, pairs, rows_shown
from tui.paths import Paths
from tui.ui.dialogs.choose import SearchChoiceDialog
from tui.ui.screens.experiment import ExperimentScreen, ShownJob
from tui.ui.screens.facets import FacetScreen
from tui.ui.screens.pivot import PivotScreen

SIZES = [(80, 24), (120, 36)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_experiment(
    paths: Paths, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    labels = pairs(120)
    worse = [(gold, "spam" if n % 4 == 1 else said) for n, (gold, said) in enumerate(labels)]
    perfect = [(gold, gold) for gold, _ in labels]
    names = ("tone-gpt-5-mini-short", "tone-gpt-5-short", "tone-gpt-5-mini-long")
    jobs = [
        ShownJob(labelled_job(paths, of_job), name)
        for name, of_job in zip(names, (labels, perfect, worse), strict=True)
    ]
    app = real_app(paths)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.ready.is_set() and app.main.batches.job)
        matrix = ExperimentScreen(app.session, jobs, "tone")
        app.push_screen(matrix)
        await until(pilot, lambda: matrix.reader.report and not matrix.reader.is_running)
        await pilot.press("down", *["right"] * 3)
        await until(pilot, lambda: "accuracy of 114 rows (95%:" in screen_text(app))

    assert snap_compare(app, terminal_size=size, run_before=steps)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_values_of_a_column(
    paths: Paths, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    labelled_job(paths)
    app = real_app(paths)

    async def steps(pilot: Pilot[Any]) -> None:
        await rows_shown(pilot, app)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FacetScreen))
        await until(pilot, lambda: "退款" in screen_text(app))
        await until(pilot, lambda: "review " in screen_text(app) and "…" not in screen_text(app))
        await pilot.press("down", "space")
        await until(pilot, lambda: "1 marked" in screen_text(app) or "●" in screen_text(app))

    assert snap_compare(app, terminal_size=size, run_before=steps)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_pivot(paths: Paths, snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    labelled_job(paths)
    app = real_app(paths)

    async def steps(pilot: Pilot[Any]) -> None:
        await rows_shown(pilot, app)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FacetScreen))
        await until(pilot, lambda: "退款" in screen_text(app))
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SearchChoiceDialog))
        app.screen.query_one(Input).value = "in.label"
        await until(pilot, lambda: "in.label" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PivotScreen))
        screen = cast(PivotScreen, app.screen)
        await until(pilot, lambda: screen.reader.report and not screen.reader.is_running)
        await pilot.press("down", "right", "right")
        await until(pilot, lambda: ", in.label " in screen_text(app))

    assert snap_compare(app, terminal_size=size, run_before=steps)
