"""``run_batch``: run a batch and pass each answer to the handler for its model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tui.client.batches import AsyncBatchClient, Item
from tui.core.jobs import BatchStatus
from tui.core.query import RowFilter
from tui.core.rows import ANSWERED, RowLine
from tui.errors import UsageError

Handler = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Called with the ``custom_id`` and the answer: its JSON object, or ``{"text": …}``."""

ANY_MODEL = "*"
"""Key of the handler for models without a handler of their own."""

_FAILED_STATUSES = (BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED)


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
    """Submit items as a batch, wait for it, and pass each answer to the handler for its model.

    The handlers run concurrently after all results are downloaded. Failed rows are skipped,
    and so are rows of models without a handler, unless there is one for ``"*"``.

        async def summarized(custom_id, content):
            print(custom_id, content["summary"])

        await run_batch([SummarizeItem("a", text)], {"summarize": summarized})

    Args:
        items: Requests as dicts, or ScaleDown's typed items.
        callbacks: Handlers by model, as named in the request.
        api_key: The account's key; by default from the environment or the keyring.
        poll_interval: Seconds between polls.
        account: A configured account, or a provider's name.
        base_url: Overrides the provider's base URL.
        home: Folder for history and configuration.
        keep: Keep the job in the history.

    Raises:
        RuntimeError: The batch failed; its id is in the message.
        BatchdeckError: The batch could not be submitted or polled.
        BaseExceptionGroup: Several handlers failed; all others ran to the end.
    """
    not_callable = [name for name, handler in callbacks.items() if not callable(handler)]
    if not_callable:
        raise UsageError(
            f"the handler for {not_callable[0]!r} is not callable", "Pass an async function."
        )
    async with AsyncBatchClient(
        account, home=home, api_key=api_key, base_url=base_url, keep=keep
    ) as client:
        job_id = await client.submit(items)
        await client.wait(job_id, poll_interval)
        for batch in client.engine.history.batches.of_job(job_id):
            if batch.status in _FAILED_STATUSES:
                raise RuntimeError(
                    f"batch {batch.remote_id} ended in status {batch.raw_status or batch.status}"
                )
        rows = await client.results(job_id, RowFilter(outcomes=ANSWERED))
        models = await asyncio.to_thread(models_by_id, client, job_id)
    calls = []
    for row in rows:
        names = (models.get(row.custom_id, ""), row.model or "", ANY_MODEL)
        handler = next((callbacks[name] for name in names if name in callbacks), None)
        if handler is not None:
            calls.append(handler(row.custom_id, answer_content(row)))
    await _wait_for_all(calls)


def answer_content(row: RowLine) -> dict[str, Any]:
    """The answer of a row: its JSON object, or ``{"text": …}``."""
    return row.data if isinstance(row.data, dict) else {"text": row.text}


def models_by_id(client: AsyncBatchClient, job_id: str) -> dict[str, str]:
    """Models of a job's requests by ``custom_id``. Blocking: reads the disk."""
    history = client.engine.history
    total = history.jobs.get(job_id).counts.total
    requests = (_decode(line) for _, line in history.rows.requests(job_id, range(total)))
    return {request.custom_id: str(request.body.model) for request in requests}


async def _wait_for_all(calls: list[Awaitable[None]]) -> None:
    """Wait for all handlers, even when one fails; then raise their errors."""
    done = await asyncio.gather(*calls, return_exceptions=True)
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
