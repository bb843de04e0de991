"""The values of columns: counted, chosen, excluded, and shown in the table of rows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.cli.conftest import request_line
from tests.ui.conftest import BatchdeckPilot, real_app, running, screen_text, until
from tui.config.settings import Config, ReviewConfig
from tui.core.analysis.derived import DerivedColumn
from tui.core.reviews.review import Review
from tui.engine.engine import Engine
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.export import ExportDialog
from tui.ui.dialogs.rows.columns import ColumnsDialog
from tui.ui.screens.facets import FacetScreen
from tui.ui.screens.review import ReviewScreen
from tui.ui.widgets.table.table import VirtualTable

LABELS = ["refund", "delivery", "delivery", "not sure", None]
ANSWERS: list[str | None] = [
    json.dumps({"label": LABELS[n % 5], "score": n / 10, "say": "[b]x[/b]\x1b[2J"}).replace(
        "\\u001b", "\\u005cu001b"
    )
    for n in range(50)
]


@asynccontextmanager
async def opened(
    paths: Paths, size: tuple[int, int] = (120, 36), answers: list[str | None] = ANSWERS
) -> AsyncIterator[tuple[BatchdeckApp, BatchdeckPilot]]:
    """The rows of a job whose answers have fields."""
    engine = await Engine.open(paths, Config(), sandbox_rate=0)
    try:
        path = paths.data / "requests.jsonl"
        words = ["sandbox:fail=400" if one is None else f"sandbox:say={one}" for one in answers]
        path.write_text("".join(request_line(f"r{n}", one) for n, one in enumerate(words)))
        job = await engine.requests.import_file(path, name="reviews")
        await engine.submit(job.id)
        await engine.wait([job.id])
    finally:
        await engine.close()
    app = real_app(paths)
    async with running(app, size) as pilot:
        await until(pilot, lambda: "reviews" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.main.pane == "results")
        await until(pilot, lambda: app.main.results.rows_table.row_count)
        yield app, pilot


async def facets(app: BatchdeckApp, pilot: BatchdeckPilot, column: str = "@label") -> FacetScreen:
    """Open the values of a column, and wait until all columns are counted."""
    await pilot.press("f")
    await until(pilot, lambda: isinstance(app.screen, FacetScreen))
    screen = app.screen
    assert isinstance(screen, FacetScreen)
    columns = screen.query_one("#facet-columns", VirtualTable)
    await until(pilot, lambda: columns.source.index_of(column) is not None)
    columns.move_to(columns.source.index_of(column) or 0)
    await until(pilot, lambda: not screen.is_counting and screen.facet is not None)
    await until(pilot, lambda: screen.facet is not None and screen.facet.column == column)
    return screen


def where(app: BatchdeckApp) -> str:
    return app.main.results.where


async def test_a_value_becomes_the_filter_and_counts_follow_it(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        rows = app.main.results.rows_table
        screen = await facets(app, pilot)
        text = screen_text(app)
        assert "delivery" in text
        assert "40%" in text
        assert "(no value)" in text
        await pilot.press("enter")
        await until(pilot, lambda: rows.row_count == 20)
        assert where(app) == "@label:delivery"
        # Other values of the same column can still be seen; of other columns only these rows.
        screen = await facets(app, pilot)
        assert screen.facet is not None
        assert screen.facet.rows == 50
        await pilot.press("escape")
        screen = await facets(app, pilot, "@score")
        assert screen.facet is not None
        assert screen.facet.rows == 20
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert where(app) == "@label:delivery"


async def test_marked_values_are_combined_or_left_out(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as (app, pilot):
        rows = app.main.results.rows_table
        await facets(app, pilot)
        await until(pilot, lambda: "? Help" in screen_text(app).split("\n")[-1])
        await pilot.press("space", "space", "enter")
        await until(pilot, lambda: rows.row_count == 30)
        assert where(app) == '@label:delivery,"not sure"'
        await facets(app, pilot)
        await pilot.press("minus")
        await until(pilot, lambda: rows.row_count == 10)
        assert where(app) == '@label:delivery,"not sure" -@label:delivery'
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 50)
        await facets(app, pilot)
        await pilot.press("end", "enter")
        await until(pilot, lambda: rows.row_count == 10)
        assert where(app) == "@label:none"


async def test_numbers_are_ranges_with_their_distribution(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        screen = await facets(app, pilot, "@score")
        assert screen.facet is not None
        assert screen.facet.numbers is not None
        await until(pilot, lambda: "median" in screen_text(app))
        screen.query_one("#facet-values", VirtualTable).focus()
        first = screen.facet.ranges[0].rows
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == first)
        assert where(app).startswith("@score:>=0.0,<0.4")


async def test_the_column_is_shown_and_sorted_and_kept_for_this_job(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        rows = app.main.results.rows_table
        await facets(app, pilot, "@score")
        await pilot.press("c")
        await until(pilot, lambda: any(column.key == "@score" for column in rows.columns))
        await until(pilot, lambda: "4.9" not in screen_text(app) and "0.3" in screen_text(app))
        rows.column_cursor = [column.key for column in rows.columns].index("@score")
        await pilot.press("s", "s")
        await until(pilot, lambda: rows.source.row_id(0) == 49)
        rows.column_cursor = [column.key for column in rows.columns].index("custom_id")
        await pilot.press("S")
        assert rows.asked.sort.more == (("custom_id", False),)
        app.main.results.show_job(None)
        await pilot.press("2", "enter")
        await until(pilot, lambda: rows.row_count == 50)
        assert any(column.key == "@score" for column in rows.columns)
        assert rows.asked.sort.column == "@score"


async def test_a_derived_column_that_is_removed_stays_empty(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        rows = app.main.results.rows_table
        job, history = app.main.results.job_id, app.session.engine.history.rows
        assert job is not None
        history.set_derived_column(job, DerivedColumn("tenth", "@score", r"\.(\d)"))
        await facets(app, pilot, "calc.tenth")
        await pilot.press("c")
        await until(pilot, lambda: any(column.key == "calc.tenth" for column in rows.columns))
        history.remove_derived_column(job, "tenth")
        rows.reload()
        await pilot.press("down")
        await until(pilot, lambda: "calc.tenth" in screen_text(app))
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))


async def test_the_rows_of_a_value_are_exported(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        await facets(app, pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportDialog))
        assert where(app) == "@label:delivery"
        # The rows of the new filter, not those that were shown before.
        await until(pilot, lambda: "filtered rows: 20" in screen_text(app))


async def test_the_answers_with_a_value_are_reviewed(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        await facets(app, pilot)
        await pilot.press("V")
        await until(pilot, lambda: "filtered rows: 20" in screen_text(app))
        assert where(app) == "@label:delivery"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))


async def test_columns_are_offered_with_how_often_they_are_filled(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        await pilot.press("C")
        await until(
            pilot, lambda: "@label" in screen_text(app) or "field of the" in screen_text(app)
        )


async def test_names_and_values_of_columns_are_completed(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        await pilot.press("slash")
        await pilot.press(*"@la")
        await until(pilot, lambda: "tab @label:" in screen_text(app))
        await pilot.press("tab")
        await until(pilot, lambda: "@label:delivery" in screen_text(app))
        await pilot.press("d", "tab", "enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 20)
        assert where(app) == "@label:delivery"


async def test_own_labels_and_those_in_use_are_completed(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        app.session.set_config(Config(review=ReviewConfig(labels=("off topic", "good"))))
        job = app.main.results.job
        assert job is not None
        given = Review(custom_id="r1", reviewer="ben", at=1.0, label="odd one")
        app.session.engine.history.reviews.add(job.id, [given])
        await pilot.press("slash", *"review:o")
        await until(pilot, lambda: 'review:"off topic"' in screen_text(app))
        assert 'review:"odd one"' in screen_text(app)
        await pilot.press("d", "tab", "enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 1)
        assert where(app) == 'review:"odd one"'


async def test_markup_and_escapes_in_values_are_text(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        await facets(app, pilot, "@say")
        assert "[b]x[/b]" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.main)
        await until(pilot, lambda: app.main.results.rows_table.row_count == 50)


async def test_a_job_without_answers_has_facts(paths: Paths) -> None:
    async with opened(paths, answers=[None] * 5) as (app, pilot):
        screen = await facets(app, pilot, "outcome")
        assert screen.facet is not None
        assert "failed" in screen_text(app)
