"""Read rows, with the bytes of their requests and results from the files of the job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, Self

import msgspec

from tui.core.results.google.row_ids import is_repeated
from tui.core.results.json_answers import row_line
from tui.core.results.openai_lines import UnreadableLineError, decode_lenient, is_form_of
from tui.core.results.readers import READERS
from tui.core.reviews.review import Review
from tui.core.rows import (
    OUTCOMES,
    Attempt,
    Outcome,
    Row,
    RowDetail,
    RowError,
    RowLine,
    RowResult,
    Usage,
)
from tui.errors import HistoryError
from tui.store.database import chunked
from tui.store.job_folder import schema_of
from tui.store.job_records import JobData
from tui.store.reviews.index import review_marks, reviews_of_rows
from tui.store.reviews.log import LOG_FILE
from tui.store.rows.attempts import effective_edits
from tui.store.rows.lookup import InternedStrings
from tui.store.rows.repeats import sharing_of
from tui.store.rows.sql_conditions import ANSWER_LENGTH


class _Record(NamedTuple):
    """A row or an attempt, as it is stored; ``file`` is ``None`` if it has no result line."""

    seq: int
    custom_id: str
    request_offset: int
    request_length: int
    outcome: int | None
    attempt: int
    batch_id: str
    http_status: int | None
    error_group: int | None
    code: str | None
    retryable: int | None
    finish: int | None
    model: int | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost: float | None
    file: int | None
    offset: int
    length: int
    preview: str
    style: str
    answer_length: int | None
    cache_writes: int | None
    long_writes: int | None
    tier: str | None


_COLUMNS = (
    "q.seq, q.custom_id, q.offset, q.length, r.outcome, r.attempt, b.id, r.http_status,"
    " r.error_group, g.code, g.retryable, r.finish, r.model, r.input_tokens, r.output_tokens,"
    " r.cached_tokens, r.cost, r.file, r.offset, r.length, r.preview,"
    f" coalesce(b.style, 'openai'), {ANSWER_LENGTH},"
    " r.cache_writes, r.long_writes, r.tier"
)
"""The fields of ``_Record``, in this order."""

_JOINS = " LEFT JOIN batches b ON b.pk=r.batch LEFT JOIN error_groups g ON g.pk=r.error_group"


class LineReader:
    """Reads lines of a job's files by offset and length; file 0 holds the requests."""

    def __init__(self, data: JobData) -> None:
        self._data = data
        self._files: dict[int, BinaryIO] = {}

    def read(self, file: int, offset: int, length: int) -> bytes:
        """The bytes of a line.

        Raises:
            HistoryError: The file is missing.
        """
        stream = self._files.get(file)
        if stream is None:
            try:
                stream = self._data.file(file).open("rb", buffering=0)
            except FileNotFoundError:
                raise self.damaged(file, "is missing") from None
            self._files[file] = stream
        stream.seek(offset)
        return stream.read(length)

    def damaged(self, file: int, what: str = "was changed or damaged") -> HistoryError:
        """The error for a file that is not as it was recorded."""
        return HistoryError(
            f"{self._data.file(file)} {what}", "Run `batchdeck doctor` to check the whole history."
        )

    def close(self) -> None:
        """Close the files."""
        for stream in self._files.values():
            stream.close()
        self._files.clear()


