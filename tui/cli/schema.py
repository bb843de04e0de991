"""``schema``: what the JSON of a command looks like, as a JSON Schema."""

from __future__ import annotations

from importlib import resources
from typing import Any

import click

from tui.cli.options import shared
from tui.cli.output import pairs, print_json, print_lines
from tui.cli.settings import Settings
from tui.errors import UsageError

_URN = "urn:batchdeck:"


def names() -> list[str]:
    """The documents that have a schema."""
    files = resources.files("tui.cli").joinpath("documents").iterdir()
    return sorted(file.name.removesuffix(".json") for file in files)


def load(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a document, with those that it refers to inside.

    A validator needs no other file: the schemas that ``urn:batchdeck:NAME`` refers to stand in
    ``$defs`` with their own ``$id`` (JSON Schema core, 9.3, compound documents).

    Raises:
        UsageError: There is none of that name.
    """
    if name not in names():
        raise UsageError(f"there is no schema {name!r}", f"There are {', '.join(names())}.")
    schema = _read(name)
    inside: dict[str, Any] = {}
    _gather(schema, inside)
    inside.pop(name, None)
    return {**schema, "$defs": {**schema.get("$defs", {}), **inside}} if inside else schema


def _read(name: str) -> dict[str, Any]:
    import msgspec

    text = resources.files("tui.cli").joinpath("documents", f"{name}.json").read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(text)
    return schema


def _gather(part: Any, found: dict[str, Any]) -> None:
    """Read the schemas that a part refers to, and those that they refer to."""
    if isinstance(part, list):
        for item in part:
            _gather(item, found)
    elif isinstance(part, dict):
        target = part.get("$ref")
        if isinstance(target, str) and target.startswith(_URN):
            name = target.removeprefix(_URN).partition("#")[0]
            if name not in found:
                found[name] = _read(name)
                _gather(found[name], found)
        for item in part.values():
            _gather(item, found)


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
