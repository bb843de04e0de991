"""A slice of a result file: its lines read into rows that wait for their place in the job.

Nearly all lines of a file are alike in outcome, status, finish reason and model: such rows
are held together under one shape, so that only what differs is stored row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

from tui.core.outcome import Outcome
from tui.core.results import UnreadableLineError
from tui.core.rows import RowError, RowResult

Reader = Callable[[bytes, Mapping[str, bool] | None], RowResult]

Values = list[Any]
"""What differs from row to row, in the order of ``VARYING``; first the id, later the ``seq``."""

VARYING = "seq, input_tokens, output_tokens, cached_tokens, cost, offset, length, preview, chars"
OFFSET, LENGTH = 5, 6
"""Where a row's values tell its place in the file."""

Likeness = tuple[Outcome, int | None, str | None, str | None]
"""Outcome, HTTP status, finish reason and model."""

Stray = tuple[int, int, str, str]
"""Offset and length of a line, why it belongs to no row, and its ``custom_id``."""

_PREVIEW = 160

_NEWLINE = 10


class Slice:
    """Lines of a result file that follow each other.

    Args:
        start: Offset of the first line, in bytes.

    Attributes:
        end: Offset behind the last line.
        answered: The rows with an answer, by what they have in common.
        failed: The rows without one, each with its error.
        strays: Lines that say nothing of any row.
    """

    def __init__(self, start: int) -> None:
        self.end = start
        self.answered: dict[Likeness, list[Values]] = {}
        self.failed: list[tuple[Likeness, RowError, Values]] = []
        self.strays: list[Stray] = []

    @property
    def lines(self) -> int:
        """How many lines were read, blank ones not counted."""
        answered = sum(len(rows) for rows in self.answered.values())
        return answered + len(self.failed) + len(self.strays)

    def ids(self) -> Iterable[str]:
        """The ``custom_id`` of each row."""
        for rows in self.answered.values():
            for row in rows:
                yield row[0]
        for _, _, row in self.failed:
            yield row[0]

    def read(
        self,
        stream: BinaryIO,
        size: int,
        complete: bool,
        reader: Reader,
        rules: Mapping[str, bool] | None,
    ) -> bool:
        """Read lines until the slice is so large, or there are no more whole ones.

        Args:
            stream: Buffered.
            size: Bytes to read at least; the line that reaches it is read whole.
            complete: The file will not grow: a last line without an end is a line.
            reader: Reads a line in the batch's dialect.
            rules: The profile's codes and whether they can be retried.

        Returns:
            Were there whole lines?
        """
        start = offset = self.end
        # Again from the start of a line that was cut when the slice before ended with it.
        stream.seek(start)
        most = start + size
        answered = self.answered
        # Each line is let go before the next is read: a slice that held all of its lines at
        # once would cost as much again, for memory that is not in the processor's cache.
        for line in stream:
            length = len(line)
            following = offset + length
            if line[-1] == _NEWLINE:
                length -= 1
            elif not complete:
                # Nor is what follows it read, if it has grown meanwhile.
                break
            try:
                result = reader(line, rules)
            except UnreadableLineError:
                if not line.isspace():
                    self.strays.append((offset, length, "unreadable", ""))
            else:
                error = result.error
                usage = result.usage
                text = result.text
                row = [
                    result.custom_id,
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.cached_tokens,
                    result.cost,
                    offset,
                    length,
                    (text if error is None else error.message)[:_PREVIEW],
                    len(text) if error is None else None,
                ]
                alike = (result.outcome, result.http_status, result.finish_reason, result.model)
                if error is None:
                    try:
                        answered[alike].append(row)
                    except KeyError:
                        answered[alike] = [row]
                else:
                    self.failed.append((alike, error, row))
            offset = following
            if offset >= most:
                break
        self.end = offset
        return offset > start
