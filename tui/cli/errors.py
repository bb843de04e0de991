"""Exit codes, and turning an exception into two lines on stderr."""

from __future__ import annotations

import click

from tui.cli.options import Settings
from tui.cli.output import clean, paint, write_stderr
from tui.errors import BatchdeckError, InputError
from tui.files import disk_hint

EXIT_OK = 0
"""Done; every row succeeded."""

EXIT_ROWS_FAILED = 1
"""Done; some rows failed."""

EXIT_USAGE = 2
"""The command or its input is wrong."""

EXIT_INTERRUPTED = 130
"""Stopped by Ctrl-C or a signal, or not confirmed."""


class InterruptedWorkError(Exception):
    """The command was interrupted; submitted batches keep running at the provider."""


class DeclinedError(Exception):
    """The user declined the confirmation; nothing was done."""


def report(error: BaseException, settings: Settings) -> int:
    """Print the error and a hint to stderr, and return the exit code."""
    if isinstance(error, (InterruptedWorkError, KeyboardInterrupt, click.Abort)):
        _print_error("interrupted", "Submitted batches keep running; see `batchdeck list`.")
        return EXIT_INTERRUPTED
    if isinstance(error, DeclinedError):
        write_stderr("Nothing was done.\n")
        return EXIT_INTERRUPTED
    if isinstance(error, BatchdeckError):
        _print_error(_located(error), error.hint)
        return error.exit_code
    if isinstance(error, click.UsageError):
        _print_error(_usage_message(error), _usage_hint(error))
        return EXIT_USAGE
    if isinstance(error, click.ClickException):
        _print_error(_usage_message(error), "")
        return EXIT_USAGE
    if isinstance(error, OSError) and error.strerror:
        prefix = f"{error.filename}: " if error.filename else ""
        hint = disk_hint(error) or _log(error, settings)
        _print_error(f"{prefix}{error.strerror}", hint)
        return EXIT_USAGE
    kind = type(error).__name__
    _print_error(f"unexpected error: {kind}: {error}", _log(error, settings))
    return EXIT_USAGE


def _print_error(message: str, hint: str) -> None:
    import sys

    for label, colour, text in (("error:", "red", message), ("hint:", "yellow", hint)):
        if text:
            # Keep each on one line, even if the provider's message has several.
            line = " ".join(clean(text).split())
            write_stderr(f"{paint(label, colour, sys.stderr)} {line}\n")  # type: ignore[arg-type]


def _located(error: BatchdeckError) -> str:
    message = error.message
    if not isinstance(error, InputError) or error.path is None or error.path.name in message:
        return message
    line = f", line {error.line}" if error.line is not None and "line" not in message else ""
    return f"{error.path}{line}: {message}"


def _usage_message(error: click.ClickException) -> str:
    message = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    first, _, _ = message.partition("\n")
    return (first[:1].lower() + first[1:]).rstrip(".")


def _usage_hint(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"Did you mean {' or '.join(error.possibilities)}?"
    command = error.ctx.command_path if error.ctx is not None else "batchdeck"
    return f"See `{command} --help`."


def _log(error: BaseException, settings: Settings) -> str:
    """Write the traceback to the log file, and return a hint that names the file."""
    from tui.logs import start_logging

    file = settings.paths.log_file
    try:
        start_logging(settings.paths).error("unexpected", exc_info=error)
    except OSError as log_error:
        return f"The traceback could not be written to {file}: {log_error.strerror}."
    return f"The traceback is in {file}."
