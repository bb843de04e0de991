"""Input tokens as the provider itself counts them, on a few rows spread over a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from tui.compose.requests import clean_requests
from tui.engine.context import Context
from tui.engine.importer import limits_of
from tui.errors import InputError, UsageError

SAMPLE = 20
"""Rows that are counted at the most: each is a call of its own, which costs nothing."""


@runtime_checkable
class CountsTokens(Protocol):
    """A dialect whose provider counts the tokens of a request for free (Anthropic)."""

    async def count_request(self, request: bytes) -> int:
        """The input tokens of a request line."""


@dataclass(frozen=True)
class TokenCount:
    """Tokens of ``counted`` rows, and what that makes for all ``rows`` of the file."""

    rows: int
    counted: int
    tokens: int

    @property
    def all_tokens(self) -> int:
        """The input tokens of the whole file, when the others are like those counted."""
        return round(self.tokens * self.rows / self.counted)


async def count_tokens(context: Context, path: Path, account: str, rows: int) -> TokenCount:
    """Let the provider count the tokens of some rows of a file.

    Args:
        context: The engine's surroundings.
        path: The file.
        account: Whose provider counts.
        rows: How many requests the file has.

    Raises:
        UsageError: The provider does not count.
        InputError: The file cannot be read, or a row cannot be said to this provider.
        BatchdeckError: The provider could not be asked.
    """
    dialect = await context.accounts.dialect(account)
    if not isinstance(dialect, CountsTokens):
        name = context.accounts.info(account).provider_name
        raise UsageError(f"{name} counts no tokens before a batch", "The estimate is ours then.")
    lines = await asyncio.to_thread(_sample, context, path, account, rows)
    if not lines:
        raise InputError(f"{path} has no request to count", path=path)
    tokens = [await dialect.count_request(line) for line in lines]
    return TokenCount(rows=rows, counted=len(tokens), tokens=sum(tokens))


def _sample(context: Context, path: Path, account: str, rows: int) -> list[bytes]:
    """Some request lines, evenly spread, each from the middle of its part."""
    size = min(rows, SAMPLE)
    wanted = {(2 * place + 1) * rows // (2 * size) for place in range(size)}
    limits = limits_of(context.accounts.profile(account))
    requests = clean_requests(path, fix=True, limits=limits)
    return [request.line for number, request in enumerate(requests) if number in wanted]
