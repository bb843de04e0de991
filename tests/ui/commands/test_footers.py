"""The keys at the bottom are all to be seen at 80 columns, on every screen and step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from tests.ui.conftest import BatchdeckPilot, fake_app, real_app, running, screen_text, until
from tests.ui.jobs_with_answers import ReadingEngine, two_jobs
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.rows.views import ViewsDialog
from tui.ui.panes.compose.check import CheckStep
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.screens.compare import CompareScreen
from tui.ui.screens.summary import SummaryScreen
from tui.ui.state import RowViewState
from tui.ui.widgets.filter_line import QueryLine


async def fits(app: BatchdeckApp, pilot: BatchdeckPilot) -> None:
    footer = app.screen.query_one(Footer)
    await until(pilot, lambda: [child for child in footer.children if child.display])
    await pilot.pause()
    assert footer.size.width == 80
    assert footer.max_scroll_x == 0, [str(child) for child in footer.children]


@pytest.fixture
def reading(paths: Paths) -> Iterator[ReadingEngine]:
    two_jobs(paths)
    engine = ReadingEngine(paths)
    yield engine
    engine._real.close()


async def test_keys_have_air_where_there_is_room(reading: ReadingEngine) -> None:
    app = fake_app(reading)
    async with running(app, (100, 24)) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        footer = app.screen.query_one(Footer)
        for keys in ((), ("slash",), ("escape", "enter"), ("slash",), ("escape", "1")):
            await pilot.press(*keys)
            await until(pilot, lambda: "Help" in screen_text(app).splitlines()[-1])
            assert footer.max_scroll_x == 0
            assert "   " in screen_text(app).splitlines()[-1].strip()


async def test_on_a_summary(reading: ReadingEngine) -> None:
    app = fake_app(reading)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("u")
        await until(pilot, lambda: app.screen.query("Card"))
        assert isinstance(app.screen, SummaryScreen)
        await fits(app, pilot)
        await pilot.press("tab")
        await fits(app, pilot)


async def test_on_a_comparison(reading: ReadingEngine) -> None:
    app = fake_app(reading)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("equals_sign")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await pilot.press("enter")
        await until(pilot, lambda: getattr(app.screen, "difference", None) is not None)
        assert isinstance(app.screen, CompareScreen)
        await fits(app, pilot)
        await pilot.press("tab")
        await fits(app, pilot)


async def test_the_keys_of_a_filter_are_told_while_it_is_typed(reading: ReadingEngine) -> None:
    app = fake_app(reading)

    def told() -> list[tuple[str, str]]:
        keys = app.screen.query(FooterKey)
        return [(key.key, key.description) for key in keys if key.display]

    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("slash")
        await until(pilot, lambda: ("enter", "Apply") in told())
        await fits(app, pilot)
        assert ("escape", "Clear") in told() and ("f1", "Help") in told()
        await pilot.press("escape", "enter", "slash")
        await until(pilot, lambda: ("tab", "Complete") in told())
        await fits(app, pilot)
        wanted = {"enter", "escape", "tab", "up", "down", "f2", "f1"}
        assert {key for key, _ in told()} == wanted
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, ViewsDialog))


@pytest.mark.parametrize("keys", [("slash",), ("u",), ("dollar_sign",)])
async def test_a_key_is_there_to_be_clicked_while_others_are_shown(
    reading: ReadingEngine, keys: tuple[str, ...]
) -> None:
    app = fake_app(reading)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press(*keys)
        footer = app.screen.query_one(Footer)
        await until(pilot, lambda: footer.children)
        before = {key for key in footer.children if key.display}
        removed: list[object] = []
        remove = type(app)._prune

        def spy(self: BatchdeckApp, *nodes: Widget, parent: object = None) -> object:
            removed.extend(node for node in nodes if node in before)
            return remove(self, *nodes, parent=parent)

        with patch.object(type(app), "_prune", spy):
            # The bindings change with the focus, and whenever something asks for it.
            app.screen.refresh_bindings()
            await pilot.press("tab", "shift+tab")
            await pilot.pause()
            assert not removed
            assert before <= set(footer.children)


async def test_earlier_queries_are_recalled(reading: ReadingEngine) -> None:
    app = fake_app(reading)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("enter")
        line = app.main.results.query_one(QueryLine)
        app.session.state.rows = {"a": RowViewState("code:429"), "b": RowViewState("tokens:>5")}
        await until(pilot, lambda: app.main.results.rows_table.has_focus)
        await pilot.press("slash", *"lost")
        for key, query in (
            ("up", "tokens:>5"),
            ("up", "code:429"),
            ("up", "code:429"),
            ("down", "tokens:>5"),
            ("down", "lost"),
        ):
            await pilot.press(key)
            await until(pilot, lambda query=query: line.typed == query)
        await pilot.press("down")
        await until(pilot, lambda: app.main.results.rows_table.has_focus)
        assert line.text == "lost"


async def test_on_the_steps_of_compose(paths: Paths, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text("id,text\nr1,Good\nr2,Bad\n", "utf-8")
    requests = tmp_path / "requests.jsonl"
    body = '{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'
    line = f'"method": "POST", "url": "/v1/chat/completions", "body": {body}'
    requests.write_text(f'{{"custom_id": "r1", {line}}}\n', "utf-8")
    app = real_app(paths)
    async with running(app) as pilot:
        compose = app.main.compose_pane
        await pilot.press("1")
        await fits(app, pilot)
        compose.open_file(table)
        await until(pilot, lambda: isinstance(compose.step, TemplateStep))
        await fits(app, pilot)
        for _ in range(6):
            # Each field may bring keys of its own.
            await pilot.press("tab")
            await fits(app, pilot)
        compose.open_file(requests)
        await until(pilot, lambda: isinstance(compose.step, CheckStep))
        await fits(app, pilot)
        for _ in range(4):
            await pilot.press("tab")
            await fits(app, pilot)
