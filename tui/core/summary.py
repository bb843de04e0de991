"""Summary of a job: statistics of its answers, tokens, models and fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from typing import Any

import msgspec

from tui.core import counters
from tui.core.formatting import percent
from tui.core.jobs import Cost, Counts, RemoteCounts
from tui.core.rows import ANSWERED, RowLine

TEXT_FIELD = "text"
"""Path of the answer text itself."""

_MAX_FIELDS = 200
_MAX_TALLIED_FIELDS = 40
_MAX_DISTINCT = 60
"""Distinct values that are counted for a field that is not selected."""

_DEPTH = 4
_LABEL_LENGTH = 80
_SHOWN = 40
_LABEL_NAMES = (
    "label",
    "category",
    "class",
    "classification",
    "sentiment",
    "intent",
    "topic",
    "type",
)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of JSON answers: its path, the number of answers with it, and distinct values."""

    path: str
    rows: int
    distinct: int


class ModelShare(msgspec.Struct, kw_only=True):
    """Totals of one model; tokens and cost are ``None`` if no row reports them."""

    model: str = ""
    rows: int = 0
    answered: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    def add(self, line: RowLine) -> None:
        """Add a row to the totals."""
        self.rows += 1
        self.answered += line.outcome in ANSWERED
        usage = line.usage
        if usage.input_tokens is not None:
            self.input_tokens = (self.input_tokens or 0) + usage.input_tokens
        if usage.output_tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + usage.output_tokens
        if line.cost is not None:
            self.cost = (self.cost or 0.0) + line.cost


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """Rows done over time, as reported by the provider.

    ``points`` are (seconds from the start, rows done). ``seconds`` is how long the job took, or
    has taken so far; ``None`` before it is submitted.
    """

    points: tuple[tuple[float, int], ...] = ()
    seconds: float | None = None
    rows_per_second: float | None = None


class CacheUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows say of the provider's prompt cache.

    Attributes:
        read: Prompt tokens read from it.
        written: Prompt tokens written to it for five minutes, or as long as the provider keeps it.
        written_1h: Prompt tokens written to it for an hour.
        rows: Rows that say how much they read.
        reading_rows: Rows that read some.
        input_tokens: All prompt tokens of the rows that say so.
        saved: What reading saved, less what writing cost, in the currency of the job; negative if
            writing cost more. ``None`` if no bill says it.
    """

    read: int = 0
    written: int = 0
    written_1h: int = 0
    rows: int = 0
    reading_rows: int = 0
    input_tokens: int = 0
    saved: float | None = None

    @property
    def text(self) -> str:
        """The use of the cache as a phrase."""
        share = percent(self.read, self.input_tokens)
        words = f"{self.read:,} read, {share} of the input"
        words += f", by {self.reading_rows:,} of {self.rows:,} rows"
        if self.written:
            words += f"; {self.written:,} written"
        if self.written_1h:
            words += f"; {self.written_1h:,} written for an hour"
        return words


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of all rows of a job.

    ``rows`` is the number of rows read, less than ``counts.total`` if reading was stopped.
    ``labels`` are the values of ``field``, and ``words`` the words in it. ``json_rows`` is the
    number of answers that are JSON. ``token_rows`` is the
    number of rows that report tokens; if none does, the tokens are those that the provider counts
    for whole batches, or ``None``. ``cache`` is ``None`` if no row says what it read from a cache.
    """

    job_id: str
    name: str
    counts: Counts
    cost: Cost
    rows: int
    answered: int
    json_rows: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache: CacheUse | None
    token_rows: int
    row_cost: float | None
    finish: counters.Tally
    models: tuple[ModelShare, ...]
    lengths: counters.Distribution
    output: counters.Distribution
    fields: tuple[Field, ...]
    more_fields: int
    field: str
    labels: counters.Tally
    words: counters.Tally
    pace: Throughput = Throughput()

    @property
    def is_whole(self) -> bool:
        """Whether all rows were read."""
        return self.rows == self.counts.total


