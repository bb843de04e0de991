"""Write the requests of a source to a file, and its input columns to a file next to it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.addresses import is_address, lacks_query
from tui.compose.requests.custom_ids import IdMaker, IdReport
from tui.compose.sources.base import Source, no_rows, normalize_request
from tui.compose.templates.model import Template, with_overrides
from tui.compose.templates.render import Renderer
from tui.compose.templates.render_many import LineMaker, portions
from tui.compose.templates.saved import template_values
from tui.core.jobs import is_job_source
from tui.core.json_path import apply_settings
from tui.core.rows import INPUTS_SUFFIX, ColumnsHeader, read_header
from tui.core.text import quoted
from tui.errors import InputError, UsageError
from tui.files import atomic_file
from tui.paths import split_part
from tui.progress import NO_PROGRESS, Progress

_BLOCK = 1 << 20
_DIGEST = 16
_MAX_HEAD = 1 << 20


def columns_path(requests: Path) -> Path:
    """The path of the columns of a requests file."""
    return requests.with_name(requests.name + INPUTS_SUFFIX)


class ColumnsWriter:
    """Writes the input columns of the rows.

    Args:
        stream: The file to write; must be seekable.
        source: The source of the rows.
        template: What renders them; ``None`` if they are requests already.
    """

    def __init__(self, stream: BinaryIO, source: Source, template: Template | None) -> None:
        self._stream = stream
        self._head = ColumnsHeader(
            columns=source.columns,
            source=_storable(source.name),
            origin=source.origin,
            table=_storable(_from_anywhere(source)),
            template=None if template is None else template_values(template),
        )
        self._digest = hashlib.blake2b(digest_size=_DIGEST)
        self._rows = 0
        stream.write(self._head_line())

    def add(self, count: int, arrays: bytes, lines: bytes) -> None:
        r"""Write the values of rows, and add their request lines to the digest.

        Args:
            count: The number of rows.
            arrays: A JSON array per row (see ``encode_columns``), each with ``\n``.
            lines: A request per row, each with ``\n``.
        """
        self._stream.write(arrays)
        self._digest.update(lines)
        self._rows += count

    def finish(self) -> None:
        """Write the number of rows and the digest to the header line."""
        self._stream.seek(0)
        self._stream.write(self._head_line())

    def _head_line(self) -> bytes:
        digest = self._digest.hexdigest()
        return msgspec.structs.replace(self._head, rows=self._rows, requests=digest).line()


def _storable(text: str) -> str:
    """The text with invalid Unicode replaced, as file names may contain it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _from_anywhere(source: Source) -> str:
    """The source as it can be opened again from any folder; empty if it cannot."""
    if is_address(source.name):
        return "" if lacks_query(source.name) else source.name
    if is_job_source(source.name):
        return source.name
    path, part = split_part(source.name)
    if path in ("", "-") or not Path(path).exists():
        return ""
    absolute = str(Path(path).resolve())
    return f"{absolute}::{part}" if part else absolute


def columns_file(source: Source, requests: Path) -> AbstractContextManager[BinaryIO | None]:
    """Open a file for the columns of a source.

    If the source has no columns to keep, the context is ``None`` and an old file is removed.
    """
    path = columns_path(requests)
    if source.kind != "requests" and source.columns:
        return atomic_file(path)
    path.unlink(missing_ok=True)
    return nullcontext()


@dataclass(frozen=True)
class InputColumnsFile:
    """The columns file of a requests file.

    ``fits`` is true if the requests file has not changed since the columns were written.
    """

    path: Path
    head: ColumnsHeader
    fits: bool

    def lines(self) -> Iterator[bytes]:
        r"""Yield the JSON array of each row without ``\n``, in the order of the requests."""
        with self.path.open("rb") as stream:
            next(stream)
            for line in stream:
                yield line.rstrip(b"\n")


def find_columns_file(requests: Path) -> InputColumnsFile | None:
    """Find the columns of a requests file, and hash the file to see whether they still fit."""
    path = columns_path(requests)
    try:
        with path.open("rb") as stream:
            head = read_header(stream.readline(_MAX_HEAD))
        if head is None:
            return None
        digest = hashlib.blake2b(digest_size=_DIGEST)
        with requests.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError:
        return None
    return InputColumnsFile(path, head, digest.hexdigest() == head.requests)


