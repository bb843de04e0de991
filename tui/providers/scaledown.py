"""The ScaleDown dialect: JSON lines as the body of the create call, one output to fetch.

There is no list, cancel or delete: we are the only record of which batches exist. Both
generations of the wire are read: ``batch_id`` with counts at the top level, and OpenAI's
batch object.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import msgspec

from tui.core.remote import RemoteBatch, ResultSource
from tui.core.status import BatchStatus
from tui.errors import BatchdeckError, ProviderError
from tui.providers.base import BatchDraft, Download, SendProgress
from tui.providers.common import BatchDialect
from tui.providers.repeating import repeated
from tui.providers.rowstream import RowStream

_FIRST_PAUSE = 2.0
_TRIES = 4


class ScaledownDialect(BatchDialect):
    """Batches of ScaleDown's own models: summarize, extract and classify."""

    uploads = False

    async def upload(self, path: Any, *, name: str, progress: SendProgress | None = None) -> str:
        """Not offered: the rows go with the create call."""
        raise self.unable("take a file")

    async def create(
        self, draft: BatchDraft, *, progress: SendProgress | None = None
    ) -> RemoteBatch:
        """Send the rows; see ``Dialect.create``.

        The vendor's advice is to repeat a 5xx after 2, 4 and 8 seconds, and that is done. An
        answer that was lost is another matter: nobody can be asked what became of it.
        """
        stream = RowStream(draft.path, head=b"", separator=b"\n", tail=b"\n")
        await stream.measure()
        call = replace(
            self.action("create", "", "make the batch", repeatable=False),
            body=lambda: stream.body(progress),
            headers={"Content-Type": "application/jsonl", **stream.headers},
            patience=self._profile.http.send_seconds,
        )
        reply = await repeated(
            lambda: self._wire.ask(call),
            again=_server_trouble,
            attempts=_TRIES,
            first=_FIRST_PAUSE,
            jitter=0.0,
        )
        return self._with_results(self.batch_in(reply))

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """The batch as it stands."""
        return self._with_results(await super().retrieve(batch_id))

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open the output of a batch by its id.

        A 404 there means "not ready" as well as "unknown"; as the batch says that it has
        ended, it is asked for a few times.
        """
        return self._downloader.open(source, self.route("results", source.ref), late=True)

    async def delete_file(self, file_id: str) -> None:
        """Not offered: there are no files."""
        raise self.unable("delete a file")

    def _with_results(self, batch: RemoteBatch) -> RemoteBatch:
        """The batch with its own id as the place of its output.

        A failed batch has an output only where its counts, or a pointer, say so.
        """
        ready = batch.status is BatchStatus.COMPLETED or (
            batch.status is BatchStatus.FAILED and bool(batch.counts.ended or batch.results)
        )
        source = ResultSource(kind="output", ref=batch.id)
        return msgspec.structs.replace(batch, results=(source,) if ready else ())


def _server_trouble(error: BatchdeckError) -> bool:
    """Was it an HTTP answer of the 5xx kind, and not a code that forbids a repeat?"""
    return isinstance(error, ProviderError) and error.retryable and (error.status or 0) >= 500
