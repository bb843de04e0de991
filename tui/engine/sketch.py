"""What a source and a template would become: three rendered rows, and figures from the first."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tui.compose.build import line_maker
from tui.compose.estimate import Estimate
from tui.compose.ids import IdMaker
from tui.compose.portions import LineMaker
from tui.compose.preview import SCANNED, Preview, Why, choose_rows, preview
from tui.compose.sources.source import Row, Source, SourceKind
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
        exact: Is ``count`` counted rather than guessed from line ends?
    """

    source: str
    kind: SourceKind
    columns: tuple[str, ...]
    count: int | None
    notes: tuple[str, ...]
    rows: tuple[Preview, ...]
    estimate: Estimate
    trouble: str = ""
    exact: bool = False


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
    return _drawn(source, rows, lines, trouble, price, count=source.count)


def _drawn(
    source: Source,
    rows: Sequence[Preview],
    lines: list[bytes],
    trouble: str,
    price: Callable[[list[bytes]], Estimate],
    *,
    count: int | None,
    exact: bool = False,
) -> Sketch:
    """The sketch of a source, of which a part of the rows was rendered."""
    estimate = price(lines)
    if count and lines:
        estimate = estimate.times(max(count, len(lines)) / len(lines))
    return Sketch(
        source=source.name,
        kind=source.kind,
        columns=source.columns,
        count=count,
        notes=source.notes,
        rows=tuple(rows),
        estimate=estimate,
        trouble=trouble,
        exact=exact,
    )


def _sample(
    source: Source,
    template: Template | None,
    model: str | None,
    settings: Mapping[str, Any] | None,
    stop: Stop | None,
) -> tuple[list[bytes], str]:
    make = line_maker(source, template, model=model, settings=settings)
    return _rendered(itertools.islice(source.rows(), SAMPLED), make, stop)


def _rendered(rows: Iterator[Row], make: LineMaker, stop: Stop | None) -> tuple[list[bytes], str]:
    """The lines of some rows up to the first that cannot be rendered, and why it cannot."""
    ids = IdMaker(SAMPLED)
    lines: list[bytes] = []
    for number, row in enumerate(rows, 1):
        if stop is not None and stop():
            raise InputError("the preview was stopped")
        try:
            lines.append(make(row, number, ids))
        except InputError as error:
            return lines, error.message
    return lines, ""


class Sketchbook:
    """The rows of a source that a preview shows, read once and rendered again and again.

    While a person types, only a few hundred rows are rendered for each change; the source,
    however large, is not read anew. Methods block and may be called from any thread.

    Args:
        source: The rows.
        seed: Of the random row.
    """

    def __init__(self, source: Source, *, seed: int | None = None) -> None:
        self.source = source
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._shown: list[tuple[Why, int, Row]] = []
        self._sample: list[Row] = []
        self._read = 0

    def look(self, stop: Stop | None = None) -> None:
        """Read the source as far as a preview needs it; the second time nothing happens.

        Raises:
            InputError: It cannot be read or holds no rows, or the work was stopped.
        """
        with self._lock:
            if not self._shown:
                self._sample, self._read = [], 0
                noted = Source(
                    name=self.source.name,
                    kind=self.source.kind,
                    columns=self.source.columns,
                    open_rows=self._noting,
                )
                self._shown = choose_rows(noted, self._chance, SCANNED + 1, stop)

    def _noting(self) -> Iterator[Row]:
        """The rows, of which the first are kept and all are counted."""
        for row in self.source.rows():
            self._read += 1
            if self._read <= SAMPLED:
                self._sample.append(row)
            yield row

    @property
    def count(self) -> int | None:
        """How many rows there are, about; ``None`` where nobody knows before the end."""
        return self._read if self.exact else self.source.count

    @property
    def exact(self) -> bool:
        """Was the source read to its end, so that ``count`` is no guess?"""
        return bool(self._shown) and self._read <= SCANNED

    def draw(
        self,
        template: Template,
        price: Callable[[list[bytes]], Estimate],
        stop: Stop | None = None,
    ) -> Sketch:
        """Render the rows by a template, and estimate the rest.

        Raises:
            InputError: The source or one of the three rows cannot be used, or it was stopped.
            UsageError: The template cannot be used.
        """
        self.look(stop)
        source = self.source
        make = line_maker(source, template)
        rows = [_preview(make(row, number, IdMaker(1)), why, number, row)
                for why, number, row in self._shown]  # fmt: skip
        lines, trouble = _rendered(iter(self._sample), make, stop)
        return _drawn(source, rows, lines, trouble, price, count=self.count, exact=self.exact)


def _preview(line: bytes, why: Why, number: int, row: Row) -> Preview:
    request = msgspec.json.decode(line)
    return Preview(why=why, number=number, row=row, request=request, size=len(line) - 1)
