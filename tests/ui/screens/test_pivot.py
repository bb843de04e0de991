"""The pivot table of two columns: cells, totals, means, and the rows of a cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from tests.ui.conftest import BatchdeckPilot, screen_text, until
from tests.ui.screens.test_facets import facets, opened, where
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.choose import SearchChoiceDialog
from tui.ui.screens.facets import FacetScreen
from tui.ui.screens.pivot import PivotScreen


async def choose(app: BatchdeckApp, pilot: BatchdeckPilot, column: str) -> None:
    """Choose a column in the dialog that is open."""
    await until(pilot, lambda: isinstance(app.screen, SearchChoiceDialog))
    app.screen.query_one(Input).value = column
    await until(pilot, lambda: column in screen_text(app))
    await pilot.press("enter")


async def pivot(app: BatchdeckApp, pilot: BatchdeckPilot) -> PivotScreen:
    """Count the labels by the outcome."""
    await facets(app, pilot)
    await pilot.press("p")
    await choose(app, pilot, "outcome")
    await until(pilot, lambda: isinstance(app.screen, PivotScreen))
    screen = app.screen
    assert isinstance(screen, PivotScreen)
    await until(pilot, lambda: screen.reader.report is not None)
    return screen


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_cell_opens_its_rows(paths: Paths, size: tuple[int, int]) -> None:
    async with opened(paths, size) as (app, pilot):
        screen = await pivot(app, pilot)
        made = screen.reader.report
        assert made is not None
        assert [line.value for line in made.lines] == ["delivery", "not sure", "refund", None]
        await until(pilot, lambda: "succeeded" in screen_text(app))
        assert "delivery" in screen_text(app)
        await pilot.press("right")
        await until(pilot, lambda: "@label delivery, outcome succeeded: 20 rows, 40%" in
                    screen_text(app))  # fmt: skip
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 20)
        assert where(app) == "@label:delivery outcome:succeeded"


async def test_means_swapping_and_rows_without_a_value(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        screen = await pivot(app, pilot)
        await pilot.press("m")
        await choose(app, pilot, "@score")
        await until(pilot, lambda: "mean of @score" in screen_text(app))
        await until(pilot, lambda: screen.reader.report is not None and screen.reader.report.value)
        await pilot.press("t")
        await until(pilot, lambda: "outcome by @label" in screen_text(app))
        await pilot.press("t")
        await until(pilot, lambda: "@label by outcome" in screen_text(app))
        await pilot.press("down", "down", "down", "right", "enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 10)
        assert where(app) == "@label:none outcome:succeeded"


async def test_escape_goes_back_to_the_values(paths: Paths, tmp_path: Path) -> None:
    async with opened(paths) as (app, pilot):
        await pivot(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FacetScreen))
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, SearchChoiceDialog))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FacetScreen))
