"""Export rows as JSON lines: normalised, or the raw lines of the provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec

from tui.core.formatting import rfc3339
from tui.core.reviews.review import Review
from tui.core.rows import RowLine
from tui.store.export.rows import REVIEW_COLUMNS, ExportRow, ExportRows, review_cells

_encode = msgspec.json.Encoder().encode


class LinesWriter:
    """Writes one JSON line per record; joined input columns are in the field ``input``.

    For a job with reviews, each line has the newest one, and the list of all.

    Args:
        stream: The output.
        records: The rows and their options.
    """

    def __init__(self, stream: BinaryIO, records: ExportRows) -> None:
        self._stream = stream
        self._raw = records.options.raw
        self._columns = records.columns
        self._has_reviews = records.has_reviews

    def add(self, page: Sequence[ExportRow]) -> None:
        """Write some records."""
        if self._raw:
            parts = [record.wire for record in page]
        elif self._columns or self._has_reviews:
            parts = [self._joined(record) for record in page]
        else:
            parts = [_encode(record.line) for record in page]
        if parts:
            self._stream.write(b"\n".join(parts) + b"\n")

    def finish(self) -> None:
        """Nothing is buffered."""

    def _joined(self, record: ExportRow) -> bytes:
        line = record.line
        fields = {name: getattr(line, name) for name in RowLine.__struct_fields__}
        if self._has_reviews:
            fields |= zip(REVIEW_COLUMNS, review_cells(record.reviews), strict=True)
            fields["reviews"] = [_document(review) for review in record.reviews]
        if self._columns:
            values = record.inputs or (None,) * len(self._columns)
            fields["input"] = dict(zip(self._columns, values, strict=True))
        return _encode(fields)


def _document(review: Review) -> dict[str, Any]:
    return {
        "reviewer": review.reviewer,
        "label": review.label or None,
        "correction": review.correction,
        "note": review.note or None,
        "attempt": review.attempt,
        "at": rfc3339(review.at),
    }
