"""The files that commands read: by path or address, from a pipe, or standard input as ``-``."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tui.addresses import is_address
from tui.cli.output import say
from tui.cli.progress import file_progress
from tui.errors import InputError
from tui.progress import NO_PROGRESS, Progress

if TYPE_CHECKING:
    from tui.compose.sources.base import Source
    from tui.engine.engine import Engine

STANDARD_INPUT = "-"
_READ = "tui.standard_input_was_read"
_CHUNK = 1 << 18


class InputFile(click.Path):
    """A file to read; ``-`` and pipes are copied to a temporary file for the run of the command.

    Requests are read more than once: checked, priced and imported. An address stays as it is, a
    text: ``local_file`` fetches it.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path of the file, or of the copy."""
        if is_address(str(value)):
            return str(value)
        path = Path(value)
        if ctx is None or ctx.resilient_parsing or not _is_stream(str(value), path):
            return super().convert(value, param, ctx)
        from tui.temporary import temporary_folder

        is_standard = str(value) == STANDARD_INPUT
        if is_standard:
            ctx.meta[_READ] = True
        name = "stdin" if is_standard else path.name
        copy = ctx.with_resource(temporary_folder("stdin")) / f"{name}.jsonl"
        try:
            with copy.open("wb") as target:
                if is_standard:
                    shutil.copyfileobj(sys.stdin.buffer, target, _CHUNK)
                else:
                    with path.open("rb") as source:
                        shutil.copyfileobj(source, target, _CHUNK)
        except OSError as error:
            raise InputError(
                f"cannot read {name}: {error.strerror}", "Use the path of a file."
            ) from error
        return super().convert(str(copy), param, ctx)


class LocalFile(NamedTuple):
    """A file that a command reads: its path, and what it is called in messages."""

    path: Path
    shown: str


async def open_source(engine: Engine, spec: str, **options: Any) -> Source:
    """Open the source of a command; one at an address is fetched first, with its progress.

    Args:
        engine: The engine.
        spec: What the user named.
        options: Those of ``engine.requests.open_source``.

    Raises:
        BatchdeckError: It cannot be fetched or opened.
    """
    with _fetch_progress(spec) as progress:
        source = await engine.requests.open_source(spec, **options, progress=progress)
    if source.fetched:
        say(f"{source.name}: {source.fetched}.")
    return source


@contextlib.contextmanager
def _fetch_progress(spec: str) -> Iterator[Progress]:
    """The progress of opening a source, which is shown while one at an address is fetched."""
    if is_address(spec):
        with file_progress("fetching") as progress:
            yield progress
    else:
        yield NO_PROGRESS


async def local_file(engine: Engine, file: str) -> LocalFile:
    """The file to read; one at an address is fetched first, with its progress.

    Raises:
        BatchdeckError: It cannot be fetched.
    """
    if not is_address(file):
        return LocalFile(Path(file), file)
    with _fetch_progress(file) as progress:
        fetched = await engine.requests.fetch(file, progress=progress)
    shown = fetched.address.shown
    say(f"{shown}: {fetched.note}.")
    return LocalFile(fetched.path, shown)


def _is_stream(value: str, path: Path) -> bool:
    if value == STANDARD_INPUT:
        return sys.stdin is not None
    try:
        return path.is_fifo() or path.is_char_device()
    except OSError:
        return False


def standard_input_was_read() -> bool:
    """Whether this command has read a file from standard input, which then answers nothing."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_READ))
