"""The files that commands read: by path, from a pipe, or from standard input as ``-``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from tui.errors import InputError

STANDARD_INPUT = "-"
_READ = "tui.standard_input_was_read"
_CHUNK = 1 << 18


class InputFile(click.Path):
    """A file to read; ``-`` and pipes are copied to a temporary file for the run of the command.

    Requests are read more than once: checked, priced and imported.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path of the file, or of the copy."""
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