class Summarizer:
    """Builds a ``Summary`` from rows, in bounded memory.

    Args:
        field: The field whose labels and words are counted; if empty, the field most like a
            label, whose words are not counted.
        stop_words: Leave out common English words.
    """

    _MAX_MODELS = 50

    def __init__(self, field: str = "", *, stop_words: bool = False) -> None:
        self._field = field
        self._stop = counters.STOP_WORDS if stop_words else frozenset()
        self._json = self._token_rows = 0
        self._totals = ModelShare()
        self._short = 0
        self._cache = [0] * 6
        self._shares: dict[str, ModelShare] = {}
        self._finish = counters.BoundedCounter(200)
        self._lengths = counters.DistributionBuilder()
        self._output = counters.DistributionBuilder()
        self._found: dict[str, int] = {}
        self._more_fields: set[str] = set()
        self._tallies: dict[str, counters.BoundedCounter] = {}
        self._labels = counters.BoundedCounter()
        self._words = counters.BoundedCounter(50_000)

    def add(self, lines: Iterable[RowLine]) -> None:
        """Add rows."""
        for line in lines:
            self._add(line)

    def _add(self, line: RowLine) -> None:
        self._totals.add(line)
        usage = line.usage
        self._token_rows += usage.input_tokens is not None or usage.output_tokens is not None
        if usage.cached_tokens is not None or usage.cache_write_tokens is not None:
            read = usage.cached_tokens or 0
            found = (
                read,
                usage.cache_write_tokens or 0,
                usage.cache_write_1h_tokens or 0,
                1,
                read > 0,
                usage.input_tokens or 0,
            )
            self._cache = [total + more for total, more in zip(self._cache, found, strict=True)]
        if line.model:
            share = self._shares.get(line.model)
            if share is None and len(self._shares) < self._MAX_MODELS:
                share = self._shares[line.model] = ModelShare(model=line.model)
            if share is not None:
                share.add(line)
        if line.finish_reason:
            self._finish.add((line.finish_reason,))
        if line.outcome not in ANSWERED:
            return
        self._lengths.add(len(line.text))
        if usage.output_tokens is not None:
            self._output.add(usage.output_tokens)
        if line.data is not None:
            self._json += 1
            self._add_fields(line.data)
        elif not self._field and 0 < len(line.text) <= _LABEL_LENGTH:
            self._short += 1
            self._count_values(TEXT_FIELD, (line.text.strip(),))
        if self._field:
            self._count_field(line)

    def _add_fields(self, data: Any) -> None:
        seen: dict[str, list[Any]] = {}
        for path, value in scalars(data):
            seen.setdefault(path, []).append(value)
        for path, values in seen.items():
            if path in self._found:
                self._found[path] += 1
            elif len(self._found) < _MAX_FIELDS:
                self._found[path] = 1
            else:
                if len(self._more_fields) < 10 * _MAX_FIELDS:
                    self._more_fields.add(path)
                continue
            self._count_values(
                path, [counters.label_text(value)[:_LABEL_LENGTH] for value in values]
            )

    def _count_values(self, path: str, values: Sequence[str]) -> None:
        tally = self._tallies.get(path)
        if tally is None:
            if len(self._tallies) >= _MAX_TALLIED_FIELDS:
                return
            tally = self._tallies[path] = counters.BoundedCounter(_MAX_DISTINCT)
        tally.add(values)

    def _count_field(self, line: RowLine) -> None:
        values = list(values_at(line, self._field))
        self._labels.add(counters.label_text(value)[:_LABEL_LENGTH] for value in values)
        for value in values:
            if isinstance(value, str):
                self._words.add(counters.words_of(value, self._stop))

    def summary(
        self,
        job_id: str,
        name: str,
        counts: Counts,
        cost: Cost,
        pace: Throughput | None = None,
        told: RemoteCounts = RemoteCounts(),  # noqa: B008 - frozen
    ) -> Summary:
        """The summary of all rows added so far.

        Args:
            job_id: The job.
            name: Its name.
            counts: The counts of its rows.
            cost: What it costs.
            pace: Its progress over time.
            told: What the provider counts, for jobs whose rows report no tokens.
        """
        field = self._field or self._likely_label_field()
        labels = (
            self._labels if self._field else self._tallies.get(field, counters.BoundedCounter())
        )
        read, written, written_1h, said, reading, total = self._cache
        cache = CacheUse(
            read=read,
            written=written,
            written_1h=written_1h,
            rows=said,
            reading_rows=reading,
            input_tokens=total,
        )
        return Summary(
            job_id=job_id,
            name=name,
            counts=counts,
            cost=cost,
            rows=self._totals.rows,
            answered=self._totals.answered,
            json_rows=self._json,
            input_tokens=self._totals.input_tokens if self._token_rows else told.input_tokens,
            output_tokens=self._totals.output_tokens if self._token_rows else told.output_tokens,
            cached_tokens=read if said else None,
            cache=cache if said else None,
            token_rows=self._token_rows,
            row_cost=self._totals.cost,
            finish=self._finish.tally(12),
            models=self._models(),
            lengths=self._lengths.spread(),
            output=self._output.spread(),
            fields=self._fields(),
            more_fields=len(self._more_fields),
            field=field,
            labels=labels.tally(_SHOWN),
            words=self._words.tally(_SHOWN),
            pace=pace or Throughput(),
        )

    def _models(self) -> tuple[ModelShare, ...]:
        shares = sorted(self._shares.values(), key=lambda share: (-share.rows, share.model))
        # Copies: more rows may be added while a summary is shown.
        return tuple(copy(share) for share in shares)

    def _fields(self) -> tuple[Field, ...]:
        fields = [
            Field(path=path, rows=rows, distinct=self._distinct(path))
            for path, rows in self._found.items()
        ]
        plain = Field(
            path=TEXT_FIELD, rows=self._totals.answered, distinct=self._distinct(TEXT_FIELD)
        )
        return (*fields, plain) if self._totals.answered else tuple(fields)

    def _distinct(self, path: str) -> int:
        tally = self._tallies.get(path)
        return 0 if tally is None else tally.distinct

    def _likely_label_field(self) -> str:
        """The field most like a label; empty if there is none."""
        best = ""
        best_score = 0.0
        for path, tally in self._tallies.items():
            seen = self._found.get(path, self._short)
            if path == TEXT_FIELD and 2 * seen < self._totals.answered - self._json:
                # Most answers are too long for labels: ignore the few short ones.
                continue
            if (
                not 0 < tally.distinct <= _MAX_DISTINCT
                or seen < 2
                or tally.distinct > max(2, seen / 2)
            ):
                continue
            name = path.rpartition(".")[2].removesuffix("[]").casefold()
            score = seen / max(1, self._totals.answered)
            score += 2 if name in _LABEL_NAMES else 0
            score += 0.5 if 2 <= tally.distinct <= 20 else 0
            if score > best_score:
                best, best_score = path, score
        return best


def scalars(data: Any) -> Iterator[tuple[str, Any]]:
    """Scalars of an answer with their paths: ``data.label``, ``data.entities[].type``."""
    yield from _leaves("data", data, _DEPTH)


def _leaves(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        if depth:
            for key, inner in value.items():
                yield from _leaves(f"{path}.{key}", inner, depth - 1)
    elif isinstance(value, list):
        if depth:
            for inner in value:
                yield from _leaves(f"{path}[]", inner, depth - 1)
    elif value is not None:
        yield path, value


def values_at(line: RowLine, field: str) -> Iterator[Any]:
    """Scalars at a path of a row; ``text`` is the answer text."""
    if field == TEXT_FIELD:
        yield line.text
    elif line.data is not None:
        for path, value in scalars(line.data):
            if path == field:
                yield value
