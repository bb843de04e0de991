"""``run_prompts``: a dict of prompts to a dict of answers, after Melious' batch guide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui.client.batches import AsyncBatchClient
from tui.client.runtime import run_blocking
from tui.core.jobs import BatchStatus
from tui.core.rows import ANSWERED

MODEL = "glm-4.7:batch"
"""The guide's model; ``:batch`` selects the cheapest route."""


def run_prompts(
    prompts: Mapping[str, str],
    model: str = MODEL,
    *,
    account: str = "melious",
    api_key: str | None = None,
    poll_interval: float | None = None,
    base_url: str | None = None,
    home: Path | None = None,
    keep: bool = True,
) -> dict[str, str]:
    """Submit prompts as one batch, wait, and return the answers by id.

        answers = run_prompts({"q1": "Why did Lübeck matter?"})

    Args:
        prompts: Prompts by ``custom_id``.
        model: Name of the model.
        account: A configured account, or a provider's name; any with a chat endpoint.
        api_key: The account's key; by default from the environment or the keyring.
        poll_interval: Seconds between polls; by default the interval of the provider's profile.
        base_url: Overrides the provider's base URL.
        home: Folder for history and configuration.
        keep: Keep the job in the history.

    Returns:
        Answers by ``custom_id``, in the order of the prompts; ``ERROR: `` and the reason for
        a failed row.

    Raises:
        RuntimeError: The batch ended in another status than ``completed``.
        BatchdeckError: The batch could not be submitted or polled.
    """

    async def run() -> dict[str, str]:
        requests = [_request(custom_id, prompt, model) for custom_id, prompt in prompts.items()]
        async with AsyncBatchClient(
            account, home=home, api_key=api_key, base_url=base_url, keep=keep
        ) as client:
            job_id = await client.submit(requests)
            await client.wait(job_id, poll_interval)
            for batch in client.engine.history.batches.of_job(job_id):
                if batch.status is not BatchStatus.COMPLETED:
                    raise RuntimeError(f"batch ended in status {batch.raw_status or batch.status}")
            rows = await client.results(job_id)
        return {
            row.custom_id: row.text
            if row.outcome in ANSWERED
            else f"ERROR: {(row.error.message if row.error else '') or row.outcome}"
            for row in rows
        }

    return run_blocking(run())


run_batch = run_prompts
"""``run_prompts`` under the name used in the guide."""


def _request(custom_id: str, prompt: str, model: str) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": [{"role": "user", "content": prompt}]},
    }
