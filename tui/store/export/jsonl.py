"""Rows as JSON lines: normalised, or the bytes that the provider sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from tui.core.rows import RowLine
from tui.store.export.reading import Record, Records

_encode = msgspec.json.Encoder().encode


class LinesWriter:
    """Writes a JSON line for each record; joined columns stand in ``input``.

    Args:
        stream: Where to.
        records: What is written.
    """

    def __init__(self, stream: BinaryIO, records: Records) -> None:
        self._stream = stream
        self._raw = records.options.raw
        self._columns = records.columns

    def add(self, page: Sequence[Record]) -> None:
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
        """Nothing is left to write."""

    def _joined(self, record: Record) -> bytes:
        values = record.inputs or (None,) * len(self._columns)
        inputs = dict(zip(self._columns, values, strict=True))
        line = record.line
        fields = {name: getattr(line, name) for name in RowLine.__struct_fields__}
        return _encode(fields | {"input": inputs})
