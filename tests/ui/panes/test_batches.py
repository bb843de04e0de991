"""The Batches pane: what it shows while jobs run, and what its keys ask for."""

from __future__ import annotations

import msgspec
import pytest
from textual.events import DescendantFocus

from tests.ui.conftest import fake_app, notes, running, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job, with_counts
from tui.config.settings import load_config
from tui.core.jobs import Batch, BatchStatus, Counts, RemoteCounts, Submission
from tui.engine.events import (
    BatchEnded,
    BatchSubmitted,
    CountsChanged,
    JobChanged,
    JobDeleted,
    JobImported,
    SendPaused,
    SubmitFinished,
    SubmitStarted,
    UploadProgressed,
)
from tui.ui.activity_log import ActivityLog
from tui.ui.dialogs.confirm import ConfirmDialog, DeleteDialog
from tui.ui.engine_updates import EngineUpdates
from tui.ui.screens import main


def live(number: int = 1, done: int = 0, **changes: object) -> tuple[object, Batch]:
    job = a_job(
        number,
        status=BatchStatus.IN_PROGRESS,
        counts=Counts(total=1000, pending=1000),
        ended_at=None,
        **changes,
    )
    batch = Batch(
        id="b1",
        job_id=job.id,
        account="sandbox",
        rows=1000,
        submission=Submission.RUNNING,
        status=BatchStatus.IN_PROGRESS,
        raw_status="in_progress",
        remote_counts=RemoteCounts(total=1000, completed=done, failed=0),
        expires_at=NOW + 7200,
    )
    return job, batch


async def test_without_jobs_it_says_which_keys_begin(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app):
        text = screen_text(app)
        assert "No jobs yet" in text
        assert "import a file" in text
        assert "sandbox" in text
        assert "batchdeck tour" in text


async def test_counts_grow_without_moving_the_cursor(engine: FakeEngine) -> None:
    for number in range(2, 40):
        engine.history.add(a_job(number))
    job, batch = live(1)
    engine.history.add(job)  # type: ignore[arg-type]
    engine.history.batch_lists[job.id] = [batch]  # type: ignore[attr-defined]
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        await pilot.press("j", "j", "j")
        here = app.main.batches.job
        for done in (100, 400, 700):
            counts = RemoteCounts(total=1000, completed=done, failed=0)
            engine.history.batch_lists[batch.job_id] = [
                msgspec.structs.replace(batch, remote_counts=counts)
            ]
            engine.events.publish(JobChanged(batch.job_id))
            await until(pilot, lambda done=done: f"{done}/1,000" in screen_text(app))
        assert app.main.batches.job == here
        assert "1 running" in screen_text(app)


async def test_a_new_job_comes_in_on_top_and_the_cursor_stays(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("j")
        engine.history.add(a_job(9, name="brand new", created_at=NOW))
        engine.events.publish(JobImported("job0000009"))
        await until(pilot, lambda: "brand new" in screen_text(app))
        assert app.main.batches.job is not None
        assert app.main.batches.job.name == "reviews 2"
        del engine.history.entries["job0000009"]
        engine.events.publish(JobDeleted("job0000009"))
        await until(pilot, lambda: "brand new" not in screen_text(app))


async def test_a_draft_that_is_being_sent_does_not_ask_to_be_sent(engine: FakeEngine) -> None:
    engine.history.add(a_job(1, status=BatchStatus.DRAFT))
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: "Not submitted" in screen_text(app))
        engine.events.publish(SubmitStarted("job0000001"))
        await until(pilot, lambda: "preparing to send" in screen_text(app))
        assert "Not submitted" not in screen_text(app)
        engine.events.publish(SubmitFinished("job0000001"))
        await until(pilot, lambda: "Not submitted" in screen_text(app))


async def test_another_program_may_change_anything(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app) as pilot:
        engine.history.add(a_job(5, name="from elsewhere", created_at=NOW))
        engine.events.publish(JobChanged(""))
        await until(pilot, lambda: "from elsewhere" in screen_text(app))


