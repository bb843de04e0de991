"""The ScaleDown dialect: the create call's body is JSON Lines, and each batch has one output.

There is no list, cancel or delete, so the local history is the only record of the batches. Both
API generations are supported: ``batch_id`` with counts at the top level, and OpenAI's batch object.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import msgspec

from tui.core.jobs import BatchStatus
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft
from tui.providers.dialects.base import BatchDialect
from tui.providers.wire.download import Download


class ScaledownDialect(BatchDialect):
    """Batches of ScaleDown's own models: summarize, extract and classify."""

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a batch; see ``Dialect.create``.

        Nothing is retried, not even a 5xx response, as the vendor advises for its own client:
        the batch may have been made, and without a list there is no way to find out.
        """
        call = await self.create_call_with_rows(
            draft, progress, separator=b"\n", tail=b"\n", content_type="application/jsonl"
        )
        return self._with_results(self.batch_from(await self._client.ask(call)))

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Fetch the current state of a batch."""
        return self._with_results(await super().retrieve(batch_id))

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the output of a batch by its id.

        A 404 can mean "not ready" as well as "unknown". The output is only requested for batches
        that have ended, so a 404 is retried a few times.
        """
        return self._downloader.open(source, self.route("results", source.ref), retry_404=True)

    def _with_results(self, batch: RemoteBatch) -> RemoteBatch:
        """The batch with its own id as the reference of its output.

        A failed batch has an output only if it has counts or an output id.
        """
        ready = batch.status is BatchStatus.COMPLETED or (
            batch.status is BatchStatus.FAILED and bool(batch.counts.ended or batch.results)
        )
        source = ResultSource(kind="output", ref=batch.id)
        return msgspec.structs.replace(batch, results=(source,) if ready else ())
