"""Several models and templates on the screen: marked, priced, sent at once, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.store.bench import Desk, line
from tests.ui.conftest import BatchdeckPilot, notes, real_app, running, screen_text, until
from tests.ui.jobs_with_answers import add_job
from tests.ui.panes.composing import form_of, pasted, save
from tui.core.analysis.comparison import RowComparison
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.input import InputDialog
from tui.ui.panes.compose.experiment import ExperimentDialog
from tui.ui.screens.compare import CompareScreen
from tui.ui.screens.experiment import ExperimentScreen, ShownJob

ALWAYS = """
name = "always"
model = "sandbox-small"
user = '''sandbox:say={"label": "good"}
{{ food }}'''
"""
LABEL = """
name = "label"
model = "sandbox-small"
user = '''sandbox:say={"label": "{{ label }}"}
{{ food }}'''
"""
SIZES = [(80, 24), (120, 36)]


@pytest.fixture(autouse=True)
def fast_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")


def food(folder: Path) -> Path:
    """Six foods, of which two are bad."""
    rows = ("bread,good", "milk,bad", "tea,good", "rice,good", "plum,bad", "salt,good")
    path = folder / "food.csv"
    path.write_text("food,label\n" + "\n".join(rows) + "\n")
    return path


async def chosen(app: BatchdeckApp, pilot: BatchdeckPilot, table: Path) -> None:
    """Open the table with the first template, and mark another model and template for it."""
    await pasted(pilot, app, str(table))
    step = await form_of(pilot, app)
    await pilot.press("f2")
    await until(pilot, lambda: "always" in screen_text(app))
    await pilot.press("enter")
    await until(pilot, lambda: step.sketch is not None)
    await pilot.press("X")
    await until(pilot, lambda: isinstance(app.screen, ExperimentDialog))
    await until(pilot, lambda: "label" in screen_text(app) and "= 1 job" in screen_text(app))
    await pilot.press("tab", *"sandbox-large", "enter")
    await until(pilot, lambda: "2 models" in screen_text(app))
    await pilot.press("tab", "down", "space")
    await until(pilot, lambda: "= 4 jobs" in screen_text(app))
    await pilot.press("ctrl+s")
    await until(pilot, lambda: app.screen is app.main)


async def asked(app: BatchdeckApp, pilot: BatchdeckPilot, table: Path) -> None:
    """Choose as ``chosen`` does, and go on to the question."""
    await chosen(app, pilot, table)
    await pilot.press("S")
    await until(pilot, lambda: "Submit 4 jobs of food?" in screen_text(app))


def has_report(screen: Any) -> bool:
    return screen.reader.report is not None and not screen.reader.is_running


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_from_a_table_to_the_rows_that_differ(
    paths: Paths, tmp_path: Path, size: tuple[int, int]
) -> None:
    save(paths, ALWAYS, "always")
    save(paths, LABEL, "label")
    app = real_app(paths)
    async with running(app, size) as pilot:
        await chosen(app, pilot, food(tmp_path))
        await until(pilot, lambda: "4 jobs with 24 requests · free together" in screen_text(app))
        await pilot.press("S")
        await until(pilot, lambda: "Submit 4 jobs of food?" in screen_text(app))
        assert "sandbox-large-label" in screen_text(app)
        await pilot.press("y")
        history = app.session.engine.history
        await until(pilot, lambda: len(history.jobs.list()) == 4)
        await until(pilot, lambda: all(job.counts.succeeded == 6 for job in history.jobs.list()))
        await until(pilot, lambda: app.main.batches.job is not None)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, ExperimentScreen))
        matrix = app.screen
        assert isinstance(matrix, ExperimentScreen)
        await until(pilot, lambda: has_report(matrix))
        for words in (
            "food  answer @label  true values in.label",
            "6 rows in common",
            "2 different",
        ):
            await until(pilot, lambda words=words: words in screen_text(app))
        assert matrix.reader.report is not None
        accuracy = sorted(one.accuracy or 0 for one in matrix.reader.report.variants)
        assert accuracy == pytest.approx([4 / 6, 4 / 6, 1, 1])

        await pilot.press("e")
        await until(pilot, lambda: getattr(app.screen, "difference", None) is not None)
        rows = app.screen
        assert isinstance(rows, CompareScreen)
        assert rows.difference is not None and len(rows.difference.answers) == 4
        shown = screen_text(app)
        assert "2 ≠ 2 differ" in shown and "compared by @label" in shown
        assert "sandbox-small-always" in shown and '"bad"' in shown
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is matrix)

        # A cell of the agreement of two jobs compares these two.
        await pilot.press(*["right"] * 20, "enter")
        await until(pilot, lambda: getattr(app.screen, "difference", None) is not None)
        assert isinstance(app.screen, CompareScreen) and len(app.screen.difference.answers) == 2  # type: ignore[union-attr]
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is matrix)
        await pilot.press(*["left"] * 20, "down", "enter")
        await until(pilot, lambda: app.screen is app.main and app.main.pane == "results")
        second = app.session.engine.experiments.jobs("food")[1]
        await until(pilot, lambda: app.main.results.job_id == second.id)


async def test_all_jobs_get_the_deadline_of_the_experiment(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0.001")
    save(paths, ALWAYS, "always")
    save(paths, LABEL, "label")
    app = real_app(paths)
    async with running(app) as pilot:
        await asked(app, pilot, food(tmp_path))
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, InputDialog))
        await pilot.press(*"+6h", "enter")
        await until(pilot, lambda: "; then one by one" in screen_text(app))
        await pilot.press("y")
        history = app.session.engine.history
        await until(pilot, lambda: len(history.batches.unfinished()) == 4)
        jobs = history.jobs.list()
        assert len({job.deadline.at for job in jobs if job.deadline is not None}) == 1
        assert all(job.deadline is not None and job.deadline.is_open for job in jobs)


async def test_what_is_not_confirmed_leaves_nothing(paths: Paths, tmp_path: Path) -> None:
    save(paths, ALWAYS, "always")
    save(paths, LABEL, "label")
    app = real_app(paths)
    async with running(app) as pilot:
        await asked(app, pilot, food(tmp_path))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert app.session.engine.history.jobs.list() == []
        # With one model and one template it is an ordinary job again.
        await pilot.press("X")
        await until(pilot, lambda: "= 4 jobs" in screen_text(app))
        await pilot.press("down", "space", "tab", "tab", "down", "space", "ctrl+s")
        await until(pilot, lambda: app.screen is app.main and "tokens in" in screen_text(app))


async def test_a_choice_that_cannot_be_used_says_why(paths: Paths, tmp_path: Path) -> None:
    save(paths, ALWAYS, "always")
    app = real_app(paths)
    async with running(app) as pilot:
        await pasted(pilot, app, str(food(tmp_path)))
        step = await form_of(pilot, app)
        await pilot.press("f2")
        await until(pilot, lambda: "always" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: step.sketch is not None)
        await pilot.press("X")
        await until(pilot, lambda: "= 1 job" in screen_text(app))
        await pilot.press("tab", "tab", "space")
        await until(pilot, lambda: "Mark at least one template." in screen_text(app))
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, ExperimentDialog)
        await pilot.press("space", "shift+tab")
        for number in range(13):
            await pilot.press("m", *str(number), "enter")
        await until(pilot, lambda: "14 jobs are too many: at most 12." in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


def three_jobs(paths: Paths) -> None:
    """Three jobs over nearly the same rows: one has failed, one is missing."""
    desk = Desk(paths)
    try:
        add_job(desk, "first [b]x[/]", {"a": "one", "b": "two", "c": "three"})
        add_job(desk, "second", {"a": "one", "b": "2", "c": None})
        add_job(desk, "third", {"a": "one", "b": "two"})
    finally:
        desk.history.close()


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_marked_jobs_are_compared_in_a_table(paths: Paths, size: tuple[int, int]) -> None:
    three_jobs(paths)
    app = real_app(paths)
    async with running(app, size) as pilot:
        await until(pilot, lambda: app.main.batches.job is not None)
        await pilot.press("space", "space", "space", "equals_sign")
        await until(pilot, lambda: isinstance(app.screen, ExperimentScreen))
        matrix = app.screen
        assert isinstance(matrix, ExperimentScreen)
        await until(pilot, lambda: has_report(matrix))
        await until(pilot, lambda: "2 rows in common of 3" in screen_text(app))
        assert "1 first [b]x[/]" in screen_text(app)
        await pilot.press("equals_sign")
        await until(pilot, lambda: getattr(app.screen, "difference", None) is not None)
        rows = app.screen
        assert isinstance(rows, CompareScreen) and rows.reader.report is not None
        assert rows.reader.report.count(RowComparison.NOT_IN_ALL) == 1
        await pilot.press("4")
        await until(pilot, lambda: "This job has no row" in screen_text(app))
        assert "rate limit" in screen_text(app)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_results_that_arrive_are_counted(paths: Paths) -> None:
    desk = Desk(paths)
    try:
        add_job(desk, "first", {"a": "one", "b": "two", "c": "three"})
        job = desk.job(["a", "b", "c"], name="second")
        batch = desk.batch(job)
        desk.write(batch, line("a", text="one") + b"\n" + line("b", text="2") + b"\n")
        desk.index(batch)
        app = real_app(paths)
        async with running(app) as pilot:
            await until(pilot, lambda: app.main.batches.job is not None)
            jobs = [ShownJob(one.id, one.name) for one in app.session.engine.history.jobs.list()]
            matrix = ExperimentScreen(app.session, jobs)
            app.push_screen(matrix)
            await until(pilot, lambda: app.screen is matrix)
            await until(pilot, lambda: has_report(matrix))
            await until(pilot, lambda: "1 unanswered" in screen_text(app))
            # Another program collects the rest.
            desk.write(batch, line("c", text="three") + b"\n")
            desk.index(batch, complete=True)
            await until(pilot, lambda: "unanswered" not in screen_text(app))
            assert "3 rows in common" in screen_text(app)
            assert "67% same" in screen_text(app)
    finally:
        desk.history.close()


async def test_a_job_without_an_experiment_says_so(paths: Paths) -> None:
    three_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await until(pilot, lambda: app.main.batches.job is not None)
        await pilot.press("X")
        await until(pilot, lambda: notes(app))
        assert "belongs to no experiment" in notes(app)[0]
