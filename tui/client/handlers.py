"""``run_batch``: every answer goes to the handler for its model, all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tui.client.batches import AsyncBatchClient, Item
from tui.core.filtering import RowFilter
from tui.core.outcome import ANSWERED
from tui.core.rows import RowLine
from tui.core.status import BatchStatus
from tui.errors import UsageError

Handler = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Takes the ``custom_id`` and what the model answered: the JSON object that it gave, or
``{"text": …}``."""

OTHERWISE = "*"
"""The key of the handler for models that have none of their own."""

_ENDED_BADLY = (BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED)


async def run_batch(
    items: Iterable[Item],
    callbacks: Mapping[str, Handler],
    api_key: str | None = None,
    poll_interval: float = 5.0,
    *,
    account: str = "scaledown",
    base_url: str | None = None,
    home: Path | None = None,
    keep: bool = True,
) -> None:
    """Send items as a batch, wait for it, and hand each answer to the handler for its model.

    The handlers run concurrently once all answers are there. Rows that failed are skipped,
    and so are those of models that no handler is for; ``"*"`` takes these.

        async def summarized(custom_id, content):
            print(custom_id, content["summary"])

        await run_batch([SummarizeItem("a", text)], {"summarize": summarized})

    Args:
        items: Requests as dicts, or ScaleDown's typed items.
        callbacks: Model to handler; the model as the request names it.
        api_key: The account's key; else it is looked for in the environment and the keyring.
        poll_interval: Seconds between two questions to the provider.
        account: An account, or a provider's name.
        base_url: Another address of the provider.
        home: The folder of history and configuration.
        keep: Leave the job in the history.

    Raises:
        RuntimeError: The batch failed as a whole; its id is in the message.
        BatchdeckError: It could not be sent or asked for.
        BaseExceptionGroup: Handlers failed; the others were waited for.
    """
    wrong = [name for name, handler in callbacks.items() if not callable(handler)]
    if wrong:
        raise UsageError(f"the handler for {wrong[0]!r} cannot be called", "Give a function.")
    async with AsyncBatchClient(
        account, home=home, api_key=api_key, base_url=base_url, keep=keep
    ) as client:
        job_id = await client.submit(items)
        await client.wait(job_id, poll_interval)
        for batch in client.engine.history.batches(job_id):
            if batch.status in _ENDED_BADLY:
                raise RuntimeError(
                    f"batch {batch.remote_id} ended in status {batch.raw_status or batch.status}"
                )
        rows = await client.results(job_id, RowFilter(outcomes=ANSWERED))
        models = await asyncio.to_thread(models_of, client, job_id)
    work = []
    for row in rows:
        names = (models.get(row.custom_id, ""), row.model or "", OTHERWISE)
        handler = next((callbacks[name] for name in names if name in callbacks), None)
        if handler is not None:
            work.append(handler(row.custom_id, content_of(row)))
    await _all(work)


def content_of(row: RowLine) -> dict[str, Any]:
    """What a row says: the JSON object that the model answered with, or its text."""
    return row.data if isinstance(row.data, dict) else {"text": row.text}


def models_of(client: AsyncBatchClient, job_id: str) -> dict[str, str]:
    """The model that each request of a job names, by ``custom_id``; reads the disk."""
    history = client.engine.history
    total = history.job(job_id).counts.total
    requests = (_decode(line) for _, line in history.requests(job_id, range(total)))
    return {request.custom_id: str(request.body.model) for request in requests}


async def _all(work: list[Awaitable[None]]) -> None:
    """Wait for all handlers, so that none is left behind when another fails."""
    done = await asyncio.gather(*work, return_exceptions=True)
    errors = [result for result in done if isinstance(result, BaseException)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup(f"{len(errors)} handlers failed", errors)


class _Body(msgspec.Struct):
    model: Any = ""


class _Request(msgspec.Struct):
    custom_id: str
    body: _Body


_decode = msgspec.json.Decoder(_Request).decode
