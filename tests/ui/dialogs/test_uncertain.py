"""A batch that the provider may have or not: what is shown, and the three ways out."""

from __future__ import annotations

import pytest

from tests.ui.conftest import BatchdeckPilot, fake_app, notes, running, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job
from tui.core.jobs import Batch, BatchStatus, Submission
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.uncertain import UncertainDialog

SIZES = [(80, 24), (120, 36)]


@pytest.fixture
def unsure(engine: FakeEngine) -> FakeEngine:
    """A job of which two batches are uncertain."""
    job = a_job(1, name="reviews", status=BatchStatus.SUBMITTING, ended_at=None)
    engine.history.add(job)
    engine.history.batch_lists[job.id] = [
        Batch(
            id=f"b{part}",
            job_id=job.id,
            account="sandbox",
            part=part,
            rows=500,
            submission=Submission.UNCERTAIN,
            status=BatchStatus.SUBMITTING,
            trouble="it is not certain whether the provider took the batch: connection lost",
            submitted_at=NOW - 60,
        )
        for part in (1, 2)
    ]
    return engine


async def opened(app: BatchdeckApp, pilot: BatchdeckPilot) -> None:
    await until(pilot, lambda: app.main.batches.job)
    await pilot.press("S")
    await until(pilot, lambda: isinstance(app.screen, UncertainDialog))


@pytest.mark.parametrize("size", SIZES)
async def test_the_strip_says_what_to_do(unsure: FakeEngine, size: tuple[int, int]) -> None:
    app = fake_app(unsure)
    async with running(app, size) as pilot:
        await until(pilot, lambda: "unconfirmed (the provider may have it)" in screen_text(app))
        assert "S resolve" in screen_text(app)
        await opened(app, pilot)
        text = screen_text(app)
        assert "attempt 1, 500 rows, and 1 more after it" in text
        assert "Resend  ctrl+s" in text and "Decide later  esc" in text


async def test_its_id_is_given_batch_by_batch(unsure: FakeEngine) -> None:
    app = fake_app(unsure)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("enter")
        assert "Enter the batch id" in screen_text(app)
        await pilot.press(*"wrong", "enter")
        await until(pilot, lambda: "there is no batch" in screen_text(app))
        await pilot.press("ctrl+u", *"one", "enter")
        await until(pilot, lambda: "attempt 1 part 2" in screen_text(app))
        await pilot.press(*"two", "enter")
        await until(pilot, lambda: not isinstance(app.screen, UncertainDialog))
        assert [asked for asked in unsure.asked if asked[0] == "attach"] == [
            ("attach", "job0000001", "one"),
            ("attach", "job0000001", "two"),
        ]
        assert any("attached to the provider's batch" in note for note in notes(app))
        assert not any(asked[0] == "submit" for asked in unsure.asked)


async def test_sending_again_is_asked_twice_and_says_what_it_may_cost(unsure: FakeEngine) -> None:
    app = fake_app(unsure)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "you pay for both" in screen_text(app)
        assert app.focused is not None and app.focused.id == "no"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, UncertainDialog))
        assert not any(asked[0] == "submit" for asked in unsure.asked)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: ("submit", "job0000001", True) in unsure.asked)


async def test_it_can_be_left_as_it_is(unsure: FakeEngine) -> None:
    app = fake_app(unsure)
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, UncertainDialog))
        assert not any(asked[0] in ("attach", "submit") for asked in unsure.asked)
