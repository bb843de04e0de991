"""Rows with their bytes: for the row view, for scripts and for export."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.core.data import row_line
from tui.core.outcome import OUTCOMES, Outcome
from tui.core.readers import READERS
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.rows import Attempt, Row, RowDetail, RowError, RowLine, RowResult, Usage
from tui.errors import HistoryError
from tui.paths import Paths
from tui.store.chains import changes_before
from tui.store.conditions import LENGTH
from tui.store.files import file_path
from tui.store.given import given_schema
from tui.store.importing import REQUESTS
from tui.store.terms import Terms

_ROW = (
    "q.seq, q.custom_id, q.offset, q.length, r.outcome, r.attempt, b.id, r.http_status,"
    " r.error_group, g.code, g.message, g.retryable, r.finish, r.model, r.input_tokens,"
    " r.output_tokens, r.cached_tokens, r.cost, r.file, r.offset, r.length, r.preview, b.style,"
    f" {LENGTH}"
)
_JOINS = " LEFT JOIN batches b ON b.pk=r.batch LEFT JOIN error_groups g ON g.pk=r.error_group"


class RowReader:
    """Reads rows of one job, with one thread's connection.

    Args:
        connection: For reading.
        paths: Where the files are.
        job: Row number and id of the job.
        terms: Shared words.
    """

    def __init__(
        self, connection: sqlite3.Connection, paths: Paths, job: tuple[int, str], terms: Terms
    ) -> None:
        self._connection = connection
        self._paths = paths
        self._job_pk, self._job_id = job
        self._terms = terms
        self._files: dict[int, BinaryIO] = {}

    def close(self) -> None:
        """Close the files that were read."""
        for stream in self._files.values():
            stream.close()
        self._files.clear()

    def rows(self, seqs: Sequence[int]) -> list[Row]:
        """Summaries of rows, in the order asked; numbers without a row are left out."""
        return [self._row(record) for record in self._records(seqs)]

    def detail(self, seq: int) -> RowDetail | None:
        """A row with the bytes of its request and of all its attempts."""
        records = self._records([seq])
        if not records:
            return None
        record = records[0]
        row = self._row(record)
        attempts = [Attempt(row=row, line=self._shown(record), style=record[22] or "openai")]
        if record[4] is None:
            attempts.clear()
        older = self._connection.execute(
            f"SELECT {_ROW} FROM attempts r JOIN requests q ON q.job=r.job AND q.seq=r.seq{_JOINS}"
            " WHERE r.job=? AND r.seq=? ORDER BY r.attempt DESC",
            (self._job_pk, seq),
        ).fetchall()
        attempts += [
            Attempt(row=self._row(other), line=self._shown(other), style=other[22] or "openai")
            for other in older
        ]
        return RowDetail(
            row=row,
            request=self._seen(0, record[2], record[3]),
            attempts=tuple(map(self._told, attempts)),
            edits=changes_before(self._connection, self._job_pk, [seq]).get(seq, {}),
            schema=given_schema(self._paths, self._job_id),
        )

    def _told(self, attempt: Attempt) -> Attempt:
        """An attempt with what its batch knows of it: the changes, and when it was."""
        found = self._connection.execute(
            "SELECT edits, coalesce(ended_at, submitted_at, created_at) FROM batches WHERE id=?",
            (attempt.row.batch_id,),
        ).fetchone()
        if found is None:
            return attempt
        return msgspec.structs.replace(attempt, edits=msgspec.json.decode(found[0]), at=found[1])

    def requests(self, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The request lines of rows, in the order asked.

        Raises:
            HistoryError: ``requests.jsonl`` is not what it was.
        """
        for record in self._records(seqs):
            yield record[0], self._request(record)

    def wires(self, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The provider's own result lines of rows, in the order asked; some rows have none.

        Raises:
            HistoryError: A result file is not what it was.
        """
        for record in self._records(seqs):
            if record[18] is not None:
                # Whether it is this row's line is seen when it is read.
                self._answer(record)
                yield record[0], self._read(record[18], record[19], record[20])

    def lines(self, seqs: Sequence[int]) -> Iterator[RowLine]:
        """Rows as scripts get them, in the order asked.

        Raises:
            HistoryError: A result file is not what it was.
        """
        for record in self._records(seqs):
            yield self._line(record)

    def _records(self, seqs: Sequence[int]) -> list[tuple[Any, ...]]:
        marks = ",".join("?" * len(seqs))
        found = {
            record[0]: record
            for record in self._connection.execute(
                f"SELECT {_ROW} FROM requests q LEFT JOIN results r ON r.job=q.job"
                f" AND r.seq=q.seq{_JOINS} WHERE q.job=? AND q.seq IN ({marks})",
                (self._job_pk, *seqs),
            )
        }
        return [found[seq] for seq in seqs if seq in found]

    def _row(self, record: tuple[Any, ...]) -> Row:
        if record[4] is None:
            return Row(seq=record[0], custom_id=record[1], outcome=Outcome.PENDING)
        return Row(
            seq=record[0],
            custom_id=record[1],
            outcome=OUTCOMES[record[4]],
            attempt=record[5],
            batch_id=record[6],
            http_status=record[7],
            error=self._error(record, record[21]),
            error_group=record[8],
            finish_reason=self._terms.text(self._connection, record[12]),
            model=self._terms.text(self._connection, record[13]),
            usage=_usage(record),
            cost=record[17],
            preview=record[21],
            length=record[23],
        )

    def _error(self, record: tuple[Any, ...], message: str) -> RowError | None:
        if record[8] is None:
            return None
        retryable = None if record[11] is None else bool(record[11])
        return RowError(code=record[9] or None, message=message, retryable=retryable)

    def _line(self, record: tuple[Any, ...]) -> RowLine:
        row = self._row(record)
        text = ""
        error = row.error
        if record[18] is not None:
            result = self._answer(record)
            text = result.text
            if error is not None and result.error is not None:
                # The preview is cut; the whole message stands in the file.
                error = msgspec.structs.replace(error, message=result.error.message)
        return row_line(row, text, error)

    def _answer(self, record: tuple[Any, ...]) -> RowResult:
        """What a row's result line says.

        Raises:
            HistoryError: The line is not there any more, or speaks of another row.
        """
        try:
            result = READERS[record[22]](self._read(record[18], record[19], record[20]), None)
        except UnreadableLineError:
            raise self._damaged(record[18]) from None
        if result.custom_id != record[1]:
            raise self._damaged(record[18])
        return result

    def _shown(self, record: tuple[Any, ...]) -> bytes:
        """A row's result line to look at; nothing where the file is not what it was."""
        if record[18] is None:
            return b""
        try:
            self._answer(record)
        except HistoryError:
            # The row is still shown; `doctor` names the file.
            return b""
        return self._read(record[18], record[19], record[20])

    def _request(self, record: tuple[Any, ...]) -> bytes:
        """A row's request line.

        Raises:
            HistoryError: It is not there any more, or is another row's.
        """
        line = self._read(0, record[2], record[3])
        try:
            value = decode_lenient(line)
        except UnreadableLineError:
            raise self._damaged(0) from None
        if not isinstance(value, dict) or value.get("custom_id") != record[1]:
            raise self._damaged(0)
        return line

    def _seen(self, file: int, offset: int, length: int) -> bytes:
        """Bytes to look at; nothing where the file is gone."""
        try:
            return self._read(file, offset, length)
        except HistoryError:
            return b""

    def _read(self, file: int, offset: int, length: int) -> bytes:
        stream = self._files.get(file)
        if stream is None:
            try:
                stream = self._path(file).open("rb", buffering=0)
            except FileNotFoundError:
                raise self._damaged(file, "is not there any more") from None
            self._files[file] = stream
        stream.seek(offset)
        return stream.read(length)

    def _damaged(self, file: int, what: str = "is not what it was") -> HistoryError:
        return HistoryError(
            f"{self._path(file)} {what}", "`batchdeck doctor` looks over the whole history."
        )

    def _path(self, file: int) -> Path:
        if file == 0:
            return self._paths.job_folder(self._job_id) / REQUESTS
        return file_path(self._connection, self._paths, file)


def _usage(record: tuple[Any, ...]) -> Usage:
    return Usage(input_tokens=record[14], output_tokens=record[15], cached_tokens=record[16])
