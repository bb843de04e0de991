"""A job as a whole: what its answers are like, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from tui.core.counts import Counts
from tui.core.jobs import Cost
from tui.core.outcome import ANSWERED
from tui.core.rows import RowLine
from tui.core.tally import Counter, Numbers, Spread, Tally, as_text
from tui.core.words import STOP_WORDS, words_of

TEXT_FIELD = "text"
"""The path that means the answer itself."""

_MOST_FIELDS = 200
_TALLIED_FIELDS = 40
_FEW = 60
"""Different values that a field is watched for without being chosen."""

_DEPTH = 4
_LABEL_LENGTH = 80
_SHOWN = 40
_NAMES = ("label", "category", "class", "classification", "sentiment", "intent", "topic", "type")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field that JSON answers have: its path, in how many answers, and how many values."""

    path: str
    rows: int
    distinct: int


class ModelShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one model did; tokens and cost are of the rows that tell, ``None`` when none does."""

    model: str
    rows: int
    answered: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Rows done over time, as the provider told: seconds from the start, and rows.

    ``seconds`` is how long the job took, or has taken so far; ``None`` before it was sent.
    """

    points: tuple[tuple[float, int], ...] = ()
    seconds: float | None = None
    rows_per_second: float | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of a job's rows together.

    ``rows`` is the number that was read, which is less than ``counts.total`` when the reading
    was stopped. ``labels`` are the values of ``field``, and ``words`` the words in it.
    ``json_rows`` is how many answers are JSON. Tokens that no row tells are ``None``;
    ``token_rows`` is how many do.
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
    token_rows: int
    row_cost: float | None
    finish: Tally
    models: tuple[ModelShare, ...]
    lengths: Spread
    output: Spread
    fields: tuple[Field, ...]
    more_fields: int
    field: str
    labels: Tally
    words: Tally
    pace: Pace = Pace()

    @property
    def is_whole(self) -> bool:
        """Were all rows read?"""
        return self.rows == self.counts.total


class _Share:
    """What is added up for one model."""

    def __init__(self) -> None:
        self.rows = self.answered = 0
        self.input: int | None = None
        self.output: int | None = None
        self.cost: float | None = None

    def add(self, line: RowLine) -> None:
        self.rows += 1
        self.answered += line.outcome in ANSWERED
        usage = line.usage
        if usage.input_tokens is not None:
            self.input = (self.input or 0) + usage.input_tokens
        if usage.output_tokens is not None:
            self.output = (self.output or 0) + usage.output_tokens
        if line.cost is not None:
            self.cost = (self.cost or 0.0) + line.cost


