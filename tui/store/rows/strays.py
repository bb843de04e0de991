"""Lines of result files that belong to no row: unreadable, of an unknown id, or a duplicate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec

from tui.store.job_records import JobData
from tui.store.rows.reader import LineReader


class StrayLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that belongs to no row, and where it is.

    Attributes:
        kind: ``unreadable``, ``unknown`` (of an id that was not sent) or ``duplicate``.
        custom_id: Its id; ``""`` if it is unreadable.
        batch_id: The batch whose results it is in.
        file: The name of the file in the job's folder.
        offset: Its first byte there.
        line: Its bytes, without the end of the line.
    """

    kind: str
    custom_id: str
    batch_id: str
    file: str
    offset: int
    line: bytes


def read_stray_lines(data: JobData) -> Iterator[StrayLine]:
    """The stray lines of a job, in the order of its batches and their files.

    Raises:
        HistoryError: A result file is missing.
    """
    found = data.connection.execute(
        "SELECT s.kind, s.custom_id, b.id, f.name, s.offset, f.pk, s.length FROM batches b"
        " JOIN files f ON f.batch=b.pk JOIN strays s ON s.file=f.pk WHERE b.job=?"
        " ORDER BY b.pk, f.pk, s.offset",
        (data.pk,),
    ).fetchall()
    with closing(LineReader(data)) as lines:
        for kind, custom_id, batch_id, name, offset, file, length in found:
            yield StrayLine(
                kind=kind,
                custom_id=custom_id,
                batch_id=batch_id,
                file=name,
                offset=offset,
                line=lines.read(file, offset, length),
            )
