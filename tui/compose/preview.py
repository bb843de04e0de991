"""A preview of the requests that a source and a template make, quick enough for every key."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import sqrt
from operator import itemgetter
from statistics import mean, stdev
from typing import Any, Literal

import msgspec

from tui.compose.build import line_maker
from tui.compose.estimate import Estimate
from tui.compose.requests.custom_ids import IdMaker
from tui.compose.sources.base import Row, Source, SourceKind, no_rows
from tui.compose.templates.jinja import as_prompt_text
from tui.compose.templates.model import Template
from tui.compose.templates.render_many import LineMaker
from tui.core.formatting import counted
from tui.errors import InputError
from tui.progress import NO_PROGRESS, Progress

PreviewReason = Literal["first", "random", "longest"]

MAX_SCANNED_ROWS = 20_000
"""How many rows are read at first to find the longest, to pick a random one and a sample."""

MAX_COUNTED_ROWS = 500_000
"""The maximum number of rows that are read of a source whose length is not known."""

SAMPLE_ROWS = 200
"""Number of rows rendered for the estimate, drawn from all rows that were read."""

_DEVIATIONS = 3
"""The bounds of a sampled cost are this many standard errors away from the estimate."""

_ROWS_PER_STEP = 100
_LOCK_SECONDS = 0.05


class RowPreview(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered row: why it was chosen, its number from 1, the row and its request.

    ``size`` is the length of the request line in bytes.
    """

    why: PreviewReason
    number: int
    row: dict[str, Any]
    request: dict[str, Any]
    size: int

    @property
    def custom_id(self) -> str:
        """The id of the request, before duplicates are resolved."""
        return str(self.request["custom_id"])


