"""Pictures of the screens about whole jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import fake_app, until
from tests.ui.jobs_with_answers import ReadingEngine, two_jobs
from tui.paths import Paths

SIZES = [(80, 24), (140, 40)]


@pytest.fixture
def reading(paths: Paths) -> Iterator[ReadingEngine]:
    two_jobs(paths)
    engine = ReadingEngine(paths)
    yield engine
    engine._real.close()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_summary(
    reading: ReadingEngine, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = fake_app(reading)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.ready.is_set() and app.main.batches.job)
        await pilot.press("u")
        await until(pilot, lambda: app.screen.query("Card"))

    assert snap_compare(app, terminal_size=size, run_before=steps)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_comparison(
    reading: ReadingEngine, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = fake_app(reading)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.ready.is_set() and app.main.batches.job)
        await pilot.press("equals_sign")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await pilot.press("enter")
        await until(pilot, lambda: getattr(app.screen, "difference", None) is not None)

    assert snap_compare(app, terminal_size=size, run_before=steps)
