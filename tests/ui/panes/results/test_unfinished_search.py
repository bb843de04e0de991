"""Commands on the rows of a filter, while its rows are still being searched for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.ui.conftest import BatchdeckPilot, fake_app, notes, running, until
from tests.ui.fakes import FakeEngine, a_job
from tests.ui.panes.results.test_find_rows import ask, opened
from tui.errors import UsageError
from tui.ui.app import BatchdeckApp

COMMANDS = ("review", "export", "compose_rows")
"""Commands whose task gets row numbers."""

KEYS = {"review": "V", "export": "x", "compose_rows": "N"}

Calls = list[tuple[Any, ...]]


@asynccontextmanager
async def searching(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, words: str = "needle"
) -> AsyncIterator[tuple[BatchdeckApp, BatchdeckPilot, Calls]]:
    """A search that has found the first of its two rows, and the calls of tasks."""
    engine.history.add(a_job())
    engine.slow_for = True
    app = fake_app(engine)
    calls: Calls = []
    async with running(app, (80, 24)) as pilot:
        rows = await opened(app, pilot)
        for name in (*COMMANDS, "retry"):
            monkeypatch.setattr(
                app.session.tasks, name, lambda *args, _name=name, **_: calls.append((_name, *args))
            )
        await ask(app, pilot, words)
        await until(pilot, lambda: rows.row_count == 1)
        yield app, pilot, calls


def told(app: BatchdeckApp) -> str:
    return " ".join(notes(app))


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_gets_the_rows_of_the_finished_search(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    async with searching(engine, monkeypatch) as (app, pilot, calls):
        await pilot.press(KEYS[command])
        await until(pilot, lambda: "Waiting for the search" in told(app))
        assert calls == []
        engine.slow_for = False
        await until(pilot, lambda: calls)
        (name, job, rows, *_), *others = calls
        assert (name, job, others) == (command, "job0000001", [])
        if command != "compose_rows":
            assert list(rows) == [7, 8]


async def test_marks_of_all_rows_are_those_of_the_finished_search(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with searching(engine, monkeypatch) as (_app, pilot, calls):
        await pilot.press("A", "r")
        await pilot.pause()
        assert calls == []
        engine.slow_for = False
        await until(pilot, lambda: calls)
        assert calls[0][2] == [7, 8]


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_stopped_search_has_no_rows_to_act_on(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    async with searching(engine, monkeypatch) as (app, pilot, calls):
        await pilot.press("escape")
        await until(pilot, lambda: app.main.results.rows_table.note == "stopped")
        await pilot.press(KEYS[command])
        await until(pilot, lambda: "The search was stopped" in told(app))
        assert calls == []


async def test_a_search_that_is_stopped_meanwhile_drops_the_command(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with searching(engine, monkeypatch) as (app, pilot, calls):
        await pilot.press("x")
        await until(pilot, lambda: "Waiting for the search" in told(app))
        await pilot.press("escape")
        await until(pilot, lambda: "The search was stopped" in told(app))
        assert calls == []


async def test_another_filter_drops_the_command(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with searching(engine, monkeypatch) as (app, pilot, calls):
        await pilot.press("x")
        await until(pilot, lambda: "Waiting for the search" in told(app))
        app.main.results.show_where("code:429")
        await until(pilot, lambda: "The filter was changed meanwhile" in told(app))
        assert calls == []


def failing(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    select: Callable[..., Any] = engine.select

    async def fails(job_id: str, rows: Any, *args: Any, **options: Any) -> Any:
        if rows.search_texts:
            raise UsageError("this job has no such column", "Use another.")
        return await select(job_id, rows, *args, **options)

    monkeypatch.setattr(engine, "select", fails)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_search_that_failed_has_no_rows_to_act_on(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The rows shown are then still those of the filter before."""
    engine.history.add(a_job())
    failing(engine, monkeypatch)
    app = fake_app(engine)
    calls: Calls = []
    async with running(app, (80, 24)) as pilot:
        rows = await opened(app, pilot)
        for name in COMMANDS:
            monkeypatch.setattr(
                app.session.tasks, name, lambda *args, _name=name, **_: calls.append((_name, *args))
            )
        await pilot.press("e")
        await until(pilot, lambda: rows.row_count == 20)
        await ask(app, pilot, "outcome:failed needle")
        await pilot.pause()
        await pilot.press(KEYS[command])
        await until(pilot, lambda: "cannot be applied" in told(app))
        assert calls == []


@pytest.mark.parametrize(("key", "row"), [("g", 7), ("G", 8)])
async def test_an_end_of_the_table_is_that_of_the_finished_search(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, key: str, row: int
) -> None:
    engine.history.add(a_job())
    engine.slow_for = True
    app = fake_app(engine)
    async with running(app, (80, 24)) as pilot:
        rows = await opened(app, pilot)
        await ask(app, pilot, "needle")
        await pilot.press(key)
        await until(pilot, lambda: rows.row_count == 1)
        assert rows.cursor_id == 7
        engine.slow_for = False
        await until(pilot, lambda: rows.row_count == 2)
        assert rows.cursor_id == row
