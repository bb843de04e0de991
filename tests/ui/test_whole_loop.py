"""The natural loop on the real engine and the sandbox: from a file to zero failed rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ui.conftest import real_app, running, screen_text, until
from tui.core.jobs import BatchStatus
from tui.paths import Paths
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.retry import RetryDialog


def requests_file(folder: Path, rows: int = 60, words: dict[int, str] | None = None) -> Path:
    """A file of requests; some carry words that the sandbox obeys."""
    path = folder / "reviews.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            text = f"Review {number} {(words or {}).get(number, '')}"
            body = {"model": "small", "messages": [{"role": "user", "content": text}]}
            request = {"custom_id": f"r-{number}", "method": "POST", "body": body}
            stream.write(json.dumps({**request, "url": "/v1/chat/completions"}) + "\n")
    return path


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")


async def test_from_a_file_to_zero_failed_rows(paths: Paths, tmp_path: Path) -> None:
    words = {3: "sandbox:flaky=429", 7: "sandbox:flaky=429", 11: "sandbox:flaky=500"}
    file = requests_file(tmp_path, words=words)
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        assert "60 requests" in screen_text(app)

        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert app.focused is not None and app.focused.id == "no"
        assert "Sandbox" in screen_text(app) and "60" in screen_text(app)
        await pilot.press("y")

        batches = app.main.batches
        await until(pilot, lambda: batches.job and batches.job.counts.failed == 3)
        job = batches.job
        assert job is not None and job.status is BatchStatus.COMPLETED

        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.job_id == job.id)
        rows = app.main.results.rows_table
        assert rows.row_count == 60

        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 3)
        assert "3 of 60" in screen_text(app)

        await pilot.press("E", "enter")
        await until(pilot, lambda: rows.row_count == 2)
        assert "error 429" in screen_text(app)

        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.is_reading)
        assert "Review 3" in screen_text(app)
        assert "429" in screen_text(app)
        await pilot.press("n")
        await until(pilot, lambda: "Review 7" in screen_text(app))

        await pilot.press("escape", "escape")
        await until(pilot, lambda: rows.row_count == 60)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        assert "all failed rows" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: batches.job and batches.job.counts.succeeded == 60)
        await until(pilot, lambda: "60 succeeded" in screen_text(app))
        assert batches.job is not None and batches.job.counts.unanswered == 0
        assert app.main.results.query_one("#error-groups").display is False


async def test_retry_shows_every_attempt_of_a_row(paths: Paths, tmp_path: Path) -> None:
    app = real_app(paths, open_file=requests_file(tmp_path, 5, {0: "sandbox:flaky=429"}))
    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        job = app.main.batches
        await until(pilot, lambda: job.job and job.job.counts.failed == 1)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryDialog))
        await pilot.press("y")
        await until(pilot, lambda: job.job and job.job.counts.succeeded == 5)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 5)
        await pilot.press("enter")
        await until(pilot, lambda: "▸ attempt 2  ✓ succeeded" in screen_text(app))
        assert "attempt 1  ✗ failed" in screen_text(app)
        await pilot.press("a")
        await until(pilot, lambda: "▸ attempt 1  ✗ failed" in screen_text(app))
        assert "429" in screen_text(app)


async def test_export_writes_what_is_shown(paths: Paths, tmp_path: Path) -> None:
    app = real_app(paths, open_file=requests_file(tmp_path, 8, {2: "sandbox:fail=400"}))
    async with running(app) as pilot:
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: app.main.batches.job and app.main.batches.job.counts.failed)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 8)
        await pilot.press("e")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 1)
        app.session.state.export_folder = str(tmp_path)
        await pilot.press("x")
        await until(pilot, lambda: app.screen.query("#export-path"))
        await pilot.press("enter")
        written = tmp_path / "reviews-results-part.jsonl"
        await until(pilot, written.exists)
        lines = [json.loads(line) for line in written.read_text("utf-8").splitlines()]
        assert [line["custom_id"] for line in lines] == ["r-2"]

        await pilot.press("x")
        await until(pilot, lambda: app.screen.query("#export-path"))
        await pilot.press("enter")
        await until(pilot, (tmp_path / "reviews-results-part-2.jsonl").exists)


async def test_a_batch_goes_on_after_quitting(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "30")
    app = real_app(paths, open_file=requests_file(tmp_path, 40))
    async with running(app) as pilot:
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(
            pilot,
            lambda: app.main.batches.job and app.main.batches.job.status is BatchStatus.IN_PROGRESS,
        )
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0

    again = real_app(paths)
    async with running(again) as pilot:
        await until(
            pilot,
            lambda: again.main.batches.job and again.main.batches.job.counts.succeeded == 40,
        )
        assert "completed" in screen_text(again)


async def test_the_sample_shows_the_whole_loop(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        assert "No jobs yet" in screen_text(app)
        await pilot.press("T")
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        assert app.main.compose_pane.account == "sandbox"
        await until(pilot, lambda: app.focused is not None and app.focused.id == "do-submit")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: app.main.batches.job and app.main.batches.job.counts.failed)
        job = app.main.batches.job
        assert job is not None
        assert (job.counts.failed, job.counts.truncated, job.counts.refused) == (6, 2, 2)
