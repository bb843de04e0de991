"""What every dialect can do: the seam between the engine and the wire.

A dialect sends and reads; it stores nothing, decides nothing about money, and repeats only
calls that can be repeated without harm (``retrieve``, ``list_batches``, ``download``,
``models``, ``delete_file``). ``upload`` and ``create`` are tried once: after an
``AnswerLostError`` the engine asks the provider what became of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from tui.core.remote import RemoteBatch, ResultSource

ResultStyle = Literal["openai", "messages"]
"""How result lines are read: ``tui.core.results`` holds one reader for each."""

SendProgress = Callable[[int, int], None]
"""Called with bytes sent and bytes in all."""


@dataclass(frozen=True)
class BatchDraft:
    """All that a create call needs.

    ``path`` holds the rows in the dialect's own form, one a line (see ``encode_line``).
    ``file_id`` is set when the dialect uploads first. ``intent`` is our own id of the batch;
    it goes into the metadata where the provider has metadata.
    """

    path: Path
    rows: int
    endpoint: str
    model: str
    window: str
    intent: str
    file_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Download:
    """A result file on its way.

    ``chunks`` yields the body as it comes. ``appends``: the bytes follow those that were
    there already (the server honoured the start); otherwise the file begins anew.
    ``growing``: the server says that more lines will come later. ``total`` is the length of
    the body in bytes where it is told.
    """

    chunks: AsyncIterator[bytes]
    appends: bool
    growing: bool
    total: int | None


@dataclass(frozen=True)
class Capabilities:
    """What the provider can do beyond sending, watching and reading."""

    uploads: bool = True
    lists: bool = True
    cancels: bool = True
    metadata: bool = True
    partial_results: bool = False
    native_retry: bool = False
    deletes_files: bool = True
    deletes_batches: bool = False
    asks: bool = True
    counts_tokens: bool = False
    tells_cost: bool = False
    runs_here: bool = False
    """Rows are sent one by one by the engine: see ``tui.providers.direct``."""


class Dialect(Protocol):
    """One way of speaking, bound to one account. Errors are those of ``tui.errors``."""

    @property
    def capabilities(self) -> Capabilities:
        """What can be asked for."""

    @property
    def result_style(self) -> ResultStyle:
        """How the result lines are to be read."""

    @property
    def retry_rules(self) -> Mapping[str, bool]:
        """The provider's own codes and whether rows with them can be sent again."""

    @property
    def passes_through(self) -> bool:
        """Is ``encode_line`` the identity, so that ``requests.jsonl`` can go out as it is?"""

    def encode_line(self, request: bytes) -> bytes:
        """A request line (``custom_id``, ``method``, ``url``, ``body``) in the wire's form.

        Raises:
            InputError: The request cannot be said in this dialect without loss.
        """

    async def upload(self, path: Path, *, name: str, progress: SendProgress | None = None) -> str:
        """Send a file of rows, streamed; the answer is its id. Only where ``uploads``."""

    async def create(
        self, draft: BatchDraft, *, progress: SendProgress | None = None
    ) -> RemoteBatch:
        """Ask for a batch. Costs money: never called twice for one intent without asking."""

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        """The batch as it stands."""

    def list_batches(self, *, created_after: float | None = None) -> AsyncIterator[RemoteBatch]:
        """The provider's batches, newest first. Only where ``lists``.

        Args:
            created_after: Stop at batches older than this (Unix seconds).
        """

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for an end; rows that are done stay. Only where ``cancels``."""

    def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """Open a result file, going on after what is there already where the server can."""

    async def ask(self, request: bytes) -> bytes:
        """The answer to one request line, at once and outside any batch. Only where ``asks``.

        Costs what a single request costs. The answer is the body as the provider sent it, a
        JSON object, read like the body of a result line.

        Raises:
            UsageError: The provider has no such endpoint.
            InputError: The request cannot be said in this dialect.
        """

    async def count_tokens(self, request: bytes) -> int:
        """The tokens of a request line's prompt, as the provider counts them; free.

        Only where ``counts_tokens``.

        Raises:
            InputError: The request cannot be said in this dialect.
        """

    async def models(self) -> list[str]:
        """Ids of the models that the account may use, as the provider lists them."""

    async def delete_file(self, file_id: str) -> None:
        """Remove a file at the provider. Only where ``deletes_files``."""

    async def delete_batch(self, batch_id: str) -> None:
        """Remove an ended batch at the provider. Only where ``deletes_batches``."""

    async def aclose(self) -> None:
        """Close the connections."""
