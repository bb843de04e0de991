"""What the shell may complete: jobs and accounts by name, files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.settings import Settings
from tui.errors import BatchdeckError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_JOBS = 50


def complete_jobs(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The newest jobs whose name, or whose id where one is begun, begins so."""
    from click.shell_completion import CompletionItem

    from tui.paths import Paths
    from tui.store.history import History

    paths = Paths.find(_home(context))
    if not paths.history_db.exists():
        return []
    try:
        history = History(paths)
        try:
            jobs = history.jobs(limit=_JOBS)
        finally:
            history.close()
    except BatchdeckError:
        # A shell has no place for an error; the command itself will tell it.
        return []
    return [
        CompletionItem(word, help=f"{job.status.replace('_', ' ')}, {job.counts.total:,} rows")
        for job in jobs
        for word in ((job.name, job.id) if start else (job.name,))
        if word.startswith(start) and word.isprintable()
    ]


def complete_files_and_jobs(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """Files as the shell knows them, and jobs."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(start, type="file"), *complete_jobs(context, parameter, start)]


def complete_accounts(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The configured accounts whose name begins so, and the sandbox."""
    from tui.config import load_config
    from tui.paths import Paths

    try:
        names = [*load_config(Paths.find(_home(context))).accounts, "sandbox"]
    except BatchdeckError:
        # As above: the command itself will tell it.
        return []
    return _items(name for name in names if name.startswith(start))


def complete_query(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The keys of the query language, and their values, for its last word."""
    from tui.core.querying import completions

    head = start[: len(start) - len(start.split(" ")[-1])]
    return _items(f"{head}{choice}" for choice in completions(start))


def complete_themes(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The themes whose name begins so."""
    from tui.ui.theme import theme_names

    return _items(name for name in theme_names() if name.startswith(start))


def _items(words: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words]


def _home(context: click.Context) -> Path | None:
    settings = context.find_object(Settings)
    return settings.home if settings is not None else None
