"""What is done by hand: a request in the editor, a text outside, templates kept by name."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from textual.app import App
from textual.widgets import TextArea

from tui.core.text import one_line
from tui.errors import BatchdeckError
from tui.ui.screens.compose.check import CheckStep
from tui.ui.screens.compose.request import Place, RequestStep, too_long
from tui.ui.screens.compose.step import Desk, Step
from tui.ui.screens.compose.template import TemplateStep
from tui.ui.widgets.compose_text import PASTE_CAP, too_long_note


def edit_outside(app: App[Any]) -> None:
    """Let the text that has the keys be written in the person's editor."""
    from tui.ui.external import edit_text

    area = app.focused
    if not isinstance(area, TextArea):
        app.notify("Go into a text first", markup=False, timeout=3)
        return
    suffix = ".json" if area.id == "request-text" else ".txt"
    text = edit_text(app, area.text, suffix)
    if text is not None:
        area.text = text[:PASTE_CAP]
        if len(text) > PASTE_CAP:
            app.notify(too_long_note().plain, markup=False, severity="warning")


async def request_step(app: App[Any], desk: Desk, step: Step | None) -> RequestStep | None:
    """The editor for a request: a line of the file, the shown preview, or a new one."""
    if desk.engine is None:
        return None
    if isinstance(step, CheckStep):
        try:
            line = await desk.engine.line_of(step.path, step.line)
        except BatchdeckError as error:
            app.notify(one_line(error.message, 200), markup=False, severity="warning")
            return None
        if reason := too_long(line):
            app.notify(reason, markup=False, severity="warning")
            return None
        stem = step.path.stem.removesuffix("-edited")
        return RequestStep(desk, line, Place(step.path, step.line), f"{stem}-edited")
    if isinstance(step, TemplateStep):
        line = step.request()
        if not too_long(line):
            return RequestStep(desk, line, Place(), f"{desk.name}-by-hand")
    return RequestStep(desk, b"", Place(), "by-hand")


async def choose_template(app: App[Any], desk: Desk, step: TemplateStep) -> None:
    """Load a template into the form, or save what is in it under a name."""
    from tui.compose.saved import save_template
    from tui.ui.dialogs.templates import TemplatesDialog

    if desk.engine is None:
        return
    folder = desk.engine.paths.templates
    answer = await app.push_screen_wait(TemplatesDialog(folder, step.text.rest.name))
    if answer is None:
        return
    if answer.template is not None:
        step.show_template(answer.template)
        return
    try:
        template = await asyncio.to_thread(step.text.template)
        named = msgspec.structs.replace(template, name=answer.save_as)
        path = await asyncio.to_thread(save_template, named, folder)
    except BatchdeckError as error:
        words = one_line(f"{error.message}. {error.hint or ''}", 300)
        app.notify(words, markup=False, severity="warning")
    else:
        app.notify(f"Saved as {one_line(path.name, 60)}", markup=False)
