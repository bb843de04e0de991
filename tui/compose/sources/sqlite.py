"""Rows from SQLite tables and queries, opened read-only."""

from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tui.compose.sources.base import Row, Source, must_exist
from tui.core.text import quoted
from tui.errors import InputError, PartNeededError
from tui.progress import current_progress

_MAX_CELL = 100_000_000
"""The maximum bytes of a value and of a row; functions such as printf() make any size."""

_COUNT_SECONDS = 0.5
"""Processor time for counting the rows; a view has no count."""

_ROW_SECONDS = 60.0
"""Processor time until the next row: a query may sort, but a view may never end."""

_STEPS = 10_000
"""Steps of SQLite's machine between two looks at the time, well below a millisecond."""

_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)


def open_query(path: Path, what: str = "") -> Source:
    """Open a table, or a query: ``SELECT``, ``WITH … SELECT`` or ``VALUES``.

    The database is opened read-only, and the query may only read.

    Args:
        path: The database.
        what: A query or the name of a table; optional if there is only one table.

    Raises:
        InputError: The database or the query cannot be used.
    """
    must_exist(path)
    try:
        with closing(_connect(path)) as connection:
            tables = _tables(connection)
            query, count = _query(connection, what.strip(), tables, path)
            _Patience(connection, _ROW_SECONDS)
            cursor = connection.execute(query)
            columns = tuple(entry[0] for entry in cursor.description or ())
    except sqlite3.Error as error:
        raise _database_error(path, error) from None
    if not columns:
        raise InputError("the query returns no rows", "Use a SELECT.", path=path)

    def rows() -> Iterator[Row]:
        number = 0
        try:
            with closing(_connect(path)) as connection:
                patience = _Patience(connection, _ROW_SECONDS)
                for values in connection.execute(query):
                    number += 1
                    patience.start()
                    yield dict(zip(columns, map(_decode_blob, values), strict=True))
        except sqlite3.Error as error:
            raise _database_error(path, error) from None

    return Source(
        name=f"{path}::{what}" if what else str(path),
        kind="table",
        columns=columns,
        open_rows=rows,
        count=count,
        base=path.parent,
    )


def _connect(path: Path) -> sqlite3.Connection:
    # A preview may read on in another thread than it began.
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
    )
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_CELL)
    connection.execute("PRAGMA trusted_schema=OFF")
    _set_read_only(connection)
    return connection


class _Patience:
    """Ends a statement that was stopped, or that takes too long until its next row.

    Views and queries of others run inside SQLite, where nothing else can end them.

    Args:
        connection: The connection that runs the statement.
        seconds: The processor time until the next row.
    """

    def __init__(self, connection: sqlite3.Connection, seconds: float) -> None:
        self._seconds = seconds
        self.start()
        connection.set_progress_handler(self._must_end, _STEPS)

    def start(self) -> None:
        """Begin to wait for the next row."""
        self._deadline: float | None = None

    def _must_end(self) -> bool:
        # The next row may be read by another thread, which has a clock of its own.
        now = time.thread_time()
        if self._deadline is None or self._deadline - now > self._seconds:
            self._deadline = now + self._seconds
        return now > self._deadline or current_progress().stopped


def _set_read_only(connection: sqlite3.Connection) -> None:
    def allow(action: int, *_: Any) -> int:
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    connection.set_authorizer(allow)


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return [name for (name,) in found]


def _query(
    connection: sqlite3.Connection, what: str, tables: list[str], path: Path
) -> tuple[str, int | None]:
    """The statement to run, and the number of rows if it is cheap to find."""
    if not what and len(tables) == 1:
        what = tables[0]
    if what in tables:
        table = '"' + what.replace('"', '""') + '"'
        return f"SELECT * FROM {table}", _count(connection, what, table)
    if what.lower().startswith(("select", "with", "values")):
        return what, None
    shown = ", ".join(quoted(table) for table in tables[:10]) or "none"
    if not what and len(tables) > 1:
        raise PartNeededError(f"{path.name} has {len(tables)} tables: {shown}", tables, path=path)
    raise InputError(
        f"there is no table {quoted(what)}" if what else f"{path.name} has {len(tables)} tables",
        f"Write {path.name}::TABLE or {path.name}::SELECT …; tables: {shown}.",
        path=path,
    )


def _count(connection: sqlite3.Connection, name: str, table: str) -> int | None:
    """The number of rows of a table, if it is quickly counted."""
    is_view = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE name=? AND type='view'", (name,)
    ).fetchone()
    if is_view:
        return None
    _Patience(connection, _COUNT_SECONDS)
    try:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT or current_progress().stopped:
            raise
        return None
    return int(count)


def _decode_blob(value: Any) -> Any:
    """Decode bytes as UTF-8, or encode them in base64 if they are not UTF-8."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _database_error(path: Path, error: sqlite3.Error) -> InputError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_INTERRUPT:
        if current_progress().stopped:
            return InputError("reading the database was stopped", path=path)
        return InputError(
            f"{quoted(path.name)}: no further row within {_ROW_SECONDS:.0f} seconds",
            "Use a query that ends, or add an index.",
            path=path,
        )
    if code in (sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_NOMEM):
        return InputError(
            f"{quoted(path.name)}: a value has more than {_MAX_CELL:,} bytes",
            "Select shorter values, for example with substr().",
            path=path,
        )
    return InputError(
        f"{quoted(path.name)}: {error}",
        "Check the query; it may only read.",
        path=path,
    )
