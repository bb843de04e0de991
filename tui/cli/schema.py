"""``schema``: what the JSON of a command looks like, as a JSON Schema."""

from __future__ import annotations

from importlib import resources
from typing import Any

import click

from tui.cli.options import shared
from tui.cli.output import pairs, print_json, print_lines
from tui.cli.settings import Settings
from tui.errors import UsageError


def names() -> list[str]:
    """The documents that have a schema."""
    files = resources.files("tui.cli").joinpath("documents").iterdir()
    return sorted(file.name.removesuffix(".json") for file in files)


def load(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a document.

    Raises:
        UsageError: There is none of that name.
    """
    import msgspec

    if name not in names():
        raise UsageError(f"there is no schema {name!r}", f"There are {', '.join(names())}.")
    text = resources.files("tui.cli").joinpath("documents", f"{name}.json").read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(text)
    return schema


@click.command(short_help="Print the JSON Schema of a document.")
@click.argument("name", required=False)
@shared
def schema(settings: Settings, name: str | None) -> None:
    """Print the JSON Schema of the document NAME, or tell which documents have one.

    Scripts may rely on them: fields are added, and none is taken away or changed.
    """
    if name is not None:
        print_json(load(name))
        return
    told = {each: str(load(each)["description"]) for each in names()}
    if settings.json:
        print_json(told)
    else:
        print_lines(pairs(told))
