"""The figures of a file of requests, and what does not go together in it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tui.compose.explain import Explained
from tui.compose.report import Problem
from tui.compose.uniform import UniformRows
from tui.core.text import quoted

NAMES = 1000
"""How many models and endpoints are counted by name; the rest stands under ``OTHERS``."""

OTHERS = "(others)"


class Tally:
    """Counts rows by endpoint and model, and notices when there are several.

    Attributes:
        rows: Lines that are not blank.
        tokens: The estimate for all prompts.
        longest_line: In bytes, without the line's end.
        first_endpoint: The endpoint of the first row that has one.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.tokens = 0.0
        self.longest_line = 0
        self.endpoints: dict[str, int] = {}
        self.models: dict[str, int] = {}
        self.first_endpoint: str | None = None
        self._endpoint_line = 0
        self._first_model: tuple[str, int] | None = None

    def add_uniform(
        self, uniform: UniformRows, rows: list[Any], *, plain: bool, line: int, one_model: bool
    ) -> list[Problem]:
        """Count rows that are all alike, the first of them on ``line``."""
        self.rows += len(rows)
        self.tokens += uniform.tokens(rows, plain=plain)
        _count(self.endpoints, uniform.url, len(rows))
        if uniform.model is None:
            return []
        if not uniform.loose:
            _count(self.models, uniform.model, len(rows))
            return []
        problems: list[Problem] = []
        models = [row.body.model for row in rows]
        for model, count in Counter(models).items():
            problems += self._new_model(model, line + models.index(model), one_model)
            _count(self.models, model, count)
        return problems

    def add(self, row: Explained, line: int, *, one_model: bool) -> list[Problem]:
        """Count one row; the answer says what in it does not go with the rows before."""
        problems: list[Problem] = []
        self.rows += 1
        self.tokens += row.tokens
        if row.endpoint is not None:
            if self.first_endpoint is None:
                self.first_endpoint, self._endpoint_line = row.endpoint, line
            elif row.endpoint != self.first_endpoint:
                problems.append(self._other_endpoint(row.endpoint, line))
            _count(self.endpoints, row.endpoint, 1)
        if row.model is not None:
            problems += self._new_model(row.model, line, one_model)
            _count(self.models, row.model, 1)
        return problems

    def _other_endpoint(self, endpoint: str, line: int) -> Problem:
        return Problem(
            line=line,
            code="mixed_endpoints",
            severity="error",
            what=f"the endpoint is {quoted(endpoint)}, but {quoted(self.first_endpoint or '')} "
            f"on line {self._endpoint_line}",
            fix="Put the requests for each endpoint into a file of their own.",
        )

    def _new_model(self, model: str, line: int, one_model: bool) -> list[Problem]:
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
                severity="error" if one_model else "warning",
                what=f"the model is {quoted(model)}, but {quoted(first)} on line {first_line}",
                fix="Put the requests for each model into a file of their own."
                if one_model
                else "Look whether several models are meant.",
            )
        ]


def _count(counts: dict[str, int], name: str, rows: int) -> None:
    if name not in counts and len(counts) >= NAMES:
        name = OTHERS
    counts[name] = counts.get(name, 0) + rows
