"""Every view of results as text, at two sizes: what is cut, crowded or moved shows in the diff."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.ui.all_answer_kinds import IDS, make_zoo, zoo_app
from tests.ui.conftest import BatchdeckPilot, running, screen_text, until
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.widgets.error_groups import ErrorGroups

SIZES = [(80, 24), (140, 40)]

READ = (
    "tools", "reasoning", "choices", "embeddings", "moderation", "image", "json-bad", "summary",
    "entities", "labels", "long", "bad-value", "mended",
)  # fmt: skip
"""The rows of which the whole view is looked at."""


class TextExtension(SingleFileSnapshotExtension):
    """A file of text for each view."""

    file_extension = "txt"
    _file_extension = "txt"
    _write_mode = WriteMode.TEXT


async def tables(app: BatchdeckApp, pilot: BatchdeckPilot) -> AsyncIterator[str]:
    """Go through the views of the table; each is drawn when its name comes."""
    results = app.main.results
    rows = results.rows_table

    async def shows(count: int) -> None:
        await until(pilot, lambda: rows.row_count == count)
        await until(pilot, lambda: not selecting(app) and wait_until_shown(app))

    await shows(len(IDS))
    yield "table"
    await pilot.press("l", "l", "space", "j", "M", "s")
    await shows(len(IDS))
    yield "sorted and marked"
    await pilot.press("h", "h", "s")
    # The cursor stays in its row, wherever the new order has it.
    await until(pilot, lambda: "Id↑" in screen_text(app))
    await shows(len(IDS))
    await pilot.press("escape", "g", "slash", *"outcome:fai")
    await until(pilot, lambda: "tab outcome:failed" in screen_text(app))
    await shows(len(IDS))
    yield "a filter that is typed"
    await pilot.press("tab", "space", *"code:429", "enter")
    await shows(3)
    yield "chips"
    await pilot.press("escape")
    await shows(len(IDS))
    await pilot.press("E", "j")
    await pilot.pause()
    yield "groups"
    await pilot.press("enter")
    await shows(2)
    yield "one group"
    await pilot.press("escape")
    await shows(len(IDS))
    await pilot.press("slash", *"schema:bad", "enter")
    await shows(2)
    yield "answers that miss their schema"
    await pilot.press("escape", "g")
    await shows(len(IDS))


async def rows_read(app: BatchdeckApp, pilot: BatchdeckPilot) -> AsyncIterator[str]:
    """Go through the rows with the key for the next one."""
    view = app.main.results.view

    def shows(id: str) -> bool:
        return view.detail is not None and view.detail.row.custom_id == id

    await pilot.press("enter")
    await until(pilot, lambda: app.main.results.is_reading)
    for place, id in enumerate(IDS):
        if id in READ:
            await until(pilot, lambda id=id: shows(id))
            await view.wait_until_shown()
            await until(pilot, lambda place=place: f"{place + 1} of {len(IDS)}" in screen_text(app))
            yield f"row {id}"
        await pilot.press("n")
    await pilot.press("escape", "g")
    await pilot.pause()


def selecting(app: BatchdeckApp) -> bool:
    return any(worker.group == "select" and worker.is_running for worker in app.workers)


def wait_until_shown(app: BatchdeckApp) -> bool:
    """Is the row beside the table that of the cursor, where one is shown?"""
    results = app.main.results
    detail = results.view.detail
    shown = results.view.display and results.rows_table.row_count
    return not shown or (detail is not None and detail.row.seq == results.rows_table.cursor_id)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_views_of_results(paths: Paths, snapshot: SnapshotAssertion, size: Any) -> None:
    make_zoo(paths)
    app = zoo_app(paths)
    pictures = snapshot.use_extension(TextExtension)
    changed: list[str] = []
    async with running(app, size) as pilot:
        await until(pilot, lambda: app.main.batches.job is not None)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.results.query_one(ErrorGroups).row_count == 7)
        for views in (rows_read, tables):
            async for name in views(app, pilot):
                text = "\n".join(line.rstrip() for line in screen_text(app).split("\n")) + "\n"
                if text != pictures(name=name):
                    changed.append(name)
    assert not changed, "looks different, see --snapshot-update and git diff"
