"""The program: which commands there are, and what happens before and after one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tui import __version__
from tui.cli.failures import GOOD, report
from tui.cli.options import home_option, theme_option
from tui.cli.output import ReaderGoneError
from tui.cli.settings import Settings
from tui.cli.shelf import Shelf
from tui.errors import UsageError

_EPILOG = """\
\b
JOB is a job's id, the start of its id, or its name.
Every command takes --json (one JSON document on stdout) and --home DIR.

\b
Exit codes:
  0    done, all rows good
  1    done, some rows failed
  2    wrong usage or input
  3    provider or network, worth trying again
  4    key missing or refused
  5    budget or limit stop
  130  interrupted

\b
Shell completion:
  bash  eval "$(_BATCHDECK_COMPLETE=bash_source batchdeck)"
  zsh   eval "$(_BATCHDECK_COMPLETE=zsh_source batchdeck)"
  fish  _BATCHDECK_COMPLETE=fish_source batchdeck | source
"""


_COMMANDS = {
    "compose": "composing:compose",
    "templates": "templates:templates",
    "check": "checking:check",
    "try": "trying:try_request",
    "submit": "sending:submit",
    "list": "jobs:list_jobs",
    "show": "jobs:show",
    "watch": "sending:watch",
    "collect": "jobs:collect",
    "results": "results:results",
    "summary": "summary:summary",
    "compare": "comparing:compare",
    "export": "exporting:export",
    "retry": "retrying:retry",
    "tag": "jobs:tag",
    "cancel": "jobs:cancel",
    "delete": "jobs:delete",
    "sync": "remote:sync",
    "adopt": "remote:adopt",
    "accounts": "accounts:accounts",
    "keys": "keys:keys",
    "providers": "providers:providers",
    "sandbox": "server:sandbox",
    "locate": "locate:locate",
    "doctor": "doctor:doctor",
    "reindex": "reindex:reindex",
    "schema": "schema:schema",
}
"""Where the command of each name is, as ``Shelf`` takes it."""


class Program(click.Group):
    """The group of all commands; a file in place of a command opens the dashboard with it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they are used."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names, or the dashboard for a file.

        Raises:
            UsageError: The word is neither.
        """
        word = args[0]
        if word in self.commands or word.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        if word.endswith(".jsonl") or Path(word).is_file():
            from tui.cli.dashboard import dashboard

            return "dashboard", dashboard, args
        import difflib

        near = difflib.get_close_matches(word, self.commands, n=1)
        raise UsageError(
            f"there is no command and no file {word!r}",
            f"Did you mean '{near[0]}'?" if near else "See `batchdeck --help`.",
        )

    def invoke(self, ctx: click.Context) -> int:
        """Run the command; whatever it raises becomes two lines on stderr and an exit code."""
        try:
            code: int | None = super().invoke(ctx)
            return code or GOOD
        except click.exceptions.Exit as end:
            return end.exit_code
        except (ReaderGoneError, BrokenPipeError):
            return GOOD
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
        """Run the program and exit with the code of the command."""
        with contextlib.suppress(AttributeError, ValueError):
            # A file name may hold bytes that are no text: they are shown, not died of.
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            code = super().main(
                args, prog_name or "batchdeck", complete_var, standalone_mode=False, **extra
            )
        except (click.ClickException, click.Abort) as error:
            code = report(error, Settings())
        except SystemExit:
            # Click ends so when the reader of --help is gone.
            code = GOOD
        _flush_stdout()
        if not standalone_mode:
            return code
        sys.exit(code)


def _flush_stdout() -> None:
    """Flush now, so that a closed pipe is not complained of at the end of the interpreter."""
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError:
        void = os.open(os.devnull, os.O_WRONLY)
        os.dup2(void, sys.stdout.fileno())
        os.close(void)


@click.group(
    "batchdeck",
    cls=Program,
    commands=Shelf(_COMMANDS),
    invoke_without_command=True,
    epilog=_EPILOG,
    subcommand_metavar="[FILE | COMMAND [ARGS]...]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="batchdeck", message="%(prog)s %(version)s")
@click.option("--demo", is_flag=True, help="Look around: a throw-away home with a seeded history.")
@theme_option
@home_option
@click.pass_context
def program(context: click.Context, demo: bool, theme: str) -> int:
    """Send LLM batch jobs to any provider, watch them, read the answers, retry the failed rows.

    Without a command, or with a FILE of requests in its place, the dashboard opens.
    """
    settings = context.ensure_object(Settings)
    settings.demo, settings.theme = demo, theme
    if context.invoked_subcommand is None:
        from tui.cli.dashboard import open_dashboard

        return open_dashboard(settings, None)
    for option, given in (("--demo", demo), ("--theme", theme)):
        if given and context.invoked_subcommand != "dashboard":
            raise UsageError(f"{option} opens the dashboard and goes with no command")
    return GOOD


def main() -> None:
    """Run ``batchdeck`` with the arguments of the process, and exit."""
    program()
