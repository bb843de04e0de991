"""Pictures of the evaluation of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import fake_app, until
from tests.ui.jobs_with_answers import ReadingEngine
from tests.ui.labelled_job import labelled_job
from tui.paths import Paths

SIZES = [(80, 24), (120, 36)]


@pytest.fixture
def reading(paths: Paths) -> Iterator[ReadingEngine]:
    labelled_job(paths)
    engine = ReadingEngine(paths)
    yield engine
    engine._real.close()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_evaluation(
    reading: ReadingEngine, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = fake_app(reading)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.ready.is_set() and app.main.batches.job)
        await pilot.press("U")
        reader = lambda: getattr(app.screen, "reader", None)  # noqa: E731
        await until(pilot, lambda: reader() and reader().report and not reader().is_running)
        await pilot.press("down", *["right"] * 6)
        await until(pilot, lambda: app.screen.query_one("#evaluation-table").column == 6)

    assert snap_compare(app, terminal_size=size, run_before=steps)
