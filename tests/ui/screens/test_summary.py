"""Looking at the whole of a job."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from tests.ui.conftest import real_app, running, screen_text, until
from tests.ui.jobs_with_answers import gate, two_jobs
from tui.core.jobs import Cost
from tui.paths import Paths
from tui.store.rows import summary
from tui.ui.screens.summary import SummaryScreen, summary_cards


async def test_from_batches_to_the_words_of_a_field(paths: Paths) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app, (120, 40)) as pilot:
        await pilot.press("u")
        await until(pilot, lambda: "Values of data.label" in screen_text(app))
        screen = app.screen
        assert isinstance(screen, SummaryScreen)
        reader = screen.reader
        shown = screen_text(app)
        for words in ("large model", "positive", "Length of answers", "median", "took", "1m"):
            assert words in shown, words
        assert "Words in" not in shown

        await pilot.press("f")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await pilot.press(*"data.why", "enter")
        await until(pilot, lambda: "Words in data.why" in screen_text(app))
        assert "delivery" in screen_text(app)
        assert reader.report is not None and "the" in dict(reader.report.words.items)

        await pilot.press("w")
        await until(
            pilot,
            lambda: reader.report and "the" not in dict(reader.report.words.items),
        )
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_from_results(paths: Paths) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count > 1)
        await pilot.press("u")
        await until(pilot, lambda: "Outcomes" in screen_text(app))
        assert "Output tokens" not in screen_text(app)
        await pilot.press("G")
        await until(pilot, lambda: "Finish reasons" in screen_text(app))
        await pilot.press("g")
        await until(pilot, lambda: "Outcomes" in screen_text(app))
        await pilot.press("u")
        await until(pilot, lambda: app.screen is app.main)


async def test_reading_can_be_stopped(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    two_jobs(paths, 1500)
    _, begun = gate(monkeypatch, "tui.store.stored_rows.summarize")
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("u")
        await until(pilot, lambda: begun and "esc stop" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "stopped" in screen_text(app))
        assert "first 500 of 1,500 rows" in screen_text(app)
        stopped = app.screen
        assert isinstance(stopped, SummaryScreen) and stopped.reader.report is not None
        # The cost is that of the job: answers do not cost more because few were read.
        made = msgspec.structs.replace(stopped.reader.report, cost=Cost(actual=3.0))
        title = "Tokens and cost"
        (card,) = (card for card in summary_cards(made, 6) if card.border_title == title)
        shown = "".join(text for line in card._draw(80) for text, _ in line)
        assert "per 1,000  $2.00" in shown
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_the_first_rows_are_shown_while_the_others_are_read(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_jobs(paths, 1500)
    for name in ("_FIRST_SECONDS", "_PARTIAL_SECONDS", "_PARTIAL_SHARE"):
        monkeypatch.setattr(summary, name, 0)
    go = threading.Event()
    read: list[int] = []

    class Held(summary.RowReader):
        """The third page waits until it is let go."""

        def lines(self, *values: Any, **named: Any) -> Any:
            read.append(1)
            assert len(read) < 3 or go.wait(20)
            return super().lines(*values, **named)

    monkeypatch.setattr(summary, "RowReader", Held)
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("u")
        await until(pilot, lambda: app.screen.query("Card"))
        await until(pilot, lambda: "reading 1,000 of 1,500 rows" in screen_text(app))
        screen = app.screen
        assert isinstance(screen, SummaryScreen)
        reader = screen.reader
        await until(pilot, lambda: reader.report is not None and reader.report.rows == 1000)
        cards = list(screen.query("Card"))
        await pilot.press("j", "j")
        await until(pilot, lambda: screen.query_one("CardColumns").scroll_offset.y)
        go.set()
        await until(pilot, lambda: reader.report is not None and reader.report.is_whole)
        await until(pilot, lambda: "1,500 rows · 1,500 answers" in screen_text(app))
        # Nothing jumps: the same plots, where they were scrolled to.
        assert list(screen.query("Card")) == cards
        assert screen.query_one("CardColumns").scroll_offset.y
        await pilot.press("g")
        await until(pilot, lambda: "599" in screen_text(app))


async def test_it_is_read_once_while_the_job_stays_as_it_is(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_jobs(paths)
    let_go, begun = gate(monkeypatch, "tui.store.stored_rows.summarize")
    let_go()
    app = real_app(paths)
    async with running(app) as pilot:
        for _ in range(2):
            await pilot.press("u")
            await until(
                pilot, lambda: isinstance(app.screen, SummaryScreen) and app.screen.reader.report
            )
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.main)
    assert begun == [1]


@pytest.fixture
def damaged(paths: Paths) -> None:
    _, newer = two_jobs(paths)
    for file in paths.job_folder(newer).glob("*.output.jsonl"):
        file.write_bytes(file.read_bytes().replace(b"custom_id", b"custom-id"))


@pytest.mark.usefixtures("damaged")
async def test_a_damaged_file_is_told(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("u")
        # The toast is narrow: the end of the sentence is on its second line.
        await until(pilot, lambda: "was changed or" in screen_text(app))
        await until(pilot, lambda: app.screen is app.main)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (140, 40), (200, 60)])
async def test_nothing_is_cut_at_any_size(paths: Paths, size: tuple[int, int]) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app, size) as pilot:
        await pilot.press("u")
        await until(
            pilot, lambda: isinstance(app.screen, SummaryScreen) and app.screen.reader.report
        )
        await until(pilot, lambda: app.screen.query("Card"))
        for card in app.screen.query("Card"):
            lines = card.render()
            assert max(len(line) for line in lines.plain.split("\n")) <= card.content_size.width
            assert len(lines.plain.split("\n")) == card.content_size.height