async def test_a_thousand_events_are_four_looks_a_second(engine: FakeEngine) -> None:
    import asyncio

    told = asyncio.Event()
    count: list[int] = []

    def tell() -> None:
        count.append(1)
        told.set()

    bridge = EngineUpdates(tell, ActivityLog(None), str)
    for _ in range(1000):
        bridge.receive(CountsChanged("job0000001", "b1"))
    await told.wait()
    assert count == [1]
    assert bridge.drain().jobs == {"job0000001"}
    assert not bridge.drain()
    bridge.close()


async def test_the_log_names_jobs_as_people_do(engine: FakeEngine) -> None:
    engine.history.add(a_job(1, name="weekly"), a_job(2, name="twice"), a_job(3, name="twice"))
    app = fake_app(engine)
    async with running(app):
        for job_id in ("job0000001", "job0000002", "gone"):
            engine.events.publish(BatchEnded(job_id, "b", BatchStatus.COMPLETED))
        engine.history.add(a_job(4, name="just begun"))
        engine.events.publish(BatchSubmitted("job0000004", "b", "remote-1"))
        told = [entry.text for entry in app.session.log.entries]
    assert told == [
        "weekly: ended, completed",
        "twice (job0000002): ended, completed",
        "gone: ended, completed",
        "just begun: accepted by the provider: remote-1",
    ]


async def test_typing_filters_and_escape_shows_all(engine: FakeEngine) -> None:
    engine.history.add(*(a_job(number) for number in range(1, 30)))
    engine.history.add(a_job(77, name="the needle"))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("slash", *"needle")
        await until(pilot, lambda: app.main.batches.jobs_table.row_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: "contains 'needle'" in screen_text(app))
        assert "1 of 30" in screen_text(app)
        assert app.focused is app.main.batches.jobs_table
        await pilot.press("escape")
        await until(pilot, lambda: "30 of 30" in screen_text(app))


async def test_errors_only_shows_jobs_with_failed_rows(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), with_counts(a_job(2), succeeded=1000))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("e")
        await until(pilot, lambda: "1 of 2" in screen_text(app))
        await pilot.press("e")
        await until(pilot, lambda: "2 of 2" in screen_text(app))


@pytest.mark.parametrize(("key", "verb"), [("c", "cancel"), ("D", "delete")])
async def test_what_is_lost_is_asked_about(engine: FakeEngine, key: str, verb: str) -> None:
    job, _ = live(1)
    if verb == "cancel":
        engine.history.add(job)  # type: ignore[arg-type]
    else:
        engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app) as pilot:
        for answer in ("enter", "escape", key, "n"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, ConfirmDialog | DeleteDialog))
            assert app.focused is not None and app.focused.id == "no"
            await pilot.press(answer)
            if answer == key:
                assert isinstance(app.screen, ConfirmDialog | DeleteDialog)
                await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.main)
        assert (verb, "job0000001") not in engine.asked
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog | DeleteDialog))
        await pilot.press("y")
        await until(pilot, lambda: (verb, "job0000001") in engine.asked)


async def test_an_upload_shows_how_far_it_is(engine: FakeEngine) -> None:
    job, _ = live(1)
    engine.history.add(job)  # type: ignore[arg-type]
    app = fake_app(engine)
    async with running(app) as pilot:
        engine.events.publish(UploadProgressed("job0000001", "b1", 500_000, 2_000_000))
        await until(pilot, lambda: "uploading 500.0 kB of 2.0 MB" in screen_text(app))


async def test_a_provider_that_asks_to_wait_is_told_of(engine: FakeEngine) -> None:
    job, _ = live(1)
    engine.history.add(job)  # type: ignore[arg-type]
    app = fake_app(engine)
    async with running(app) as pilot:
        engine.events.publish(SendPaused("job0000001", "b1", "OpenAI is busy (429)", 0.0))
        await until(pilot, lambda: "OpenAI is busy (429); again at " in screen_text(app))
        assert "c cancels" in screen_text(app)


