"""Pictures of a review."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import until
from tests.ui.screens.test_review import a_job, app_of, shown, start
from tui.core.reviews.review import Review
from tui.paths import Paths

REASON = "The customer reports damage and asks for the money back."


@pytest.mark.parametrize(
    ("size", "labels"),
    [((80, 24), ()), ((120, 36), ("refund", "delivery", "other"))],
    ids=["80x24", "120x36"],
)
def test_a_review(
    paths: Paths,
    snap_compare: Callable[..., bool],
    size: tuple[int, int],
    labels: tuple[str, ...],
) -> None:
    answers: dict[str, str | None] = {
        f"review-{n:03}": json.dumps({"label": ("refund", "delivery")[n % 2], "reason": REASON})
        for n in range(40)
    }
    answers["review-002"] = None
    job = a_job(paths, answers)
    app = app_of(paths, *labels)
    first, second = labels[:2] if labels else ("right", "wrong")

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.session.ready.is_set() and app.engine is not None)
        assert app.engine is not None
        said = (first, first, "", second)
        app.engine.history.reviews.add(
            job,
            [
                Review(custom_id=f"review-{n:03}", reviewer="ben", at=1, label=label)
                for n, label in enumerate(said)
                if label
            ],
        )
        await start(app, pilot)
        await pilot.press("1", "2", "2") if labels else await pilot.press("y", "n", "n")
        await until(pilot, lambda: shown(app) == "review-004")
        await pilot.press("p", "p")
        await until(pilot, lambda: shown(app) == "review-002")
        await pilot.press("p")
        await until(pilot, lambda: shown(app) == "review-001")
        await until(pilot, lambda: not any(worker.is_running for worker in app.workers
                                           if worker.group == "agreement"))  # fmt: skip

    assert snap_compare(app, terminal_size=size, run_before=steps)
