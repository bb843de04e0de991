"""``views``: filters, orders and columns that are kept by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import Settings, complete_query, complete_views, shared
from tui.cli.output import print_json, print_lines, say, table

if TYPE_CHECKING:
    from tui.core.analysis.views import View
    from tui.store.views import Views


@click.group(short_help="Manage views: filters, orders and columns by name.")
def views() -> None:
    """Manage views, which are used with --view NAME for any job, and with F in Results."""


@views.command("list")
@shared
def list_views(settings: Settings) -> None:
    """List the views."""
    _print(settings, _store(settings))


@views.command("save")
@click.argument("name", shell_complete=complete_views)
@click.option("--where", default="", metavar="QUERY", shell_complete=complete_query,
              help="The rows, as in `batchdeck results --where`; all by default.")  # fmt: skip
@click.option("--sort", default="", metavar="COLUMN,...",
              help="The columns to sort by, with - before one that is descending.")  # fmt: skip
@click.option("--columns", default="", metavar="COLUMN,...",
              help="The columns to show and export, as in `batchdeck describe`.")  # fmt: skip
@shared
def save(settings: Settings, name: str, where: str, sort: str, columns: str) -> None:
    """Save the view NAME; a view of this name is replaced."""
    from tui.cli.commands.rows import split_columns
    from tui.core.analysis.views import View, parse_sort

    kept = _store(settings)
    kept.save(
        name,
        View(where=where.strip(), sort=parse_sort(sort), columns=split_columns(columns)),
    )
    _print(settings, kept)


@views.command("rename")
@click.argument("name", shell_complete=complete_views)
@click.argument("new")
@shared
def rename(settings: Settings, name: str, new: str) -> None:
    """Give the view NAME the name NEW."""
    kept = _store(settings)
    kept.rename(name, new)
    _print(settings, kept)


@views.command("remove")
@click.argument("name", shell_complete=complete_views)
@shared
def remove(settings: Settings, name: str) -> None:
    """Remove the view NAME; no rows are changed."""
    kept = _store(settings)
    kept.remove(name)
    _print(settings, kept)


def _store(settings: Settings) -> Views:
    from tui.store.views import Views

    return Views(settings.paths.ensure())


def _print(settings: Settings, kept: Views) -> None:
    found = kept.all()
    if settings.json:
        print_json({"views": [_document(name, view) for name, view in found.items()]})
        return
    if not found:
        say("No views. Save one with `batchdeck views save`, or with F in Results.")
        return
    print_lines(table(("NAME", "WHERE", "SORT", "COLUMNS"), _lines(found), elastic=1))


def _document(name: str, view: View) -> dict[str, Any]:
    sort = [{"column": column, "descending": descending} for column, descending in view.sort]
    return {"name": name, "where": view.where, "sort": sort, "columns": list(view.columns)}


def _lines(found: dict[str, View]) -> list[list[str]]:
    from tui.core.analysis.views import write_sort

    return [
        [name, view.where or "-", write_sort(view.sort) or "-", ",".join(view.columns) or "-"]
        for name, view in found.items()
    ]
