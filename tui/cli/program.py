"""The program ``batchdeck``: its commands, which are imported when used, and its exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import UserDict
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tui import __version__
from tui.cli.errors import EXIT_OK, report
from tui.cli.examples import add_examples
from tui.cli.options import Settings, home_option, theme_option
from tui.cli.output import OutputClosedError
from tui.errors import UsageError


class LazyCommands(UserDict[str, Any]):
    """Names of commands and where each is defined; a command is imported when it is looked up.

    The places are written as ``module:variable``, relative to ``tui.cli.commands``. Names and
    their order are available without importing anything. A command gets its examples when it
    is imported.
    """

    def __getitem__(self, name: str) -> click.Command:
        command: str | click.Command = self.data[name]
        if isinstance(command, str):
            module, _, variable = command.partition(":")
            command = getattr(import_module(f"tui.cli.commands.{module}"), variable)
            assert isinstance(command, click.Command)
            add_examples(command, (name,))
            self.data[name] = command
        return command


_EPILOG = """\
\b
JOB is the id of a job, the start of its id, or its name.
Every command but tour takes --json (one JSON document on stdout); all take --home DIR.

\b
Exit codes:
  0    done, all rows succeeded
  1    done, some rows failed
  2    wrong usage or input
  3    provider or network error; try again later
  4    API key missing or rejected
  5    stopped by a budget or a limit
  130  interrupted

\b
Shell completion:
  batchdeck completion install
"""


_COMMANDS = {
    "tour": "dashboard:tour",
    "compose": "compose:compose",
    "templates": "templates:templates",
    "check": "check:check",
    "try": "try_request:try_request",
    "submit": "submit:submit",
    "again": "again:again",
    "list": "jobs:list_jobs",
    "show": "jobs:show",
    "provenance": "jobs:provenance",
    "watch": "submit:watch",
    "collect": "jobs:collect",
    "results": "rows:results",
    "summary": "analysis.summary:summary",
    "describe": "analysis.facet:describe",
    "facet": "analysis.facet:facet",
    "pivot": "analysis.facet:pivot",
    "column": "analysis.column:column",
    "views": "analysis.views:views",
    "compare": "analysis.compare:compare",
    "experiment": "analysis.experiment:experiment",
    "review": "analysis.review:review",
    "evaluate": "analysis.evaluate:evaluate",
    "costs": "analysis.costs:costs",
    "export": "rows:export",
    "action": "rows:action",
    "retry": "retry:retry",
    "tag": "jobs:tag",
    "deadline": "jobs:deadline",
    "cancel": "jobs:cancel",
    "delete": "jobs:delete",
    "sync": "remote:sync",
    "adopt": "remote:adopt",
    "import-results": "remote:import_results",
    "accounts": "accounts:accounts",
    "keys": "accounts:keys",
    "providers": "accounts:providers",
    "sandbox": "sandbox:sandbox",
    "locate": "maintenance:locate",
    "doctor": "maintenance:doctor",
    "reindex": "maintenance:reindex",
    "schema": "maintenance:schema",
    "skill": "agents.skill:skill",
    "mcp": "agents.mcp:mcp",
    "help": "reference.topics:show_help",
    "config": "reference.settings_schema:config",
    "completion": "reference.completion:completion",
    "man": "reference.manual:manual",
}
"""Command names and where each is defined, in the form that ``LazyCommands`` expects."""


class Program(click.Group):
    """The group of all commands; a file name instead of a command opens the dashboard."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The command names in the order of a typical workflow, for ``--help``."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve the first word to a command, or to the dashboard if it is a file.

        Raises:
            UsageError: The word is neither a command nor a file.
        """
        word = args[0]
        if word in self.commands or word.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        if word.endswith(".jsonl") or Path(word).is_file():
            from tui.cli.commands.dashboard import dashboard

            return "dashboard", dashboard, args
        import difflib

        near = difflib.get_close_matches(word, self.commands, n=1)
        raise UsageError(
            f"no command or file named {word!r}",
            f"Did you mean '{near[0]}'?" if near else "See `batchdeck --help`.",
        )

    def invoke(self, ctx: click.Context) -> int:
        """Run the command; an exception becomes two lines on stderr and an exit code."""
        try:
            code: int | None = super().invoke(ctx)
            return code or EXIT_OK
        except click.exceptions.Exit as end:
            return end.exit_code
        except (OutputClosedError, BrokenPipeError):
            return EXIT_OK
        except (Exception, KeyboardInterrupt) as error:
            return report(error, ctx.ensure_object(Settings))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the program and exit with the exit code of the command."""
        with contextlib.suppress(AttributeError, ValueError):
            # File names may contain bytes that are not valid UTF-8: escape them, do not crash.
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            code = super().main(
                args, prog_name or "batchdeck", complete_var, standalone_mode=False, **extra
            )
        except (click.ClickException, click.Abort) as error:
            code = report(error, Settings())
        except SystemExit:
            # Click exits this way when the reader of --help has closed the pipe.
            code = EXIT_OK
        _flush_stdout()
        if not standalone_mode:
            return code
        sys.exit(code)


def _flush_stdout() -> None:
    """Flush stdout now; at interpreter exit a closed pipe would print a traceback."""
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


@click.group(
    "batchdeck",
    cls=Program,
    commands=LazyCommands(_COMMANDS),
    invoke_without_command=True,
    epilog=_EPILOG,
    subcommand_metavar="[FILE | COMMAND [ARGS]...]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="batchdeck", message="%(prog)s %(version)s")
@click.option("--demo", is_flag=True, help="Demo with sample jobs in a temporary home.")
@theme_option
@home_option
@click.pass_context
def program(context: click.Context, demo: bool, theme: str) -> int:
    """Run LLM batch jobs with any provider: submit, watch, read the answers, retry failed rows.

    Without a command, or with a FILE of requests instead of one, the dashboard opens.
    """
    settings = context.ensure_object(Settings)
    settings.demo, settings.theme = demo, theme
    if context.invoked_subcommand is None:
        from tui.cli.commands.dashboard import open_dashboard

        return open_dashboard(settings, None)
    for option, value in (("--demo", demo), ("--theme", theme)):
        opens = ("dashboard", "tour") if option == "--theme" else ("dashboard",)
        if value and context.invoked_subcommand not in opens:
            raise UsageError(f"{option} is for the dashboard and cannot be used with a command")
    return EXIT_OK


def main() -> None:
    """Run ``batchdeck`` with the arguments of this process, then exit."""
    program()
