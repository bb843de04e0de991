"""Hostile text in the dashboard, in pilots and in a real terminal."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.hostile.corpus import ESCAPES, HIDING, MARKUP, TEXTS, raw_in
from tests.store.bench import Desk, line
from tests.terminal.terminal import Terminal
from tests.ui.conftest import BatchdeckPilot, real_app, running, screen_text, until
from tui.core.rows import Outcome
from tui.core.text import one_line, visible
from tui.paths import Paths
from tui.ui.app import BatchdeckApp

pytestmark = pytest.mark.long

NAME = "[bold]n\x1b]0;owned\x07\u202e[/]"


@pytest.fixture
def hostile(paths: Paths) -> Paths:
    """A history with one job: half of its rows failed; all texts are hostile."""
    desk = Desk(paths)
    ids = [f"{number:02} {text}" for number, text in enumerate(TEXTS.values())]
    job = desk.job(ids, name=NAME, text=MARKUP["textual"] + ESCAPES["clipboard"])
    good, bad = Outcome.SUCCEEDED, Outcome.FAILED
    lines = [
        line(custom_id, good if number % 2 else bad, text)
        for number, (custom_id, text) in enumerate(zip(ids, TEXTS.values(), strict=True))
    ]
    batch = desk.batch(job)
    desk.results(batch, lines)
    words = ESCAPES["link"] + MARKUP["rich"] + HIDING["bidi"]
    with desk.database.write() as connection:
        connection.execute("UPDATE jobs SET model=:x, trouble=:x, status='completed'", {"x": words})
        connection.execute(
            "UPDATE batches SET raw_status=:x, trouble=:x, remote_id=:x, status='completed',"
            " collected=1, ended_at=200.0",
            {"x": words},
        )
    desk.history.close()
    return paths


async def shown(pilot: BatchdeckPilot, app: BatchdeckApp, text: str) -> str:
    """The screen once a text has appeared, or did not appear in time."""
    with contextlib.suppress(AssertionError):
        await until(pilot, lambda: text in screen_text(app), 5.0)
    return screen_text(app)


@pytest.mark.parametrize(("size", "rows"), [((80, 24), len(TEXTS)), ((180, 50), 4)])
async def test_every_row_can_be_read(hostile: Paths, size: tuple[int, int], rows: int) -> None:
    app = real_app(hostile)
    async with running(app, size) as pilot:
        await until(pilot, lambda: visible(NAME)[:12] in screen_text(app))
        assert raw_in(screen_text(app)) == []
        await pilot.press("2", "enter")
        results = app.main.results
        await until(pilot, lambda: results.rows_table.row_count == len(TEXTS))
        assert raw_in(screen_text(app)) == []
        await pilot.press("enter")
        await until(pilot, lambda: results.is_reading)
        for number, text in enumerate(list(TEXTS.values())[:rows]):
            start = one_line(f"{number:02} {text}", 40)[:6].rstrip()
            assert start in await shown(pilot, app, start), screen_text(app)
            assert raw_in(screen_text(app)) == [], number
            await pilot.press("n")
        await pilot.press("escape", "e")
        await until(pilot, lambda: results.rows_table.row_count == (len(TEXTS) + 1) // 2)
        assert raw_in(screen_text(app)) == []
        await pilot.press("question_mark")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.press("r")
        await pilot.pause()
        assert raw_in(screen_text(app)) == []
        assert app.is_running


async def test_a_hostile_file_name_in_compose(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / f"{NAME.replace('/', '')}.jsonl"
    file.write_text('{"custom_id": "[red]\\u001b[2J", "method": "POST", "url": "/v1/x"}\n')
    app = real_app(paths, open_file=file)
    async with running(app, (120, 36)) as pilot:
        await until(pilot, lambda: visible(NAME)[:8] in screen_text(app))
        assert raw_in(screen_text(app)) == []
        assert "\x1b" not in screen_text(app)


def test_on_a_real_terminal(hostile: Paths, tmp_path: Path) -> None:
    terminal = Terminal(home=tmp_path, more={"BATCHDECK_HOME": str(hostile.data)}, size=(140, 40))
    try:
        terminal.see(visible(NAME)[:12])
        terminal.press("\r")
        terminal.see("00 ")
        terminal.press("\r")
        terminal.see("esc Back")
        for _ in TEXTS:
            terminal.press("n")
        terminal.until(lambda text: f"{len(TEXTS) - 1} " in text)
        terminal.press("\x1b")
        terminal.see("e Errors")
        terminal.press("e")
        terminal.see(f"{(len(TEXTS) + 1) // 2} of {len(TEXTS)}")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()
    # What the program itself draws with moves and colours; none of it came from the texts.
    for harm in (b"\x1b]0;", b"\x1b]52;", b"\x1b]8;;http://evil", b"\x1bP", b"\x1b_G", b"\x1b(0"):
        assert harm not in terminal.raw, harm
    for harm in ("\u202e", "\u200b", "\x9b", "\x9d", "\x00", "\U000e0041"):
        assert harm.encode() not in terminal.raw, harm
