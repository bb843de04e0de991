"""Answers compared with true values on the screen: columns, cells, and the rows behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from tests.ui.conftest import BatchdeckPilot, notes, real_app, running, screen_text, until
from tests.ui.labelled_job import labelled_job
from tui.core.analysis.columns import ColumnKind
from tui.core.analysis.evaluation import Evaluator, class_name
from tui.core.analysis.facets import ColumnInfo
from tui.core.query import parse_query
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.pick_file import PickFileDialog
from tui.ui.models.evaluation import Comparison, cell_query, likely_columns, wrong_query


async def opened(app: BatchdeckApp, pilot: BatchdeckPilot) -> Any:
    """Open the evaluation of the only job from its results."""
    await pilot.press("enter")
    await until(pilot, lambda: app.main.results.rows_table.row_count)
    await pilot.press("U")
    await until(pilot, lambda: "accuracy" in screen_text(app))
    return app.screen


SIZES = [(80, 24), (120, 36)]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_likely_columns_are_compared_at_once(paths: Paths, size: tuple[int, int]) -> None:
    labelled_job(paths)
    app = real_app(paths)
    async with running(app, size) as pilot:
        screen = await opened(app, pilot)
        shown = screen_text(app)
        assert (screen.compared.gold, screen.compared.answer) == ("in.label", "@label")
        for words in (
            "true values in.label",
            "answer @label",
            "kappa",
            "prec.",
            "退款",
            "more agree if normalised",
        ):
            assert words in shown, words


async def test_a_cell_opens_its_rows(paths: Paths) -> None:
    labelled_job(paths)
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        screen = await opened(app, pilot)
        made = screen.reader.report
        await pilot.press(*["right"] * 7)
        await until(
            pilot, lambda: "true value" in screen_text(app) and "and answer" in screen_text(app)
        )
        wanted = made.confusion.cells[0][1]
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.main)
        rows = app.main.results.rows_table
        await until(pilot, lambda: rows.row_count == wanted)
        first, second = made.confusion.classes[:2]
        assert app.main.results.where == f"in.label:{first} @label:{second}"


async def test_all_wrong_rows_are_shown(paths: Paths) -> None:
    labelled_job(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        screen = await opened(app, pilot)
        made = screen.reader.report
        await pilot.press("e")
        await until(pilot, lambda: app.screen is app.main)
        rows = app.main.results.rows_table
        await until(pilot, lambda: rows.row_count == made.compared - made.agree)


async def test_normalising_is_switched_and_other_columns_are_chosen(paths: Paths) -> None:
    labelled_job(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        screen = await opened(app, pilot)
        before = screen.reader.report
        await pilot.press("w")
        await until(pilot, lambda: screen.reader.report.normalised)
        assert screen.reader.report.agree == before.agree + before.spellings
        await pilot.press("enter")
        await until(pilot, lambda: "Press w first" in screen_text(app))
        await pilot.press("f")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await pilot.press(*"outcome", "enter")
        await until(pilot, lambda: screen.compared.answer == "outcome")
        await until(pilot, lambda: screen.reader.report.agree == 0)
        await pilot.press("g")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_without_a_likely_column_it_is_asked_for(paths: Paths) -> None:
    labelled_job(paths, [("a", "b")])
    app = real_app(paths)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("U")
        await until(pilot, lambda: "accuracy" in screen_text(app))
        assert "0 of 1" in screen_text(app)


async def test_markup_and_controls_are_shown_as_text(paths: Paths) -> None:
    labelled_job(paths, [("[bold]x[/]", "\x1b[31mred"), ("a" * 9000, "a" * 9000), ("b", "b")])
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        await opened(app, pilot)
        shown = screen_text(app)
        assert "[bold]x[/]" in shown
        assert "\x1b" not in shown
        await pilot.press("down", "down", "down", "enter")
        await until(pilot, lambda: "too long" in screen_text(app) or app.screen is app.main)


def info(column: str, kind: ColumnKind) -> ColumnInfo:
    return ColumnInfo(column=column, kind=kind)


def test_the_columns_that_are_compared_first() -> None:
    inputs = [info("in.text", ColumnKind.INPUT), info("in.label", ColumnKind.INPUT)]
    fields = [info("@score", ColumnKind.FIELD), info("@label", ColumnKind.FIELD)]
    assert likely_columns([*inputs, *fields]) == ("in.label", "@label")
    assert likely_columns([*inputs, fields[0]]) == ("in.label", "answer")
    assert likely_columns(fields) == ("", "@label")
    assert likely_columns([]) == ("", "answer")


def test_the_queries_of_cells() -> None:
    evaluator = Evaluator()
    for pair in [("a b", "a b")] * 3 + [("c", "d"), ("none", 'q"'), ("e", "x" * 500)]:
        evaluator.add(*pair)
    made = evaluator.evaluation(3)
    compared = Comparison("in.label", "@label", "outcome:succeeded")
    assert made.confusion.classes == ("a b", "c", "e")
    query = cell_query(compared, made, 0, 1)
    assert query == 'outcome:succeeded in.label:"a b" @label:c'
    assert cell_query(compared, made, 1, None) == "outcome:succeeded in.label:c @label:any"
    others = cell_query(compared, made, 3, 0)
    assert others == ('outcome:succeeded in.label:any -in.label:"a b",c,e @label:"a b"')
    for text in (query, others, wrong_query(compared)):
        assert parse_query(text).problems == ()
    assert wrong_query(Comparison("in.label", "@label")) == "differs:in.label,@label"
    long = Evaluator()
    long.add("x" * 500, "b")
    assert class_name("x" * 500) != "x" * 500
    assert cell_query(compared, long.evaluation(), 0, None) == ""


async def test_true_values_of_a_file_are_a_column_whose_cells_open_their_rows(
    paths: Paths, tmp_path: Path
) -> None:
    labelled_job(paths)
    table = tmp_path / "truth.csv"
    table.write_text("custom_id,who,truth\nr0001,a,Praise\nr0002,a,spam\nnobody,a,x\n")
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("g")
        await until(pilot, lambda: "a file …" in screen_text(app))
        await pilot.press(*"a file", "enter")
        await until(pilot, lambda: isinstance(app.screen, PickFileDialog))
        app.screen.query_one("#pick-path", Input).value = str(table)
        await until(pilot, lambda: "truth.csv" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "who" in screen_text(app) and "truth" in screen_text(app))
        await pilot.press(*"truth", "enter")
        await until(pilot, lambda: app.screen is screen and screen.compared.gold == "calc.gold")
        await until(pilot, lambda: screen.reader.report.compared == 2)
        assert "1 id not in this job" in " ".join(notes(app))
        # Other spellings do not agree unless that is asked for.
        assert (screen.reader.report.agree, screen.reader.report.spellings) == (0, 1)
        await until(pilot, lambda: "1 more agree if normalised w" in screen_text(app))
        await pilot.press("e")
        await until(pilot, lambda: app.screen is app.main)
        assert app.main.results.where == "differs:calc.gold,@label"
        await until(pilot, lambda: app.main.results.rows_table.row_count == 2)
        await pilot.press("U")
        await until(pilot, lambda: "true values calc.gold" in screen_text(app))
