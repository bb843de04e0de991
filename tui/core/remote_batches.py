"""What a provider says about a batch, and what its result files are."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec

from tui.core.jobs import BatchStatus, RemoteCounts

ResultKind = Literal["output", "errors"]


class ResultSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source of result lines.

    ``ref`` is the dialect's handle: a file id, a URL, a route or a batch id; several files that
    are read as one have their handles in it, see ``joined_refs``. ``growing``: more lines may
    follow while the batch runs. ``deletable``: it is a file that the provider can be asked to
    delete.
    """

    kind: ResultKind
    ref: str
    growing: bool = False
    deletable: bool = True


_BETWEEN_REFS = "\n"


def joined_refs(refs: Sequence[str]) -> str:
    """The handles of files that are read one after another, as one; see ``refs_in``."""
    return _BETWEEN_REFS.join(refs)


def refs_in(ref: str) -> list[str]:
    """The handles of the files in the ``ref`` of a source, in their order."""
    return ref.split(_BETWEEN_REFS)


class FileState(StrEnum):
    """What a fetched result file is.

    ``growing``: the batch still runs and more lines follow. ``cut``: it ends too early, so that
    the rest is to be fetched. ``unreadable``: nothing in it is a result, so its rows are not
    known; the file is fetched anew from its start. ``absent``: the provider does not have it.
    """

    WHOLE = "whole"
    GROWING = "growing"
    CUT = "cut"
    UNREADABLE = "unreadable"
    ABSENT = "absent"


class FileVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a result file after it was fetched, or tried to be fetched.

    Rows may be called missing only if every file of their batch is ``whole`` without
    ``unreadable`` lines: any other file may hold them.

    Attributes:
        kind: Which of the batch's files.
        ref: The dialect's handle of the file.
        state: What it is.
        reason: Why it is not whole, in words that complete "the result file is …".
        lines: Lines in it, blank ones not counted.
        unreadable: Lines among them that are no result.
        unknown: Lines among them with an id that was not sent.
        status: The HTTP status with which nothing of it was sent.
    """

    kind: ResultKind
    ref: str
    state: FileState
    reason: str = ""
    lines: int = 0
    unreadable: int = 0
    unknown: int = 0
    status: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether rows without a line in it are not in it."""
        return self.state is FileState.WHOLE and not self.unreadable


class BatchIssue(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the whole batch, in the provider's words; ``line`` counts from 1."""

    code: str | None = None
    message: str = ""
    param: str | None = None
    line: int | None = None


class RemoteBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as reported by the provider. Times are Unix seconds, ``None`` if unknown.

    ``results`` are the sources that can be read now; empty if there are none yet. ``intent``
    is our batch id, which we put in the metadata on creation. ``cost`` is the billed amount,
    in the account's currency. The tokens are those of all rows.
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
    model: str | None = None
    raw: dict[str, Any] = {}