class ComposePreview(msgspec.Struct, frozen=True, kw_only=True):
    """A preview of the requests that ``build`` would write.

    Attributes:
        source: The name of the source.
        kind: The kind of source; ``requests`` needs no template.
        columns: The columns that a template may use.
        count: The approximate number of rows; ``None`` if unknown.
        notes: Facts that were detected in the source, such as its encoding.
        doubts: What is not certain or not complete in the source.
        rows: Up to three rows: the first, a random one and the longest.
        estimate: The estimate for all rows if ``count`` is known, else for the sampled rows. If
            rows are sampled, its bounds are wider by the error of the sample, and a note says so.
        trouble: Why a sampled row cannot be rendered; empty if all can.
        exact: Whether ``count`` is exact and not derived from line endings.
    """

    source: str
    kind: SourceKind
    columns: tuple[str, ...]
    count: int | None
    notes: tuple[str, ...]
    rows: tuple[RowPreview, ...]
    estimate: Estimate
    trouble: str = ""
    exact: bool = False
    doubts: tuple[str, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether several rows are shown, and all make the same request."""
        bodies = [row.request.get("body") for row in self.rows]
        return len(bodies) > 1 and all(body == bodies[0] for body in bodies)


class Previewer:
    """Previews of one source, which is read only once.

    Each change of the template renders only a few hundred rows, however large the source is.
    Reading continues where a stopped call left it. Methods block and may be called from any
    thread.

    Args:
        source: The rows.
        seed: Seed for the choice of the random row.
    """

    def __init__(self, source: Source, *, seed: int | None = None) -> None:
        self.source = source
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._restart()

    def _restart(self) -> None:
        self._rows: Iterator[Row] | None = None
        self._loaded = self._ended = False
        self._read = 0
        self._sample: list[tuple[int, Row]] = []
        self._first: Row = {}
        # Not the generator of the shown row: figures must not change from one pass to the next.
        self._draws = random.Random(0)
        self._random_row: tuple[int, Row] | None = None
        self._longest: tuple[int, Row] | None = None
        self._length = -1

    @property
    def count(self) -> int | None:
        """The number of rows, approximate unless ``exact``; ``None`` if unknown."""
        return self._read if self._ended else self.source.count

    @property
    def exact(self) -> bool:
        """Whether the rows were counted to the end, so that ``count`` is exact."""
        return self._ended or (self.source.exact and self.source.count is not None)

    @property
    def is_whole(self) -> bool:
        """Whether the source was read to its end, so that the sample is drawn from all rows."""
        return self._ended

    def load(self, progress: Progress = NO_PROGRESS, *, whole: bool = False) -> None:
        """Read the rows that a preview needs; does nothing if they are cached.

        Args:
            progress: Asked whether to stop.
            whole: Read on to the end of the source, so that count and sample are of all rows. A
                source whose length is not known may be endless: it is read up to a limit.

        Raises:
            InputError: The source is unreadable or empty, or the work was stopped.
        """
        if self._has_enough(whole=whole):
            return
        # A source may block; a stopped call must not wait for the one that reads.
        while not self._lock.acquire(timeout=_LOCK_SECONDS):
            if progress.stopped:
                raise _stopped()
        try:
            while not self._has_enough(whole=whole):
                if progress.stopped:
                    raise _stopped()
                if self._rows is None:
                    self._rows = iter(self.source.rows())
                try:
                    rows = list(islice(self._rows, _ROWS_PER_STEP))
                    if not rows and not self._read:
                        raise no_rows(self.source)
                except BaseException:
                    self._restart()
                    raise
                for row in rows:
                    self._add(row)
                if len(rows) < _ROWS_PER_STEP:
                    self._ended, self._rows = True, None
                self._loaded = self._ended or self._read >= MAX_SCANNED_ROWS
        finally:
            self._lock.release()

    def _has_enough(self, *, whole: bool) -> bool:
        if self._ended or (self._loaded and not whole):
            return True
        return self.source.count is None and self._read >= MAX_COUNTED_ROWS

    def _add(self, row: Row) -> None:
        self._read += 1
        # Reservoir sampling: each row is in the sample with the same probability.
        if self._read <= SAMPLE_ROWS:
            self._sample.append((self._read, row))
        elif (place := self._draws.randrange(self._read)) < SAMPLE_ROWS:
            self._sample[place] = (self._read, row)
        if self._read == 1:
            self._first = row
            return
        # Each row after the first is the random one with the same probability.
        if self._random.randrange(self._read - 1) == 0:
            self._random_row = (self._read, row)
        length = sum(map(len, map(as_prompt_text, row.values())))
        if length > self._length:
            self._longest, self._length = (self._read, row), length

    def update(
        self,
        template: Template | None,
        price: Callable[[list[bytes]], Estimate],
        *,
        model: str | None = None,
        settings: Mapping[str, Any] | None = None,
        progress: Progress = NO_PROGRESS,
    ) -> ComposePreview:
        """Render the first row, a random one and the longest, and estimate the rest.

        Args:
            template: As for ``build``.
            price: Estimates request lines.
            model: As for ``build``.
            settings: As for ``build``.
            progress: Asked whether to stop.

        Raises:
            InputError: The source or a shown row is invalid, or the work was stopped.
            UsageError: The template is invalid.
        """
        self.load(progress)
        source = self.source
        make, _ = line_maker(source, template, model=model, settings=settings)
        chosen: list[tuple[PreviewReason, int, Row]] = [("first", 1, self._first)]
        if self._random_row is not None and self._longest is not None:
            chosen.append(("random", *self._random_row))
            if self._longest[0] != self._random_row[0]:
                chosen.append(("longest", *self._longest))
        rows = tuple(_preview(make, *each) for each in chosen)
        lines, trouble = self._render_sample(make, progress)
        estimate = price(lines)
        if self.count and lines:
            count = max(self.count, len(lines))
            estimate = estimate.times(count / len(lines))
            if count > len(lines):
                error = _DEVIATIONS * _standard_error(lines)
                estimate = estimate.sampled(len(lines), count, error)
        doubts = [*source.doubts, *source.late_doubts()]
        if self.count is None:
            doubts.append(
                f"the number of rows is not known ({self._read:,} were read); tokens and cost are"
                f" those of {counted(len(lines), 'row')} of them"
            )
        return ComposePreview(
            source=source.name,
            kind=source.kind,
            columns=source.columns,
            count=self.count,
            notes=source.notes,
            rows=rows,
            estimate=estimate,
            trouble=trouble,
            exact=self.exact,
            doubts=tuple(doubts),
        )

    def _render_sample(self, make: LineMaker, progress: Progress) -> tuple[list[bytes], str]:
        """Render rows up to the first that fails; the lines, and the error or an empty string."""
        ids = IdMaker(SAMPLE_ROWS)
        lines: list[bytes] = []
        for number, row in sorted(self._sample, key=itemgetter(0)):
            if progress.stopped:
                raise _stopped()
            try:
                lines.append(make(row, number, ids))
            except InputError as error:
                return lines, error.message
        return lines, ""


def _preview(make: LineMaker, why: PreviewReason, number: int, row: Row) -> RowPreview:
    line = make(row, number, IdMaker(1))
    request = msgspec.json.decode(line)
    return RowPreview(why=why, number=number, row=row, request=request, size=len(line) - 1)


def _standard_error(lines: list[bytes]) -> float:
    """The standard error of the mean length of the lines, as a share of it; at most 1."""
    if len(lines) < 2:
        return 1.0
    lengths = list(map(len, lines))
    return min(stdev(lengths) / mean(lengths) / sqrt(len(lengths)), 1.0)


def _stopped() -> InputError:
    return InputError("the preview was stopped")
