"""``templates``: list, show and remove saved templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import Settings, shared, yes_option
from tui.cli.output import Cell, print_done, print_json, print_lines, print_result, say, table
from tui.cli.session import confirm
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.compose.templates.saved import SavedTemplate


@click.group(short_help="Manage saved templates for `compose`.")
def templates() -> None:
    """Manage templates, which are prompts with {columns} saved by `compose --save-template`."""


@templates.command("list")
@shared
def list_saved(settings: Settings) -> None:
    """List the saved templates, then those that are included."""
    saved = _saved_templates(settings)
    found = [*saved, *_included_templates()]
    if settings.json:
        print_json([template_document(one) for one in found])
        return
    print_lines(table(("NAME", "KIND", "MODEL", "DESCRIPTION"), list(map(_cells, found))))
    if not saved:
        say("No saved templates. Save one with `batchdeck compose … --save-template NAME`.")


@templates.command("show")
@click.argument("name")
@shared
def show(settings: Settings, name: str) -> None:
    """Print the TOML file of the template NAME."""
    from tui.core.text import visible

    found = _find(settings, name)
    text = visible(found.path.read_text("utf-8"), newlines=True).rstrip("\n")
    print_result(settings, lambda: template_document(found), lambda: text.split("\n"))


@templates.command("remove")
@click.argument("name")
@yes_option
@shared
def remove(settings: Settings, name: str) -> None:
    """Remove the template NAME."""
    import asyncio

    found = _find(settings, name)
    if found.path.parent != settings.paths.templates:
        raise UsageError(f"{found.name} is included and cannot be removed", "Leave it.")
    asyncio.run(confirm(settings, f"Remove the template {found.name}?"))
    found.path.unlink()
    print_done(settings, {"removed": found.name}, f"Removed {found.name}.")


def _saved_templates(settings: Settings) -> list[SavedTemplate]:
    from tui.compose.templates.saved import list_templates

    return list_templates(settings.paths.templates)


def _included_templates() -> list[SavedTemplate]:
    from tui.compose.samples import FOLDER
    from tui.compose.templates.saved import list_templates

    return list_templates(FOLDER)


def _find(settings: Settings, name: str) -> SavedTemplate:
    found = [*_saved_templates(settings), *_included_templates()]
    for one in found:
        if name in (one.name, one.path.stem):
            return one
    known = ", ".join(one.name for one in found)
    raise UsageError(f"no template named {name!r}", f"There are: {known}.")


def template_document(saved: SavedTemplate) -> dict[str, Any]:
    """The JSON document of a saved or included template."""
    import msgspec

    from tui.compose.samples import FOLDER

    template = None if saved.template is None else msgspec.to_builtins(saved.template)
    return {
        "name": saved.name,
        "path": str(saved.path),
        "template": template,
        "trouble": saved.trouble or None,
        "included": saved.path.parent == FOLDER,
    }


def _cells(saved: SavedTemplate) -> list[Cell | str]:
    if saved.template is None:
        return [saved.name, Cell("unusable", "red"), "", saved.trouble]
    template = saved.template
    return [saved.name, template.kind, template.model, template.description]
