"""Open a source by its path: a file of requests to check, or rows for a template."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import App

from tui.addresses import is_address, parse_address
from tui.compose import samples
from tui.compose.requests.recognition import recognize
from tui.compose.requests.signatures import JOB_ARCHIVE, Recognition
from tui.compose.sources.base import Source
from tui.compose.sources.open import runs_code
from tui.compose.templates.fields import FieldText
from tui.compose.templates.model import Template, TemplateKind
from tui.compose.templates.saved import load_template
from tui.core.jobs import is_job_source
from tui.core.text import one_line, visible
from tui.engine.engine import Engine
from tui.errors import InputError, PartNeededError, UsageError
from tui.paths import expand_home, is_file, split_part
from tui.ui.dialogs.choose import Choice, ChooseDialog
from tui.ui.dialogs.confirm import ConfirmDialog
from tui.ui.dialogs.export import with_progress
from tui.ui.models.template_form import TemplateFields

_LINES = (".jsonl", ".ndjson")
_SAMPLES = {samples.DOCUMENTS: samples.SUMMARIZE, samples.PRODUCTS: samples.MARKETING}
_KINDS: dict[str, TemplateKind] = {"anthropic": "messages", "scaledown": "summarize"}
"""Default template kind of providers with their own request format."""


@dataclass(frozen=True)
class OpenedSource:
    """An opened source; ``spec`` is empty if it must not be remembered.

    Either ``path`` is a file of requests to check, or ``source`` contains the rows, opened from
    ``place``, with the ``template`` that belongs to a sample; or ``archive`` is one of a job; or
    ``results`` are those of a batch that ran elsewhere, to be opened as a job.
    """

    spec: str
    name: str
    path: Path | None = None
    source: Source | None = None
    template: Template | None = None
    place: str = ""
    archive: Path | None = None
    results: Path | None = None


async def open_path(app: App[Any], engine: Engine, spec: str) -> OpenedSource | None:
    """Open a source; a program is run only after the user confirmed its path.

    Returns:
        The opened source; ``None`` if the user left a question about it.

    Raises:
        InputError: The source cannot be opened.
        UnknownJobError: The source is a job that does not exist.
    """
    if spec == "-":
        raise UsageError("standard input can only be used on the command line", "Enter a path.")
    if is_job_source(spec):
        return of_job(spec, await engine.requests.open_source(spec), spec)
    if is_address(spec):
        return await _open_address(app, engine, spec)
    place, part = await asyncio.to_thread(split_part, spec)
    path = await asyncio.to_thread(expand_home, place)
    whole = f"{path}{spec[len(place) :]}"
    found = None if part else await asyncio.to_thread(_recognized, path)
    if found is not None and found.form == JOB_ARCHIVE:
        return OpenedSource(spec, path.stem, archive=path)
    trusted = False
    if runs_code(whole):
        if not await _trusts(app, path):
            return None
        trusted = True
    try:
        try:
            source = await engine.requests.open_source(whole, trusted=trusted)
        except PartNeededError as error:
            chosen = await _chosen_part(app, error)
            if not chosen:
                return None
            return await open_path(app, engine, f"{whole}::{chosen}")
        if source.kind == "requests":
            return OpenedSource(spec, path.stem, path=await _requests(engine, source, path))
    except InputError:
        if path.suffix.lower() in _LINES and not part:
            # The check reports every invalid line, not only the first.
            return OpenedSource(spec, path.stem, path=path)
        raise
    if found is not None and found.kind == "results":
        chosen = await _job_or_table(app)
        if chosen != "table":
            return OpenedSource(spec, path.stem, results=path) if chosen else None
    name = path.stem or "requests"
    template = None
    if (saved := _SAMPLES.get(path)) is not None:
        template = await asyncio.to_thread(load_template, saved)
    name = "texts" if "*" in name else name
    return OpenedSource(spec, name, source=source, template=template, place=whole)


def _recognized(path: Path) -> Recognition | None:
    """What a file is; ``None`` for a pattern, a folder or nothing."""
    return recognize(path) if is_file(path) else None


async def _open_address(app: App[Any], engine: Engine, spec: str) -> OpenedSource | None:
    """Open a file elsewhere, which is fetched with a progress that can be stopped."""
    address = parse_address(spec)
    file = await with_progress(
        app,
        f"Fetching {one_line(visible(address.name), 40)}",
        lambda progress: engine.requests.fetch(spec, progress=progress),
        octets=True,
    )
    app.notify(f"{one_line(visible(address.name), 40)}: {file.note}", markup=False)
    # An address that may be a key is not written down.
    kept, name = "" if address.has_secret else spec, file.path.stem
    found = None if address.part else await asyncio.to_thread(_recognized, file.path)
    if found is not None and found.form == JOB_ARCHIVE:
        return OpenedSource(kept, name, archive=file.path)
    try:
        try:
            source = await engine.requests.open_source(spec, fresh=False)
        except PartNeededError as error:
            chosen = await _chosen_part(app, error)
            return await _open_address(app, engine, f"{address.url}::{chosen}") if chosen else None
        if source.kind == "requests":
            path = await _requests(engine, source, file.path)
            return OpenedSource(kept, name, path=path)
    except InputError:
        if file.path.suffix.lower() in _LINES and not address.part:
            return OpenedSource(kept, name, path=file.path)
        raise
    return OpenedSource(kept, name, source=source, place=spec)


def of_job(spec: str, source: Source, place: str) -> OpenedSource:
    """The opened rows of a job; the next job is named after it."""
    origin = source.origin
    name = "rows" if origin is None else f"{origin.name}-next"
    return OpenedSource(spec, name, source=source, place=place)


async def _chosen_part(app: App[Any], error: PartNeededError) -> str:
    """Ask which table of a file is meant: a sheet, a list, or a file of an archive."""
    choices = [Choice(name, one_line(visible(name), 60)) for name in error.parts]
    dialog = ChooseDialog("Which one?", choices, error.parts[0])
    return await app.push_screen_wait(dialog) or ""


async def _job_or_table(app: App[Any]) -> str:
    """Ask what becomes of results: ``job``, ``table``, or empty for nothing."""
    choices = [
        Choice("job", "as a finished job", "to read, filter and retry"),
        Choice("table", "as a table", "to make new requests"),
    ]
    dialog = ChooseDialog("Open these results of a batch", choices, "job")
    return await app.push_screen_wait(dialog) or ""


async def _trusts(app: App[Any], path: Path) -> bool:
    """Ask for permission to run a program."""
    absolute = await asyncio.to_thread(path.absolute)
    facts = [("program", visible(str(absolute)))]
    note = "It runs with your permissions. Read it first if you did not write it."
    dialog = ConfirmDialog("Run this program?", facts, "Run", note, dangerous=True)
    answer: bool = await app.push_screen_wait(dialog)
    return answer


async def _requests(engine: Engine, source: Source, path: Path) -> Path:
    """The file to check: the opened one, or a copy converted to the common format."""

    def first() -> dict[str, Any]:
        return next(iter(source.rows()), {})

    if path.suffix.lower() in _LINES:
        row = await asyncio.to_thread(first)
        found = await asyncio.to_thread(recognize, path)
        if ("body" in row or "params" in row) and found.kind == "requests":
            return path
    report = await engine.requests.compose(source, None)
    return Path(report.path)


def initial_text(
    source: Source, template: Template | None, last: TemplateFields | None, provider: str
) -> TemplateFields:
    """The initial content of the form.

    The template of a sample, else the previous content if the source has all its columns, else an
    empty form with the default kind of the provider.
    """
    if template is not None:
        return TemplateFields.of(template)
    if last is not None and _fits(last, source):
        return last
    return TemplateFields(kind=_KINDS.get(provider, "chat"), id=_identifying(source.columns))


def _identifying(columns: tuple[str, ...]) -> str:
    """The column named ``id`` or ``custom_id``, else a first column like ``review_id``."""
    named = next((each for each in columns if each.lower() in ("id", "custom_id")), "")
    return named or next((each for each in columns[:1] if each.lower().endswith("_id")), "")


def _fits(text: TemplateFields, source: Source) -> bool:
    """Whether the source has all columns used in the texts."""
    try:
        for words in (text.user, text.system):
            fields = FieldText(words, where="", columns=source.columns).fields
            if not fields <= {*source.columns, "row_number"}:
                return False
    except InputError:
        return False
    return bool(text.user.strip())
