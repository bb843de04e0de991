"""The Compose pane: from choosing a file to asking for the submit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.ui.conftest import fake_app, notes, real_app, running, screen_text, until
from tests.ui.fakes import FakeEngine
from tui.paths import Paths
from tui.ui.dialogs.pick_file import PickFileDialog

GOOD = (
    '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",'
    ' "body": {"model": "m", "messages": [{"role": "user", "content": "x"}]}}'
)


async def test_a_bad_file_shows_its_lines_and_what_to_do(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(f"{GOOD}\nnot json\n{GOOD}\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: "to fix in the file" in screen_text(app))
        text = screen_text(app)
        assert "not JSON" in text
        assert "duplicate custom_id 'a', first used on line 1" in text
        marked = [line for line in text.splitlines() if "✗ error" in line]
        assert [re.findall(r"(\d) +✗", line) for line in marked] == [["2"], ["3"]]
        await pilot.press("S")
        await until(pilot, lambda: notes(app))
        assert "in the file first" in notes(app)[0]
        assert app.screen is app.main


async def test_fixes_are_offered_and_leave_the_file_alone(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "windows.jsonl"
    raw = f"{GOOD}\r\n\r\n".encode()
    file.write_bytes(raw)
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: "can be fixed" in screen_text(app))
        await pilot.press("F")
        await until(pilot, lambda: "your file is not changed" in screen_text(app))
        await pilot.press("S")
        await until(pilot, lambda: app.screen is not app.main)
        await pilot.press("y")
        await until(pilot, lambda: app.main.batches.job)
        assert file.read_bytes() == raw


async def test_a_file_without_problems_does_not_offer_to_fix_them(
    paths: Paths, tmp_path: Path
) -> None:
    file = tmp_path / "clean.jsonl"
    file.write_text(f"{GOOD}\n")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        await until(pilot, lambda: "S Submit" in screen_text(app).splitlines()[-1])
        assert "Fix" not in screen_text(app).splitlines()[-1]
        assert app.screen.query_one("#do-fix").disabled
        assert not app.screen.query_one("#do-submit").disabled
        await pilot.press("F")
        await until(pilot, lambda: notes(app))
        assert "nothing to fix" in notes(app)[0]


async def test_a_file_that_is_gone_is_said_in_words(paths: Paths, tmp_path: Path) -> None:
    app = real_app(paths, open_file=tmp_path / "gone.jsonl")
    async with running(app) as pilot:
        await until(pilot, lambda: "✗" in screen_text(app))
        assert "gone.jsonl" in screen_text(app)


async def test_new_lets_a_file_be_chosen_by_typing(engine: FakeEngine, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("reviews-1.jsonl", "reviews-2.jsonl", "notes.txt"):
        (folder / name).write_text(GOOD, "utf-8")
    app = fake_app(engine)
    app.session.state.folder = str(tmp_path)
    async with running(app) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, PickFileDialog))
        assert "data/" in screen_text(app)
        await pilot.press("d", "tab")
        await until(pilot, lambda: "notes.txt" in screen_text(app))
        text = screen_text(app)
        assert text.index("reviews-1.jsonl") < text.index("notes.txt")
        await pilot.press("r", "tab", "2", "enter")
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        assert app.main.compose_pane.path == folder / "reviews-2.jsonl"
        assert app.session.state.folder == str(folder)


async def test_the_list_of_files_can_be_walked(engine: FakeEngine, tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(GOOD, "utf-8")
    app = fake_app(engine)
    app.session.state.folder = str(tmp_path)
    async with running(app) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, PickFileDialog))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.main.compose_pane.path is not None)
        assert app.main.compose_pane.path == tmp_path / "b.jsonl"


async def test_escape_leaves_the_choice(engine: FakeEngine) -> None:
    app = fake_app(engine)
    async with running(app) as pilot:
        await pilot.press("1")
        assert "Start with a file" in screen_text(app)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, PickFileDialog))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert app.main.compose_pane.path is None
        await pilot.press("escape")
        await until(pilot, lambda: app.main.pane == "batches")


@pytest.mark.parametrize(("key", "program"), [("o", "editor"), ("v", "pager")])
async def test_editor_and_pager_get_the_file(
    engine: FakeEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    program: str,
) -> None:
    seen: list[tuple[str, Path]] = []
    monkeypatch.setattr(
        "tui.ui.panes.compose.check.show_file",
        lambda session, program, file: seen.append((program, file)),
    )
    app = fake_app(engine, open_file=tmp_path / "x.jsonl")
    async with running(app) as pilot:
        await until(pilot, lambda: "Ready" in screen_text(app))
        await pilot.press(key)
        await until(pilot, lambda: seen)
        assert seen == [(program, tmp_path / "x.jsonl")]


@pytest.mark.parametrize("name", ["[red].jsonl", "a\x1b[31m.jsonl"])
async def test_odd_file_names_are_only_shown(paths: Paths, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(json.dumps(json.loads(GOOD)) + "\n", "utf-8")
    app = real_app(paths, open_file=file)
    async with running(app) as pilot:
        await until(pilot, lambda: "Ready to submit" in screen_text(app))
        assert "\x1b" not in screen_text(app)
        app.session.state.folder = str(tmp_path)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, PickFileDialog))
        assert "\x1b" not in screen_text(app)
