"""Result files, made row by row while they are sent; they are never stored."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from . import words
from .fates import Fate
from .planfile import Plan
from .shape import Row, Shape, mark
from .state import StoredBatch
from .timeline import View

_CHUNK = 1 << 17
_FATES = {int(fate): fate for fate in Fate}
_decode = msgspec.json.Decoder().decode


class ResultFile:
    """The output or the error file of a batch, as its view shows it.

    Attributes:
        size: Length in bytes.
        rows: Lines of rows that ran.
    """

    def __init__(
        self,
        source: Path,
        batch: StoredBatch,
        plan: Plan,
        view: View,
        shape: Shape,
        *,
        errors: bool,
    ) -> None:
        """Describe one of the two files.

        Args:
            source: The input lines of the batch.
            batch: The batch.
            plan: Its plan.
            view: The moment whose rows are in the file.
            shape: The row rules.
            errors: Take the error file; else the output file.
        """
        self._source = source
        self._batch = batch
        self._plan = plan
        self._view = view
        self._shape = shape
        self._column = "err_end" if errors else "out_end"
        self._ran = plan.total(self._column, view.done)
        reason = view.status
        tail = errors != shape.unrun_in_output and reason in shape.unrun_reasons
        self._reason = reason if tail and view.unrun else ""
        self.size = self._ran
        if self._reason:
            rows = plan.rows - view.done
            delta = len(shape.unrun("", "", reason)) - len(shape.unrun("", "", "expired"))
            whole = plan.total("unrun_end", plan.rows) - plan.total("unrun_end", view.done)
            self.size += whole + rows * delta

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the file from byte `start`, in pieces of about 128 KiB."""
        kept: list[bytes] = []
        size = 0
        position = self._begin(start)
        for line in self._lines(start):
            position += len(line)
            if position <= start:
                continue
            # The first line may begin before the start.
            kept.append(line[max(0, len(line) - (position - start)) :])
            size += len(kept[-1])
            if size >= _CHUNK:
                yield b"".join(kept)
                kept.clear()
                size = 0
        if kept:
            yield b"".join(kept)

    def lines(self, skip: int) -> Iterator[bytes]:
        """Yield the lines of rows that ran, with their newlines, from line `skip` on."""
        plan = self._plan
        errors = self._column == "err_end"

        def count(place: int) -> int:
            failed = plan.total("failed", place)
            return failed if errors else place - failed

        # The last place that `skip` lines are written before.
        first = bisect_right(range(self._view.done + 1), skip, key=count) - 1
        return self._records(first)

    def _first(self, start: int) -> int:
        return self._plan.find(self._column, start) if start < self._ran else self._view.done

    def _begin(self, start: int) -> int:
        return self._plan.total(self._column, self._first(start))

    def _lines(self, start: int) -> Iterator[bytes]:
        yield from self._records(self._first(start))

    def _records(self, first: int) -> Iterator[bytes]:
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
                for place in range(view.done, plan.rows):
                    yield self._unrun(handle, place) + b"\n"
        finally:
            os.close(handle)

    def line(self, handle: int, place: int) -> bytes:
        """Make the line of one record of the plan; `handle` is the open input."""
        batch, plan, shape = self._batch, self._plan, self._shape
        entry, raw = self._entry(handle, place)
        body = entry.get(shape.body_key)
        index = plan.index[place]
        row = Row(
            custom_id=entry["custom_id"],
            url=str(entry.get("url") or batch.endpoint),
            body=body,
            index=index,
            fate=_FATES[plan.fate[place]],
            words=words.read_line(raw, body),
            mark=mark(batch.id, index),
            when=int(batch.created + plan.finish[place]),
            seed=batch.seed,
            extra=batch.extra,
        )
        return shape.render(row).line

    def _unrun(self, handle: int, place: int) -> bytes:
        entry, _ = self._entry(handle, place)
        own = mark(self._batch.id, self._plan.index[place])
        return self._shape.unrun(entry["custom_id"], own, self._reason)

    def _entry(self, handle: int, place: int) -> tuple[dict[str, Any], bytes]:
        raw = os.pread(handle, self._plan.length[place], self._plan.offset[place])
        entry: dict[str, Any] = _decode(raw)
        return entry, raw
