"""The ``Dialect`` protocol: the interface between the engine and a provider's API.

A dialect makes API calls. It stores nothing and makes no decisions about money. It retries only
calls that cost nothing if they are carried out twice (``retrieve``, ``list_batches``, ``download``,
``models``, ``delete_file``, and ``upload``). ``create`` is sent again only after an answer that
says that nothing was created, such as a file that is too new to be known. After a
``ResponseLostError`` the engine asks the provider whether the call was carried out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.progress import NO_PROGRESS, Progress
from tui.providers.wire.download import Download

ResultStyle = Literal["openai", "messages", "vertex"]
"""The format of result lines; ``tui.core.results.readers`` has a reader for each."""


@dataclass(frozen=True)
class BatchDraft:
    """The input of a create call.

    ``path`` is a file with one row per line, in the dialect's format (see ``encode_line``).
    ``file_id`` is set when the dialect uploads the file first. ``intent`` is Batchdeck's own id
    of the batch; it is sent as metadata where the provider supports metadata.
    """

    path: Path
    rows: int
    endpoint: str
    model: str
    window: str
    intent: str
    file_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Capabilities:
    """The optional features of a provider.

    ``answers_single_requests``: single requests can be answered synchronously.
    ``estimates_cost``: it estimates the cost of an uploaded file.
    """

    uploads: bool = True
    lists: bool = True
    cancels: bool = True
    metadata: bool = True
    partial_results: bool = False
    native_retry: bool = False
    deletes_files: bool = True
    deletes_batches: bool = False
    answers_single_requests: bool = True
    counts_tokens: bool = False
    estimates_cost: bool = False
    creates_once: bool = False
    """A create with the same intent is carried out once, so that it may be sent again."""
    runs_locally: bool = False
    """The engine sends the rows one by one; see ``tui.providers.dialects.direct``."""


class Dialect(Protocol):
    """A provider's API, bound to one account. Raises the errors of ``tui.errors``."""

    @property
    def capabilities(self) -> Capabilities:
        """The optional features that the provider supports."""

    @property
    def result_style(self) -> ResultStyle:
        """The format of the result lines."""

    @property
    def retry_rules(self) -> Mapping[str, bool]:
        """Whether a row that failed with a provider's error code can be retried, by code."""

    @property
    def passes_through(self) -> bool:
        """Whether ``encode_line`` changes nothing, so ``requests.jsonl`` can be sent unchanged."""

    def encode_line(self, request: bytes) -> bytes:
        """Encode a request line (``custom_id``, ``method``, ``url``, ``body``) for the provider.

        Raises:
            InputError: The request cannot be expressed in this dialect without loss.
        """

    async def upload(self, path: Path, *, name: str, progress: Progress = NO_PROGRESS) -> str:
        """Upload a file of rows, streamed, and return its id. Requires ``uploads``."""

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        """Create a batch. Costs money: an intent is never resent without checking for it first.

        Where a provider makes one batch of an intent however often it is asked to, the dialect
        sends it again itself.
        """

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """Fetch the current state of a batch."""

    def list_batches(self, *, created_after: float | None = None) -> AsyncIterator[RemoteBatch]:
        """List the provider's batches, newest first. Requires ``lists``.

        Args:
            created_after: Stop at batches older than this (Unix seconds).

        Raises:
            UnfinishedListError: After the last batch that is shown: the list says that it has
                more, and gives no way to it.
        """

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Request cancellation; rows that are done keep their results. Requires ``cancels``."""

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open a result file, resuming after the local bytes or lines where the server can."""

    async def ask(self, request: bytes) -> bytes:
        """Send one request line synchronously, outside any batch.

        Requires ``answers_single_requests``. Costs as much as a single request. Returns the
        response body unchanged, a JSON object with the same format as the body of a result line.

        Raises:
            UsageError: The provider has no such endpoint.
            InputError: The request cannot be expressed in this dialect.
        """

    async def count_tokens(self, request: bytes) -> int:
        """Ask the provider to count the prompt tokens of a request line; free.

        Requires ``counts_tokens``.

        Raises:
            InputError: The request cannot be expressed in this dialect.
        """

    async def models(self) -> list[str]:
        """List the ids of the models that the account may use."""

    async def delete_file(self, file_id: str) -> None:
        """Delete a file at the provider. Requires ``deletes_files``."""

    async def files_named(self, name: str, *, created_after: float) -> list[str] | None:
        """The ids of the files at the provider that were uploaded under a name.

        Args:
            name: The name that ``upload`` was given.
            created_after: No such file is older than this (Unix seconds).

        Returns:
            ``None`` if the provider does not list files.
        """

    async def delete_batch(self, batch_id: str) -> None:
        """Delete an ended batch at the provider. Requires ``deletes_batches``."""

    async def aclose(self) -> None:
        """Close the connections."""


@runtime_checkable
class FindsBatches(Protocol):
    """A dialect whose provider can search for a batch by our id."""

    async def batches_of(self, intent: str) -> list[RemoteBatch]:
        """The provider's batches that carry our id of a batch."""


@runtime_checkable
class KeepsFiles(Protocol):
    """A dialect whose files may be in a bucket of the user's own."""

    async def check_storage(self) -> str | None:
        """Check the bucket; ``None`` if there is none."""


@runtime_checkable
class ChecksIdentity(Protocol):
    """A dialect that can say who is signed in, where that is not the key alone."""

    async def check_identity(self) -> tuple[str, ...]:
        """What was found, one sentence each; raises what is wrong."""
