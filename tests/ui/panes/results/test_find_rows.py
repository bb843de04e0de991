"""The Results pane: finding rows by a query, arranging the table, working on groups of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual.events import Click
from textual.widgets import Input, OptionList

from tests.ui.conftest import BatchdeckPilot, fake_app, notes, running, screen_text, until
from tests.ui.fakes import KEYS, FakeEngine, a_job, with_counts
from tui.core.analysis.views import View
from tui.core.query import RowFilter, RowSort
from tui.core.rows import UNANSWERED, Outcome
from tui.engine.events import RowsCollected
from tui.store.views import Views
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.retry import RetryDialog, RetryEditDialog
from tui.ui.dialogs.rows.columns import ColumnsDialog
from tui.ui.dialogs.rows.views import ViewsDialog
from tui.ui.state import MAX_REMEMBERED_JOBS, RowViewState, State, TableLayout
from tui.ui.widgets.error_groups import ErrorGroups
from tui.ui.widgets.filter_line import ChipBar
from tui.ui.widgets.row_columns import ROW_COLUMNS
from tui.ui.widgets.table.table import VirtualTable

WIDE = (130, 40)


async def opened(app: BatchdeckApp, pilot: BatchdeckPilot) -> VirtualTable:
    await pilot.press("enter")
    await until(pilot, lambda: app.main.pane == "results")
    await until(pilot, lambda: app.main.results.query_one(ErrorGroups).row_count)
    return app.main.results.rows_table


@asynccontextmanager
async def looking(
    engine: FakeEngine, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[BatchdeckApp, BatchdeckPilot, VirtualTable]]:
    """The rows of a job of a thousand."""
    engine.history.add(a_job())
    app = fake_app(engine)
    async with running(app, size) as pilot:
        yield app, pilot, await opened(app, pilot)


async def ask(app: BatchdeckApp, pilot: BatchdeckPilot, words: str) -> None:
    """Open the line, let words be in it, and keep them."""
    await pilot.press("slash")
    app.main.results.query_one("#filter-input", Input).value = words
    await pilot.press("enter")


def selections(engine: FakeEngine) -> list[RowFilter]:
    return [asked[1] for asked in engine.asked if asked[0] == "select"]


async def test_a_query_is_typed_completed_and_kept_as_chips(engine: FakeEngine) -> None:
    async with looking(engine) as (app, pilot, rows):
        await pilot.press("slash")
        await until(pilot, lambda: "tokens:>500" in screen_text(app))
        hint = next(line for line in screen_text(app).split("\n") if "tokens:>500" in line)
        assert "…" not in hint
        await pilot.press(*"outcome:fa")
        await until(pilot, lambda: "tab outcome:failed" in screen_text(app))
        await pilot.press("tab", "space", *"code:429")
        await until(pilot, lambda: rows.row_count == 10)
        assert rows.has_focus is False
        await pilot.press("enter")
        await until(pilot, lambda: rows.has_focus)
        text = screen_text(app)
        assert "outcome:failed ✕" in text and "code:429 ✕" in text
        assert "10 of 1,000" in text
        assert selections(engine)[-1] == RowFilter(
            outcomes=frozenset({Outcome.FAILED}), codes=frozenset({"429"})
        )


async def test_a_mistake_is_told_below_the_line_and_mended_with_tab(engine: FakeEngine) -> None:
    async with looking(engine) as (app, pilot, rows):
        await pilot.press("slash")
        app.main.results.query_one("#filter-input", Input).value = "outcome:faild "
        await until(pilot, lambda: "Unknown outcome 'faild'" in screen_text(app))
        await pilot.press("enter")
        assert app.focused is not None and app.focused.id == "filter-input"
        await pilot.press("tab", "enter")
        await until(pilot, lambda: rows.has_focus)
        assert app.main.results.where == "outcome:failed"
        await until(pilot, lambda: rows.row_count == 20)
        assert "Unknown outcome" not in screen_text(app)


async def test_a_chip_is_taken_away_by_mouse_and_by_key(engine: FakeEngine) -> None:
    async with looking(engine) as (app, pilot, rows):
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        await pilot.press("slash")
        field = app.main.results.query_one("#filter-input", Input)
        assert field.value == "outcome:unanswered "
        await pilot.press(*"code:400", "down")
        await until(pilot, lambda: rows.row_count == 10)
        await pilot.click(ChipBar, offset=(3, 0))
        await until(pilot, lambda: app.main.results.where == "code:400")
        rows.focus()
        await pilot.press("shift+tab")
        assert isinstance(app.focused, ChipBar)
        await pilot.press("delete")
        await until(pilot, lambda: rows.row_count == 1000)
        assert app.main.results.where == ""
        assert rows.has_focus


async def test_escape_stops_a_search_and_then_clears_it(engine: FakeEngine) -> None:
    engine.slow_for = True
    async with looking(engine) as (app, pilot, rows):
        await ask(app, pilot, "needle")
        # The first hit is there while the search goes on.
        await until(pilot, lambda: rows.row_count == 1)
        await until(pilot, lambda: "searching 1 of 1,000" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "stopped 1 of 1,000" in screen_text(app))
        assert app.main.results.where == "needle"
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 1000)
        assert "stopped" not in screen_text(app)


async def test_data_that_arrives_does_not_start_a_search_anew(engine: FakeEngine) -> None:
    engine.slow_for = True
    async with looking(engine) as (app, pilot, rows):
        await ask(app, pilot, "needle")
        await until(pilot, lambda: rows.row_count == 1)
        searches = len(selections(engine))
        for _ in range(5):
            engine.events.publish(RowsCollected("job0000001", "b1", 1000))
            await pilot.pause()
        assert len(selections(engine)) == searches
        engine.slow_for = False
        # It is done once more when the first one has come to its end.
        await until(pilot, lambda: len(selections(engine)) == searches + 1)


async def test_a_view_is_kept_by_a_name_used_renamed_and_removed(engine: FakeEngine) -> None:
    kept = Views(engine.paths)
    async with looking(engine) as (app, pilot, rows):
        await ask(app, pilot, "code:429")
        await until(pilot, lambda: rows.row_count == 10)
        rows.sort_by("output_tokens")
        rows.choose_columns(["custom_id", "output_tokens", "preview"])
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ViewsDialog))
        await pilot.press(*"too fast", "enter")
        await until(pilot, lambda: app.screen is app.main)
        (view,) = kept.all().values()
        assert view == View(
            where="code:429",
            sort=(("output_tokens", False),),
            columns=("custom_id", "output_tokens", "answer"),
            job="job0000001",
        )
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 1000)
        rows.choose_columns(["custom_id", "preview"])
        rows.sort_by("seq")
        await pilot.press("F")
        await until(pilot, lambda: "too fast" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: rows.row_count == 10)
        assert [column.key for column in rows.columns] == ["custom_id", "output_tokens", "preview"]
        assert rows.asked.sort == RowSort(column="output_tokens")
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ViewsDialog))
        await pilot.press("r", "end", *" now", "enter")
        await until(pilot, lambda: list(kept.all()) == ["too fast now"])
        await until(pilot, lambda: "too fast now" in screen_text(app))
        await pilot.press("d")
        await until(pilot, lambda: kept.all() == {})
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_a_view_is_used_in_another_job_and_restored_when_it_is_opened_again(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job(), a_job(2))
    columns = ("seq", "outcome", "answer")
    Views(engine.paths).save(
        "failed", View(where="code:429", sort=(("cost", True),), columns=columns, job="job0000001")
    )
    async with looking(engine) as (app, pilot, rows):
        app.main.open_job("job0000002")
        await until(pilot, lambda: rows.job is not None and rows.job.id == "job0000002")
        await pilot.press("F")
        await until(pilot, lambda: "failed" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: rows.row_count == 10)
        app.main.open_job("job0000001")
        await until(pilot, lambda: rows.row_count == 1000)
        assert "outcome" in [column.key for column in rows.columns][1:3]
        assert len(rows.columns) > 3
        app.main.open_job("job0000002")
        await until(pilot, lambda: rows.row_count == 10)
        assert rows.view == View(
            where="code:429", sort=(("cost", True),), columns=columns, job="job0000002"
        )


async def test_a_view_of_the_same_name_is_overwritten_after_a_yes_only(engine: FakeEngine) -> None:
    kept = Views(engine.paths)
    kept.save("slow", View(where="code:400"))
    async with looking(engine) as (app, pilot, _rows):
        await ask(app, pilot, "code:429")
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ViewsDialog))
        await until(pilot, lambda: "slow" in screen_text(app))
        await pilot.press("tab", *"slow", "enter")
        await until(pilot, lambda: "Overwrite the view?" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ViewsDialog))
        assert kept.get("slow").where == "code:400"
        await pilot.press("enter", "y")
        await until(pilot, lambda: app.screen is app.main)
        assert kept.get("slow").where == "code:429"


async def test_filters_that_were_saved_before_are_views(engine: FakeEngine) -> None:
    State(filters={"too fast": "code:429"}).save(engine.paths)
    async with looking(engine):
        assert Views(engine.paths).all() == {"too fast": View(where="code:429")}
        assert State.load(engine.paths).filters == {}


async def test_columns_are_chosen_ordered_and_remembered(engine: FakeEngine) -> None:
    engine.history.add(a_job(), a_job(2, endpoint="/v1/embeddings"))
    app = fake_app(engine)
    async with running(app, WIDE) as pilot:
        rows = await opened(app, pilot)
        assert [column.key for column in rows.columns][:3] == ["seq", "custom_id", "outcome"]
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        # The place in the input goes; the id changes places with the outcome.
        await pilot.press("space", "j", "J", "enter")
        await until(pilot, lambda: app.screen is app.main)
        assert [column.key for column in rows.columns][:2] == ["outcome", "custom_id"]
        header = next(line for line in screen_text(app).split("\n") if "Answer" in line)
        assert header.index("Outcome") < header.index("Id")
        app.main.open_job("job0000002")
        await pilot.pause()
        assert rows.columns[0].key == "seq"
        app.main.open_job("job0000001")
        await pilot.pause()
        assert rows.columns[0].key == "outcome"
        looks = State.load(engine.paths).looks
        assert looks["/v1/chat/completions"].columns[:2] == ["outcome", "custom_id"]
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await pilot.click("#columns", offset=(4, 0))
        await pilot.press("r", "enter")
        await until(pilot, lambda: app.screen is app.main)
        assert rows.columns[0].key == "seq"


async def test_a_table_without_a_column_is_refused(engine: FakeEngine) -> None:
    async with looking(engine, WIDE) as (app, pilot, _):
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        dialog = app.screen
        assert isinstance(dialog, ColumnsDialog)
        listed = dialog.query_one(OptionList)
        # What is not shown at first stands at the end.
        for index in range(len(ROW_COLUMNS)):
            listed.highlighted = index
            listed.action_select()
        await pilot.pause()
        await pilot.press("enter")
        assert app.screen is dialog


async def test_columns_are_resized_by_keys_and_by_their_edge(engine: FakeEngine) -> None:
    async with looking(engine, WIDE) as (app, pilot, rows):

        def width(key: str) -> int:
            layout = rows.layout_of(rows.scrollable_content_region.width)
            return next(cells for _, column, cells in layout if column.key == key)

        before = width("custom_id")
        await pilot.press("l", "greater_than_sign", "greater_than_sign", "less_than_sign")
        assert width("custom_id") == before + 2
        edge = 2 + width("seq") + 2 + width("custom_id")
        await pilot.mouse_down(rows, offset=(edge, 0))
        await pilot.hover(rows, offset=(edge + 5, 0))
        await pilot.mouse_up(rows, offset=(edge + 5, 0))
        await pilot.pause()
        assert width("custom_id") == before + 7
        assert app.main.results.rows_table.look.widths == {"custom_id": before + 7}
        # A drag is no click, however late the click of its release comes.
        await pilot.pause(0.1)
        await pilot._post_mouse_events([Click], rows, offset=(edge - 12, 0), button=1)
        await pilot.pause()
        assert rows.sort_column == "seq"
        asked = len(selections(engine))
        await pilot.click(rows, offset=(edge - 12, 0))
        await until(pilot, lambda: len(selections(engine)) > asked)
        assert rows.sort_column == "custom_id"


async def test_every_offered_column_of_a_row_sorts(engine: FakeEngine) -> None:
    async with looking(engine, (200, 40)) as (app, pilot, rows):
        for column in rows.columns:
            if column.key == "preview":
                rows.column_cursor = len(rows.columns) - 1
                await pilot.press("s")
                assert notes(app)[-1].startswith("Cannot sort by Answer")
                continue
            assert column.sortable, column.key
            rows.column_cursor = [other.key for other in rows.columns].index(column.key)
            asked = len(engine.asked)
            await pilot.press("s")
            await until(pilot, lambda asked=asked: len(engine.asked) > asked)
            order = engine.asked[-1][2]
            assert order.column == column.key
        assert app.main.results.rows_table.look.sort == "cost"


async def test_the_order_is_remembered_for_the_kind_of_job(engine: FakeEngine) -> None:
    state = State(
        looks={"/v1/chat/completions": TableLayout(sort="output_tokens", descending=True)}
    )
    state.save(engine.paths)
    async with looking(engine, WIDE) as (app, pilot, _):
        await until(pilot, lambda: any(asked[0] == "select" for asked in engine.asked))
        assert engine.asked[-1][2] == RowSort(column="output_tokens", descending=True)
        assert "Out↓" in screen_text(app)


async def test_the_rows_that_were_looked_at_are_found_again(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app, WIDE) as pilot:
        rows = await opened(app, pilot)
        first = app.main.results.job_id
        await ask(app, pilot, "code:429 outcome:failed")
        await until(pilot, lambda: rows.row_count == 10)
        await pilot.press("right", "s")
        sort = app.main.results.rows_table.asked.sort
        assert sort != RowSort()
        # Another job has its own filter, which is none.
        await pilot.press("2", "down")
        await opened(app, pilot)
        assert app.main.results.job_id != first
        assert app.main.results.where == ""
        await pilot.press("2", "up")
        await opened(app, pilot)
        assert app.main.results.where == "code:429 outcome:failed"
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    again = fake_app(engine)
    async with running(again, WIDE) as pilot:
        await until(pilot, lambda: again.main.results.rows_table.row_count == 10)
        assert again.main.results.job_id == first
        assert again.main.results.rows_table.asked.sort == sort
        assert "code:429 ✕" in screen_text(again)
        await until(pilot, lambda: again.main.results.rows_table.has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: again.main.results.rows_table.row_count > 10)
        await pilot.press("q")
        await until(pilot, lambda: not again.is_running)
    # All rows in the order of its kind: nothing to remember.
    assert first not in State.load(engine.paths).rows


def test_what_is_remembered_of_jobs_is_bounded() -> None:
    state = State()
    for number in range(MAX_REMEMBERED_JOBS + 5):
        state.remember_rows(f"job{number}", RowViewState(f"code:{number}"))
    state.remember_rows("job10", RowViewState("code:1"))
    assert len(state.rows) == MAX_REMEMBERED_JOBS
    assert "job4" not in state.rows and list(state.rows)[-1] == "job10"
    state.remember_rows("job10", None)
    assert "job10" not in state.rows


class Table:
    """The columns of a table, as the history reads them."""

    columns = ("id", "review", "stars")

    def rows(self, seqs: Any) -> list[tuple[Any, ...] | None]:
        return [(f"r{seq}", f"Broke [after] {seq} weeks\x1b", seq % 5) for seq in seqs]

    def close(self) -> None:
        pass


async def test_the_columns_of_the_table_stand_beside_the_answers(engine: FakeEngine) -> None:
    engine.history.tables["job0000001"] = Table()
    async with looking(engine, (130, 45)) as (app, pilot, rows):
        await until(pilot, lambda: "Broke [a" in screen_text(app))
        keys = [column.key for column in rows.columns]
        assert keys[2:4] == ["input:review", "input:stars"]
        assert "\x1b" not in screen_text(app)
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        assert "input column" in screen_text(app)


async def test_groups_take_one_line_on_a_low_screen_until_they_have_the_keys(
    engine: FakeEngine,
) -> None:
    async with looking(engine) as (app, pilot, rows):
        groups = app.main.results.query_one(ErrorGroups)
        assert groups.is_folded and groups.size.height == 1
        assert "2 problems" in screen_text(app)
        height = rows.size.height
        await pilot.press("E")
        await until(pilot, lambda: groups.size.height == 2)
        assert "fix the request" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: rows.size.height == height)
        assert rows.has_focus


async def test_one_key_shows_a_group_and_one_sends_it_again(engine: FakeEngine) -> None:
    async with looking(engine, WIDE) as (app, pilot, _):
        text = screen_text(app)
        assert "transient" in text and "Rate limit reached" in text and "1%" in text
        await pilot.press("E", "r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        assert engine.asked[-1][0] == "plan_retry"
        planned = [asked for asked in engine.asked if asked[0] == "plan_retry"]
        assert planned[-1][2] == RowFilter(groups=frozenset({KEYS[0]}))
        assert "429 rate_limit_exceeded" in screen_text(app)


async def test_a_job_with_cut_answers_alone_can_be_sent_again_by_its_group(
    engine: FakeEngine,
) -> None:
    engine.history.add(with_counts(a_job(), succeeded=980, truncated=20))
    app = fake_app(engine)
    async with running(app, WIDE) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.pane == "results")
        results = app.main.results
        assert results.why_disabled("retry") == "Every row has an answer."
        await ask(app, pilot, "outcome:truncated")
        await until(pilot, lambda: results.where == "outcome:truncated")
        assert results.why_disabled("retry") == ""


async def test_marks_are_sent_whatever_is_shown(engine: FakeEngine) -> None:
    async with looking(engine) as (app, pilot, rows):
        await pilot.press("space")
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        await pilot.press("space")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        planned = next(asked for asked in engine.asked if asked[0] == "plan_retry")
        assert len(planned[2]) == 2 and planned[2][0] == 0
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("A")
        await until(pilot, lambda: "20 marked" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        planned = [asked for asked in engine.asked if asked[0] == "plan_retry"][-1]
        assert len(planned[2]) == 20


@pytest.mark.parametrize("key", ["r", "R"])
async def test_a_row_that_is_read_is_the_one_that_is_retried(engine: FakeEngine, key: str) -> None:
    async with looking(engine) as (app, pilot, rows):
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        await pilot.press("j", "enter")
        await until(pilot, lambda: app.main.results.is_reading)
        seq = rows.cursor_id
        await until(pilot, lambda: app.main.results.why_disabled("retry") == "")
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, RetryDialog | RetryEditDialog))
        planned = [asked for asked in engine.asked if asked[0] == "plan_retry"][-1]
        assert list(planned[2]) == [seq] and "this row" in screen_text(app)


async def test_a_row_that_waits_for_its_answer_cannot_be_retried(engine: FakeEngine) -> None:
    engine.history.add(with_counts(a_job(), succeeded=980, truncated=20))
    app = fake_app(engine)
    async with running(app, WIDE) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: app.main.pane == "results")
        await pilot.press("enter")
        results = app.main.results
        await until(pilot, lambda: results.is_reading and results.why_disabled("retry") == "")
        detail = results._view.detail
        assert detail is not None
        waiting = msgspec.structs.replace(detail.row, outcome=Outcome.PENDING)
        results._view._detail = msgspec.structs.replace(detail, row=waiting)
        assert results.why_disabled("retry") == "This row has no answer yet."


@pytest.mark.parametrize(
    ("keys", "advice"),
    [
        (("e",), "Temporary error: r retries the rows shown."),
        (("e", "escape", "E", "enter"), "Temporary error: r retries the rows shown."),
        (("e", "space", "k"), "Temporary error: r retries the marked rows."),
        (("e", "enter"), "Temporary error: retry this row with r."),
        (("e", "space", "k", "enter"), "Temporary error: r retries the marked rows."),
        (("e", "enter", "escape"), "Temporary error: r retries the rows shown."),
    ],
    ids=["errors only", "a group", "marks", "one row", "one row and marks", "back from one row"],
)
async def test_the_advice_on_an_error_names_the_rows_that_r_retries(
    engine: FakeEngine, keys: tuple[str, ...], advice: str
) -> None:
    """An error beside the table and one that fills the pane: r takes other rows there."""
    async with looking(engine, (140, 40)) as (app, pilot, rows):
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        await pilot.press(*keys[1:])

        def shown() -> str:
            reading = app.main.results.view.answer_reading
            return "" if reading is None else reading.shown.plain

        await until(pilot, lambda: advice in shown())


async def test_what_is_filtered_by_text_keeps_to_rows_without_an_answer(
    engine: FakeEngine,
) -> None:
    async with looking(engine) as (app, pilot, rows):
        await ask(app, pilot, "tokens:>5 row-00001")
        await until(pilot, lambda: rows.has_focus)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        planned = next(asked for asked in engine.asked if asked[0] == "plan_retry")
        assert planned[2].outcomes == UNANSWERED
        assert planned[2].text == "row-00001" and planned[2].tokens.least == 6
