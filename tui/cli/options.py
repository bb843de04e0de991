"""The options and arguments that several commands share, their parsing and their completion."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.errors import BatchdeckError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tui.config.settings import Config
    from tui.core.analysis.views import View
    from tui.core.query import RowFilter
    from tui.paths import Paths


@dataclass
class Settings:
    """The shared options of one invocation.

    Attributes:
        home: The folder given with ``--home``; ``None`` for the default locations.
        json: Print one JSON document to stdout and messages to stderr.
        yes: Do not ask for confirmation.
        demo: Open the dashboard with sample jobs in a temporary home.
        tour: Open the dashboard with the guided first run in a temporary home.
        theme: The dashboard theme; empty for the one in ``config.toml``.
        max_size: The largest file to fetch, in bytes; ``None`` for the size in ``config.toml``.
    """

    home: Path | None = None
    json: bool = False
    yes: bool = False
    demo: bool = False
    tour: bool = False
    theme: str = ""
    max_size: int | None = None

    @property
    def paths(self) -> Paths:
        """The folders and files to use."""
        from tui.paths import Paths

        return Paths.find(self.home)

    def load_config(self) -> Config:
        """Read ``config.toml``.

        Raises:
            ConfigError: The file is not valid. A command does not run with partial settings.
        """
        from tui.config.settings import load_config

        config = load_config(self.paths)
        return config if self.max_size is None else config.with_max_size(self.max_size)


_MAX_JOBS = 50


def complete_jobs(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The newest jobs whose name starts with ``start``; also ids if ``start`` is not empty."""
    from click.shell_completion import CompletionItem

    from tui.store.history import History

    paths = _settings(context).paths
    if not paths.history_db.exists():
        return []
    try:
        history = History(paths)
        try:
            jobs = history.jobs.list(limit=_MAX_JOBS)
        finally:
            history.close()
    except BatchdeckError:
        # Completion cannot show errors; the command will report it.
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
    """Files, completed by the shell itself, and jobs."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(start, type="file"), *complete_jobs(context, parameter, start)]


def complete_sources(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """Files, completed by the shell itself, and ``job:`` with the names of jobs."""
    from click.shell_completion import CompletionItem

    from tui.core.jobs import JOB_PREFIX

    if not start.startswith(JOB_PREFIX):
        words = [CompletionItem(JOB_PREFIX)] if start and JOB_PREFIX.startswith(start) else []
        return [CompletionItem(start, type="file"), *words]
    jobs = complete_jobs(context, parameter, start.removeprefix(JOB_PREFIX))
    return [CompletionItem(JOB_PREFIX + item.value, help=item.help) for item in jobs]


def complete_accounts(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The configured accounts and the sandbox, if their name starts with ``start``."""
    try:
        names = [*_settings(context).load_config().accounts, "sandbox"]
    except BatchdeckError:
        # Completion cannot show errors; the command will report it.
        return []
    return _items(name for name in names if name.startswith(start))


