"""``man``: the manual page of the program, made from its commands."""

from __future__ import annotations

import inspect
import os
import re
import time
from collections.abc import Iterable, Iterator

import click

from tui import __version__
from tui.cli.options import Settings, shared
from tui.cli.output import print_result

_VARIABLES = {
    "BATCHDECK_HOME": "One folder for configuration, history and files, as with --home.",
    "BATCHDECK_KEY_ACCOUNT": "The API key of an account, its name in capitals.",
    "VISUAL, EDITOR, PAGER": "Programs with which the dashboard opens texts.",
    "NO_COLOR": "No colours.",
}
_CODES = {
    "0": "Done, all rows succeeded.",
    "1": "Done, some rows failed.",
    "2": "Wrong usage or input.",
    "3": "Provider or network error; try again later.",
    "4": "API key missing or rejected.",
    "5": "Stopped by a budget or a limit.",
    "130": "Interrupted.",
}


@click.command("man", short_help="Print the manual page.")
@shared
@click.pass_context
def manual(context: click.Context, settings: Settings) -> None:
    """Print the manual page, in the language of man(1).

    Read it with `batchdeck man | man -l -`, or save it as batchdeck.1 in a man1 folder of
    MANPATH.
    """
    root = context.find_root().command
    assert isinstance(root, click.Group)
    lines = list(page(root))
    print_result(settings, lambda: {"page": "\n".join(lines) + "\n"}, lambda: lines)


def page(program: click.Group) -> Iterator[str]:
    """The lines of the manual page of a program, in man(7)."""
    # Packages are built with the time of their source, so that the page is the same each time.
    at = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    day = time.strftime("%Y-%m-%d", time.gmtime(at))
    yield f'.TH BATCHDECK 1 {day} "batchdeck {__version__}" "User Commands"'
    yield ".SH NAME"
    yield "batchdeck \\- compose, submit, watch, inspect, retry and archive LLM batch jobs"
    yield ".SH SYNOPSIS"
    yield from (".B batchdeck", _plain("[FILE | COMMAND [ARGS]...]"))
    yield ".SH DESCRIPTION"
    yield from _paragraphs(_help(program))
    yield ".SH OPTIONS"
    yield from _options(program, "batchdeck")
    yield ".SH COMMANDS"
    for words, command in commands_of(program):
        yield f'.SS "batchdeck {words}"'
        if not isinstance(command, click.Group):
            usage = command.get_usage(_context(command, f"batchdeck {words}"))
            yield _plain(" ".join(usage.removeprefix("Usage: ").split()))
            yield ".PP"
        yield from _paragraphs(_help(command))
        yield from _options(command, words)
        yield from _paragraphs(command.epilog or "")
    yield ".SH EXIT STATUS"
    yield from _terms(_CODES.items())
    yield ".SH ENVIRONMENT"
    yield from _terms(_VARIABLES.items())
    yield ".SH SEE ALSO"
    yield _plain("`batchdeck help` lists pages on single topics; ? in the dashboard has all keys.")


def commands_of(
    group: click.Group, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """All commands and subcommands that are shown, with their words."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        yield " ".join((*words, name)), command
        if isinstance(command, click.Group):
            yield from commands_of(command, (*words, name))


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\f")[0]


def _context(command: click.Command, words: str) -> click.Context:
    """A context with the help option of the program, which the command keeps from its first one."""
    return click.Context(command, info_name=words, help_option_names=["-h", "--help"])


def _options(command: click.Command, words: str) -> Iterator[str]:
    context = _context(command, words)
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    yield from _terms(records)


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield ".TP"
        yield f"\\fB{_escaped(term)}\\fR"
        yield _plain(" ".join(text.split()))


def _paragraphs(text: str) -> Iterator[str]:
    r"""Paragraphs; one that begins with ``\b`` keeps its lines."""
    for number, block in enumerate(filter(None, re.split(r"\n\s*\n", text.strip("\n")))):
        lines = block.split("\n")
        if lines[0].strip() == "\b":
            yield from (".PP", ".nf", *map(_plain, lines[1:]), ".fi")
        else:
            yield from () if number == 0 else (".PP",)
            yield _plain(" ".join(block.split()))


def _plain(line: str) -> str:
    """A line of text; a dot or an apostrophe at its beginning would be a request."""
    text = _escaped(line.rstrip())
    return f"\\&{text}" if text[:1] in (".", "'") else text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")
