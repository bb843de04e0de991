"""What every command is told: the shared options and the kinds of value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.cli.completion import (
    complete_accounts,
    complete_jobs,
    complete_query,
    complete_themes,
)
from tui.cli.settings import Settings
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.core.filtering import RowFilter

Function = TypeVar("Function", bound=Callable[..., Any])

OUTCOMES = (
    "pending",
    "succeeded",
    "truncated",
    "refused",
    "failed",
    "expired",
    "cancelled",
    "missing",
)
"""The words of ``tui.core.outcome.Outcome``; spelled out so that --help needs no import."""

_QUERY_HELP = "`batchdeck results --help` lists what a query can ask for."

NO_ANSWER = ("failed", "expired", "cancelled", "missing")
"""The outcomes that a retry sends again when none is named."""

STATUSES = (
    "draft",
    "submitting",
    "validating",
    "queued",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
    "unknown",
)
"""The words of ``tui.core.status.BatchStatus``."""


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    settings = context.ensure_object(Settings)
    if value and parameter.name is not None:
        setattr(settings, parameter.name, value)


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    expose_value=False,
    callback=_remember,
    help="Keep configuration, history and files under DIR.",
)

json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Print one JSON document on stdout; everything else goes to stderr.",
)

yes_option = click.option(
    "-y",
    "--yes",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Do not ask.",
)

account_option = click.option(
    "--account",
    metavar="NAME",
    shell_complete=complete_accounts,
    help="The account; else the configured default, else sandbox.",
)

theme_option = click.option(
    "--theme",
    default="",
    metavar="NAME",
    shell_complete=complete_themes,
    help="Colours of the dashboard, such as batchdeck-light, or batchdeck-ansi for the"
    " terminal's own.",
)

job_argument = click.argument("job", shell_complete=complete_jobs)


def shared(function: Function) -> Function:
    """Give a command ``--json`` and ``--home``, and its function the ``Settings`` first."""
    return json_option(home_option(click.pass_obj(function)))  # type: ignore[return-value]


def row_options(function: Function) -> Function:
    """Give a command the options that choose rows: ``--where`` and others."""
    outcome = click.option(
        "--outcome",
        "outcomes",
        type=click.Choice(OUTCOMES),
        multiple=True,
        help="Only rows with this outcome; may be given again.",
    )
    code = click.option(
        "--code",
        default="",
        metavar="CODE",
        help="Only rows with this error code or HTTP status.",
    )
    search = click.option(
        "--search",
        default="",
        metavar="TEXT",
        help="Only rows with TEXT in their id, request or answer.",
    )
    where = click.option(
        "--where",
        default="",
        metavar="QUERY",
        shell_complete=complete_query,
        help="Only rows that fit a query, as in the dashboard's filter line:"
        " 'outcome:failed code:429 tokens:>500 length:<20 re:refund.* some words'.",
    )
    return outcome(code(search(where(function))))


def row_filter(outcomes: Sequence[str], code: str, search: str, where: str = "") -> RowFilter:
    """The rows that the options of ``row_options`` choose: those that meet all of them.

    Raises:
        UsageError: The query cannot be read, or nothing can meet it and the options.
    """
    from tui.core.filtering import RowFilter
    from tui.core.outcome import Outcome

    chosen = frozenset(Outcome(word) for word in outcomes)
    return _narrowed(RowFilter(outcomes=chosen, code=code, text=search), where)


def _narrowed(rows: RowFilter, where: str) -> RowFilter:
    if not where.strip():
        return rows
    import msgspec

    from tui.core.querying import read_query

    query = read_query(where)
    if query.problems:
        problem = query.problems[0]
        raise UsageError(
            f"--where: {problem.message}",
            f"Did you mean {problem.meant}?"
            if problem.meant
            else "See `batchdeck results --help`.",
        )
    asked = query.rows
    both = rows.outcomes & asked.outcomes
    if rows.outcomes and asked.outcomes and not both:
        raise UsageError("--outcome and --where name no outcome in common", "Leave one out.")
    return msgspec.structs.replace(
        asked,
        outcomes=both or rows.outcomes or asked.outcomes,
        code=rows.code,
        text=rows.text,
        texts=asked.needles,
    )


def parse_pairs(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """The values of an option of the form ``key=value``, split at the first ``=``."""
    pairs = []
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"{value!r} is not of the form key=value")
        pairs.append((key.strip(), text))
    return tuple(pairs)


def _parse_edits(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, Any], ...]:
    from tui.core.editing import parse_value

    pairs = parse_pairs(context, parameter, values)
    return tuple((key, parse_value(text)) for key, text in pairs)


set_option = click.option(
    "--set",
    "edits",
    multiple=True,
    callback=_parse_edits,
    metavar="KEY=VALUE",
    help="Set a field of every request's body; VALUE is JSON where it parses, else text.",
)


def edits_of(pairs: Sequence[tuple[str, Any]], model: str | None = None) -> Mapping[str, Any]:
    """The edits that ``--set`` and ``--model`` name together; of equal keys the last counts."""
    edits = dict(pairs)
    if model is not None:
        edits["model"] = model
    return edits
