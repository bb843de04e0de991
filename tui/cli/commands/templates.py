"""``templates``: saved ways to make requests of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import shared, yes_option
from tui.cli.output import Cell, print_json, print_lines, say, table
from tui.cli.session import ask
from tui.cli.settings import Settings
from tui.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tui.compose.saved import SavedTemplate


@click.group(short_help="Saved templates for `compose`.")
def templates() -> None:
    """Templates: prompts with {columns}, saved under a name by `compose --save-template`."""


@templates.command("list")
@shared
def list_saved(settings: Settings) -> None:
    """List the saved templates."""
    saved = _all(settings)
    if settings.json:
        print_json([template_document(one) for one in saved])
    elif saved:
        print_lines(table(("NAME", "KIND", "MODEL", "DESCRIPTION"), list(map(_cells, saved))))
    else:
        say("No template is saved; `batchdeck compose … --save-template NAME` saves one.")


@templates.command("show")
@click.argument("name")
@shared
def show(settings: Settings, name: str) -> None:
    """Print the template NAME, as the TOML file that it is."""
    found = _find(settings, name)
    if settings.json:
        print_json(template_document(found))
        return
    from tui.core.text import visible

    print_lines(visible(found.path.read_text("utf-8"), newlines=True).rstrip("\n").split("\n"))


@templates.command("remove")
@click.argument("name")
@yes_option
@shared
def remove(settings: Settings, name: str) -> None:
    """Remove the template NAME."""
    import asyncio

    found = _find(settings, name)
    asyncio.run(ask(settings, f"Remove the template {found.name}?"))
    found.path.unlink()
    if settings.json:
        print_json({"removed": found.name})
    else:
        say(f"Removed {found.name}.")


def templates_folder(settings: Settings) -> Path:
    """Where saved templates are."""
    from tui.paths import Paths

    return Paths.find(settings.home).templates


def _all(settings: Settings) -> list[SavedTemplate]:
    from tui.compose.saved import list_templates

    return list_templates(templates_folder(settings))


def _find(settings: Settings, name: str) -> SavedTemplate:
    saved = _all(settings)
    for one in saved:
        if name in (one.name, one.path.stem):
            return one
    known = ", ".join(one.name for one in saved)
    raise UsageError(
        f"there is no template {name!r}", f"Saved: {known}." if known else "None is saved yet."
    )


def template_document(saved: SavedTemplate) -> dict[str, Any]:
    """A saved template, for scripts."""
    import msgspec

    template = None if saved.template is None else msgspec.to_builtins(saved.template)
    return {
        "name": saved.name,
        "path": str(saved.path),
        "template": template,
        "trouble": saved.trouble or None,
    }


def _cells(saved: SavedTemplate) -> list[Cell | str]:
    if saved.template is None:
        return [saved.name, Cell("unusable", "red"), "", saved.trouble]
    template = saved.template
    return [saved.name, template.kind, template.model, template.description]
