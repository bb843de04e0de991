"""``config``: the JSON Schema of ``config.toml``, and how an editor finds it."""

from __future__ import annotations

from typing import Any

import click

from tui.cli.options import Settings, shared
from tui.cli.output import print_done, print_json
from tui.errors import ConfigError


@click.group(short_help="Complete and check config.toml in your editor.")
def config() -> None:
    """Help with config.toml; `batchdeck help config` explains every setting."""


@config.command("schema")
@click.option("--write", is_flag=True, help="Write it beside config.toml, which is told of it.")
@shared
def schema(settings: Settings, write: bool) -> None:
    """Print the JSON Schema of config.toml, for editors that complete and check TOML.

    With --write, config.schema.json is written beside config.toml, and the first line of
    config.toml names it: editors with Taplo (Even Better TOML in VS Code, Helix, Zed, Neovim)
    then complete settings, explain them, and mark mistakes. Run it again after an update.
    """
    document = settings_schema()
    if not write:
        print_json(document)
        return
    from tui.cli.output import json_bytes
    from tui.config.schema import DIRECTIVE, FILE
    from tui.config.settings import create_config, load_config
    from tui.files import atomic_write
    from tui.paths import private_folder

    paths = settings.paths
    file = paths.config_file
    create_config(paths)
    load_config(paths)
    target = private_folder(file.parent) / FILE
    atomic_write(target, json_bytes(document, indent=2) + b"\n", ConfigError)
    text = file.read_bytes().decode("utf-8-sig")
    if DIRECTIVE not in text.split("\n"):
        atomic_write(file.resolve(), f"{DIRECTIVE}\n{text}".encode(), ConfigError)
    done = {"written": str(target), "config": str(file)}
    print_done(settings, done, f"Wrote {target}; the first line of {file} names it.")


def settings_schema() -> dict[str, Any]:
    """The schema, with the providers, the commands of the dashboard and the themes."""
    from tui.config.schema import config_schema
    from tui.providers.profiles.load import shipped_ids
    from tui.providers.profiles.model import Profile
    from tui.ui.commands.command_table import COMMANDS
    from tui.ui.theme import theme_names

    return config_schema(
        provider=Profile,
        accounts_of=shipped_ids(),
        commands={command.id: command.help for command in COMMANDS},
        themes=theme_names(),
    )
