"""Export rows as an SQLite database, for SQL, Datasette and sqlite-utils."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.core.formatting import rfc3339
from tui.core.retry_rules import message_pattern
from tui.core.rows import RowError
from tui.errors import UsageError
from tui.store.export.delimited import input_names
from tui.store.export.rows import ExportRow, ExportRows
from tui.store.job_document import job_document

_MAX_COLUMNS = 1900
"""SQLite allows 2,000 columns per table."""

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1

_LINE_COLUMNS = """
    outcome TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    http_status INTEGER,
    error INTEGER REFERENCES errors(id),
    error_message TEXT,
    finish_reason TEXT,
    model TEXT,
    text TEXT NOT NULL,
    data TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_tokens INTEGER,
    cost REAL
"""

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE errors (
    id INTEGER PRIMARY KEY,
    http_status INTEGER,
    code TEXT,
    message TEXT NOT NULL,
    retryable INTEGER,
    rows INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY,
    custom_id TEXT NOT NULL UNIQUE,
    {_LINE_COLUMNS}
);
"""
_ATTEMPTS = f"""
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL REFERENCES rows(seq),
    {_LINE_COLUMNS}
);
"""
_REVIEWS = """
CREATE TABLE reviews (
    seq INTEGER NOT NULL REFERENCES rows(seq),
    reviewer TEXT NOT NULL,
    label TEXT,
    correction TEXT,
    note TEXT,
    attempt INTEGER,
    at TEXT,
    PRIMARY KEY (seq, reviewer)
) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX rows_by_outcome ON rows(outcome);
CREATE INDEX rows_by_error ON rows(error);
CREATE INDEX rows_by_model ON rows(model);
"""
_INSERT_ROW = f"INSERT INTO rows VALUES ({','.join('?' * 15)})"
_INSERT_ATTEMPT = f"INSERT INTO attempts VALUES ({','.join('?' * 15)})"


