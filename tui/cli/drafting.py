"""What `compose` shows and keeps before it writes: previews, samples, saved templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tui.cli.costs import cost_document, cost_pairs
from tui.cli.output import Cell, pairs, print_json, print_lines, say, table
from tui.cli.settings import Settings
from tui.cli.templates import templates_folder
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.engine.sketch import Sketch


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
    template: str | None,
    name: str,
    *,
    model: str | None,
    custom_id: str | None,
    body: Mapping[str, Any],
) -> None:
    """Save a template, with what the command changes of it, under a name."""
    import msgspec

    from tui.compose.saved import find_template, save_template
    from tui.compose.template import adjusted

    if template is None:
        raise UsageError("there is no template to save", "Name one with --template.")
    folder = templates_folder(settings)
    changed = adjusted(find_template(template, folder), model=model, id=custom_id, settings=body)
    path = save_template(msgspec.structs.replace(changed, name=name), folder)
    say(f"Saved the template as {path}.")
