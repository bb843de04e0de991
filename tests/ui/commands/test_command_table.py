"""The one table of commands, and what is made from it."""

from __future__ import annotations

import pytest
from textual import events
from textual.keys import _character_to_key as character_to_key
from textual.widgets import Footer

from tests.ui.conftest import fake_app, notes, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.config.settings import Config
from tui.ui.commands.command_table import COMMAND_BY_ID, COMMANDS, Scope, of_scope
from tui.ui.commands.dispatch import CommandProvider
from tui.ui.panes.batches import BatchesPane
from tui.ui.panes.compose.pane import ComposePane
from tui.ui.panes.job_actions import STARTS
from tui.ui.panes.results.pane import ResultsPane
from tui.ui.screens.compare import CompareScreen
from tui.ui.screens.costs import CostsScreen
from tui.ui.screens.evaluation import EvaluationScreen
from tui.ui.screens.experiment import ExperimentScreen
from tui.ui.screens.facets import FacetScreen
from tui.ui.screens.main import MainScreen
from tui.ui.screens.pivot import PivotScreen
from tui.ui.screens.review import ReviewScreen
from tui.ui.screens.summary import SummaryScreen
from tui.ui.widgets.table.table import VirtualTable

TARGETS: dict[Scope, type] = {
    Scope.MAIN: MainScreen,
    Scope.COMPOSE: ComposePane,
    Scope.BATCHES: BatchesPane,
    Scope.RESULTS: ResultsPane,
    Scope.TABLE: VirtualTable,
    Scope.SUMMARY: SummaryScreen,
    Scope.COMPARE: CompareScreen,
    Scope.REVIEW: ReviewScreen,
    Scope.FACETS: FacetScreen,
    Scope.PIVOT: PivotScreen,
    Scope.EVALUATION: EvaluationScreen,
    Scope.COSTS: CostsScreen,
    Scope.EXPERIMENT: ExperimentScreen,
}


def test_every_id_is_there_once() -> None:
    assert len(COMMAND_BY_ID) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.id)
def test_every_command_has_words_and_a_method(command: object) -> None:
    from tui.ui.app import BatchdeckApp
    from tui.ui.commands.command_table import Command

    assert isinstance(command, Command)
    assert command.title and command.help.endswith(".")
    for scope in command.scopes:
        owner = TARGETS[scope]
        action = command.action or command.id
        if action.startswith("app."):
            owner, action = BatchdeckApp, action.removeprefix("app.")
        if owner not in (BatchesPane, ResultsPane) or command.id not in STARTS:
            name = action.partition("(")[0]
            assert hasattr(owner, f"action_{name}"), (scope, command.id)


@pytest.mark.parametrize("scope", Scope, ids=lambda scope: scope.name)
def test_no_key_means_two_things_in_one_scope(scope: Scope) -> None:
    seen: dict[str, str] = {}
    for command in of_scope(scope):
        for key in filter(None, command.keys.split(",")):
            assert key not in seen, (key, seen.get(key), command.id)
            seen[key] = command.id


def test_the_keys_of_the_design_are_bound() -> None:
    wanted = {
        "1": "compose", "2": "batches", "3": "results", "n": "new", "enter": "open",
        "escape": "back", "slash": "filter", "e": "errors_only", "r": "retry",
        "R": "retry_edit", "space": "mark", "s": "sort", "x": "export", "c": "cancel",
        "y": "copy", "o": "editor", "v": "pager", "question_mark": "help",
        "ctrl+p": "palette", "q": "quit",
    }  # fmt: skip
    for key, id in wanted.items():
        assert key in COMMAND_BY_ID[id].keys.split(","), id


