"""Pictures of the screens at two sizes; everything that moves stands still in the fakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import fake_app, real_app, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job, with_counts
from tui.config.settings import Config
from tui.core.jobs import Batch, BatchStatus, Cost, Counts, RemoteCounts, Submission
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.panes.compose.template import TemplateStep
from tui.ui.widgets.compose_inputs import PlainTextArea
from tui.ui.widgets.error_groups import ErrorGroups

SIZES = [(80, 24), (120, 36)]
Steps = Callable[[BatchdeckApp, Pilot[int]], Awaitable[None]]


@pytest.fixture
def filled(engine: FakeEngine) -> FakeEngine:
    """A history with a job in every state that matters."""
    running = a_job(
        1,
        rows=40_000,
        name="reviews november",
        status=BatchStatus.IN_PROGRESS,
        counts=Counts(total=40_000, pending=40_000),
        created_at=NOW - 95,
    )
    engine.history.add(
        running,
        a_job(2, rows=50_000, name="a name that is far too long for any column to hold"),
        with_counts(a_job(3, name="[/red] 🦄 [bold]hostile[/"), succeeded=900, truncated=100),
        a_job(4, status=BatchStatus.EXPIRED, cost=Cost(actual=12.5)),
        a_job(5, status=BatchStatus.DRAFT, counts=Counts(total=300, pending=300)),
        with_counts(a_job(6, cost=Cost(estimated=0.034)), succeeded=1000),
    )
    engine.history.batch_lists[running.id] = [
        Batch(
            id="b1",
            job_id=running.id,
            account="sandbox",
            rows=40_000,
            submission=Submission.RUNNING,
            status=BatchStatus.IN_PROGRESS,
            raw_status="in_progress",
            remote_id="batch_0001",
            remote_counts=RemoteCounts(total=40_000, completed=16_000, failed=120),
            expires_at=NOW + 80_000,
        )
    ]
    return engine


async def ready(app: BatchdeckApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: app.session.ready.is_set())
    await until(pilot, lambda: app.main.batches.job is not None or not len_of(app))


def len_of(app: BatchdeckApp) -> int:
    board = app.main.batches.board
    return 0 if board is None else len(board)


def _pane(size: tuple[int, int]) -> str:
    """A row is shown below the list where there is room."""
    return "row" if size[1] >= 30 else ""


def selecting(app: BatchdeckApp) -> bool:
    return any(worker.group == "select" and worker.is_running for worker in app.workers)


def steps_of(*keys: str, job: str = "", pane: str = "") -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Press keys once the history is open."""

    async def run(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, BatchdeckApp)
        await ready(app, pilot)
        if job:
            app.main.batches.select_job(job)
        for key in keys:
            await pilot.press(key)
            await until(pilot, lambda: not selecting(app))
        if app.main.pane == "results":
            groups = app.main.results.query_one(ErrorGroups)
            await until(pilot, lambda: groups.row_count)
        if pane == "row":
            rows, view = app.main.results.rows_table, app.main.results.view
            # Not the row that was there before the last key.
            await until(pilot, lambda: view.detail and view.detail.row.seq == rows.cursor_id)
        await pilot.pause()

    return run


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_batches(filled: FakeEngine, snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(fake_app(filled), terminal_size=size, run_before=steps_of("j"))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_results(filled: FakeEngine, snap_compare: Any, size: tuple[int, int]) -> None:
    steps = steps_of(
        "enter", "e", "j", "space", job="job0000002", pane="row" if size[1] > 30 else ""
    )
    assert snap_compare(fake_app(filled), terminal_size=size, run_before=steps)


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_a_row(filled: FakeEngine, snap_compare: Any, size: tuple[int, int]) -> None:
    steps = steps_of("enter", "e", "j", "enter", job="job0000002", pane="row")
    assert snap_compare(fake_app(filled), terminal_size=size, run_before=steps)


def test_nothing_yet(engine: FakeEngine, snap_compare: Any) -> None:
    assert snap_compare(fake_app(engine), terminal_size=(80, 24), run_before=steps_of())


def test_side_by_side_in_light_colours(filled: FakeEngine, snap_compare: Any) -> None:
    app = fake_app(filled, Config(theme="batchdeck-light"))
    steps = steps_of("enter", job="job0000002", pane="row")
    assert snap_compare(app, terminal_size=(160, 45), run_before=steps)


def test_retry_dialog(filled: FakeEngine, snap_compare: Any) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await steps_of("r", job="job0000002")(pilot)
        await until(pilot, lambda: "free" in screen_text(pilot.app))

    assert snap_compare(fake_app(filled), terminal_size=(80, 24), run_before=steps)


def test_compose(engine: FakeEngine, snap_compare: Any) -> None:
    app = fake_app(engine, open_file=Path("/data/reviews.jsonl"))

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.main.compose_pane.why_disabled("submit") == "")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "do-submit")
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=steps)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
def test_a_query(filled: FakeEngine, snap_compare: Any, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await steps_of("enter", "e", job="job0000002")(pilot)
        await pilot.press("slash", *"code:42")
        await until(pilot, lambda: pilot.app.main.results.rows_table.row_count == 0)
        await pilot.press(*"9,fin:")
        await pilot.pause()

    assert snap_compare(fake_app(filled), terminal_size=size, run_before=steps)


def test_groups_with_the_keys(filled: FakeEngine, snap_compare: Any) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await steps_of("enter", job="job0000002")(pilot)
        await until(pilot, lambda: pilot.app.main.results.query_one(ErrorGroups).row_count)
        await pilot.press("E", "j")
        await pilot.pause()

    assert snap_compare(fake_app(filled), terminal_size=(80, 24), run_before=steps)


def test_columns_dialog(filled: FakeEngine, snap_compare: Any) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await steps_of("enter", job="job0000002")(pilot)
        await until(pilot, lambda: pilot.app.main.results.query_one(ErrorGroups).row_count)
        await pilot.press("C")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
        await pilot.press("j", "space")
        await pilot.pause()

    assert snap_compare(fake_app(filled), terminal_size=(80, 24), run_before=steps)


def test_side_by_side(filled: FakeEngine, snap_compare: Any) -> None:
    steps = steps_of("enter", "e", job="job0000002", pane="row")
    assert snap_compare(fake_app(filled), terminal_size=(140, 40), run_before=steps)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
def test_retry_with_changes(filled: FakeEngine, snap_compare: Any, size: tuple[int, int]) -> None:
    filled.left_out = 3

    async def steps(pilot: Pilot[Any]) -> None:
        await steps_of("R", job="job0000002")(pilot)
        await until(pilot, lambda: "cost free" in screen_text(pilot.app))
        await pilot.press(*"big")
        await until(pilot, lambda: "are skipped" in screen_text(pilot.app))
        await pilot.pause()

    assert snap_compare(fake_app(filled), terminal_size=size, run_before=steps)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
def test_an_uncertain_batch(engine: FakeEngine, snap_compare: Any, size: tuple[int, int]) -> None:
    job = a_job(1, name="reviews november", status=BatchStatus.SUBMITTING, ended_at=None)
    engine.history.add(job)
    engine.history.batch_lists[job.id] = [
        Batch(
            id="b1",
            job_id=job.id,
            account="sandbox",
            rows=1000,
            submission=Submission.UNCERTAIN,
            status=BatchStatus.SUBMITTING,
            submitted_at=NOW - 60,
        )
    ]
    keys = ("S",) if size[0] == 80 else ()
    assert snap_compare(fake_app(engine), terminal_size=size, run_before=steps_of(*keys))


def test_export_dialog(filled: FakeEngine, snap_compare: Any) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        pilot.app.session.state.export_folder = "/"
        await steps_of("x", job="job0000002")(pilot)
        await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
        await pilot.pause()

    assert snap_compare(fake_app(filled), terminal_size=(80, 24), run_before=steps)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
def test_a_template(
    paths: Paths,
    snap_compare: Any,
    size: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "reviews.csv").write_text('id,text,stars\nr1,"The lamp works",5\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    app = real_app(paths)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.ready.is_set())
        app.main.action_show("compose")
        pane = app.main.compose_pane
        pane.open_source("reviews.csv")
        await until(pilot, lambda: isinstance(pane.step, TemplateStep))
        await until(pilot, lambda: isinstance(app.focused, PlainTextArea))
        await pilot.press(*"Sum up {text}".replace(" ", "_"))
        await until(pilot, lambda: "Sum_up_The lamp works" in screen_text(app))
        # A cursor blinks in a text.
        await pilot.press("escape")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "do-submit")

    assert snap_compare(app, terminal_size=size, run_before=steps)
