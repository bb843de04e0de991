"""Prompts in, answers out: the loop of Melious' batch guide, for every provider with chat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui.client.batches import AsyncBatchClient
from tui.client.loop import run_aside
from tui.core.outcome import ANSWERED
from tui.core.status import BatchStatus

MODEL = "glm-4.7:batch"
"""The model of the guide; ``:batch`` chooses the cheapest route."""


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
    """Send prompts as one batch, wait, and give the answers under the same ids.

        answers = run_prompts({"q1": "Why did Lübeck matter?"})

    Args:
        prompts: ``custom_id`` to prompt.
        model: The model that answers.
        account: An account, or a provider's name.
        api_key: The account's key; else it is looked for in the environment and the keyring.
        poll_interval: Seconds between two questions; else as the provider advises.
        base_url: Another address of the provider.
        home: The folder of history and configuration.
        keep: Leave the job in the history.

    Returns:
        ``custom_id`` to answer, in the order of the prompts. For a row that failed it is
        ``ERROR: `` and the reason.

    Raises:
        RuntimeError: The batch ended in another way than by being done.
        BatchdeckError: It could not be sent or asked for.
    """
    return run_aside(_run(prompts, model, account, api_key, poll_interval, base_url, home, keep))


run_batch = run_prompts
"""Under the name that the guide has for it."""


async def _run(
    prompts: Mapping[str, str],
    model: str,
    account: str,
    api_key: str | None,
    poll_interval: float | None,
    base_url: str | None,
    home: Path | None,
    keep: bool,
) -> dict[str, str]:
    requests = [_request(custom_id, prompt, model) for custom_id, prompt in prompts.items()]
    async with AsyncBatchClient(
        account, home=home, api_key=api_key, base_url=base_url, keep=keep
    ) as client:
        job_id = await client.submit(requests)
        await client.wait(job_id, poll_interval)
        for batch in client.engine.history.batches(job_id):
            if batch.status is not BatchStatus.COMPLETED:
                raise RuntimeError(f"batch ended in status {batch.raw_status or batch.status}")
        rows = await client.results(job_id)
    return {
        row.custom_id: row.text
        if row.outcome in ANSWERED
        else f"ERROR: {(row.error.message if row.error else '') or row.outcome}"
        for row in rows
    }


def _request(custom_id: str, prompt: str, model: str) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": [{"role": "user", "content": prompt}]},
    }
