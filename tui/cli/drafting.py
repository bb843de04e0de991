"""What `compose` shows and keeps before it writes: previews, samples, saved templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tui.cli.costs import cost_document, cost_pairs
from tui.cli.output import Cell, pairs, print_json, print_lines, say, table
from tui.cli.settings import Settings
from tui.cli.templates import templates_folder
from tui.errors import InputError, UsageError

if TYPE_CHECKING:
    from tui.compose.saved import SavedTemplate
    from tui.compose.template import Template
    from tui.engine.sketch import Sketch

Function = TypeVar("Function", bound="Callable[..., Any]")

KINDS = (
    "chat", "responses", "messages", "completions", "embeddings", "moderations",
    "summarize", "extract", "classify",
)  # fmt: skip
"""The words of ``tui.compose.template.Kind``; spelled out so that --help needs no import."""


def _named(context: click.Context, parameter: click.Parameter, values: Any) -> dict[str, str]:
    """``NAME=TEXT``, several of them."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise click.BadParameter(f"{value!r} is not NAME=TEXT")
        if name.strip() in found:
            raise click.BadParameter(f"{name.strip()!r} is there twice")
        found[name.strip()] = text.strip()
    return found


_OPTIONS = (
    click.option("--kind", type=click.Choice(KINDS), metavar="KIND",
                 help=f"One of {', '.join(KINDS)}; else the template's, or chat."),
    click.option("--system", metavar="TEXT", help="The system message; ScaleDown's instructions."),
    click.option("--max-tokens", type=click.IntRange(min=1), metavar="N",
                 help="The longest answer, under the name that the kind has for it."),
    click.option("--schema", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                 help="A JSON schema that the answers have to fit."),
    click.option("--image", "images", multiple=True, metavar="TEXT",
                 help="A path or an address of an image, with {columns}."),
    click.option("--entity", "entities", multiple=True, callback=_named, metavar="NAME=WHAT",
                 help="For extract: what is to be found, and what that is."),
    click.option("--label", "labels", multiple=True, callback=_named, metavar="NAME=QUESTION",
                 help="For classify: a class, and the question that it answers with yes."),
)  # fmt: skip


def template_options(function: Function) -> Function:
    """Give a command the options that change a template, as keywords of its function."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def changed_template(
    settings: Settings,
    template: str | None,
    *,
    kind: str | None,
    system: str | None,
    max_tokens: int | None,
    schema: Path | None,
    images: tuple[str, ...],
    entities: dict[str, str],
    labels: dict[str, str],
) -> str | Template | None:
    """The template with what the options say instead; what names it where they say nothing.

    Raises:
        UsageError: There is no template to change.
        InputError: The template or the schema cannot be used.
    """
    changes: dict[str, Any] = {
        "kind": kind, "system": system, "max_tokens": max_tokens,
        "schema": schema and _schema(schema), "images": images or None,
        "entities": entities or None, "labels": labels or None,
    }  # fmt: skip
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        return template
    if template is None:
        raise UsageError(
            f"there is no template for --{next(iter(changes)).replace('_', '-')}",
            "Name one with --template.",
        )
    import msgspec

    from tui.compose.saved import find_template
    from tui.compose.scaledown_items import Label

    if labels:
        changes["labels"] = tuple(Label(name=name, rubric=text) for name, text in labels.items())
    found = find_template(template, templates_folder(settings))
    return msgspec.structs.replace(found, **changes)


def _schema(path: Path) -> dict[str, Any]:
    import json

    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON schema: {error}", "Look at the file.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is no JSON schema", "Write an object.")
    return value


def print_sketch(settings: Settings, sketch: Sketch, *, free: bool) -> None:
    """Print three rendered requests and the figures."""
    import msgspec

    from tui.core.text import visible

    if settings.json:
        document: dict[str, Any] = msgspec.to_builtins(sketch)
        cost = cost_document(sketch.estimate)
        del document["estimate"]
        print_json({**document, "trouble": sketch.trouble or None, "cost": cost})
        return
    lines: list[str] = []
    for row in sketch.rows:
        request = msgspec.json.format(msgspec.json.encode(row.request), indent=2).decode()
        lines += [f"{row.why} row ({row.number:,}), {row.size:,} bytes"]
        lines += [f"  {visible(line)}" for line in request.split("\n")] + [""]
    values: dict[str, Cell | str] = {
        "source": sketch.source,
        "found": ", ".join(sketch.notes),
        "columns": ", ".join(sketch.columns),
        "rows": f"about {sketch.count:,}" if sketch.count is not None else "not counted",
        **cost_pairs(sketch.estimate, free=free),
        "trouble": Cell(sketch.trouble, "red"),
    }
    print_lines([*lines, *pairs(values)])


def print_samples(settings: Settings) -> None:
    """Print the samples that come with the program, with a command for each."""
    from tui.compose.samples import DOCUMENTS, MARKETING, PRODUCTS, SUMMARIZE

    samples = [
        ("documents", "five short documents to summarize", f"{DOCUMENTS}::paragraphs", SUMMARIZE),
        ("products", "ten products to write copy for", str(PRODUCTS), MARKETING),
    ]
    if settings.json:
        print_json(
            [
                {"name": name, "what": what, "source": source, "template": str(template)}
                for name, what, source, template in samples
            ]
        )
        return
    rows: list[list[Cell | str]] = [[name, what] for name, what, _, _ in samples]
    lines = table(("NAME", "WHAT"), rows)
    for name, _, source, template in samples:
        command = f"batchdeck compose {source} -t {template} -m MODEL -o {name}.jsonl"
        lines += ["", command]
    print_lines(lines)


def save(
    settings: Settings,
    template: str | Template | None,
    name: str,
    *,
    model: str | None,
    custom_id: str | None,
    body: Mapping[str, Any],
) -> SavedTemplate:
    """Save a template, with what the command changes of it, under a name."""
    import msgspec

    from tui.compose.saved import SavedTemplate, find_template, save_template
    from tui.compose.template import adjusted

    if template is None:
        raise UsageError("there is no template to save", "Name one with --template.")
    folder = templates_folder(settings)
    found = find_template(template, folder) if isinstance(template, str) else template
    changed = adjusted(found, model=model, id=custom_id, settings=body)
    named = msgspec.structs.replace(changed, name=name)
    path = save_template(named, folder)
    say(f"Saved the template as {path}.")
    return SavedTemplate(name=name, path=path, template=named)
