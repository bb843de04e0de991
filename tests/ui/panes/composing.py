"""What the stories of Compose begin with: a source that is opened, a template that is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.events import Paste

from tests.ui.conftest import BatchdeckPilot, screen_text, until
from tui.paths import Paths
from tui.ui.app import BatchdeckApp
from tui.ui.dialogs.confirm import SubmitDialog
from tui.ui.panes.compose.template import TemplateStep

SAVED = """
name = "Feeling"
system = "Answer in one word."
user = "What does this customer feel? {text}"
model = "sandbox-small"
max_tokens = 20
id = "id"
"""


def save(paths: Paths, text: str = SAVED, name: str = "feeling") -> None:
    """Keep a template under a name."""
    paths.templates.mkdir(parents=True, exist_ok=True)
    (paths.templates / f"{name}.toml").write_text(text, "utf-8")


def write_reviews(path: Path) -> Path:
    """Sixty reviews, one of them in two lines and quoted."""
    lines = [f'r{n},"Review {n}, it works",{n % 5}' for n in range(59)]
    path.write_text("id,text,stars\n" + "\n".join(lines) + '\nr59,"Two\nlines",1\n', "utf-8")
    return path


async def pasted(pilot: BatchdeckPilot, app: BatchdeckApp, text: str) -> None:
    """Go to Compose and paste."""
    await pilot.press("1")
    await until(pilot, lambda: "Start with a file" in screen_text(app))
    app.post_message(Paste(text))
    await pilot.pause()


async def form_of(pilot: BatchdeckPilot, app: BatchdeckApp) -> TemplateStep:
    """The form for a source, once it is there and has been drawn."""
    await until(pilot, lambda: isinstance(app.main.compose_pane.step, TemplateStep))
    return template_step(app)


async def loaded(pilot: BatchdeckPilot, app: BatchdeckApp, source: Path) -> TemplateStep:
    """Paste a path, and load the first template that is saved; the preview is there."""
    await pasted(pilot, app, str(source))
    step = await form_of(pilot, app)
    await pilot.press("f2")
    await until(pilot, lambda: "Feeling" in screen_text(app))
    await pilot.press("enter")
    await until(pilot, lambda: drawn(app))
    return step


async def asked(pilot: BatchdeckPilot, app: BatchdeckApp, key: str = "S") -> str:
    """Ask to send; the answer is what the question says."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, SubmitDialog))
    return screen_text(app)


async def kind_chosen(pilot: BatchdeckPilot, step: TemplateStep, kind: str) -> None:
    """Go on from kind to kind by keys."""
    while step.text.kind != kind:
        before = step.text.kind
        await pilot.press("ctrl+t")
        await until(pilot, changed_from(step, before))


def changed_from(step: TemplateStep, kind: str) -> Callable[[], bool]:
    """Is another kind chosen?"""
    return lambda: step.text.kind != kind


def template_step(app: BatchdeckApp) -> TemplateStep:
    """The form that is shown."""
    step = app.main.compose_pane.step
    assert isinstance(step, TemplateStep)
    return step


def drawn(app: BatchdeckApp) -> bool:
    """Is the preview that of the form?"""
    step = app.main.compose_pane.step
    return isinstance(step, TemplateStep) and step.sketch is not None


def job_rows(app: BatchdeckApp) -> list[dict[str, Any]]:
    """The requests of the job in the list."""
    job = app.main.batches.job
    assert job is not None
    file = app.session.paths.job_folder(job.id) / "requests.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
