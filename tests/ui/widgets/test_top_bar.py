"""The top line: it shows work in progress, and nothing of work that is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from textual.app import App, ComposeResult

from tests.ui.conftest import fake_app, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job
from tui.core.formatting import size
from tui.ui.models.job_list import JobList
from tui.ui.widgets.top_bar import TopBar


async def test_a_meter_is_gone_as_soon_as_its_work_is_done(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        with app.main.top_bar.meter("Reading", size) as progress:
            progress.update(10, 20)
            await until(pilot, lambda: "Reading 10 B of 20 B" in screen_text(app))
            # A question may follow while the meter is still open.
            progress.update(20, 20)
            await until(pilot, lambda: "Reading" not in screen_text(app))


class _Bar(App[int]):
    """An app that has only a top bar."""

    def compose(self) -> ComposeResult:
        yield TopBar()


@dataclass
class _Board:
    """As much of a list of jobs as the bar reads."""

    stuck: int

    def live(self) -> list[str]:
        return ["one", "two"]

    def count_stuck(self) -> int:
        return self.stuck


async def test_words_are_left_out_whole_where_there_is_no_room() -> None:
    app = _Bar()
    async with app.run_test(size=(80, 1)) as pilot:
        bar = app.query_one(TopBar)
        bar.show("batches", cast(JobList, _Board(1)))
        for width, told in (
            (120, "! 1 needs attention   ◑ 2 running"),
            (80, "! 1 needs attention  ◑ 2 running"),
            (70, "! 1  ◑ 2 running"),
            (58, "! 1  ◑ 2"),
            (120, "! 1 needs attention   ◑ 2 running"),
        ):
            await pilot.resize_terminal(width, 1)
            await until(pilot, lambda told=told: screen_text(app).rstrip().endswith(told))
            assert app.query_one("#running").size.height == 1
