"""Measured tokens for estimates: from past results, or counted by the provider."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tui.compose.checks.clean import clean_requests
from tui.compose.checks.line import LineChecker
from tui.compose.requests.amounts import request_amount
from tui.compose.requests.rules import RequestLimits
from tui.engine.context import Context, run_in_thread
from tui.errors import InputError, UsageError
from tui.progress import NO_PROGRESS, Progress
from tui.store.history import PastJob

_MIN_ROWS = 10
"""Minimum number of answers of a model for their mean length to count."""

_MIN_RATIO, _MAX_RATIO = 0.25, 100.0
"""Bounds on the ratio of measured to guessed prompt tokens.

A gateway such as TensorZero adds templates of its own to short inputs; beyond that the counts of a
server are not believed.
"""


@dataclass(frozen=True)
class Calibration:
    """Measured figures by model.

    Attributes:
        answers: The mean length of an answer, in tokens.
        inputs: The ratio of real to guessed prompt tokens; ``""`` holds for other models.
    """

    answers: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, float] = field(default_factory=dict)


def calibrate(past_jobs: Iterable[PastJob]) -> Calibration:
    """Measure past jobs of an account."""
    answers: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    inputs: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for job in past_jobs:
        for name, (rows, tokens, _, _) in job.models.items():
            # A provider may answer for gpt-5-mini as gpt-5-mini-2025-08-07.
            names = {name, job.model} if len(job.models) == 1 else {name}
            for label in names:
                answers[label][0] += rows
                answers[label][1] += tokens
        _add_input(inputs, job)
    return Calibration(
        answers={
            model: tokens / rows for model, (rows, tokens) in answers.items() if rows >= _MIN_ROWS
        },
        inputs={
            model: min(max(measured / guessed, _MIN_RATIO), _MAX_RATIO)
            for model, (measured, guessed) in inputs.items()
            if guessed and measured
        },
    )


def _add_input(inputs: dict[str, list[float]], job: PastJob) -> None:
    rows = sum(counts[2] for counts in job.models.values())
    tokens = sum(counts[3] for counts in job.models.values())
    if rows < _MIN_ROWS or not job.guessed:
        return
    for model in (job.model, ""):
        inputs[model][0] += tokens / rows * job.rows
        inputs[model][1] += job.guessed


MAX_COUNTED_ROWS = 500
"""Rows counted at most; in larger files, a sample of evenly spaced rows."""

_CONCURRENCY = 8


@dataclass(frozen=True)
class TokenCounts:
    """Token counts of a provider for the prompts of a file.

    Attributes:
        rows: How many rows the file has.
        counted: How many of them were counted.
        inputs: The ratio of counted to guessed prompt tokens, by model; ``""`` for all.
    """

    rows: int
    counted: int
    inputs: dict[str, float]

    @property
    def is_exact(self) -> bool:
        """Whether every row was counted."""
        return self.counted == self.rows


async def count_tokens(
    context: Context, account: str, path: Path, *, progress: Progress = NO_PROGRESS
) -> TokenCounts:
    """Have an account's provider count the prompt tokens of a file.

    Raises:
        UsageError: The provider cannot count tokens.
        InputError: The file is invalid, or the work was stopped.
        BatchdeckError: The provider cannot be reached, or rejects a row.
    """
    dialect = await context.accounts.dialect(account)
    if not dialect.capabilities.counts_tokens:
        name = context.accounts.info(account).provider_name
        raise UsageError(f"{name} cannot count tokens", "Leave out --exact to estimate them.")
    limits = context.accounts.limits(account)
    total, lines = await run_in_thread(lambda running: _sample(path, limits, running), progress)
    limit = asyncio.Semaphore(_CONCURRENCY)

    async def count(line: bytes) -> int:
        async with limit:
            if progress.stopped:
                raise InputError("token counting was stopped", path=path)
            return await dialect.count_tokens(line)

    tasks = [asyncio.create_task(count(line)) for line in lines]
    try:
        tokens = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return TokenCounts(total, len(lines), _ratios(lines, tokens))


def _sample(path: Path, limits: RequestLimits, progress: Progress) -> tuple[int, list[bytes]]:
    """The number of rows, and the lines to count; a large file is read twice."""

    def requests() -> Iterator[bytes]:
        for number, request in enumerate(clean_requests(path, fix=True, limits=limits)):
            if number % 1000 == 0 and progress.stopped:
                raise InputError("token counting was stopped", path=path)
            yield request.line

    rest = requests()
    first = list(islice(rest, MAX_COUNTED_ROWS))
    total = len(first) + sum(1 for _ in rest)
    if total == len(first):
        return total, first
    chosen = frozenset(place * total // MAX_COUNTED_ROWS for place in range(MAX_COUNTED_ROWS))
    return total, [line for number, line in enumerate(requests()) if number in chosen]


def _ratios(lines: list[bytes], tokens: list[int]) -> dict[str, float]:
    measured: dict[str, float] = defaultdict(float)
    guessed: dict[str, float] = defaultdict(float)
    explain = LineChecker(RequestLimits()).explain
    for number, (line, count) in enumerate(zip(lines, tokens, strict=True), 1):
        row = explain(line, number)
        if row.body is not None:
            for model in {row.model or "", ""}:
                measured[model] += count
                guessed[model] += request_amount(row.body, row.model or "").tokens.usual
    return {model: measured[model] / guess for model, guess in guessed.items() if guess}
