"""``mcp``: serve the jobs of this machine to an agent, over the Model Context Protocol."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.errors import EXIT_INTERRUPTED, InterruptedWorkError
from tui.cli.options import Settings, budget_option, shared
from tui.cli.output import is_terminal, say
from tui.cli.session import run
from tui.errors import UsageError
from tui.progress import ExitTimer

if TYPE_CHECKING:
    from tui.engine.engine import Engine


@click.command("mcp", short_help="Serve jobs to an agent (MCP, stdio).")
@click.option(
    "--folder",
    "folders",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    metavar="DIR",
    help="Folder whose files may be read and written; can be repeated; default: the current one.",
)
@budget_option
@shared
def mcp(settings: Settings, folders: tuple[Path, ...], budget: float | None) -> None:
    """Serve jobs to an agent over the Model Context Protocol, on standard input and output.

    Agents start this command themselves; it runs until they end. It needs the extra `mcp`:
    pip install 'batchdeck[mcp]'.

    What costs money needs a budget in each call. --budget bounds all calls of a session together;
    the budgets of config.toml apply besides. Files are used in the given folders only: none that
    begin with a dot, and none of Batchdeck's own. The agent sees all jobs of this home, and no key.
    """
    try:
        from tui.mcp.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types", "pydantic"):
            raise
        raise UsageError(
            "`batchdeck mcp` needs the library mcp, version 2 or newer",
            "Install it: pip install 'batchdeck[mcp]'",
        ) from None
    if not folders and Path.cwd() in (Path("/"), Path.home()):
        raise UsageError(
            f"the current folder is {Path.cwd()}, whose files are not for an agent",
            "Name the folders that it may use: --folder DIR.",
        )
    program = click.get_current_context().find_root().command
    assert isinstance(program, click.Group)
    descriptions = {
        name: command.get_short_help_str(200) for name, command in program.commands.items()
    }

    async def work(engine: Engine) -> None:
        if is_terminal(sys.stdin):
            say("An agent starts this command itself and talks to it; Ctrl-C ends it.")
        await serve(engine, descriptions, folders=folders or (Path(),), budget=budget)

    try:
        run(settings, work)
    except InterruptedWorkError:
        # A thread reads standard input, which nothing can stop; everything is stored.
        ExitTimer().start(EXIT_INTERRUPTED)
        raise
