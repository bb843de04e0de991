"""A folder of odd files, opened in the dashboard one after the other.

``odd_files_on_screen.txt`` has what the screen says of each, above the form or the report. To
write it anew after a wanted change, remove that file and run this test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.events import Paste
from textual.widgets import OptionList

from tests.compose.sources.test_odd_files import odd_files
from tests.ui.conftest import BatchdeckPilot, real_app, running, screen_text, until
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.choose import ChooseDialog
from tui.ui.panes.compose.template import TemplateStep

LINES = Path(__file__).with_name("odd_files_on_screen.txt")
_FIGURES = re.compile(r" · ~[\d,]+ tokens? in( · no max_tokens set)?( · free)?")
"""What the preview adds, as soon as it is ready."""

UNDER_WAY = ("Opening", "loading", "Loading", "Reading", "Checking", "checking")


def said(app: BatchdeckApp) -> list[str]:
    """The lines below the name of the job, up to the next part of the screen."""
    lines = [line.strip("│╭╮╰╯─ ") for line in screen_text(app).split("\n")]
    start = next((n for n, line in enumerate(lines, 1) if line.startswith("Name")), len(lines))
    found = []
    for line in lines[start:]:
        if not line or line.startswith(("Submit", "Kind ")):
            break
        found.append(_FIGURES.sub("", line))
    return found


async def left(pilot: BatchdeckPilot, app: BatchdeckApp) -> None:
    """Go back to the start, where what is pasted is a file and no part of a prompt."""
    while app.main.compose_pane.step is not None:
        await pilot.press("escape")
    await until(pilot, lambda: not app.main.compose_pane.query(TemplateStep))


async def opened(pilot: BatchdeckPilot, app: BatchdeckApp, name: str) -> list[str]:
    """Open a file and wait for what is said of it; a question for a part is said as well."""
    await pilot.press("escape", "1")
    app.post_message(Paste(name))
    await pilot.pause()

    def is_told() -> bool:
        if isinstance(app.screen, ChooseDialog):
            return True
        lines = said(app)
        field = screen_text(app).split("Source", 1)[1].split("\n", 1)[0]
        return name in field and bool(lines) and not any(word in lines[0] for word in UNDER_WAY)

    await until(pilot, is_told)
    if not isinstance(app.screen, ChooseDialog):
        lines = said(app)
        await left(pilot, app)
        return lines
    parts = [str(option.prompt) for option in app.screen.query_one(OptionList).options]
    await pilot.press("escape")
    return [f"Which one? {', '.join(part.strip(' ●') for part in parts)}"]


@pytest.mark.slow
async def test_the_screen_says_what_each_is(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = []
    app = real_app(paths)
    async with running(app, (160, 40)) as pilot:
        for name, content in odd_files().items():
            (tmp_path / name).write_bytes(content)
            lines = await opened(pilot, app, name)
            made.append(f"{name}: {' / '.join(lines)}\n")
    text = "".join(made)
    if not LINES.exists():
        LINES.write_text(text, "utf-8")
        pytest.fail("the lines are written anew: read them")
    assert len(made) >= 40 and text == LINES.read_text("utf-8")
