"""The way into the dashboard, with or without a file of requests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tui.cli.options import home_option, theme_option
from tui.cli.output import is_terminal
from tui.cli.settings import Settings
from tui.errors import InputError, UsageError


@click.command(hidden=True)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Use a throw-away home with a seeded history.")
@theme_option
@home_option
@click.pass_obj
def dashboard(settings: Settings, file: Path, demo: bool, theme: str) -> int:
    """Open the dashboard with FILE."""
    settings.demo = settings.demo or demo
    settings.theme = theme or settings.theme
    return open_dashboard(settings, file)


def open_dashboard(settings: Settings, file: Path | None) -> int:
    """Run the dashboard until the person quits; the answer is the exit code.

    Raises:
        InputError: There is no such file.
        UsageError: There is no terminal to draw on, no theme of the name, or the demo would
            touch a real history.
    """
    if file is not None and not file.is_file():
        raise InputError(f"there is no file {file}", "Check the spelling.", path=file)
    # A served app has pipes for stdin and stdout, and names its own driver.
    if not os.environ.get("TEXTUAL_DRIVER") and not (
        is_terminal(sys.stdin) and is_terminal(sys.stdout)
    ):
        raise UsageError(
            "the dashboard needs a terminal",
            "Every verb is a command too: see `batchdeck --help`.",
        )
    if settings.demo:
        return _open_demo(settings, file)
    return _open(settings.home, file, settings)


def _open_demo(settings: Settings, file: Path | None) -> int:
    import tempfile

    home = settings.home
    if home is None:
        with tempfile.TemporaryDirectory(prefix="batchdeck-demo-") as folder:
            return _open(Path(folder), file, settings)
    if home.is_dir() and any(home.iterdir()):
        raise UsageError(
            f"{home} is not empty, and a demo fills its home with made-up jobs",
            "Name a new folder, or leave --home out.",
        )
    return _open(home, file, settings)


def _open(home: Path | None, file: Path | None, settings: Settings) -> int:
    import gc

    # Until the dashboard is there: looking for garbage among what is imported finds none, and
    # costs a tenth of a second before the first paint.
    gc.disable()
    from tui.configstart import load_what_can_be_used
    from tui.paths import Paths
    from tui.ui.start import run_dashboard

    paths = Paths.find(home)
    config, complaint = load_what_can_be_used(paths)
    if settings.theme:
        import msgspec

        from tui.ui.theme import known_theme

        config = msgspec.structs.replace(config, theme=known_theme(settings.theme))
    return run_dashboard(paths, config, open_file=file, demo=settings.demo, complaint=complaint)