async def test_the_end_of_a_job_is_told_once(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app) as pilot:
        for _ in range(5):
            engine.events.publish(BatchEnded("job0000001", "b1", BatchStatus.COMPLETED))
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["reviews 1: 980 of 1,000 answered, 20 failed"]


async def test_trouble_of_a_running_job_is_on_the_screen(engine: FakeEngine) -> None:
    job, batch = live(1)
    engine.history.add(job)  # type: ignore[arg-type]
    engine.history.batch_lists["job0000001"] = [
        msgspec.structs.replace(batch, trouble="no route to api.example.com")
    ]
    app = fake_app(engine)
    async with running(app):
        assert "no route to api.example.com" in screen_text(app)


async def test_wide_screens_show_the_rows_beside_the_list(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app, (160, 45)) as pilot:
        await pilot.press("j")
        await until(pilot, lambda: app.main.results.job_id == "job0000002")
        assert app.main.pane == "batches"
        assert "Answer number 0" in screen_text(app)


async def test_whoever_goes_on_at_once_sees_the_rows_of_the_job_under_the_cursor(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app, (160, 45)) as pilot:
        await until(pilot, lambda: app.main.results.job_id == "job0000001")
        monkeypatch.setattr(main, "FOLLOW_DELAY", 3600.0)
        await pilot.press("j", "3")
        await until(pilot, lambda: app.main.pane == "results")
        assert app.main.results.job_id == "job0000002"


async def test_an_opened_job_is_not_replaced_by_the_one_that_was_passed(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app, (160, 45)) as pilot:
        app.main._follow_job("job0000001")
        app.main.open_job("job0000002")
        app.main._follow_job("job0000001")
        await pilot.pause()
        assert app.main.results.job_id == "job0000002"


async def test_small_screens_say_so_kindly(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app, (50, 12)) as pilot:
        assert "Window too small" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "reviews 1" in screen_text(app))


async def test_ages_rest_while_nobody_looks(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app) as pilot:
        clock = app.main._clock
        assert clock is not None
        app.app_focus = False
        await pilot.pause()
        assert not clock._active.is_set()
        app.app_focus = True
        await pilot.pause()
        assert clock._active.is_set()


async def test_a_late_word_of_an_old_focus_changes_no_pane(engine: FakeEngine) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("1")
        button = app.main.compose_pane.query_one("#compose-name")
        app.main.show_in_list("job0000001")
        app.main.post_message(DescendantFocus(button))
        await pilot.pause()
        assert app.main.pane == "batches"
        await until(pilot, lambda: app.focused is app.main.batches.jobs_table)
        assert app.main.pane == "batches"


async def test_more_jobs_than_can_be_compared_are_not_marked(engine: FakeEngine) -> None:
    engine.history.add(*(a_job(number) for number in range(1, 15)))
    app = fake_app(engine)
    async with running(app) as pilot:
        table = app.main.batches.jobs_table
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press(*["space"] * 13)
        assert table.marked == 12
        assert notes(app) == ["12 jobs are marked already: = compare, esc clear marks"]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_two_jobs_are_marked_to_be_compared(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    engine.history.add(*(a_job(number) for number in range(1, 5)))
    app = fake_app(engine)
    async with running(app, size) as pilot:
        table = app.main.batches.jobs_table
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("space", "j")
        assert table.marked == 1
        await until(pilot, lambda: "1 marked: mark another to compare" in screen_text(app))
        await pilot.press("space")
        await until(pilot, lambda: "2 marked: = compare" in screen_text(app))
        assert "clear marks" in screen_text(app) or size[0] < 100
        await pilot.press("A", "I", "M")
        assert table.marked == 2
        # What sends, writes and deletes means the job under the cursor.
        assert app.main.batches.job and app.main.batches.job.id == "job0000004"
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, DeleteDialog))
        assert "reviews 4" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: ("delete", "job0000004") in engine.asked)
        await pilot.press("escape")
        assert table.marked == 0 and "All jobs" in screen_text(app)


