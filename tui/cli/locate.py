"""``locate``: where everything lives."""

from __future__ import annotations

import click

from tui.cli.options import shared
from tui.cli.output import pairs, print_json, print_lines
from tui.cli.settings import Settings


@click.command()
@shared
def locate(settings: Settings) -> None:
    """Tell where configuration, history, files and log live."""
    from tui.paths import Paths

    paths = Paths.find(settings.home)
    places = {
        "config": str(paths.config_file),
        "templates": str(paths.templates),
        "history": str(paths.history_db),
        "jobs": str(paths.jobs),
        "sandbox": str(paths.sandbox),
        "log": str(paths.log_file),
    }
    if settings.json:
        print_json(places)
    else:
        print_lines(pairs(places))