class Summarizer:
    """Takes the rows of a job one by one, in a memory that does not grow with them.

    Args:
        field: The field of which labels and words are counted; empty for the one that looks
            most like a label, whose words are not counted.
        stop_words: Leave out words that say little.
    """

    _MOST_MODELS = 50

    def __init__(self, field: str = "", *, stop_words: bool = False) -> None:
        self._field = field
        self._stop = STOP_WORDS if stop_words else frozenset()
        self._rows = self._answered = self._json = self._token_rows = 0
        self._whole = _Share()
        self._short = 0
        self._cached: int | None = None
        self._shares: dict[str, _Share] = {}
        self._finish = Counter(200)
        self._lengths = Numbers()
        self._output = Numbers()
        self._found: dict[str, int] = {}
        self._more_fields: set[str] = set()
        self._tallies: dict[str, Counter] = {}
        self._labels = Counter()
        self._words = Counter(50_000)

    def add(self, lines: Iterable[RowLine]) -> None:
        """Take some rows."""
        for line in lines:
            self._add(line)

    def _add(self, line: RowLine) -> None:
        self._rows += 1
        self._whole.add(line)
        usage = line.usage
        self._token_rows += usage.input_tokens is not None or usage.output_tokens is not None
        if usage.cached_tokens is not None:
            self._cached = (self._cached or 0) + usage.cached_tokens
        if line.model:
            share = self._shares.get(line.model)
            if share is None and len(self._shares) < self._MOST_MODELS:
                share = self._shares[line.model] = _Share()
            if share is not None:
                share.add(line)
        if line.finish_reason:
            self._finish.add((line.finish_reason,))
        if line.outcome not in ANSWERED:
            return
        self._answered += 1
        self._lengths.add(len(line.text))
        if usage.output_tokens is not None:
            self._output.add(usage.output_tokens)
        if line.data is not None:
            self._json += 1
            self._look_into(line.data)
        elif not self._field and 0 < len(line.text) <= _LABEL_LENGTH:
            self._short += 1
            self._watch(TEXT_FIELD, (line.text.strip(),))
        if self._field:
            self._count_field(line)

    def _look_into(self, data: Any) -> None:
        seen: dict[str, list[Any]] = {}
        for path, value in leaves(data):
            seen.setdefault(path, []).append(value)
        for path, values in seen.items():
            if path in self._found:
                self._found[path] += 1
            elif len(self._found) < _MOST_FIELDS:
                self._found[path] = 1
            else:
                if len(self._more_fields) < 10 * _MOST_FIELDS:
                    self._more_fields.add(path)
                continue
            self._watch(path, [as_text(value)[:_LABEL_LENGTH] for value in values])

    def _watch(self, path: str, values: Sequence[str]) -> None:
        tally = self._tallies.get(path)
        if tally is None:
            if len(self._tallies) >= _TALLIED_FIELDS:
                return
            tally = self._tallies[path] = Counter(_FEW)
        tally.add(values)

    def _count_field(self, line: RowLine) -> None:
        values = list(values_at(line, self._field))
        self._labels.add(as_text(value)[:_LABEL_LENGTH] for value in values)
        for value in values:
            if isinstance(value, str):
                self._words.add(words_of(value, self._stop))

    def summary(
        self, job_id: str, name: str, counts: Counts, cost: Cost, pace: Pace | None = None
    ) -> Summary:
        """Everything that was taken so far, together."""
        field = self._field or self._likely()
        labels = self._labels if self._field else self._tallies.get(field, Counter())
        return Summary(
            job_id=job_id,
            name=name,
            counts=counts,
            cost=cost,
            rows=self._rows,
            answered=self._answered,
            json_rows=self._json,
            input_tokens=self._whole.input,
            output_tokens=self._whole.output,
            cached_tokens=self._cached,
            token_rows=self._token_rows,
            row_cost=self._whole.cost,
            finish=self._finish.tally(12),
            models=self._models(),
            lengths=self._lengths.spread(),
            output=self._output.spread(),
            fields=self._fields(),
            more_fields=len(self._more_fields),
            field=field,
            labels=labels.tally(_SHOWN),
            words=self._words.tally(_SHOWN),
            pace=pace or Pace(),
        )

    def _models(self) -> tuple[ModelShare, ...]:
        shares = [
            ModelShare(
                model=model,
                rows=share.rows,
                answered=share.answered,
                input_tokens=share.input,
                output_tokens=share.output,
                cost=share.cost,
            )
            for model, share in self._shares.items()
        ]
        return tuple(sorted(shares, key=lambda share: (-share.rows, share.model)))

    def _fields(self) -> tuple[Field, ...]:
        fields = [
            Field(path=path, rows=rows, distinct=self._distinct(path))
            for path, rows in self._found.items()
        ]
        plain = Field(path=TEXT_FIELD, rows=self._answered, distinct=self._distinct(TEXT_FIELD))
        return (*fields, plain) if self._answered else tuple(fields)

    def _distinct(self, path: str) -> int:
        tally = self._tallies.get(path)
        return 0 if tally is None else tally.distinct

    def _likely(self) -> str:
        """The field that looks most like a label; empty when none does."""
        best = ""
        best_score = 0.0
        for path, tally in self._tallies.items():
            seen = self._found.get(path, self._short)
            if path == TEXT_FIELD and 2 * seen < self._answered - self._json:
                # Most answers are too long for labels: the few short ones say nothing.
                continue
            if not 0 < tally.distinct <= _FEW or seen < 2 or tally.distinct > max(2, seen / 2):
                continue
            name = path.rpartition(".")[2].removesuffix("[]").casefold()
            score = seen / max(1, self._answered)
            score += 2 if name in _NAMES else 0
            score += 0.5 if 2 <= tally.distinct <= 20 else 0
            if score > best_score:
                best, best_score = path, score
        return best


def leaves(data: Any) -> Iterator[tuple[str, Any]]:
    """The scalars of an answer with their paths: ``data.label``, ``data.entities[].type``."""
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
    """The scalars of a row that a path leads to; ``text`` is the answer."""
    if field == TEXT_FIELD:
        yield line.text
    elif line.data is not None:
        for path, value in leaves(line.data):
            if path == field:
                yield value
