"""What a source and a template would become: three rendered rows, and figures from the first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tui.compose.build import line_maker
from tui.compose.estimate import Estimate
from tui.compose.ids import IdMaker
from tui.compose.preview import Preview, preview
from tui.compose.sources.source import Source, SourceKind
from tui.compose.template import Template
from tui.engine.threads import Stop
from tui.errors import InputError

SAMPLED = 200
"""So many rows are rendered for the estimate."""


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """A preview of what composing gives.

    Attributes:
        source: The name of the source.
        kind: ``requests`` needs no template.
        columns: What a template may name.
        count: How many rows there are, about; ``None`` where nobody knows before the end.
        notes: What was found out about the source, such as its encoding.
        rows: Up to three rows: the first, a random one, the longest.
        estimate: Of all rows where ``count`` is known, else of the rows that were sampled.
        trouble: Why a row of the sample cannot be rendered; empty when all can.
    """

    source: str
    kind: SourceKind
    columns: tuple[str, ...]
    count: int | None
    notes: tuple[str, ...]
    rows: tuple[Preview, ...]
    estimate: Estimate
    trouble: str = ""


def sketch(
    source: Source,
    template: Template | None,
    price: Callable[[list[bytes]], Estimate],
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    stop: Stop | None = None,
) -> Sketch:
    """Render three rows and estimate the rest; blocking.

    Args:
        source: The rows.
        template: As for ``build``.
        price: Estimates request lines.
        model: As for ``build``.
        settings: As for ``build``.
        seed: Of the random row.
        stop: Asked now and then; true ends the work.

    Raises:
        InputError: The source or one of the three rows cannot be used, or it was stopped.
        UsageError: The template cannot be used.
    """
    rows = preview(source, template, model=model, settings=settings, seed=seed, stop=stop)
    lines, trouble = _sample(source, template, model, settings, stop)
    estimate = price(lines)
    if source.count and lines:
        estimate = estimate.times(max(source.count, len(lines)) / len(lines))
    return Sketch(
        source=source.name,
        kind=source.kind,
        columns=source.columns,
        count=source.count,
        notes=source.notes,
        rows=tuple(rows),
        estimate=estimate,
        trouble=trouble,
    )


def _sample(
    source: Source,
    template: Template | None,
    model: str | None,
    settings: Mapping[str, Any] | None,
    stop: Stop | None,
) -> tuple[list[bytes], str]:
    make = line_maker(source, template, model=model, settings=settings)
    ids = IdMaker(SAMPLED)
    lines: list[bytes] = []
    for number, row in enumerate(itertools.islice(source.rows(), SAMPLED), 1):
        if stop is not None and stop():
            raise InputError("the preview was stopped")
        try:
            lines.append(make(row, number, ids))
        except InputError as error:
            return lines, error.message
    return lines, ""