async def test_the_mark_of_a_job_that_is_gone_goes_with_it(engine: FakeEngine) -> None:
    engine.history.add(*(a_job(number) for number in range(1, 4)))
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        await pilot.press("space")
        del engine.history.entries["job0000001"]
        engine.events.publish(JobDeleted("job0000001"))
        await until(pilot, lambda: app.main.batches.jobs_table.marked == 0)
        assert "2 of 2" in screen_text(app)


async def test_after_too_little_room_the_keys_work_again(engine: FakeEngine) -> None:
    engine.history.add(a_job(1), a_job(2))
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.jobs_table.has_focus)
        await pilot.press("j")
        await pilot.resize_terminal(40, 12)
        await until(pilot, lambda: "Window too small" in screen_text(app))
        await pilot.resize_terminal(160, 40)
        await until(pilot, lambda: app.main.batches.jobs_table.has_focus)
        await until(pilot, lambda: "Filter" in screen_text(app))
        # What stands beside the list is about the job under its cursor.
        await until(pilot, lambda: app.main.results.job_id == "job0000002")
        await pilot.press("k")
        await until(pilot, lambda: app.main.results.job_id == "job0000001")


async def test_what_nobody_thought_of_is_told_and_logged(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.history.add(a_job(1))
    app = fake_app(engine)

    async def broken(*_: object, **__: object) -> None:
        raise LookupError("no such [/ thing")

    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job)
        monkeypatch.setattr(engine, "select", broken)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count)
        await pilot.press("e")
        await until(pilot, lambda: any("no such [/ thing" in note for note in notes(app)))
        assert any("LookupError" in entry.text for entry in app.session.log.entries)
        assert "LookupError" in app.session.paths.log_file.read_text("utf-8")
        # The search is over: esc leaves, and does not stop it for ever.
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.main.pane == "batches")


async def test_sections_are_gone_through_kept_and_removed(engine: FakeEngine) -> None:
    engine.history.add(
        a_job(1), a_job(2, status=BatchStatus.IN_PROGRESS, ended_at=None), a_job(3, tags=("mine",))
    )
    app = fake_app(engine)
    async with running(app) as pilot:
        batches = app.main.batches
        await until(pilot, lambda: batches.job)
        assert " All jobs  Running  Needs me  This week " in screen_text(app)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: batches.jobs_table.row_count == 1)
        assert "1 of 3" in screen_text(app) and batches.filter_text == "is:running"
        engine.history.add(a_job(2))
        engine.events.publish(BatchEnded("job0000002", "job0000002-1", BatchStatus.COMPLETED))
        await until(pilot, lambda: batches.jobs_table.row_count == 0)
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert batches.filter_text == "since:7d"
        await pilot.press("escape")
        await until(pilot, lambda: batches.jobs_table.row_count == 3)

        await pilot.press("slash", *"#mine", "enter")
        await until(pilot, lambda: batches.jobs_table.row_count == 1)
        await pilot.press("F", "end", "enter")
        await until(pilot, lambda: "Keep the filter as a section" in screen_text(app))
        await pilot.press(*"my own", "enter")
        await until(pilot, lambda: " This week  my own " in screen_text(app))
        assert load_config(engine.paths).sections == {"my own": "#mine"}

        await pilot.click("#job-sections", offset=(14, 0))
        await until(pilot, lambda: batches.filter_text == "is:running")
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert batches.filter_text == "#mine"
        await pilot.press("F", "end", "enter")
        await until(pilot, lambda: "my own" not in screen_text(app))
        assert load_config(engine.paths).sections == {}
        assert batches.filter_text == ""


async def test_a_job_that_ended_before_its_results_came_is_not_called_answered(
    engine: FakeEngine,
) -> None:
    engine.history.add(a_job(1, counts=Counts(total=9, pending=9)))
    app = fake_app(engine)
    async with running(app) as pilot:
        await until(pilot, lambda: "9 rows without a result so far" in screen_text(app))
        assert "All rows answered" not in screen_text(app)
