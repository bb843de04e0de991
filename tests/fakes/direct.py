"""Rows that are sent one by one to a provider in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tests.fakes.provider import FakeProvider, answered
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import RemoteBatch
from tui.errors import BatchdeckError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, Capabilities, ResultStyle
from tui.providers.dialects.direct import DirectResult


class FakeDirect:
    """Sends rows one by one to a ``FakeProvider``, which counts each of them as run."""

    concurrency = 2

    def __init__(self, provider: FakeProvider) -> None:
        self.provider = provider
        self.capabilities = Capabilities(
            uploads=False, lists=False, metadata=False, deletes_files=False, runs_locally=True
        )
        self.result_style: ResultStyle = "openai"
        self.retry_rules: Mapping[str, bool] = {}
        self.passes_through = True

    def encode_line(self, request: bytes) -> bytes:
        return request

    async def answer(
        self,
        request: bytes,
        custom_id: str,
        *,
        stop: asyncio.Event,
        on_pause: Callable[[BatchdeckError, float], None],
        on_send: Callable[[bool], None] = lambda _: None,
    ) -> DirectResult | None:
        provider = self.provider
        provider.meet("single")
        provider.asked_alone(custom_id)
        line = (provider.answer or answered)(request, provider.seen[custom_id])
        provider.seen[custom_id] += 1
        return DirectResult(line, b'"status_code": 200' in line)

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        status = BatchStatus.QUEUED
        counts = RemoteCounts(total=draft.rows)
        return RemoteBatch(
            id=draft.intent, status=status, raw_status=status.value, counts=counts,
            intent=draft.intent, created_at=self.provider.clock(),
        )  # fmt: skip

    async def aclose(self) -> None:
        return None
