"""The lines at the bottom of the terminal have one owner; messages stay, the lines go."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pyte
import pytest

from tests.engine.bench import until
from tests.engine.rows import chats
from tui.cli import output, progress
from tui.cli.output import bottom_lines, say
from tui.cli.progress import JobProgress, file_progress
from tui.config.settings import Config
from tui.core.jobs import Job
from tui.engine.batches.batch_plan import plan_first_attempt
from tui.engine.engine import Engine
from tui.engine.events import CountsChanged, SendPaused, StepFailed
from tui.paths import Paths

Screen = Callable[[], list[str]]


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """What a terminal of 80 by 24 cells shows of stderr, without blank lines."""
    stderr = Terminal(newline="\r\n")
    # Not `sys.stderr`: pytest sets that one again before the test runs.
    for module in (output, progress):
        monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=stderr, stdout=sys.stdout))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_DELAY_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_REDRAW_SECONDS", 0.0)

    def shown() -> list[str]:
        display = pyte.Screen(80, 24)
        pyte.Stream(display).feed(stderr.getvalue())
        return [line.rstrip() for line in display.display if line.strip()]

    return shown


def test_lines_are_replaced_and_removed(screen: Screen) -> None:
    with bottom_lines() as draw:
        draw(["one", "two"])
        draw(["three"])
        assert screen() == ["three"]
    assert screen() == []


def test_a_message_is_printed_above_the_lines_and_stays(screen: Screen) -> None:
    with bottom_lines() as draw:
        say("before")
        draw(["a bar", "another"])
        say("meanwhile " * 12)
        assert screen()[-2:] == ["a bar", "another"]
        draw(["a bar", "another"])
    say("after")
    text = "\n".join(screen())
    assert text.startswith("before\nmeanwhile") and text.endswith("\nafter")
    assert "bar" not in text and "another" not in text


def test_a_file_that_reports_late_does_not_draw_over_the_bars(screen: Screen) -> None:
    with file_progress("checking") as checked:
        checked.update(100, 200)
        assert screen() == ["checking 100 B of 200 B"]
        with bottom_lines() as draw:
            assert screen() == []
            draw(["a bar"])
            checked.update(150)
            checked.update(200)
            assert screen() == ["a bar"]
        assert screen() == []
        checked.update(160)
        assert screen() == ["checking 160 B of 200 B"]
    checked.update(170)
    assert screen() == []


def test_an_error_removes_the_lines(screen: Screen) -> None:
    with pytest.raises(ZeroDivisionError), bottom_lines() as draw:
        draw(["a bar"])
        raise ZeroDivisionError
    assert screen() == []


@asynccontextmanager
async def a_job(paths: Paths, folder: Path) -> AsyncIterator[tuple[Engine, Job]]:
    """A job of three rows that is not sent."""
    engine = await Engine.open(paths, Config(), sandbox_rate=0)
    try:
        yield engine, await engine.requests.import_file(chats(folder / "a.jsonl", 3))
    finally:
        await engine.close()


async def test_what_is_said_while_bars_are_shown_stays_and_the_bars_go(
    screen: Screen, paths: Paths, tmp_path: Path
) -> None:
    async with a_job(paths, tmp_path) as (engine, job), JobProgress(engine, [job.id]):
        await until(lambda: any("0/3" in line for line in screen()))
        engine.events.publish(StepFailed(job.id, "", "no answer", "", 0.0))
        say("Rows are sent while Batchdeck runs.")
        assert [("0/3" in line) for line in screen()] == [False, False, True]
    first, second = screen()
    assert first.startswith(f"a ({job.id}): no answer; trying again in")
    assert second == "Rows are sent while Batchdeck runs."


async def test_a_provider_that_asks_to_wait_is_told_of(
    screen: Screen, paths: Paths, tmp_path: Path
) -> None:
    async with a_job(paths, tmp_path) as (engine, job), JobProgress(engine, [job.id]):
        engine.events.publish(SendPaused(job.id, "", "OpenAI is busy (429)", 0.0))
    shown = " ".join(screen())
    assert "OpenAI is busy (429); trying again in" in shown and "Ctrl-C stops that" in shown


async def test_what_is_unusual_about_a_batch_is_told_once(
    screen: Screen, paths: Paths, tmp_path: Path
) -> None:
    async with a_job(paths, tmp_path) as (engine, job):
        await asyncio.to_thread(plan_first_attempt, engine._context, job.id)
        (batch,) = engine.history.batches.of_job(job.id)
        await engine._context.update(batch.id, {"trouble": "its window ended 2 h ago"})
        async with JobProgress(engine, [job.id]):
            for _ in range(3):
                engine.events.publish(CountsChanged(job.id, batch.id))
    assert " ".join(screen()).count("its window ended 2 h ago") == 1


async def test_a_job_that_is_deleted_meanwhile_has_no_bar(
    screen: Screen, paths: Paths, tmp_path: Path
) -> None:
    """As after a submit that is over the budget, or by a dashboard beside it."""
    engine = await Engine.open(paths, Config(), sandbox_rate=0)
    try:
        names = [chats(tmp_path / name, 3) for name in ("a.jsonl", "b.jsonl")]
        first, second = [await engine.requests.import_file(path) for path in names]
        async with JobProgress(engine, [first.id, second.id]):
            await until(lambda: len(screen()) == 2)
            await engine.remote.delete(first.id)
            await until(lambda: len(screen()) == 1)
            engine.events.publish(StepFailed(first.id, "", "no answer", "", 0.0))
        assert screen() == []
    finally:
        await engine.close()
