"""How many keys ten tasks take; a paste, as of a file that is dropped on the window, is one."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from textual.events import Paste

from tests.ui.conftest import BatchdeckPilot, fake_app, real_app, running, screen_text, until
from tests.ui.fakes import NOW, FakeEngine, a_job
from tests.ui.jobs_with_answers import two_jobs
from tests.ui.panes.composing import drawn, save, write_reviews
from tui.core.rows import Outcome
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.confirm import ConfirmDialog, SubmitDialog
from tui.ui.dialogs.retry import RetryDialog, RetryEditDialog
from tui.ui.screens.compare import CompareScreen
from tui.ui.widgets.error_groups import ErrorGroups


class Keyboard:
    """Types, and counts the keys since the last ``start``."""

    def __init__(self, app: BatchdeckApp, pilot: BatchdeckPilot) -> None:
        self._app = app
        self._pilot = pilot
        self.count = 0

    async def press(self, *keys: str) -> None:
        """Press keys."""
        self.count += len(keys)
        await self._pilot.press(*keys)

    def paste(self, path: Path) -> None:
        """Paste a path; it counts as one key."""
        self.count += 1
        self._app.post_message(Paste(str(path)))

    def start(self) -> None:
        """Count from here."""
        self.count = 0


@pytest.fixture(autouse=True)
def fast_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")


def requests_file(folder: Path) -> Path:
    """Twelve requests: three fail for a moment, one until it is edited."""
    words = {3: "sandbox:flaky=429", 5: "sandbox:flaky=429", 7: "sandbox:flaky=500"}
    path = folder / "reviews.jsonl"
    lines = []
    for number in range(12):
        content = f"Review {number} {words.get(number, '')}"
        if number == 9:
            content = "sandbox:truncate"
        body = {"model": "small", "messages": [{"role": "user", "content": content}]}
        request = {"custom_id": f"r-{number}", "method": "POST", "url": "/v1/chat/completions"}
        lines.append(json.dumps({**request, "body": {**body, "max_tokens": 20}}))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


async def test_from_a_file_to_the_export(paths: Paths, tmp_path: Path) -> None:
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        keys = Keyboard(app, pilot)
        keys.paste(requests_file(tmp_path))
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        assert keys.count == 1, "import"

        keys.start()
        await keys.press("S")
        await until(pilot, lambda: isinstance(app.screen, SubmitDialog))
        await keys.press("y")
        batches = app.main.batches
        await until(pilot, lambda: batches.job and batches.job.counts.failed == 3)
        assert keys.count == 2, "submit"

        await pilot.press("enter")
        rows = app.main.results.rows_table
        await until(pilot, lambda: rows.row_count == 12)
        groups = app.main.results.query_one(ErrorGroups)
        await until(pilot, lambda: groups.row_count == 3)
        keys.start()
        await keys.press("e")
        await until(pilot, lambda: rows.row_count == 3)
        assert keys.count == 1, "errors only"
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 12)

        keys.start()
        await keys.press("E", "j", "enter")
        await until(pilot, lambda: rows.row_count == 1)
        assert keys.count == 3, "the second group"
        await pilot.press("escape")
        await until(pilot, lambda: rows.row_count == 12)

        keys.start()
        await keys.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        await keys.press("y")
        await until(pilot, lambda: batches.job and batches.job.counts.failed == 0)
        assert keys.count == 2, "retry"

        await until(pilot, lambda: groups.row_count == 1)
        await pilot.press("E", "enter")
        await until(pilot, lambda: rows.row_count == 1)
        keys.start()
        await keys.press("R")
        await until(pilot, lambda: isinstance(app.screen, RetryEditDialog))
        await keys.press("down", "x", "2", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await keys.press("y")
        await until(pilot, lambda: edits_of_retry(app) == ["x2"])
        assert keys.count == 6, "edit and retry"

        app.session.state.export_folder = str(tmp_path)
        await until(pilot, lambda: app.screen is app.main)
        keys.start()
        await keys.press("x")
        await until(pilot, lambda: app.screen.query("#export-path"))
        await keys.press("enter")
        await until(pilot, lambda: list(tmp_path.glob("reviews-*.jsonl")))
        assert keys.count == 2, "export"


def edits_of_retry(app: BatchdeckApp) -> list[object]:
    """The max_tokens edits of the attempts of the truncated row, once none is pending."""
    job = app.main.results.job
    assert job is not None
    detail = app.session.engine.history.rows.get(job.id, 9)
    if detail is None or detail.row.outcome is Outcome.PENDING:
        return []
    return [attempt.edits[name] for attempt in detail.attempts for name in attempt.edits]


async def test_a_table_with_a_saved_template(paths: Paths, tmp_path: Path) -> None:
    save(paths)
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        keys = Keyboard(app, pilot)
        keys.paste(write_reviews(tmp_path / "reviews.csv"))
        await until(pilot, lambda: drawn(app) or app.main.query("#field-user"))
        await keys.press("f2")
        await until(pilot, lambda: "Feeling" in screen_text(app))
        await keys.press("enter")
        await until(pilot, lambda: drawn(app) and "What does this customer" in screen_text(app))
        assert keys.count == 3


async def test_the_jobs_of_last_week(engine: FakeEngine) -> None:
    for number, days in enumerate((1, 3, 9, 40), 1):
        job = a_job(number)
        engine.history.add(msgspec.structs.replace(job, created_at=NOW - days * 86_400))
    app = fake_app(engine)
    async with running(app, (120, 36)) as pilot:
        keys = Keyboard(app, pilot)
        await until(pilot, lambda: "4 of 4" in screen_text(app))
        await keys.press("slash", *"since:7d")
        await until(pilot, lambda: "2 of 4" in screen_text(app))
        assert keys.count == 9


async def test_two_jobs_compared(paths: Paths) -> None:
    two_jobs(paths)
    app = real_app(paths)
    async with running(app, (120, 36)) as pilot:
        keys = Keyboard(app, pilot)
        await until(pilot, lambda: app.main.batches.job is not None)
        await keys.press("equals_sign")
        await until(pilot, lambda: app.screen.query("#choose-list"))
        await keys.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert keys.count == 2
