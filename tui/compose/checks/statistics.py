"""The figures of a file: rows by endpoint and model, what decides their cost, odd sizes."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any, Literal, NamedTuple

from tui.compose.checks.line import CheckedLine
from tui.compose.checks.typed_decoder import UniformRows
from tui.compose.requests.amounts import NO_AMOUNT, Amount, request_amount
from tui.compose.requests.prompts import AnswerLength, answer_length
from tui.compose.requests.report import Problem
from tui.core.text import quoted

LONG_PROMPT = 8000
"""Prompts of at most this many tokens are in the lowest price tier of every model.

The lowest tier known ends at 32,000 tokens, and a prompt has at most four times its estimate.
"""

_MAX_GROUPS = 5000


class CostKey(NamedTuple):
    """What rows of one group have in common; ``prompt`` is 0 up to ``LONG_PROMPT`` tokens."""

    model: str
    answer: AnswerLength
    prompt: int


class CostInputs:
    """What decides the cost of requests, whatever the prices: rows in groups that cost alike.

    Attributes:
        groups: The number of rows and the input of all of them.
        cache: Whether a request marks a part of its prompt for a cache, and the longest time for
            which one is kept: ``5m`` or ``1h``; empty if none does.
        tier: The service tier ``priority`` if a request may ask for it; empty if none does.
    """

    def __init__(self) -> None:
        self.groups: dict[CostKey, tuple[int, Amount]] = {}
        self.cache: Literal["", "5m", "1h"] = ""
        self.tier: Literal["", "priority"] = ""

    @property
    def rows(self) -> int:
        """The number of requests."""
        return sum(rows for rows, _ in self.groups.values())

    @property
    def tokens(self) -> float:
        """The estimated tokens of all prompts."""
        return sum(amount.tokens.expected for _, amount in self.groups.values())

    def find_marks(self, lines: bytes) -> None:
        """See whether some request lines mark parts of prompts for a cache, or name a dear tier."""
        if b'"service_tier"' in lines and b'"priority"' in lines:
            self.tier = "priority"
        if self.cache != "1h" and b'"cache_control"' in lines:
            self.cache = "1h" if b'"1h"' in lines else "5m"

    def add(self, model: str, answer: AnswerLength, rows: int, amount: Amount) -> None:
        """Add rows of one model; rows with a long prompt are added one by one."""
        tokens = amount.tokens.usual
        prompt = 0 if tokens <= LONG_PROMPT * rows else round(tokens / rows)
        key = CostKey(model, answer, prompt)
        if key not in self.groups and len(self.groups) >= _MAX_GROUPS:
            limit = None if answer.limit is None else rounded(answer.limit)
            key = CostKey(model, AnswerLength(limit, answer.choices), rounded(prompt))
        before, sum_of_amounts = self.groups.get(key, (0, NO_AMOUNT))
        self.groups[key] = (before + rows, sum_of_amounts.plus(amount))


def rounded(number: int) -> int:
    """Round down a number to within two percent."""
    low_bits = max(number.bit_length() - 7, 0)
    return number >> low_bits << low_bits


MAX_NAMES = 1000
"""How many models and endpoints are counted by name; the rest count as ``OTHERS``."""

OTHERS = "(others)"


class FileFigures:
    """Counts rows by endpoint and model, and reports a second endpoint or model.

    Args:
        one_model: Whether a second model is an error.
        with_costs: Whether ``costs`` is wanted; finding them takes a fifth of the time.

    Attributes:
        rows: The number of lines that are not blank.
        longest_line: The length of the longest line in bytes, without its line ending.
        first_endpoint: The endpoint of the first row that has one.
        costs: What decides the cost of the rows.
    """

    def __init__(self, *, one_model: bool, with_costs: bool = True) -> None:
        self.rows = 0
        self.longest_line = 0
        self.endpoints: dict[str, int] = {}
        self.models: dict[str, int] = {}
        self.first_endpoint: str | None = None
        self.costs = CostInputs()
        self._one_model = one_model
        self._with_costs = with_costs
        self._endpoint_line = 0
        self._first_model: tuple[str, int] | None = None

    def add_uniform(
        self, uniform: UniformRows, rows: list[Any], *, longest: int, line: int
    ) -> list[Problem]:
        """Count rows from the typed decoder.

        Args:
            uniform: The decoder.
            rows: The rows that it decoded last.
            longest: The length of the longest line in bytes.
            line: The number of the first line.
        """
        self.rows += len(rows)
        _count(self.endpoints, uniform.url, len(rows))
        problems: list[Problem] = []
        models: dict[str | None, int] = {uniform.model: len(rows)}
        if uniform.loose and uniform.model is not None:
            named = [row.body.model for row in rows]
            models = dict(Counter(named))
            for model in dict.fromkeys(named):
                problems += self._check_model(model, line + named.index(model))
        names = {model: self._count_model(model, count) for model, count in models.items()}
        if self._with_costs:
            long = longest > LONG_PROMPT * 4
            for model, answer, count, amount in uniform.costs(rows, long=long):
                self.costs.add(names[model], answer, count, amount)
        return problems

    def add(self, row: CheckedLine, line: int) -> list[Problem]:
        """Count one row; return the problems if its endpoint or model differs from earlier rows."""
        problems: list[Problem] = []
        self.rows += 1
        if row.endpoint is not None:
            if self.first_endpoint is None:
                self.first_endpoint, self._endpoint_line = row.endpoint, line
            elif row.endpoint != self.first_endpoint:
                problems.append(self._mixed_endpoints(row.endpoint, line))
            _count(self.endpoints, row.endpoint, 1)
        if row.model is not None:
            problems += self._check_model(row.model, line)
        if row.body is not None:
            name = self._count_model(row.model, 1)
            if self._with_costs:
                answer = answer_length(row.endpoint or "", row.body.get)
                self.costs.add(name, answer, 1, request_amount(row.body, row.model or ""))
        return problems

    def _count_model(self, model: str | None, rows: int) -> str:
        return "" if model is None else _count(self.models, model, rows)

    def _mixed_endpoints(self, endpoint: str, line: int) -> Problem:
        return Problem(
            line=line,
            code="mixed_endpoints",
            severity="error",
            what=f"the endpoint is {quoted(endpoint)}, but {quoted(self.first_endpoint or '')} "
            f"on line {self._endpoint_line}",
            fix="Use one file per endpoint.",
        )

    def _check_model(self, model: str, line: int) -> list[Problem]:
        if model in self.models:
            return []
        if self._first_model is None:
            self._first_model = (model, line)
            return []
        first, first_line = self._first_model
        return [
            Problem(
                line=line,
                code="mixed_models",
                severity="error" if self._one_model else "warning",
                what=f"the model is {quoted(model)}, but {quoted(first)} on line {first_line}",
                fix="Use one file per model."
                if self._one_model
                else "Check whether several models are intended.",
            )
        ]


def _count(counts: dict[str, int], name: str, rows: int) -> str:
    """Count rows under a name, or under ``OTHERS``; return which."""
    if name not in counts and len(counts) >= MAX_NAMES:
        name = OTHERS
    counts[name] = counts.get(name, 0) + rows
    return name


OUTLIER_FACTOR = 50
"""A row is an outlier if it is more than this many times as long as the median."""

_KEPT = 20
_MIN_ROWS = 5
_MAX_DISTINCT = 4096
_BLANK_LENGTH = 2
"""Lines up to this length, including the line ending, are blank."""


class LineSizes:
    """Counts the lengths of all lines and keeps the largest with their line numbers.

    Lengths are exact while there are few distinct ones, and rounded to within two percent
    after that.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._largest: list[tuple[int, int]] = []
        self._smallest_kept = 0

    def add(self, lengths: list[int], first_line: int) -> None:
        """Add the lengths, in bytes, of consecutive lines."""
        self._counts.update(lengths)
        if len(self._counts) > _MAX_DISTINCT:
            counts: Counter[int] = Counter()
            for size, times in self._counts.items():
                counts[rounded(size)] += times
            self._counts = counts
        if max(lengths) > self._smallest_kept:
            for number, length in enumerate(lengths, first_line):
                if length > self._smallest_kept:
                    self._keep(length, number)

    def outliers(self) -> tuple[int, int, list[tuple[int, int]]]:
        """Return the median, the number of outliers, and the largest outliers.

        The outliers are pairs of line number and length, in the order of the lines.
        """
        median = self._median()
        threshold = median * OUTLIER_FACTOR
        if not median:
            return 0, 0, []
        listed = sorted((number, size) for size, number in self._largest if size > threshold)
        count = sum(times for size, times in self._counts.items() if size > threshold)
        return median, max(count, len(listed)), listed

    def _keep(self, length: int, number: int) -> None:
        # Among rows of the same length, the first ones are kept.
        if len(self._largest) < _KEPT:
            heapq.heappush(self._largest, (length, number))
        else:
            heapq.heapreplace(self._largest, (length, number))
        if len(self._largest) == _KEPT:
            self._smallest_kept = self._largest[0][0]

    def _median(self) -> int:
        """The lower median of the rows; 0 if there are too few rows."""
        sizes = sorted(
            (size, times) for size, times in self._counts.items() if size > _BLANK_LENGTH
        )
        rows = sum(times for _, times in sizes)
        if rows < _MIN_ROWS:
            return 0
        left = (rows + 1) // 2
        for size, times in sizes:
            left -= times
            if left <= 0:
                return size
        return 0
