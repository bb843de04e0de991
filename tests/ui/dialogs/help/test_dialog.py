"""The help: typing searches keys and pages, enter reads a page at the section that was found."""

from __future__ import annotations

from textual.containers import VerticalScroll

from tests.ui.conftest import fake_app, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.ui.dialogs.help.dialog import HelpDialog
from tui.ui.dialogs.help.topic import TopicDialog


async def test_typing_finds_keys_and_topics_and_enter_reads_one(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (80, 24)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        assert "Type to search" in screen_text(app)
        assert "All jobs of all accounts" in screen_text(app)

        await pilot.press(*"budget")
        await until(pilot, lambda: "costs › Budgets" in screen_text(app))
        assert "Change theme, density, budget" in screen_text(app)
        assert "All jobs of all accounts" not in screen_text(app)

        await pilot.press(*" per_month")
        await until(pilot, lambda: "Change theme" not in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TopicDialog))
        await until(pilot, lambda: "batchdeck help costs" in screen_text(app))
        await until(pilot, lambda: "per_submit = 5.00" in screen_text(app))
        assert app.screen.query_one(VerticalScroll).scroll_y > 5

        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        await pilot.press(*" nowhere")
        await until(pilot, lambda: "Nothing in the keys and topics" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_a_key_finds_its_command_and_the_same_key_closes(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        await pilot.press("f", "9")
        await until(pilot, lambda: "next step of the tour" in screen_text(app))
        await pilot.press("backspace", "backspace", "question_mark")
        await until(pilot, lambda: app.screen is app.main)
