"""Result files, which are generated while they are sent, and pages of lists."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tui.sandbox.errors import ApiError
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.plan_file import Plan
from tui.sandbox.rows import Row, RowFormat
from tui.sandbox.state import BatchView, StoredBatch, StoredFile

_CHUNK = 1 << 17
_decode = msgspec.json.Decoder().decode


class ResultFile:
    """The output or error file of a batch at the moment of a view.

    Attributes:
        size: Length in bytes.
    """

    def __init__(
        self,
        source: Path,
        batch: StoredBatch,
        plan: Plan,
        view: BatchView,
        row_format: RowFormat,
        *,
        errors: bool,
    ) -> None:
        """Describe one of the two files.

        Args:
            source: The input lines of the batch.
            batch: The batch.
            plan: Its plan.
            view: The state of the batch, which determines the rows in the file.
            row_format: The row format.
            errors: Whether this is the error file, not the output file.
        """
        self._source = source
        self._batch = batch
        self._plan = plan
        self._view = view
        self._row_format = row_format
        self._column = "err_end" if errors else "out_end"
        self._ran = plan.total(self._column, view.done)
        reason = view.status
        tail = errors != row_format.unrun_in_output and reason in row_format.unrun_reasons
        self._reason = reason if tail and view.not_run else ""
        self.size = self._ran
        if self._reason:
            now, planned = (len(row_format.not_run("", "", word)) for word in (reason, "expired"))
            self.size += plan.total("unrun_end", plan.rows) - plan.total("unrun_end", view.done)
            self.size += (plan.rows - view.done) * (now - planned)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the file from byte `start`, in pieces of about 128 KiB."""
        plan = self._plan
        first = plan.find(self._column, start) if start < self._ran else self._view.done
        position = plan.total(self._column, first)
        kept: list[bytes] = []
        size = 0
        for line in self.records(first):
            position += len(line)
            if position <= start:
                continue
            # The first line may start before `start`.
            kept.append(line[max(0, len(line) - (position - start)) :])
            size += len(kept[-1])
            if size >= _CHUNK:
                yield b"".join(kept)
                kept.clear()
                size = 0
        if kept:
            yield b"".join(kept)

    def lines(self, skip: int) -> Iterator[bytes]:
        """Yield the lines of rows that ran, with newlines, from line `skip` on."""
        plan = self._plan
        errors = self._column == "err_end"

        def count(place: int) -> int:
            failed = plan.total("failed", place)
            return failed if errors else place - failed

        # The last record before which `skip` lines are written.
        first = bisect_right(range(self._view.done + 1), skip, key=count) - 1
        return self.records(first)

    def records(self, first: int) -> Iterator[bytes]:
        """Yield the lines, with newlines, from record `first` of the plan on."""
        plan, view = self._plan, self._view
        handle = os.open(self._source, os.O_RDONLY)
        try:
            before = plan.total(self._column, first)
            for place in range(first, view.done):
                after = plan.total(self._column, place + 1)
                if after != before:
                    yield self.line(handle, place) + b"\n"
                before = after
            if self._reason:
                for place in range(max(first, view.done), plan.rows):
                    yield self._unrun(handle, place) + b"\n"
        finally:
            os.close(handle)

    def line(self, handle: int, place: int) -> bytes:
        """Build the line of one record of the plan; `handle` is the open input file."""
        return self._row_format.render(self.row(handle, place)).line

    def row(self, handle: int, place: int) -> Row:
        """Build the row of one record of the plan."""
        batch, plan = self._batch, self._plan
        raw = plan.read(handle, place)
        row = self._row_format.row(_decode(raw), raw, plan.index[place], batch)
        if place < plan.runnable:
            row.outcome = RowOutcome(plan.outcome[place])
            row.when = int(batch.created + plan.finish[place])
        return row

    def _unrun(self, handle: int, place: int) -> bytes:
        row = self.row(handle, place)
        return self._row_format.not_run(row.custom_id, row.mark, self._reason)


Item = TypeVar("Item", StoredFile, StoredBatch)
_RANGE_CHUNK = 1 << 18


def limit_of(request: Request, default: int, maximum: int) -> int:
    """Read `limit`.

    Raises:
        ApiError: It is not a whole number from 1 to `maximum` (400).
    """
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= maximum:
        message = f"Invalid 'limit': expected a whole number between 1 and {maximum}, got '{text}'."
        raise ApiError(400, message, param="limit", code="invalid_value")
    return int(text)


def number_of(request: Request, name: str, default: int = 0) -> int:
    """Read an integer from the query; 400 if invalid."""
    text = request.query_params.get(name, str(default))
    if not text.isdecimal():
        message = f"Invalid '{name}': expected a whole number, got '{text}'."
        raise ApiError(400, message, param=name, code="invalid_value")
    return int(text)


def list_object(data: list[dict[str, Any]], more: bool) -> dict[str, Any]:
    """Build OpenAI's list object."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": more,
    }


def page(
    items: list[Item], after: str | None, limit: int, missing: Callable[[str], ApiError]
) -> tuple[list[Item], bool]:
    """Cut one page out of a list.

    Returns:
        The items after the one with the id `after`, at most `limit`, and whether more follow.

    Raises:
        ApiError: `after` is not in the list.
    """
    start = 0
    if after:
        ids = [item.id for item in items]
        if after not in ids:
            raise missing(after)
        start = ids.index(after) + 1
    return items[start : start + limit], start + limit < len(items)


def send_bytes(
    request: Request, size: int, chunks: Callable[[int], Iterator[bytes]], media: str,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    """Send a file of known length; supports `Range: bytes=N-`."""
    found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", "").strip())
    more = {"accept-ranges": "bytes", **(headers or {})}
    if found is None:
        more["content-length"] = str(size)
        return StreamingResponse(chunks(0), 200, more, media)
    start = int(found[1])
    if start >= size:
        return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
    more["content-length"] = str(size - start)
    more["content-range"] = f"bytes {start}-{size - 1}/{size}"
    return StreamingResponse(chunks(start), 206, more, media)


def iso_time(when: float) -> str:
    """A Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(when, UTC).isoformat().replace("+00:00", "Z")


def read_file(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from `start`."""
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(_RANGE_CHUNK):
            yield piece
