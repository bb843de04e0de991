"""Waiting for jobs to end, whichever program works on them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tui.core.jobs import Batch
from tui.engine.context import Context
from tui.errors import AccountKeyError

_LOOK_SECONDS = 1.0
"""How often the history is asked when no event comes: another program may do the work."""

_REFUSALS = 3
"""Polls in a row that a key may be refused before the waiting is given up."""


async def wait_for(context: Context, job_ids: Sequence[str]) -> None:
    """Wait until jobs have ended and everything of them is here.

    Raises:
        AccountKeyError: The provider keeps refusing the key, for every batch that is left.
    """
    moved = asyncio.Event()
    unsubscribe = context.events.subscribe(lambda _: moved.set())
    try:
        while True:
            moved.clear()
            left = [
                batch
                for job_id in job_ids
                for batch in context.history.batches(job_id)
                if batch.is_under_way
            ]
            if not left:
                return
            _give_up_if_refused(context, left)
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await moved.wait()
            except TimeoutError:
                continue
    finally:
        unsubscribe()


def _give_up_if_refused(context: Context, batches: Sequence[Batch]) -> None:
    refused: list[AccountKeyError] = []
    for batch in batches:
        errors = context.poll_errors.get(batch.id, [])[-_REFUSALS:]
        keys = [error for error in errors if isinstance(error, AccountKeyError)]
        if len(keys) < _REFUSALS:
            return
        refused = keys
    raise refused[-1]