async def test_the_footer_fits_into_80_columns_everywhere(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        footer = app.main.query_one(Footer)

        async def fits(where: str) -> None:
            await pilot.pause()
            await until(pilot, lambda: len(footer.children) > 0)
            assert footer.max_scroll_x == 0, where
            shown = [child for child in footer.children if child.display]
            assert len(shown) <= 9, where

        await fits("batches")
        await pilot.press("enter")
        await fits("results")
        await pilot.press("space")
        await fits("results with marks")
        await pilot.press("enter")
        await fits("a row")
        await pilot.press("escape", "1")
        await fits("compose, empty")
        app.main.compose_pane.open_file(engine.paths.data / "x.jsonl")
        await until(pilot, lambda: "Ready" in screen_text(app))
        await fits("compose")


async def test_an_empty_history_has_a_footer_that_fits(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        for key in ("2", "3", "1"):
            await pilot.press(key)
            footer = app.main.query_one(Footer)
            await until(pilot, lambda: len(app.main.query_one(Footer).children) > 0)
            assert footer.max_scroll_x == 0


async def test_the_palette_offers_every_command(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app):
        provider = CommandProvider(app.main)
        titles = [hit.text or "" async for hit in provider.discover()]
        for command in COMMANDS:
            if command.in_palette:
                assert any(command.title in title for title in titles), command.id
        found = [hit async for hit in provider.search("retry")]
        assert found


async def test_the_palette_begins_with_what_can_be_done_here(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job is not None)
        provider = CommandProvider(app.screen)
        found = [hit async for hit in provider.discover()]
        off = [str(hit.help).startswith("Not now") for hit in found]
        assert off == sorted(off) and any(off)
        assert str(found[0].text).startswith("Batches: ")
        by_words = [str(hit.text) async for hit in provider.search("plots")]
        assert by_words == ["Batches: Summary  (u)"]


async def test_the_palette_runs_a_command(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: app.screen is not app.main)
        await pilot.press(*"Results  3")
        await until(pilot, lambda: "Go to Results" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.main.pane == "results")


async def test_help_names_every_command_with_its_key(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (120, 340)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: app.screen is not app.main)
        text = " ".join(screen_text(app).split())
        keys = app.dispatcher.keys()
        for command in COMMANDS:
            assert command.help[:30] in text, command.id
            if keys[command.id]:
                assert keys[command.id].split()[0] in text


async def test_the_keymap_of_the_config_is_used(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    config = Config(keymap={"help": "f2", "errors_only": "E,f3", "no_such_command": "x"})
    app = fake_app(engine, config)
    async with running(app) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.screen is app.main
        await pilot.press("f2")
        await until(pilot, lambda: app.screen is not app.main)
        assert "f2" in screen_text(app)
        await pilot.press("escape")
        assert any("no_such_command" in entry.text for entry in app.session.log.entries)


async def test_the_key_of_a_command_that_is_off_says_why(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["The job is not running."]
        assert app.screen is app.main


async def test_why_a_command_is_off_is_shown_until_the_next_one(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: "No jobs yet" in screen_text(app))
        app.notify("reviews ended")
        await pilot.press("r")
        await until(pilot, lambda: notes(app) == ["reviews ended", "No job selected."])
        await pilot.press("u")
        await until(pilot, lambda: notes(app) == ["reviews ended", "No job selected."])
        await pilot.press("1")
        await until(pilot, lambda: notes(app) == ["reviews ended"])


async def test_letters_do_not_run_commands_while_a_text_is_typed(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("slash", *"xqrcn")
        await until(pilot, lambda: "xqrcn" in screen_text(app))
        assert app.screen is app.main
        assert app.main.pane == "batches"


async def test_keys_typed_ahead_of_the_filter_are_text(engine: FakeEngine) -> None:
    engine.history.add(a_job(), a_job(2, name="tcDi qx"))
    app = fake_app(engine)
    async with running(app) as pilot:
        # As from a paste or a slow line: all keys are there before the first is handled.
        for character in "/tcDi qx":
            app.post_message(events.Key(character_to_key(character), character))
        app.post_message(events.Key("enter", "\r"))
        await until(pilot, lambda: "contains 'tcDi qx'" in screen_text(app))
        assert app.screen is app.main
        assert app.main.batches.jobs_table.row_count == 1