def complete_sections(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The sections of the job list whose name starts with ``start``."""
    from tui.core.analysis.sections import sections

    try:
        known = sections(_settings(context).load_config().sections)
    except BatchdeckError:
        return []
    return _items(one.name for one in known if one.name.casefold().startswith(start.casefold()))


def complete_query(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The keys, columns and values of the query language that complete the last word."""
    from tui.core.analysis.completion import column_at_end, completions

    head = start[: len(start) - len(start.split(" ")[-1])]
    columns = _columns_of(context, column_at_end(start))
    return _items(f"{head}{choice}" for choice in completions(start, columns))


def complete_columns(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The columns of the job that was given, if their name starts with ``start``."""
    return _items(name for name in _columns_of(context) if name.startswith(start))


_MAX_COUNTED = 100_000
"""Values are completed for jobs of up to this many rows: counting them takes about a second."""


def _columns_of(context: click.Context, counted: str = "") -> dict[str, list[str]]:
    """The columns of the job that was given; with the values of the column that is named."""
    from tui.store.history import History

    paths = _settings(context).paths
    reference = context.params.get("job")
    if not reference or not paths.history_db.exists():
        return {}
    try:
        history = History(paths)
        try:
            job = history.jobs.find(reference)
            found: dict[str, list[str]] = {}
            for info in history.rows.columns(job.id):
                found[info.column] = []
            if counted in found and job.counts.total <= _MAX_COUNTED:
                (facet,) = history.rows.facets(job.id, [counted])
                found[counted] = [value.value for value in facet.values]
            if counted == "review":
                own = _settings(context).load_config().review.labels
                found[counted] = list(dict.fromkeys([*own, *found[counted]]))
        finally:
            history.close()
    except BatchdeckError:
        # Completion cannot show errors; the command will report it.
        return {}
    return found


def complete_views(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The views whose name starts with ``start``."""
    from click.shell_completion import CompletionItem

    from tui.store.views import Views

    try:
        known = Views(_settings(context).paths).all()
    except BatchdeckError:
        # Completion cannot show errors; the command will report it.
        return []
    return [
        CompletionItem(name, help=view.where)
        for name, view in known.items()
        if name.startswith(start)
    ]


def complete_themes(
    context: click.Context, parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    """The themes whose name starts with ``start``."""
    from tui.ui.theme import theme_names
    from tui.ui.theme_files import theme_file_names

    own = theme_file_names(_settings(context).paths.config)
    return _items(name for name in (*theme_names(), *own) if name.startswith(start))


def _items(words: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words]


def _settings(context: click.Context) -> Settings:
    return context.find_object(Settings) or Settings()


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
"""The values of ``tui.core.rows.Outcome``, repeated here to keep --help free of imports."""

FAILED_OUTCOMES = ("failed", "expired", "cancelled", "missing")
"""The outcomes that are retried when no outcome is given."""

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
"""The values of ``tui.core.jobs.BatchStatus``."""


def _store_setting(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    settings = context.ensure_object(Settings)
    if value and parameter.name is not None:
        setattr(settings, parameter.name, value)


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    expose_value=False,
    callback=_store_setting,
    help="Store configuration, history and files under DIR.",
)

json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_store_setting,
    help="Print one JSON document to stdout; messages go to stderr.",
)

yes_option = click.option(
    "-y",
    "--yes",
    is_flag=True,
    expose_value=False,
    callback=_store_setting,
    help="Do not ask for confirmation.",
)

account_option = click.option(
    "--account",
    metavar="NAME",
    shell_complete=complete_accounts,
    help="Account to use; default: the one in config.toml, else sandbox.",
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


class _Duration(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A time span in seconds, or with a unit: ``90``, ``30m``, ``2h``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip().lower())
        if found is None or not float(found[1]):
            self.fail(f"{value!r} must be a time span such as 90, 30m or 2h", param, ctx)
        return float(found[1]) * _UNITS[found[2] or ""]


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(k|m|g|t)?(i)?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


class _Size(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A number of bytes, with a unit: ``500MB``, ``20GB``, ``1GiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        if found is None or not float(found[1]):
            self.fail(f"{value!r} must be a size such as 500MB or 20GB", param, ctx)
        power = _POWERS[(found[2] or "").lower()]
        return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


max_size_option = click.option(
    "--max-size",
    type=_Size(),
    metavar="20GB",
    expose_value=False,
    callback=_store_setting,
    help="Largest file to fetch from an address; default: 4 GB, or max_megabytes in config.toml.",
)


class _Moment(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A time in Unix seconds: the beginning of a day, or so many hours, days or weeks ago."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        from tui.core.jobs import parse_moment

        if isinstance(value, float):
            return value
        found = parse_moment(str(value).strip().lower(), time.time())
        if found is None:
            self.fail(f"{value!r} must be a date such as 2026-11-20, or 12h, 7d or 3w", param, ctx)
        return found


MOMENT = _Moment()
"""The type of options such as ``--since``."""


class _DeadlineTime(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """The time of a deadline in Unix seconds; ``None`` for ``none``, if that is allowed."""

    name = "deadline"

    def __init__(self, *, removable: bool = False) -> None:
        self._removable = removable

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        from tui.core.formatting import parse_deadline

        if isinstance(value, float):
            return value
        if self._removable and value.strip().lower() == NO_DEADLINE:
            return NO_DEADLINE
        found = parse_deadline(value, time.time())
        if found is None:
            none = ", or none" if self._removable else ""
            times = "a time such as 18:00, +6h or 2026-12-01T18:00"
            self.fail(f"{value!r} must be {times}{none}", param, ctx)
        return found


NO_DEADLINE = "none"
"""What is typed to remove a deadline."""

DEADLINE = _DeadlineTime()
"""The type of ``--deadline``."""

NEW_DEADLINE = _DeadlineTime(removable=True)
"""The type of a deadline in place of an earlier one."""

_TIMEOUT = "batchdeck.timeout"


def _keep_timeout(ctx: click.Context, _: click.Parameter, value: float | None) -> None:
    ctx.meta[_TIMEOUT] = value


timeout_option = click.option(
    "--timeout",
    type=_Duration(),
    metavar="30m",
    expose_value=False,
    callback=_keep_timeout,
    help="Stop waiting after this time; the job keeps running.",
)


def wait_timeout() -> float | None:
    """The ``--timeout`` of the running command, in seconds; ``None`` if there is none."""
    context = click.get_current_context(silent=True)
    seconds = None if context is None else context.meta.get(_TIMEOUT)
    return seconds if isinstance(seconds, float) else None


def wait_option(command: Function) -> Function:
    """The options ``--wait`` and ``--timeout``."""
    help_text = "Wait until the job has ended and its results are downloaded."
    return click.option("--wait", is_flag=True, help=help_text)(timeout_option(command))


theme_option = click.option(
    "--theme",
    default="",
    metavar="NAME",
    shell_complete=complete_themes,
    help="Dashboard theme, for example batchdeck-light, or batchdeck-ansi for the colours of"
    " the terminal.",
)


def _parse_budget(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise click.BadParameter(f"{value} must be a number of 0 or more")
    return value


budget_option = click.option(
    "--budget",
    type=float,
    callback=_parse_budget,
    metavar="USD",
    help="Send nothing if the cost may be higher than USD or is unknown.",
)

job_argument = click.argument("job", shell_complete=complete_jobs)


def shared(function: Function) -> Function:
    """Add ``--json`` and ``--home``; the function gets ``Settings`` as its first argument."""
    return json_option(home_option(click.pass_obj(function)))  # type: ignore[return-value]


def combined(*options: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Several options as one decorator; they appear in ``--help`` in this order."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


row_options = combined(
    click.option("--outcome", "outcomes", type=click.Choice(OUTCOMES), multiple=True,
                 help="Only rows with this outcome; can be repeated."),
    click.option("--code", default="", metavar="CODE",
                 help="Only rows with this error code or HTTP status."),
    click.option("--search", default="", metavar="TEXT",
                 help="Only rows with TEXT in their id, request or answer."),
    click.option("--where", default="", metavar="QUERY", shell_complete=complete_query,
                 help="Only rows that match a query, as in the dashboard's filter:"
                 " 'outcome:failed code:429 tokens:>500 length:<20 re:refund.* some words'."),
    click.option("--view", default="", metavar="NAME", shell_complete=complete_views,
                 help="Only the rows of a view that was saved with F in the dashboard, or with"
                 " `batchdeck views save`."),
)  # fmt: skip
"""The options that select rows; their values are the arguments of ``row_filter``."""


def row_filter(
    *,
    outcomes: Sequence[str] = (),
    code: str = "",
    search: str = "",
    where: str = "",
    view: str = "",
) -> RowFilter:
    """The filter for the values of ``row_options``; a row must meet all of them.

    Raises:
        UsageError: The query is not valid, or it contradicts the other options, or there is no
            such view.
    """
    from tui.core.query import RowFilter
    from tui.core.rows import Outcome

    chosen = frozenset(Outcome(word) for word in outcomes)
    if view:
        where = f"{named_view(view).where} {where}"
    return _with_query(RowFilter(outcomes=chosen, code=code, text=search), where)


def named_view(name: str) -> View:
    """The view that ``--view`` names; for an empty name one that shows all rows.

    Raises:
        UsageError: There is none of this name.
        HistoryError: The file of the views is damaged.
    """
    from tui.core.analysis.views import View
    from tui.store.views import Views

    if not name:
        return View()
    return Views(_settings(click.get_current_context()).paths).get(name)


def _with_query(rows: RowFilter, where: str) -> RowFilter:
    if not where.strip():
        return rows
    import msgspec

    from tui.core.query import query_filter

    try:
        queried = query_filter(where)
    except UsageError as error:
        raise UsageError(f"--where: {error.message}", error.hint) from None
    both = rows.outcomes & queried.outcomes
    if rows.outcomes and queried.outcomes and not both:
        raise UsageError("--outcome and --where have no outcome in common", "Remove one of them.")
    return msgspec.structs.replace(
        queried,
        outcomes=both or rows.outcomes or queried.outcomes,
        code=rows.code,
        text=rows.text,
        texts=queried.search_texts,
    )


def parse_pairs(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Split the values of a ``key=value`` option at the first ``=``."""
    pairs = []
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"{value!r} must have the form {parameter.metavar}")
        pairs.append((key.strip(), text))
    return tuple(pairs)


def _parse_edits(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, Any], ...]:
    from tui.core.json_path import parse_value

    pairs = parse_pairs(context, parameter, values)
    return tuple((key, parse_value(text)) for key, text in pairs)


set_option = click.option(
    "--set",
    "edits",
    multiple=True,
    callback=_parse_edits,
    metavar="KEY=VALUE",
    help="Set a field in every request body; VALUE is parsed as JSON, else used as text.",
)
