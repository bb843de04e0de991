"""A source and a template make a file of requests."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tui.compose.atomic import atomic_file
from tui.compose.columns import ColumnsWriter, columns_file, columns_path
from tui.compose.ids import IdMaker, IdReport
from tui.compose.portions import LineMaker, portions
from tui.compose.renderer import Renderer
from tui.compose.settings import apply_settings
from tui.compose.sources.ready import common_form, is_request
from tui.compose.sources.source import Source
from tui.compose.template import Template
from tui.core.text import quoted
from tui.errors import InputError, UsageError

_EVERY = 1000
_ROWS_WHEN_UNKNOWN = 100_000
_encode = msgspec.json.Encoder().encode


class BuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was built: rows and bytes of the file, and how the ids came out.

    ``inputs`` is the file with the columns that the rows came from, empty where they came
    from no table.
    """

    path: str
    rows: int
    size: int
    ids: IdReport
    inputs: str = ""


def build(
    source: Source,
    template: Template | None,
    out_path: Path,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    limit: int | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> BuildReport:
    """Write the requests of a source, streamed, in a memory that does not grow with it.

    The file appears as a whole, or not at all. The columns of a table are kept beside it, for
    joining the answers to them.

    Args:
        source: The rows.
        template: What to make of a row; not needed when the rows are ready-made requests,
            and with a template such rows are data like any other.
        out_path: The file to write.
        model: For ready-made requests: the model to be used instead.
        settings: For ready-made requests: further fields of the body.
        limit: Take only so many rows.
        stop: Asked now and then; true ends the work.
        progress: Told the rows done and in all (``None``: unknown), now and then.

    Raises:
        InputError: A row cannot be used (it names the row), there are no rows, the file cannot
            be written, or the work was stopped.
        UsageError: The template cannot be used.
    """
    make, renderer = _maker(source, template, model, settings)
    size = rows = told = 0
    ids = IdMaker(source.count or _ROWS_WHEN_UNKNOWN)
    with columns_file(source, out_path) as beside, atomic_file(out_path) as file:
        columns = None if beside is None else ColumnsWriter(beside, source)
        kept = columns is not None
        for count, lines, arrays in portions(source, make, renderer, ids, kept=kept, limit=limit):
            file.write(lines)
            size += len(lines)
            rows += count
            if columns is not None:
                columns.add(count, arrays, lines)
            if stop is not None and stop():
                raise InputError("the work was stopped; no file was written", path=out_path)
            if progress is not None and rows - told >= _EVERY:
                told = rows
                progress(rows, source.count)
        if not rows:
            raise InputError(f"{quoted(source.name, 200)} holds no rows", "Look into the source.")
        if columns is not None:
            columns.finish()
    if progress is not None:
        progress(rows, rows)
    return BuildReport(
        path=str(out_path),
        rows=rows,
        size=size,
        ids=ids.report(),
        inputs="" if columns is None else str(columns_path(out_path)),
    )


def line_maker(
    source: Source,
    template: Template | None,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> LineMaker:
    r"""A function from a row and its number to its request line, with its ``\n``.

    The arguments are those of ``build``. The function raises InputError for a row that cannot
    be used.

    Raises:
        UsageError: The template cannot be used, or is missing.
    """
    return _maker(source, template, model, settings)[0]


def _maker(
    source: Source,
    template: Template | None,
    model: str | None,
    settings: Mapping[str, Any] | None,
) -> tuple[LineMaker, Renderer | None]:
    if template is not None:
        renderer = Renderer(template, columns=source.columns, base=source.base)
        return renderer.render, renderer
    if source.kind != "requests":
        raise UsageError(
            f"the rows of {quoted(source.name, 200)} are no requests yet",
            "Name a template with --template.",
        )

    def ready(row: Mapping[str, Any], number: int, ids: IdMaker) -> bytes:
        return _ready_line(row, number, ids, model, settings or {})

    return ready, None


def _ready_line(
    row: Mapping[str, Any],
    number: int,
    ids: IdMaker,
    model: str | None,
    settings: Mapping[str, Any],
) -> bytes:
    if not is_request(row):
        raise InputError(
            f"row {number} is no request", "Give it custom_id and body or params.", line=number
        )
    request = common_form(row)
    wanted = request["custom_id"]
    request["custom_id"] = ids.make("" if wanted is None else str(wanted), number)
    if model or settings:
        # The row is the caller's, and a setting may reach deep into it.
        request["body"] = body = copy.deepcopy(request["body"])
        if model:
            body["model"] = model
        apply_settings(body, settings)
    try:
        return _encode(request) + b"\n"
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"row {number} cannot be written as JSON: {error}", "Mend the row.", line=number
        ) from None
