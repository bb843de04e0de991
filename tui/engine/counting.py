"""Prompts counted by the provider itself, where that is free, in place of the rule of thumb."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tui.compose.billable import bodies_of, input_tokens
from tui.compose.limits import Limits
from tui.compose.requests import clean_requests
from tui.engine.context import Context
from tui.engine.threads import Stop, stoppable
from tui.errors import InputError, UsageError

COUNTED = 500
"""So many rows are counted at the most; of larger files, rows that are evenly spread."""

_AT_ONCE = 8


@dataclass(frozen=True)
class Counted:
    """What a provider counted.

    Attributes:
        rows: How many rows the file has, and ``counted`` how many of them were.
        inputs: By model, how many tokens a prompt has for one by the rule of thumb; under
            ``""`` what holds for all of them.
    """

    rows: int
    counted: int
    inputs: dict[str, float]

    @property
    def is_exact(self) -> bool:
        """Was every row counted?"""
        return self.counted == self.rows


async def count_tokens(
    context: Context, account: str, path: Path, limits: Limits, *, stop: Stop | None = None
) -> Counted:
    """Ask the provider of an account how many tokens the prompts of a file have.

    Raises:
        UsageError: It counts no tokens.
        InputError: The file cannot be sent, or the work was stopped.
        BatchdeckError: It could not be asked, or refuses a row.
    """
    dialect = await context.accounts.dialect(account)
    if not dialect.capabilities.counts_tokens:
        name = context.accounts.info(account).provider_name
        raise UsageError(f"{name} counts no tokens", "Leave --exact out: tokens are estimated.")
    total, lines = await stoppable(lambda asked: _chosen(path, limits, asked), stop)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def count(line: bytes) -> int:
        async with limit:
            if stop is not None and stop():
                raise InputError("the counting was stopped", path=path)
            return await dialect.count_tokens(line)

    tasks = [asyncio.create_task(count(line)) for line in lines]
    try:
        tokens = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return Counted(total, len(lines), _ratios(lines, tokens))


def _chosen(path: Path, limits: Limits, stop: Stop) -> tuple[int, list[bytes]]:
    """How many rows there are, and those to be counted; a large file is read twice."""

    def requests() -> Iterator[bytes]:
        for number, request in enumerate(clean_requests(path, fix=True, limits=limits)):
            if number % 1000 == 0 and stop():
                raise InputError("the counting was stopped", path=path)
            yield request.line

    rest = requests()
    first = list(islice(rest, COUNTED))
    total = len(first) + sum(1 for _ in rest)
    if total == len(first):
        return total, first
    places = frozenset(place * total // COUNTED for place in range(COUNTED))
    return total, [line for number, line in enumerate(requests()) if number in places]


def _ratios(lines: list[bytes], tokens: list[int]) -> dict[str, float]:
    measured: dict[str, float] = defaultdict(float)
    guessed: dict[str, float] = defaultdict(float)
    for line, count in zip(lines, tokens, strict=True):
        for _, body in islice(bodies_of([line]), 1):
            guess = input_tokens(body)
            for model in {body.model if isinstance(body.model, str) else "", ""}:
                measured[model] += count
                guessed[model] += guess
    return {model: measured[model] / guess for model, guess in guessed.items() if guess}
