"""Sources that are fetched from addresses, and an export to a bucket, in the dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Input, Select

from tests.fakes.file_server import FileServer, Hosted, file_server
from tests.fakes.server import sandbox
from tests.ui.conftest import notes, real_app, running, screen_text, until
from tests.ui.panes.composing import form_of, pasted
from tests.ui.test_whole_loop import requests_file
from tui.paths import Paths
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.export import ExportDialog
from tui.ui.widgets.compose_inputs import PlainTextArea, TableOptions


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as made:
        yield made


async def test_a_signed_table_is_fetched_once_and_its_key_is_not_kept(
    paths: Paths, server: FileServer
) -> None:
    server.files["/shop.csv"] = Hosted(b"name|price\nlamp,red|3\nvase|4\n")
    address = f"{server.url}/shop.csv?sig=a-secret"
    app = real_app(paths)
    async with running(app, (120, 40)) as pilot:
        await pasted(pilot, app, address)
        step = await form_of(pilot, app)
        await until(pilot, lambda: any("shop.csv: fetched" in note for note in notes(app)))
        # Another reading of the table asks nobody.
        seen = len(server.asked)
        await until(pilot, lambda: bool(step.query(TableOptions)))
        step.query_one("#table-delimiter", Select).value = ","
        await until(pilot, lambda: "comma-separated" in screen_text(app))
        step.query_one("#table-delimiter", Select).value = "|"
        await until(pilot, lambda: step.columns == ("name", "price"))
        assert len(server.asked) == seen
        step.query_one("#field-model", Input).value = "m"
        step.query_one("#field-user", PlainTextArea).text = "Praise the {name}"
        await until(pilot, lambda: "Praise the lamp,red" in screen_text(app))
        draft = step.draft
        assert draft is not None and draft.place == f"{server.url}/shop.csv?…"
        app.main.compose_pane.remember()
        app.session.state.save(paths)
        for file in paths.data.rglob("*"):
            assert file.is_dir() or b"a-secret" not in file.read_bytes(), file

        app.main.compose_pane.open_source(f"{server.url}/none.csv?sig=a-secret")
        await until(pilot, lambda: "there is no file at" in screen_text(app))


async def test_requests_from_an_address_are_sent_and_their_rows_go_to_a_bucket(
    paths: Paths, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_SANDBOX_ROWS_PER_SECOND", "0")
    server.files["/reviews.jsonl"] = Hosted(requests_file(tmp_path, rows=3).read_bytes())
    app = real_app(paths)
    with sandbox(tmp_path / "bucket", like="vertex", key=None) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        async with running(app, (120, 36)) as pilot:
            await pasted(pilot, app, f"{server.url}/reviews.jsonl")
            await until(pilot, lambda: "Ready to submit" in screen_text(app))
            await pilot.press("S")
            await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
            await pilot.press("y")
            batches = app.main.batches
            await until(pilot, lambda: batches.job and batches.job.counts.succeeded == 3)
            assert batches.job is not None
            assert batches.job.source == f"{server.url}/reviews.jsonl"

            def written() -> int:
                return sum("3 rows written to gs://" in note for note in notes(app))

            for again in (False, True):
                await pilot.press("x")
                await until(pilot, lambda: isinstance(app.screen, ExportDialog))
                field = app.screen.query_one(Input)
                field.value = "https://data.example.org/rows.jsonl"
                await until(pilot, lambda: "cannot be written to https://" in screen_text(app))
                field.value = "gs://answers/rows.jsonl"
                await until(pilot, lambda: "put in the bucket" in screen_text(app))
                await pilot.press("enter")
                if again:
                    await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
                    await pilot.press("y")
                await until(pilot, lambda count=again + 1: written() == count)
            fetched = await app.session.engine.requests.fetch("gs://answers/rows.jsonl")
            assert [json.loads(line)["custom_id"] for line in fetched.path.open()] == [
                "r-0", "r-1", "r-2",
            ]  # fmt: skip
