"""Comparing two jobs."""

from __future__ import annotations

import pytest

from tests.store.bench import Desk
from tests.ui.conftest import notes, real_app, running, screen_text, until
from tests.ui.jobs_with_answers import add_job, gate, two_jobs
from tui.core.analysis.comparison import kinds_of
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.screens.compare import CompareScreen


def compared(app: BatchdeckApp) -> CompareScreen:
    screen = app.screen
    assert isinstance(screen, CompareScreen)
    return screen


async def test_two_jobs_side_by_side(paths: Paths) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app, (140, 40)) as pilot:
        await pilot.press("equals_sign")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        assert "small model" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: getattr(app.screen, "difference", None) is not None)
        screen = compared(app)
        found = screen.reader.report
        assert found is not None
        assert [found.count(kind) for kind in kinds_of(2)] == [37, 1, 1, 1, 1]
        shown = screen_text(app)
        for words in ("41 ids", "37 same", "1 different", "r0002", "angry", "positive"):
            assert words in shown, words
        assert "r0003" not in shown
        difference = screen.difference
        assert difference is not None
        marked = [piece.text for piece in difference.answers[0].pieces if piece.tone == "removed"]
        assert any("angry" in text for text in marked)

        await pilot.press("3")
        await until(pilot, lambda: "r0003" in screen_text(app))
        await until(pilot, lambda: "rate limit" in screen_text(app))
        await pilot.press("4")
        await until(pilot, lambda: "This job has no row with this id." in screen_text(app))
        assert "plain words" in screen_text(app)
        await pilot.press("0")
        await until(pilot, lambda: screen.query_one("#compare-rows").row_count == 41)  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


@pytest.mark.parametrize("keys", [("space", "space"), ("space",)])
async def test_marked_jobs_are_compared_at_once_the_older_one_left(
    paths: Paths, keys: tuple[str, ...]
) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press(*keys, "equals_sign")
        await until(
            pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.reader.report
        )
        left, right = screen_text(app).splitlines()[1:3]
        assert "small model" in left and "large model" in right


async def test_the_jobs_are_called_by_their_names(paths: Paths) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app, (140, 40)) as pilot:
        await pilot.press("space", "equals_sign")
        await until(pilot, lambda: getattr(app.screen, "difference", None) is not None)
        shown = screen_text(app)
        for words in ("◂ small model", "▸ large model", "1 only small model", "─ small model ─"):
            assert words in shown, words
        assert "Left" not in shown and "Right" not in shown


async def test_jobs_without_a_common_id_say_so(paths: Paths) -> None:
    desk = Desk(paths)
    add_job(desk, "first", {"a": "one", "b": "two"})
    add_job(desk, "second", {"c": "one", "d": "two"})
    desk.history.close()
    app = real_app(paths)
    async with running(app, (80, 24)) as pilot:
        await pilot.press("space", "equals_sign")
        sentence = "4 ids · the jobs have no id in common: nothing to compare"
        await until(pilot, lambda: sentence in screen_text(app))


async def test_what_counts_as_a_difference_can_be_changed(paths: Paths) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("equals_sign")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await pilot.press("enter")
        await until(
            pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.reader.report
        )
        assert "compared as JSON" in screen_text(app)
        await pilot.press("d", "w")
        await until(pilot, lambda: "whitespace ignored" in screen_text(app))
        assert "compared as JSON" not in screen_text(app)


async def test_a_comparison_can_be_stopped(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    two_jobs(paths, 1500)
    _, begun = gate(monkeypatch, "tui.store.stored_rows.compare_jobs")
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("equals_sign")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await pilot.press("enter")
        await until(pilot, lambda: begun and "esc stop" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "so far (stopped)" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_one_job_alone_says_why_not(paths: Paths) -> None:
    desk = Desk(paths)
    add_job(desk, "alone", {"a": "b"})
    desk.history.close()
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("equals_sign")
        await until(pilot, lambda: notes(app))
        assert notes(app) == ["There is no other job to compare with."]
