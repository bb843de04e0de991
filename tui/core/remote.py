"""What a provider says of its batches and files, in one shape for all dialects."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tui.core.counts import RemoteCounts
from tui.core.status import BatchStatus

ResultKind = Literal["output", "errors"]


class ResultSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where result lines can be fetched.

    ``ref`` is the dialect's own handle: a file id, an address, or a batch id. ``growing``:
    more lines may follow while the batch runs.
    """

    kind: ResultKind
    ref: str
    growing: bool = False


class BatchIssue(msgspec.Struct, frozen=True, kw_only=True):
    """A complaint about the batch as a whole, as the provider words it; ``line`` from 1."""

    code: str | None = None
    message: str = ""
    param: str | None = None
    line: int | None = None


class RemoteBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as the provider tells of it. Times are Unix seconds, unknown ones ``None``.

    ``results`` are the places to read now, empty where there is nothing yet. ``intent`` is
    the id that we put into the metadata when we made it. ``cost`` is what the provider
    bills, in the account's currency.
    """

    id: str
    status: BatchStatus
    raw_status: str
    counts: RemoteCounts = RemoteCounts()
    results: tuple[ResultSource, ...] = ()
    issues: tuple[BatchIssue, ...] = ()
    input_file_id: str | None = None
    endpoint: str | None = None
    intent: str | None = None
    metadata: dict[str, str] = {}
    created_at: float | None = None
    ended_at: float | None = None
    expires_at: float | None = None
    cost: float | None = None
    raw: dict[str, Any] = {}
