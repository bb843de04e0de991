"""Parse one slice of a result file into rows without row numbers.

Nearly all lines of a file share their outcome, HTTP status, finish reason and model. Rows are
grouped by these values, so only the values that differ are kept for each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from tui.core.results.openai_lines import UnreadableLineError
from tui.core.results.readers import Reader
from tui.core.rows import Outcome, RowError

Values = list[Any]
"""Values of one row in the order of ``VALUE_COLUMNS``; first the id, later replaced by ``seq``."""

VALUE_COLUMNS = (
    "seq, input_tokens, output_tokens, cached_tokens, cost, offset, length, preview, chars,"
    " cache_writes, long_writes, tier"
)
OFFSET, LENGTH = 5, 6
"""Indexes of the position in the file within ``Values``."""

CommonValues = tuple[Outcome, int | None, str | None, str | None]
"""Outcome, HTTP status, finish reason and model."""

Stray = tuple[int, int, str, str]
"""Offset and length of a line in bytes, why it belongs to no row, and its ``custom_id``."""

_PREVIEW_CHARACTERS = 160

_NEWLINE = 10
_BOM = b"\xef\xbb\xbf"


class RowSlice:
    """Consecutive lines of a result file.

    Args:
        start: Offset of the first line in bytes.

    Attributes:
        end: Offset of the first byte after the last line.
        answered: Rows with an answer, grouped by their common values.
        failed: Rows without an answer, each with its error.
        strays: Lines that belong to no row.
    """

    def __init__(self, start: int) -> None:
        self.end = start
        self.answered: dict[CommonValues, list[Values]] = {}
        self.failed: list[tuple[CommonValues, RowError, Values]] = []
        self.strays: list[Stray] = []

    @property
    def lines(self) -> int:
        """Number of lines that were read, without blank ones."""
        answered = sum(len(rows) for rows in self.answered.values())
        return answered + len(self.failed) + len(self.strays)

    def rows(self) -> Iterator[Values]:
        """The values of each row."""
        for rows in self.answered.values():
            yield from rows
        for _, _, row in self.failed:
            yield row

    def ids(self) -> Iterable[str]:
        """The ``custom_id`` of each row."""
        return (row[0] for row in self.rows())

    def read(
        self,
        stream: BinaryIO,
        size: int,
        complete: bool,
        reader: Reader,
        rules: Mapping[str, bool] | None,
    ) -> bool:
        """Read lines until the slice has a given size or no complete line is left.

        Args:
            stream: The file, buffered.
            size: Minimum number of bytes to read; the line that reaches it is read whole.
            complete: The file will not grow: a last line without a line end is read too.
            reader: Parses a line of the batch's dialect.
            rules: Whether each error code of the profile can be retried.

        Returns:
            Whether any line was read.
        """
        start = offset = self.end
        if start == 0:
            stream.seek(0)
            # A byte order mark is no part of the first line.
            offset = len(_BOM) if stream.read(len(_BOM)) == _BOM else 0
        # Back to the start of a partial line at which the previous slice ended.
        stream.seek(offset)
        limit = start + size
        answered = self.answered
        # Lines are not collected: holding all lines of a slice takes twice as long, because
        # their memory does not fit into the processor's cache.
        for line in stream:
            length = len(line)
            line_end = offset + length
            if line[-1] == _NEWLINE:
                length -= 1
            elif not complete:
                # Stop here, even if the file has grown in the meantime.
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
                    (text if error is None else error.message)[:_PREVIEW_CHARACTERS],
                    len(text) if error is None else None,
                    usage.cache_write_tokens,
                    usage.cache_write_1h_tokens,
                    usage.service_tier,
                ]
                alike = (result.outcome, result.http_status, result.finish_reason, result.model)
                if error is None:
                    try:
                        answered[alike].append(row)
                    except KeyError:
                        answered[alike] = [row]
                else:
                    self.failed.append((alike, error, row))
            offset = line_end
            if offset >= limit:
                break
        self.end = offset
        return offset > start
