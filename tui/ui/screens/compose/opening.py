"""From what a person named to the step that fits: requests, or rows for a template."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App

from tui.compose import samples
from tui.compose.template import Kind
from tui.core.text import visible
from tui.errors import BatchdeckError, InputError, UsageError
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.screens.compose.step import Desk
from tui.ui.templatetext import TemplateText

if TYPE_CHECKING:
    from tui.compose.sources.source import Source
    from tui.compose.template import Template
    from tui.engine.engine import Engine

_LINES = (".jsonl", ".ndjson")
_SAMPLES = {samples.DOCUMENTS: samples.SUMMARIZE, samples.PRODUCTS: samples.MARKETING}
_KINDS: dict[str, Kind] = {"anthropic": "messages", "scaledown": "summarize"}
"""What is most likely wanted from a provider that has a form of its own."""


@dataclass(frozen=True)
class Opened:
    """What is there to be shown.

    ``path`` is a file of requests to check; without one ``source`` holds rows, opened at
    ``place``, and ``template`` is what comes with them.
    """

    spec: str
    name: str
    path: Path | None = None
    source: Source | None = None
    template: Template | None = None
    place: str = ""


async def open_spec(app: App[Any], engine: Engine, spec: str) -> Opened | None:
    """Open what a person named; a program is run only after they said yes to its path.

    Returns:
        What is there; ``None`` when a program was not to be run.

    Raises:
        InputError: It cannot be opened.
    """
    from tui.compose.sources import runs_code

    if spec == "-":
        raise UsageError("standard input is for the command line", "Name a file.")
    place, mark, part = spec.partition("::")
    path = await asyncio.to_thread(Path(place).expanduser)
    whole = f"{path}{mark}{part}"
    trusted = False
    if runs_code(whole):
        if not await _trusts(app, path):
            return None
        trusted = True
    try:
        source = await engine.open_source(whole, trusted=trusted)
        if source.kind == "requests":
            return Opened(spec, path.stem, path=await _requests(engine, source, path))
    except InputError:
        if path.suffix.lower() in _LINES and not mark:
            # The check names every line that is wrong, not only the first.
            return Opened(spec, path.stem, path=path)
        raise
    name = path.stem or "requests"
    template = None
    if (saved := _SAMPLES.get(path)) is not None:
        from tui.compose.saved import load_template

        template = await asyncio.to_thread(load_template, saved)
    name = "texts" if "*" in name else name
    return Opened(spec, name, source=source, template=template, place=whole)


async def _trusts(app: App[Any], path: Path) -> bool:
    """Ask before a program is run."""
    absolute = await asyncio.to_thread(path.absolute)
    facts = [("program", visible(str(absolute)))]
    note = "It runs with all your rights, like any program. Read it first if it is not yours."
    dialog = ConfirmDialog("Run this program?", facts, "Run it", note, dangerous=True)
    answer: bool = await app.push_screen_wait(dialog)
    return answer


async def _requests(engine: Engine, source: Source, path: Path) -> Path:
    """The file to check: the one that was named, or requests brought into the common form."""

    def first() -> dict[str, Any]:
        return next(iter(source.rows()), {})

    if path.suffix.lower() in _LINES:
        row = await asyncio.to_thread(first)
        if "body" in row or "params" in row:
            return path
    report = await engine.compose(source, None)
    return Path(report.path)


def first_text(
    source: Source, template: Template | None, last: TemplateText | None, desk: Desk
) -> TemplateText:
    """What stands in the form at first.

    The template that comes with a sample, else what was in the form before, where every
    column that it names is there; else nothing but the likely kind.
    """
    if template is not None:
        return TemplateText.of(template)
    if last is not None and _fits(last, source):
        return last
    kind: Kind = "chat"
    if desk.engine is not None:
        try:
            kind = _KINDS.get(desk.engine.account(desk.account).provider, kind)
        except BatchdeckError:
            kind = "chat"
    return TemplateText(kind=kind, id=_identifying(source.columns))


def _identifying(columns: tuple[str, ...]) -> str:
    """The column that is called so; else a first one such as ``review_id``; else none."""
    named = next((each for each in columns if each.lower() in ("id", "custom_id")), "")
    return named or next((each for each in columns[:1] if each.lower().endswith("_id")), "")


def _fits(text: TemplateText, source: Source) -> bool:
    """Does the source have every column that the texts ask for?"""
    from tui.compose.fields import FieldText

    try:
        for words in (text.user, text.system):
            if not FieldText(words, where="").fields <= {*source.columns, "row_number"}:
                return False
    except InputError:
        return False
    return bool(text.user.strip())
