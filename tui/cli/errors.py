"""From an exception to two lines on stderr and an exit code."""

from __future__ import annotations

import click

from tui.cli.output import clean, paint, write_stderr
from tui.cli.settings import Settings
from tui.errors import BatchdeckError, InputError

GOOD = 0
"""Done, and every row is good."""

SOME_ROWS_FAILED = 1
"""Done, and some rows did not succeed."""

WRONG_USAGE = 2
"""The command or its input is wrong."""

INTERRUPTED = 130
"""A person, or the system, asked the program to stop."""


class InterruptedWorkError(Exception):
    """The work was stopped from outside; what was sent stays with the provider."""


class DeclinedError(Exception):
    """The person was asked and said no; nothing was done."""


def report(error: BaseException, settings: Settings) -> int:
    """Tell on stderr what went wrong and what to do; the answer is the exit code."""
    if isinstance(error, (InterruptedWorkError, KeyboardInterrupt, click.Abort)):
        _tell("interrupted", "What was sent goes on; see `batchdeck list`.")
        return INTERRUPTED
    if isinstance(error, DeclinedError):
        write_stderr("Nothing was done.\n")
        return INTERRUPTED
    if isinstance(error, BatchdeckError):
        _tell(_with_place(error), error.hint)
        return error.exit_code
    if isinstance(error, click.UsageError):
        _tell(_sentence(error), _usage_hint(error))
        return WRONG_USAGE
    if isinstance(error, click.ClickException):
        _tell(_sentence(error), "")
        return WRONG_USAGE
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        _tell(f"{place}{error.strerror}", _log(error, settings))
        return WRONG_USAGE
    kind = type(error).__name__
    _tell(f"something unexpected happened: {kind}: {error}", _log(error, settings))
    return WRONG_USAGE


def _tell(message: str, hint: str) -> None:
    import sys

    for label, colour, text in (("error:", "red", message), ("hint:", "yellow", hint)):
        if text:
            # Each is one line, whatever the provider's message holds.
            line = " ".join(clean(text).split())
            write_stderr(f"{paint(label, colour, sys.stderr)} {line}\n")  # type: ignore[arg-type]


def _with_place(error: BatchdeckError) -> str:
    message = error.message
    if not isinstance(error, InputError) or error.path is None or error.path.name in message:
        return message
    line = f", line {error.line}" if error.line is not None and "line" not in message else ""
    return f"{error.path}{line}: {message}"


def _sentence(error: click.ClickException) -> str:
    message = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    first, _, _ = message.partition("\n")
    return (first[:1].lower() + first[1:]).rstrip(".")


def _usage_hint(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"Did you mean {' or '.join(error.possibilities)}?"
    command = error.ctx.command_path if error.ctx is not None else "batchdeck"
    return f"See `{command} --help`."


def _log(error: BaseException, settings: Settings) -> str:
    """Write the traceback to the log file; the answer is the hint that names it."""
    from tui.logs import start_logging
    from tui.paths import Paths

    paths = Paths.find(settings.home)
    try:
        start_logging(paths).error("unexpected", exc_info=error)
    except OSError as trouble:
        return f"The details could not be written to {paths.log_file}: {trouble.strerror}."
    return f"The details are in {paths.log_file}."
