"""The Results pane: finding, marking, reading and sending rows again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import BatchdeckPilot, fake_app, notes, running, screen_text, until
from tests.ui.fakes import FakeEngine, a_job, with_counts
from tui.core.jobs import BatchStatus, Counts
from tui.core.rows import UNANSWERED
from tui.engine.events import RowsCollected
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.retry import RetryDialog, RetryEditDialog


async def opened(app: BatchdeckApp, pilot: BatchdeckPilot) -> Any:
    """Open the only job; the table of its rows."""
    await pilot.press("enter")
    await until(pilot, lambda: app.main.pane == "results")
    return app.main.results.rows_table


async def test_a_million_rows_are_there_at_once(engine: FakeEngine) -> None:
    engine.history.add(a_job(rows=1_000_000))
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        assert rows.row_count == 1_000_000
        assert engine.history.rows_read <= 200
        await pilot.press("G")
        await until(pilot, lambda: "row-0999998" in screen_text(app))
        assert engine.history.rows_read <= 400


async def test_rows_that_are_done_at_the_provider_are_not_called_pending(
    engine: FakeEngine,
) -> None:
    counts = Counts(total=1000, pending=1000)
    engine.history.add(a_job(status=BatchStatus.IN_PROGRESS, counts=counts, ended_at=None))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.pane == "results")
        app.main.results.show_done(400)
        await until(pilot, lambda: "400 done, not downloaded yet" in screen_text(app))
        assert "600 pending" in screen_text(app)


async def test_the_filter_and_the_count_are_always_on_the_screen(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        assert "1,000 of 1,000" in screen_text(app)
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        assert "errors only" in screen_text(app)
        assert "20 of 1,000" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 1000)
        await pilot.press("slash", *"row-00001", "enter")
        await until(pilot, lambda: rows.row_count == 100)
        assert "contains 'row-00001'" in screen_text(app)


async def test_a_view_that_a_larger_terminal_has_room_for_shows_the_row_at_the_cursor(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, size=(120, 36)) as pilot:
        rows = await opened(app, pilot)
        view = app.main.results.view
        await until(pilot, lambda: view.detail is not None and view.detail.row.seq == 0)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not view.display)
        rows.move_to(7)
        await until(pilot, lambda: rows.cursor_id == 7)
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: view.detail is not None and view.detail.row.seq == 7)


async def test_the_cursor_stays_on_its_row_through_filters(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        rows.move_to(549)
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        assert rows.cursor_id == 549
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 1000)
        assert rows.cursor_id == 549


async def test_a_group_of_errors_filters_to_itself(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        assert "rate_limit" in screen_text(app)
        await pilot.press("E", "j", "enter")
        await until(pilot, lambda: rows.row_count == 10)
        assert "error 400 invalid_request_error" in screen_text(app)
        assert rows.has_focus
        await pilot.press("E", "enter")
        await until(pilot, lambda: rows.row_count == 1000)


async def test_sorting_again_turns_it_round(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (120, 30)) as pilot:
        rows = await opened(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: rows.source.selection.seqs[0] == 999)
        assert "#↓" in screen_text(app)


async def test_rows_that_come_in_are_shown_in_place(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        await pilot.press("j", "j")
        engine.history.answer = "fresh words"
        engine.events.publish(RowsCollected("job0000001", "b1", 1000))
        await until(pilot, lambda: "fresh words" in screen_text(app))
        assert rows.cursor == 2


async def test_reading_walks_through_rows(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Question number 0" in screen_text(app))
        assert "Answer number 0" in screen_text(app)
        await pilot.press("n", "n", "p")
        await until(pilot, lambda: "Question number 1" in screen_text(app))
        await pilot.press("w")
        await until(pilot, lambda: '"custom_id": "row-0000001"' in screen_text(app))
        await pilot.press("q")
        await until(pilot, lambda: not app.main.results.is_reading)
        assert app.is_running
        assert rows.has_focus


async def test_an_error_is_read_in_the_words_of_the_provider(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (120, 40)) as pilot:
        rows = await opened(app, pilot)
        rows.move_to(99)
        await pilot.press("enter")
        await until(pilot, lambda: "temperature is too high" in screen_text(app))
        assert "400 invalid_request_error" in screen_text(app)
        assert "will fail again" in screen_text(app)


HOSTILE = (
    "[/ [red]x[/red] [bold \x1b[31mred\x1b[0m\x07 right \u202e left 👩‍👩‍👧‍👦 nul \x00 and \ud800",
    '{"a": [true, false, "[/"]}',
)


@pytest.mark.parametrize("answer", HOSTILE, ids=["words", "json"])
async def test_hostile_answers_are_only_shown(engine: FakeEngine, answer: str) -> None:
    engine.history.add(a_job(name=f"name {answer}", model=f"model {answer}"))
    engine.history.answer = answer
    app = fake_app(engine)
    async with running(app, (160, 45)) as pilot:
        await opened(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.is_reading)
        text = screen_text(app)
        assert not any(character in text for character in "\x1b\x07\x00\u202e\u200d\ud800")
        await pilot.press("w")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: notes(app))
        await pilot.press("escape", "y", "r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert answer[:20] in screen_text(app)


async def test_what_is_marked_is_sent_again(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("space", "j", "space")
        await until(pilot, lambda: "2 marked" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        assert engine.asked[-1] == ("plan_retry", "job0000001", [0, 2], None)
        assert "the marked rows" in screen_text(app)


async def test_what_is_filtered_is_sent_again_but_only_without_an_answer(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        await pilot.press("slash", *"row-00001", "enter")
        await until(pilot, lambda: rows.row_count == 100)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        wanted = engine.asked[-1][2]
        assert wanted.outcomes == UNANSWERED
        assert wanted.text == "row-00001"


async def test_rows_that_cannot_succeed_stay_out_unless_asked(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        assert "10 rows would fail again and are skipped" in screen_text(app)
        await pilot.press("a")
        await until(pilot, lambda: "and are included" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.main)
        assert ("retry", "job0000001") not in engine.asked


async def test_retry_with_an_edit(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, RetryEditDialog))
        await pilot.press(*"big", "enter", *"x3", "enter")
        await until(pilot, lambda: "+ max_tokens  447" in screen_text(app))
        for words in ("- model  fake-1", "+ model  big", "- max_tokens  149", "cost free"):
            assert words in screen_text(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert app.focused is not None and app.focused.id == "no"
        await pilot.press("ctrl+s", "R", "enter")
        await until(pilot, lambda: isinstance(app.screen, RetryEditDialog))
        assert ("retry", "job0000001") not in engine.asked
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: ("retry", "job0000001") in engine.asked)
        changes = [asked[1] for asked in engine.asked if asked[0] == "changed"]
        assert changes[-1] == {"model": "big", "@max_tokens": "x3"}


async def test_twice_the_tokens_are_offered_for_rows_that_were_cut_off(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    engine.proposed = {"@max_tokens": "x2"}
    app = fake_app(engine)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("R")
        await until(pilot, lambda: "+ max_tokens  298" in screen_text(app))


async def test_rows_that_cannot_be_changed_are_counted_before_and_after(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job(1))
    engine.left_out = 3
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, RetryEditDialog))
        await pilot.press(*"big")
        await until(
            pilot, lambda: "3 rows cannot take this change and are skipped" in screen_text(app)
        )
        await until(
            pilot, lambda: "17 rows" in screen_text(app) and "+ model  big" in screen_text(app)
        )
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Retry 17 rows?" in screen_text(app))
        assert "17, 3 skipped" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: any("3 cannot take this change" in note for note in notes(app)))


async def test_changes_that_make_no_sense_cannot_be_sent(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, (130, 40)) as pilot:
        await opened(app, pilot)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, RetryEditDialog))
        await pilot.press("tab", *"many")
        await until(pilot, lambda: "whole number or a factor" in screen_text(app))
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, RetryEditDialog)
        await pilot.press("ctrl+u", "tab", "tab", "tab", *"model.deep=1")
        await until(pilot, lambda: "does not exist" in screen_text(app))
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, RetryEditDialog)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert ("retry", "job0000001") not in engine.asked


async def test_without_failed_rows_there_is_nothing_to_send_again(engine: FakeEngine) -> None:
    engine.history.add(with_counts(a_job(), succeeded=1000))
    app = fake_app(engine)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["Every row has an answer."]


async def test_escape_goes_back_one_level_at_a_time(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        rows = await opened(app, pilot)
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.is_reading)
        await pilot.press("escape")
        await until(pilot, lambda: not app.main.results.is_reading)
        assert rows.row_count == 20
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 1000)
        assert app.main.pane == "results"
        await pilot.press("escape")
        await until(pilot, lambda: app.main.pane == "batches")


async def test_the_pager_gets_the_whole_answer(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.history.add(a_job())
    engine.history.answer = "long " * 40_000
    seen: list[str] = []
    monkeypatch.setattr("tui.ui.external_programs.command_for", lambda program: ["cat"])
    monkeypatch.setattr(
        "tui.ui.external_programs.run_command",
        lambda command, path: seen.append(path.read_text("utf-8")),
    )
    import contextlib

    app = fake_app(engine)
    monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("v")
        await until(pilot, lambda: seen)
        assert seen[0].count("long ") == 40_000
        assert "Question number 0" in seen[0]


async def test_without_suspend_the_pager_says_so(engine: FakeEngine) -> None:
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("v")
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["Cannot run another program in this terminal"]