class DatabaseWriter:
    """Writes tables ``rows``, ``errors`` and ``meta``, optionally ``attempts`` and ``inputs``.

    For a job with reviews, the table ``reviews`` has those about the answers in ``rows``.
    The column ``data`` holds JSON answers as JSON. The view ``joined`` shows rows with their
    input columns.

    Args:
        path: An empty file.
        records: The rows and their options.

    Raises:
        UsageError: There are too many input columns for SQLite.
    """

    def __init__(self, path: Path, records: ExportRows) -> None:
        self._records = records
        self._errors: dict[tuple[int | None, str, str], int] = {}
        self._number = 0
        columns = records.columns
        if len(columns) > _MAX_COLUMNS:
            raise UsageError(
                f"{len(columns):,} input columns are too many for SQLite",
                "Export without join, or to .jsonl.",
            )
        self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            # The file is temporary until it is complete, so it needs no journal.
            self._connection.execute("PRAGMA journal_mode=OFF")
            self._connection.execute("PRAGMA synchronous=OFF")
            self._connection.execute("BEGIN")
            self._execute_all(_SCHEMA)
            if records.options.attempts:
                self._execute_all(_ATTEMPTS)
            if records.has_reviews:
                self._execute_all(_REVIEWS)
            if columns:
                self._make_inputs(columns)
        except BaseException:
            self._connection.close()
            raise

    def add(self, page: Sequence[ExportRow]) -> None:
        """Write some rows; with the option ``attempts``, some attempts."""
        execute = self._connection.executemany
        if self._records.options.attempts:
            values = []
            for record in page:
                self._number += 1
                values.append((self._number, record.seq, *self._line(record)))
            execute(_INSERT_ATTEMPT, values)
            return
        self._add_rows(page)

    def _add_rows(self, page: Sequence[ExportRow]) -> None:
        execute = self._connection.executemany
        execute(
            _INSERT_ROW,
            [(record.seq, record.line.custom_id, *self._line(record)) for record in page],
        )
        if self._records.has_reviews:
            execute("INSERT INTO reviews VALUES (?,?,?,?,?,?,?)", _reviews(page))
        columns = self._records.columns
        if columns:
            marks = ",".join("?" * (len(columns) + 1))
            execute(
                f"INSERT INTO inputs VALUES ({marks})",
                [
                    (record.seq, *(_storable(value) for value in record.inputs or ()))
                    for record in page
                    if record.inputs is not None
                ],
            )

    def add_rows(self, page: Sequence[ExportRow]) -> None:
        """Write merged rows; with the option ``attempts``, call it before ``add``."""
        self._add_rows(page)

    def finish(self) -> None:
        """Write indexes, counts of errors and the job document, and close the database."""
        try:
            self._execute_all(_INDEXES)
            if self._records.options.attempts:
                self._execute_all("CREATE INDEX attempts_by_row ON attempts(seq)")
            self._connection.execute(
                "UPDATE errors SET rows=(SELECT count(*) FROM rows WHERE error=errors.id)"
            )
            document = job_document(self._records.data)
            entries = {"exported_rows": len(self._records), **document}
            self._connection.executemany(
                "INSERT INTO meta VALUES (?,?)",
                [(key, _meta_value(value)) for key, value in entries.items()],
            )
            self._connection.execute("COMMIT")
        finally:
            self._connection.close()

    def close(self) -> None:
        """Close the database without completing it."""
        self._connection.close()

    def _execute_all(self, statements: str) -> None:
        for statement in statements.split(";"):
            if statement.strip():
                self._connection.execute(statement)

    def _make_inputs(self, columns: Sequence[str]) -> None:
        names = [quoted_name(name) for name in input_names(columns, ("seq",))]
        self._connection.execute(
            f"CREATE TABLE inputs (seq INTEGER PRIMARY KEY REFERENCES rows(seq), "
            f"{', '.join(names)})"
        )
        own = ("seq", "custom_id", "outcome", "text", "data", "error_message")
        shown = [quoted_name(name) for name in input_names(columns, own)]
        pairs = zip(names, shown, strict=True)
        selected = ", ".join(f"i.{name} AS {alias}" for name, alias in pairs)
        own_columns = ", ".join(f"r.{name}" for name in own)
        self._connection.execute(
            f"CREATE VIEW joined AS SELECT {own_columns}, {selected} FROM rows r"
            " LEFT JOIN inputs i ON i.seq=r.seq"
        )

    def _line(self, record: ExportRow) -> tuple[Any, ...]:
        line = record.line
        usage = line.usage
        error = line.error
        data = None if line.data is None else msgspec.json.encode(line.data).decode()
        return (
            line.outcome.value,
            line.attempt,
            line.http_status,
            None if error is None else self._error(line.http_status, error),
            None if error is None else error.message,
            line.finish_reason,
            line.model,
            line.text,
            data,
            _storable(usage.input_tokens),
            _storable(usage.output_tokens),
            _storable(usage.cached_tokens),
            line.cost,
        )

    def _error(self, status: int | None, error: RowError) -> int:
        key = (status, error.code or "", message_pattern(error.message))
        number = self._errors.get(key)
        if number is None:
            number = self._errors[key] = len(self._errors) + 1
            self._connection.execute(
                "INSERT INTO errors (id, http_status, code, message, retryable) VALUES (?,?,?,?,?)",
                (number, status, error.code, error.message, error.retryable),
            )
        return number


def _reviews(page: Sequence[ExportRow]) -> list[tuple[Any, ...]]:
    return [
        (
            record.seq,
            review.reviewer,
            review.label or None,
            review.correction,
            review.note or None,
            review.attempt,
            rfc3339(review.at),
        )
        for record in page
        for review in record.reviews
    ]


def quoted_name(name: str) -> str:
    """Quote any name as an SQL identifier."""
    clean = name.replace("\x00", "").replace('"', '""')
    return f'"{clean}"'


def _storable(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if _SMALLEST <= value <= _LARGEST else str(value)
    if value is None or isinstance(value, str | float | bool):
        return value
    return msgspec.json.encode(value).decode()


def _meta_value(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