def source_with_digest(path: Path, kind: str, window: str | None = None) -> str:
    """A source for jobs by which the same requests are recognised: ``frame 3f9a…``.

    Args:
        path: The requests file; it is read once.
        kind: What the requests were made from.
        window: The completion window that is asked for.
    """
    digest = hashlib.blake2b((window or "").encode(), digest_size=_DIGEST)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return f"{kind} {digest.hexdigest()}"


_DEFAULT_ROWS = 100_000
_encode = msgspec.json.Encoder().encode


class BuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a build: rows and bytes of the file, and the changes to ids.

    ``inputs`` is the path of the file with the input columns, empty if the source is not a
    table. ``notes`` says what was detected in the source, ``doubts`` what is not certain or not
    complete in it (see ``Source``).
    """

    path: str
    rows: int
    size: int
    ids: IdReport
    inputs: str = ""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def build(
    source: Source,
    template: Template | None,
    out_path: Path,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    limit: int | None = None,
    progress: Progress = NO_PROGRESS,
) -> BuildReport:
    """Write the requests of a source; memory use does not grow with the number of rows.

    The file is written atomically. The columns of a table are kept in a file next to it, so
    that the answers can be joined to them.

    Args:
        source: The rows.
        template: How to render a row. Optional if the rows are ready-made requests; with a
            template, such rows are treated as data.
        out_path: The file to write.
        model: Replaces the model of ready-made requests.
        settings: Fields to set in the body of ready-made requests.
        limit: The maximum number of rows.
        progress: Gets the rows done and the total (``None`` if unknown).

    Raises:
        InputError: A row cannot be used (the error names it), there are no rows, the file
            cannot be written, or the build was stopped.
        UsageError: The template cannot be used.
    """
    make, renderer = line_maker(source, template, model=model, settings=settings)
    size = rows = 0
    ids = IdMaker(source.count or _DEFAULT_ROWS)
    with columns_file(source, out_path) as columns_stream, atomic_file(out_path) as file:
        columns = None
        if columns_stream is not None:
            columns = ColumnsWriter(columns_stream, source, template)
        kept = columns is not None
        for count, lines, arrays in portions(source, make, renderer, ids, kept=kept, limit=limit):
            file.write(lines)
            size += len(lines)
            rows += count
            if columns is not None:
                columns.add(count, arrays, lines)
            progress.update(rows, source.count)
            if progress.stopped:
                raise InputError("stopped; no file was written", path=out_path)
        if not rows:
            raise no_rows(source)
        if columns is not None:
            columns.finish()
    progress.update(rows, rows)
    return BuildReport(
        path=str(out_path),
        rows=rows,
        size=size,
        ids=ids.report(),
        inputs="" if columns is None else str(columns_path(out_path)),
        notes=source.notes,
        doubts=(*source.doubts, *source.late_doubts()),
    )


def line_maker(
    source: Source,
    template: Template | None,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[LineMaker, Renderer | None]:
    r"""Make a function that renders a row as its request line, with its ``\n``.

    The arguments are those of ``build``. The function raises InputError if a row cannot be
    used. With a template, its renderer is returned too.

    Raises:
        UsageError: The template cannot be used, or is missing.
    """
    if template is not None:
        if not template.id and source.ids:
            template = with_overrides(template, id=source.ids)
        renderer = Renderer(template, columns=source.columns, base=source.base)
        return renderer.render, renderer
    if source.kind != "requests":
        raise UsageError(
            f"the rows of {quoted(source.name, 200)} are not requests"
            + (f" that can be converted: {source.notes[-1]}" if source.notes else ""),
            "Set a template with --template.",
        )

    def make(row: Mapping[str, Any], number: int, ids: IdMaker) -> bytes:
        request = normalize_request(row)
        if request is None:
            raise InputError(
                f"row {number} is not a request", "Add custom_id, and body or params.", line=number
            )
        custom_id = request["custom_id"]
        request["custom_id"] = ids.make("" if custom_id is None else str(custom_id), number)
        if model or settings:
            # A setting may change nested values, and the row belongs to the caller.
            request["body"] = body = copy.deepcopy(request["body"])
            if model:
                body["model"] = model
            apply_settings(body, settings or {})
        try:
            return _encode(request) + b"\n"
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError) as error:
            raise InputError(
                f"row {number} cannot be written as JSON: {error}", "Fix the row.", line=number
            ) from None

    return make, None
