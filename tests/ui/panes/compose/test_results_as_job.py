"""Results of a batch that ran elsewhere are opened as a job, whose failed rows are retried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.ui.conftest import BatchdeckPilot, notes, real_app, running, screen_text, until
from tests.ui.panes.composing import pasted
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.pick_file import PickFileDialog


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def batch_files(folder: Path) -> Path:
    """Ten requests, nine answers and one error; the file of the answers."""
    asked, answered = [], []
    for number in range(10):
        body = {"model": "m", "messages": [{"role": "user", "content": f"Hi {number}"}]}
        line = {"custom_id": f"q-{number}", "method": "POST", "url": "/v1/chat/completions"}
        asked.append({**line, "body": body})
        message = {"role": "assistant", "content": "Hello"}
        completion = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        response = {"status_code": 200, "body": completion}
        answered.append({"custom_id": f"q-{number}", "response": response, "error": None})
    write(folder / "asked.jsonl", asked)
    body = {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}
    failed = {"custom_id": "q-9", "response": {"status_code": 429, "body": body}, "error": None}
    write(folder / "batch_1_error.jsonl", [failed])
    return write(folder / "batch_1_output.jsonl", answered[:9])


async def chosen(pilot: BatchdeckPilot, app: BatchdeckApp, path: Path) -> None:
    """Open a result file, up to the question what becomes of it."""
    await pasted(pilot, app, str(path))
    await until(pilot, lambda: isinstance(app.screen, ChooseDialog))


async def test_results_become_a_job_with_both_files(paths: Paths, tmp_path: Path) -> None:
    output = batch_files(tmp_path)
    app = real_app(paths)
    async with running(app, (80, 24)) as pilot:
        await chosen(pilot, app, output)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickFileDialog))
        assert "Choose the file of requests that was sent" in screen_text(app)
        await pilot.press(*"asked", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        for words in ("asked.jsonl", "batch_1_output.jsonl", "batch_1_error.jsonl", "missing"):
            assert words in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: any("1 without an answer" in note for note in notes(app)))
        (job,) = app.session.engine.history.jobs.list()
        assert (job.counts.succeeded, job.counts.failed, job.counts.missing) == (9, 1, 0)
        assert app.main.pane == "batches"


async def test_results_are_a_table_if_that_is_wanted(paths: Paths, tmp_path: Path) -> None:
    output = batch_files(tmp_path)
    app = real_app(paths)
    async with running(app, (80, 24)) as pilot:
        await chosen(pilot, app, output)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "custom_id" in screen_text(app))
        assert not app.session.engine.history.jobs.list()
