"""Tags, notes, details, accounts and sorting in the Batches pane."""

from __future__ import annotations

import msgspec
import pytest
from textual.widgets import Input, OptionList

from tests.ui.conftest import BatchdeckPilot, fake_app, running, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job, with_counts
from tui.core.jobs import Batch, BatchStatus, Cost, Counts, Job, Submission
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.dialogs.input import InputDialog
from tui.ui.dialogs.text import DetailsDialog
from tui.ui.state import State


def names(app: BatchdeckApp) -> list[str]:
    """The jobs in the list, in their order."""
    board, source = app.main.batches.board, app.main.batches.jobs_table.source
    assert board is not None
    views = [board.view(str(source.row_id(n))) for n in range(source.row_count())]
    return [view.job.name for view in views if view is not None]


async def ask(app: BatchdeckApp, pilot: BatchdeckPilot, key: str, text: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, InputDialog))
    app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await until(pilot, lambda: app.screen is app.main)


async def test_tags_and_notes_are_written_shown_and_found(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        await ask(app, pilot, "t", "#weekly, nl weekly")
        await until(pilot, lambda: "#weekly #nl" in screen_text(app))
        await ask(app, pilot, "N", "the [bold]second[/] prompt")
        await until(pilot, lambda: "the [bold]second[/] prompt" in screen_text(app))
        assert engine.history.jobs.get("job0000001").tags == ("weekly", "nl")
        for text in ("#nl", "weekly", "second"):
            await pilot.press("slash", *text, "enter")
            await until(pilot, lambda: names(app) == ["reviews 1"])
            await pilot.press("escape")
            await until(pilot, lambda: len(names(app)) == 2)


async def test_leaving_the_question_changes_nothing(engine: FakeEngine) -> None:
    engine.history.add(a_job(1, tags=("kept",)))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        assert app.screen.query_one(Input).value == "#kept"
        await pilot.press("x", "escape")
        await until(pilot, lambda: app.screen is app.main)
        assert engine.history.jobs.get("job0000001").tags == ("kept",)


async def test_details_hold_every_fact_and_can_be_copied(engine: FakeEngine) -> None:
    engine.history.add(a_job(1, name="hostile [/\x1b[31m", tags=("a",), cost=Cost(actual=1.5)))
    app = fake_app(engine)
    async with running(app, (120, 60)) as pilot:
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, DetailsDialog))
        text = screen_text(app)
        for fact in (
            "job0000001",
            "batch_1",
            "$1.50",
            "#a",
            "429 rate_limit_exceeded",
            "ImportResult",
        ):
            assert fact in text, fact
        assert "(10 min ago)" in text or "ago)" in text
        await pilot.press("y")
        await until(pilot, lambda: "rate_limit_exceeded" in app.clipboard)
        assert "\x1b" not in app.clipboard
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_one_account_is_listed_and_escape_lists_all(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2, account="work"), a_job(3, account="work"))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        assert "All accounts" in screen_text(app) and "2 jobs" in screen_text(app)
        # The key that opened the list goes down in it.
        await pilot.press("a", "a", "enter")
        await until(pilot, lambda: names(app) == ["reviews 2", "reviews 3"])
        assert "account work" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(names(app)) == 3)


async def test_an_account_is_chosen_by_mouse(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2, account="work"))
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        await pilot.pause()
        await pilot.click(OptionList, offset=(6, 2))
        await until(pilot, lambda: names(app) == ["reviews 2"])


async def test_jobs_are_sorted_by_key_and_by_click(engine: FakeEngine) -> None:
    engine.history.add(
        with_counts(a_job(1, name="b", cost=Cost(actual=2.0)), succeeded=1000),
        with_counts(a_job(2, name="c"), succeeded=900, failed=100),
        with_counts(a_job(3, name="A", cost=Cost(estimated=3.0)), succeeded=950, failed=50),
    )
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        assert names(app) == ["b", "c", "A"]
        await pilot.press("right", "s")
        await until(pilot, lambda: names(app) == ["A", "b", "c"])
        await pilot.press("s")
        await until(pilot, lambda: names(app) == ["c", "b", "A"])
        await pilot.press("right", "right", "right", "s")
        await until(pilot, lambda: names(app) == ["c", "A", "b"])
        header = screen_text(app).splitlines()[3]
        await pilot.click("#jobs", offset=(header.index("Cost") - 1, 0))
        # What nobody knows the cost of stands last, whichever way round.
        await until(pilot, lambda: names(app) == ["A", "b", "c"])
        await pilot.click("#jobs", offset=(header.index("Cost") - 1, 0))
        await until(pilot, lambda: names(app) == ["b", "A", "c"])


async def test_filter_order_and_account_are_found_again(engine: FakeEngine) -> None:
    engine.history.add(
        a_job(1, name="one zz", account="work"),
        a_job(2, name="two zz", account="work"),
        a_job(3, name="three", account="work"),
        a_job(4, name="four zz"),
    )
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("right", "s", "s", "a", "down", "down")
        await until(pilot, lambda: isinstance(app.screen, ChooseDialog))
        await pilot.press("enter")
        await pilot.press("slash", *"zz", "enter")
        await until(pilot, lambda: names(app) == ["two zz", "one zz"])
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    kept = State.load(engine.paths)
    assert (kept.search, kept.account, kept.sort, kept.descending) == ("zz", "work", "name", True)
    again = fake_app(engine)
    async with running(again) as pilot:
        assert names(again) == ["two zz", "one zz"]
        assert "account work" in screen_text(again)
        await pilot.press("escape")
        await until(pilot, lambda: len(names(again)) == 4)


def count_stuck(number: int, **changes: object) -> tuple[Job, Batch]:
    counts = Counts(total=1000, pending=1000)
    job = a_job(number, status=BatchStatus.VALIDATING, counts=counts, ended_at=None)
    batch = Batch(
        id="b1",
        job_id=job.id,
        account="sandbox",
        rows=1000,
        submission=Submission.RUNNING,
        status=BatchStatus.VALIDATING,
        submitted_at=NOW - 2400,
    )
    return job, msgspec.structs.replace(batch, **changes)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_what_hangs_is_flagged_in_list_strip_and_top(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    job, batch = count_stuck(1)
    engine.history.add(job)
    engine.history.batch_lists[job.id] = [batch]
    app = fake_app(engine)
    async with running(app, size) as pilot:
        await until(pilot, lambda: "validating for 40 min" in screen_text(app))
        assert "! stuck" in screen_text(app)
        assert "! 1 needs attention" in screen_text(app)


async def test_ten_thousand_jobs_are_listed_searched_and_sorted(engine: FakeEngine) -> None:
    engine.history.add(*(a_job(number) for number in range(1, 10_001)))
    engine.history.add(a_job(20_000, name="the needle", tags=("found",)))
    app = fake_app(engine)
    async with running(app) as pilot:
        assert app.main.batches.jobs_table.row_count == 10_001
        await pilot.press("slash", *"#found", "enter")
        await until(pilot, lambda: names(app) == ["the needle"])
        await pilot.press("escape", "right", "s")
        await until(pilot, lambda: names(app)[0] == "reviews 1")
        await pilot.press("G")
        await until(pilot, lambda: "the needle" in screen_text(app))
