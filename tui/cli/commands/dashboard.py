"""Open the dashboard, with or without a file of requests."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from tui.cli.options import Settings, home_option, theme_option
from tui.cli.output import is_terminal
from tui.errors import InputError, UsageError
from tui.paths import is_file, is_folder

_STDERR = 2


@click.command(hidden=True)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Demo with sample jobs in a temporary home.")
@theme_option
@home_option
@click.pass_obj
def dashboard(settings: Settings, file: Path, demo: bool, theme: str) -> int:
    """Open the dashboard with FILE."""
    settings.demo = settings.demo or demo
    settings.theme = theme or settings.theme
    return open_dashboard(settings, file)


@click.command(short_help="Learn the dashboard in eight steps, free and offline.")
@theme_option
@home_option
@click.pass_obj
def tour(settings: Settings, theme: str) -> int:
    """Learn the dashboard in eight steps: from a table to a retried and exported job.

    A panel says what to press, and sees that you did. Nothing costs money or needs a key: the
    provider is simulated on this machine. Your own history is not touched; the data of the tour
    is deleted when you quit, unless it is in a folder given with --home.
    """
    settings.tour = True
    settings.theme = theme or settings.theme
    return open_dashboard(settings, None)


def open_dashboard(settings: Settings, file: Path | None) -> int:
    """Run the dashboard until the user quits, and return its exit code.

    Raises:
        InputError: The file does not exist.
        UsageError: There is no terminal, the theme is unknown, or the demo would write into a
            folder that is not empty.
    """
    if file is not None and not is_file(file):
        raise InputError(f"no such file: {file}", "Check the spelling.", path=file)
    # An app served by textual-serve has pipes for stdin and stdout and sets its own driver.
    if not os.environ.get("TEXTUAL_DRIVER") and not (
        is_terminal(sys.stdin) and is_terminal(sys.stdout)
    ):
        raise UsageError(
            "the dashboard needs a terminal",
            "Everything can also be done with commands: see `batchdeck --help`.",
        )
    _check_encoding()
    if sys.stderr is None:
        # Closed by ``2>&-``. Whatever is opened next must not get its number.
        null = os.open(os.devnull, os.O_WRONLY)
        if null != _STDERR:
            os.dup2(null, _STDERR)
        sys.stderr = open(_STDERR, "w", closefd=False)  # noqa: SIM115
    if settings.demo or settings.tour:
        return _open_apart(settings, file)
    return _open(settings, file)


def _check_encoding() -> None:
    """Check that the frames and texts of the screen can be shown.

    Raises:
        UsageError: The locale is not UTF-8.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    if not encoding.replace("-", "").startswith("utf8"):
        raise UsageError(
            f"the dashboard needs a terminal with UTF-8, and the locale is {encoding}",
            "Start it with LC_ALL=C.UTF-8, or PYTHONUTF8=1.",
        )


def _open_apart(settings: Settings, file: Path | None) -> int:
    """Open the demo or the tour in a home of its own."""
    from tui.temporary import temporary_folder

    home = settings.home
    if home is None:
        with temporary_folder("tour" if settings.tour else "demo") as folder:
            return _open(replace(settings, home=folder / "home"), file)
    if is_folder(home) and any(home.iterdir()):
        what = "the tour" if settings.tour else "--demo"
        raise UsageError(
            f"{home} is not empty, and {what} would fill it with sample jobs",
            "Use a new folder, or leave out --home.",
        )
    return _open(settings, file)


def _open(settings: Settings, file: Path | None) -> int:
    import gc

    # Off until the first paint: collections during the imports find nothing to free and cost
    # a tenth of a second.
    gc.disable()
    from tui.config.settings import load_valid_settings
    from tui.ui.start import run_dashboard

    paths = settings.paths
    config, config_error = load_valid_settings(paths)
    if settings.theme:
        import msgspec

        from tui.ui.theme import known_theme
        from tui.ui.theme_files import theme_file_names

        theme = known_theme(settings.theme, theme_file_names(paths.config))
        config = msgspec.structs.replace(config, theme=theme)
    return run_dashboard(
        paths,
        config,
        open_file=file,
        demo=settings.demo,
        tour=settings.tour,
        config_error=config_error,
    )
