"""Columns that are computed from others, added and removed on the screen."""

from __future__ import annotations

from pathlib import Path

from tests.ui.conftest import notes, screen_text, until
from tests.ui.screens.test_facets import facets, opened
from tui.paths import Paths
from tui.ui.dialogs.rows.columns import ColumnsDialog
from tui.ui.dialogs.rows.derived import DerivedColumnDialog


async def test_an_expression_is_tried_added_counted_and_removed(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as (app, pilot):
        rows = app.main.results.rows_table
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, DerivedColumnDialog))
        await until(pilot, lambda: "the input columns" in screen_text(app))
        await pilot.press(*"level", "tab", *"score +", "enter")
        await until(pilot, lambda: "the expression is not valid" in screen_text(app))
        await pilot.press(*" label | length", "enter")
        await until(pilot, lambda: "First values: " in screen_text(app))
        await until(pilot, lambda: "again adds the column" in screen_text(app))
        assert "failed" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.main)
        await until(pilot, lambda: "calc.level" in [column.key for column in rows.columns])
        await until(pilot, lambda: "calc.level: 40 of 50 rows" in " ".join(notes(app)))
        assert "10 rows failed" in " ".join(notes(app))
        await until(pilot, lambda: "8.1" in screen_text(app))
        screen = await facets(app, pilot, "calc.level")
        assert screen.facet is not None
        await until(pilot, lambda: "10 rows failed" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        dialog = app.screen
        assert isinstance(dialog, ColumnsDialog)
        while dialog._order[dialog._list.highlighted or 0] != "calc.level":
            await pilot.press("down")
        await pilot.press("d")
        await until(pilot, lambda: "calc.level removed" in " ".join(notes(app)))
        assert "calc.level" not in [column.key for column in rows.columns]


async def test_a_part_of_a_column_is_captured(paths: Paths) -> None:
    async with opened(paths) as (app, pilot):
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, DerivedColumnDialog))
        await pilot.press("shift+tab", "down", "space")
        await until(pilot, lambda: "The first group is the value" in screen_text(app))
        await pilot.press("tab", *"first", "tab", *"label.{4}(.)", "enter")
        await until(pilot, lambda: "First values: r" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "calc.first: 50 of 50" in " ".join(notes(app)))


def test_the_file_of_columns_that_was_written_before_is_read(tmp_path: Path) -> None:
    from tui.store.columns.derived import DERIVED_FILE, read_derived

    paths = Paths.find(tmp_path).ensure()
    folder = paths.job_folder("job_1")
    folder.mkdir(parents=True)
    (folder / DERIVED_FILE).write_text('[{"name":"a","of":"answer","pattern":"x"}]')
    (column,) = read_derived(paths, "job_1")
    assert (column.of, column.pattern, column.expression) == ("answer", "x", "")
