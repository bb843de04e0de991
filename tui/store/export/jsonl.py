"""Export rows as JSON lines: normalised, or the raw lines of the provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from tui.core.rows import RowLine
from tui.store.export.rows import ExportRow, ExportRows

_encode = msgspec.json.Encoder().encode


class LinesWriter:
    """Writes one JSON line per record; joined input columns are in the field ``input``.

    Args:
        stream: The output.
        records: The rows and their options.
    """

    def __init__(self, stream: BinaryIO, records: ExportRows) -> None:
        self._stream = stream
        self._raw = records.options.raw
        self._columns = records.columns

    def add(self, page: Sequence[ExportRow]) -> None:
        """Write some records."""
        if self._raw:
            parts = [record.wire for record in page]
        elif self._columns:
            parts = [self._joined(record) for record in page]
        else:
            parts = [_encode(record.line) for record in page]
        if parts:
            self._stream.write(b"\n".join(parts) + b"\n")

    def finish(self) -> None:
        """Nothing is buffered."""

    def _joined(self, record: ExportRow) -> bytes:
        values = record.inputs or (None,) * len(self._columns)
        inputs = dict(zip(self._columns, values, strict=True))
        line = record.line
        fields = {name: getattr(line, name) for name in RowLine.__struct_fields__}
        return _encode(fields | {"input": inputs})
