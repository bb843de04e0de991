"""Sources that are opened and left faster than their forms can be built, and an app that ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.widgets import Input

from tests.engine.bench import write_requests
from tests.ui.conftest import real_app, running, screen_text, until
from tui.compose.checks.scan import Scan
from tui.compose.sources.base import Source
from tui.engine.events import JobDeleted, JobImported
from tui.paths import Paths
from tui.ui.panes.compose import open_file
from tui.ui.panes.compose.check import CheckStep
from tui.ui.panes.compose.template import TemplateStep


async def test_a_form_that_is_left_while_it_is_built_ends_quietly(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source("t.csv", "table", ("text",), lambda: iter([{"text": "a"}]), count=1)

    async def at_once(app: Any, engine: Any, spec: str) -> open_file.OpenedSource:
        return open_file.OpenedSource(spec, "t", source=source)

    monkeypatch.setattr(open_file, "open_path", at_once)
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "Start with a file" in screen_text(app))
        pane = app.main.compose_pane
        # Every moment of the building is one at which another source may be opened.
        for moments in (0, 3, 6, 9, 12, 16, 20, 26, 32, 40):
            pane.open_source(f"t{moments}.csv")
            for _ in range(moments):
                await asyncio.sleep(0)
            pane.clear()
        pane.open_source("last.csv")
        await until(pilot, lambda: isinstance(pane.step, TemplateStep))
        await until(pilot, lambda: "prompt is empty" in screen_text(app))
        await until(pilot, lambda: len(pane.query(TemplateStep)) == 1)


async def test_what_is_told_after_the_engine_closed_is_not_looked_up(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        assert app.engine is not None and app.updates is not None
        await app.engine.close()
        # What was on its way while it closed arrives afterwards.
        app.updates.receive(JobImported("job-of-which-nothing-is-known"))
        app.updates.receive(JobDeleted("another"))
        await pilot.pause()
        app.apply_changes()
        assert "Batches" in screen_text(app)


async def test_a_path_that_comes_in_one_breath_is_typed_whole(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "Start with a file" in screen_text(app))
        await until(pilot, lambda: app.focused is not None and app.focused.id == "start-list")
        typed = "/tmp/No such.d/./x.csv"
        for character in typed:
            app.post_message(Key(_character_to_key(character), character))
        app.post_message(Key("enter", None))
        source = app.main.compose_pane.query_one("#compose-source", Input)
        await until(pilot, lambda: source.value == typed)
        await until(pilot, lambda: "does not exist" in " ".join(screen_text(app).split()))


async def test_a_path_that_is_typed_letter_by_letter_keeps_its_first_one(paths: Paths) -> None:
    app = real_app(paths)
    async with running(app) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "start-list")
        source = app.main.compose_pane.query_one("#compose-source", Input)
        for number, character in enumerate("/tmp", 1):
            await pilot.press(_character_to_key(character))
            await until(pilot, lambda n=number: source.value == "/tmp"[:n] and source.has_focus)
        # Later, the field selects what is in it again.
        app.screen.set_focus(None)
        source.focus()
        await until(pilot, lambda: source.selected_text == "/tmp")


async def test_a_check_that_ends_at_once_leaves_the_keys_at_submit(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_requests(tmp_path / "two.jsonl", ["a", "b"])
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        pane = app.main.compose_pane
        await until(pilot, lambda: app.focused is not None and app.focused.id == "do-submit")
        step = pane.step
        assert isinstance(step, CheckStep) and app.engine is not None
        found = await app.engine.requests.scan(file)

        async def scan(*_: Any, **__: Any) -> Scan:
            return found

        monkeypatch.setattr(app.engine.requests, "scan", scan)
        app.screen.set_focus(pane)
        step.do_check()
        step.focus_first()
        await until(pilot, lambda: app.focused is not None and app.focused.id == "do-submit")