class RowReader:
    """Reads rows of one job, in one thread; a context manager."""

    def __init__(self, data: JobData) -> None:
        self._data = data
        self._connection = data.connection
        self._terms = InternedStrings()
        self._lines = LineReader(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._lines.close()

    def rows(self, seqs: Sequence[int]) -> list[Row]:
        """Rows without their bytes, in the given order; unknown row numbers are left out."""
        rows = [self._row(record) for record in self._records(seqs)]
        if not (marks := review_marks(self._connection, self._data.pk, seqs)):
            return rows
        replace = msgspec.structs.replace
        return [replace(row, reviews=marks[row.seq]) if row.seq in marks else row for row in rows]

    def parts(self, seqs: Sequence[int], most: int) -> Iterator[Sequence[int]]:
        """Split row numbers so that the lines of each part have at most ``most`` bytes.

        A row that is longer is a part of its own. Earlier attempts of a row count too.
        """
        sizes: dict[int, int] = {}
        for marks, part in chunked(seqs):
            sql = (
                "SELECT q.seq, q.length + ifnull(r.length, 0) + (SELECT total(a.length)"
                " FROM attempts a WHERE a.job=q.job AND a.seq=q.seq) FROM requests q"
                " LEFT JOIN results r ON r.job=q.job AND r.seq=q.seq"
                f" WHERE q.job=? AND q.seq IN ({marks})"
            )
            sizes.update(self._connection.execute(sql, (self._data.pk, *part)).fetchall())
        start, size = 0, 0
        for place, seq in enumerate(seqs):
            length = sizes.get(seq, 0)
            if place > start and size + length > most:
                yield seqs[start:place]
                start, size = place, 0
            size += length
        if start < len(seqs):
            yield seqs[start:]

    def detail(self, seq: int) -> RowDetail | None:
        """One row with the bytes of its request and of all its attempts; ``None`` if unknown."""
        found = self._records([seq])
        if not found:
            return None
        record = found[0]
        row = self._row(record)
        shown = [] if record.outcome is None else [record]
        older = self._connection.execute(
            f"SELECT {_COLUMNS} FROM attempts r"
            f" JOIN requests q ON q.job=r.job AND q.seq=r.seq{_JOINS}"
            " WHERE r.job=? AND r.seq=? ORDER BY r.attempt DESC",
            (self._data.pk, seq),
        )
        return RowDetail(
            row=row,
            request=self._display_request(record),
            attempts=tuple(map(self._attempt, [*shown, *map(_Record._make, older)])),
            edits=effective_edits(self._connection, self._data.pk, [seq]).get(seq, {}),
            schema=schema_of(self._data.paths, self._data.id),
            reviews=self.reviews([seq]).get(seq, ()),
        )

    def reviews(self, seqs: Sequence[int], *, shown: bool = False) -> dict[int, tuple[Review, ...]]:
        """The reviews of rows, each row's by reviewer; rows without one are left out.

        With ``shown`` those about the answers that are shown, without those of earlier attempts.
        """
        log = self._data.paths.job_folder(self._data.id) / LOG_FILE
        return reviews_of_rows(self._connection, self._data.pk, log, seqs, shown=shown)

    def _attempt(self, record: _Record) -> Attempt:
        """An attempt of a row, with the edits and the time of its batch."""
        row = self._row(record)
        attempt = Attempt(row=row, line=self._display_line(record), style=record.style)
        batch = self._connection.execute(
            "SELECT pk, edits, coalesce(ended_at, submitted_at, created_at) FROM batches"
            " WHERE id=?",
            (row.batch_id,),
        ).fetchone()
        if batch is None:
            return attempt
        pk, edits, at = batch
        same_as, shared_with = sharing_of(self._connection, pk, self._data.pk, row.seq)
        return msgspec.structs.replace(
            attempt,
            edits=msgspec.json.decode(edits),
            at=at,
            same_as=same_as,
            shared_with=shared_with,
        )

    def requests(self, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Row numbers and request lines, in the given order.

        Raises:
            HistoryError: ``requests.jsonl`` was changed or is missing.
        """
        for record in self._records(seqs):
            yield record.seq, self._request(record)

    def raw_lines(self, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Row numbers and raw result lines, in the given order; rows without one are left out.

        Raises:
            HistoryError: A result file was changed or is missing.
        """
        for record in self._records(seqs):
            if record.file is not None:
                # Parse it to check that it is the line of this row.
                self._answer(record)
                yield record.seq, self._result_line(record)

    def lines(self, seqs: Sequence[int]) -> Iterator[RowLine]:
        """Rows in the form of the JSON output, in the given order.

        Raises:
            HistoryError: A result file was changed or is missing.
        """
        for record in self._records(seqs):
            yield self._line(record)

    def _records(self, seqs: Sequence[int]) -> list[_Record]:
        found: dict[int, _Record] = {}
        for marks, part in chunked(seqs):
            sql = (
                f"SELECT {_COLUMNS} FROM requests q LEFT JOIN results r ON r.job=q.job"
                f" AND r.seq=q.seq{_JOINS} WHERE q.job=? AND q.seq IN ({marks})"
            )
            cursor = self._connection.execute(sql, (self._data.pk, *part))
            found |= {record.seq: record for record in map(_Record._make, cursor)}
        return [found[seq] for seq in seqs if seq in found]

    def _row(self, record: _Record) -> Row:
        if record.outcome is None:
            return Row(seq=record.seq, custom_id=record.custom_id, outcome=Outcome.PENDING)
        error = None
        if record.error_group is not None:
            retryable = None if record.retryable is None else bool(record.retryable)
            error = RowError(code=record.code or None, message=record.preview, retryable=retryable)
        return Row(
            seq=record.seq,
            custom_id=record.custom_id,
            outcome=OUTCOMES[record.outcome],
            attempt=record.attempt,
            batch_id=record.batch_id,
            http_status=record.http_status,
            error=error,
            error_group=record.error_group,
            finish_reason=self._terms.text(self._connection, record.finish),
            model=self._terms.text(self._connection, record.model),
            usage=Usage(
                input_tokens=record.input_tokens,
                output_tokens=record.output_tokens,
                cached_tokens=record.cached_tokens,
                cache_write_tokens=record.cache_writes,
                cache_write_1h_tokens=record.long_writes,
                service_tier=record.tier,
            ),
            cost=record.cost,
            preview=record.preview,
            length=record.answer_length,
        )

    def _line(self, record: _Record) -> RowLine:
        row = self._row(record)
        text = ""
        error = row.error
        if record.file is not None:
            result = self._answer(record)
            text = result.text
            if error is not None and result.error is not None:
                # The preview is shortened; the file has the whole message.
                error = msgspec.structs.replace(error, message=result.error.message)
        return row_line(row, text, error)

    def _answer(self, record: _Record) -> RowResult:
        """Parse the result line of a row that has one.

        Raises:
            HistoryError: The line is unreadable or belongs to another row.
        """
        assert record.file is not None
        try:
            result = READERS[record.style](self._result_line(record), None)
        except UnreadableLineError:
            raise self._lines.damaged(record.file) from None
        # A line that only repeats its request was joined to its row when it was indexed, and so
        # was one whose id the server changed.
        found = result.custom_id
        if not (is_form_of(found, record.custom_id) or is_repeated(found)):
            raise self._lines.damaged(record.file)
        return result

    def _result_line(self, record: _Record) -> bytes:
        assert record.file is not None
        return self._lines.read(record.file, record.offset, record.length)

    def _display_line(self, record: _Record) -> bytes:
        """The result line of a row for display; empty if the file is damaged."""
        if record.file is None:
            return b""
        try:
            self._answer(record)
        except HistoryError:
            # Show the row anyway; `doctor` reports the file.
            return b""
        return self._result_line(record)

    def _request(self, record: _Record) -> bytes:
        """The request line of a row.

        Raises:
            HistoryError: The line is unreadable or belongs to another row.
        """
        line = self._request_line(record)
        try:
            value = decode_lenient(line)
        except UnreadableLineError:
            raise self._lines.damaged(0) from None
        if not isinstance(value, dict) or value.get("custom_id") != record.custom_id:
            raise self._lines.damaged(0)
        return line

    def _request_line(self, record: _Record) -> bytes:
        return self._lines.read(0, record.request_offset, record.request_length)

    def _display_request(self, record: _Record) -> bytes:
        """The request line of a row for display; empty if the file is missing."""
        try:
            return self._request_line(record)
        except HistoryError:
            return b""
