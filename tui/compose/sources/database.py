"""SQLite tables and queries, read only."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tui.compose.sources.source import Row, Source
from tui.core.text import quoted
from tui.errors import InputError

_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)


def open_query(path: Path, what: str = "") -> Source:
    """The rows of a table or of a ``SELECT`` (or ``WITH … SELECT``).

    The database is opened read-only, and nothing but reading is allowed to the query.

    Args:
        path: The database.
        what: A query or the name of a table; not needed when there is only one table.

    Raises:
        InputError: The database or the query cannot be used.
    """
    name = quoted(str(path), 200)
    if not path.is_file():
        raise InputError(f"{name} does not exist", "Look at the path.", path=path)
    try:
        with closing(_connect(path)) as connection:
            tables = _tables(connection)
            query, count = _query(connection, what.strip(), tables, path)
            _allow_reading_only(connection)
            cursor = connection.execute(query)
            columns = tuple(entry[0] for entry in cursor.description or ())
    except sqlite3.Error as error:
        raise _unusable(path, error) from None
    if not columns:
        raise InputError("the query gives no rows", "Write a SELECT.", path=path)

    def rows() -> Iterator[Row]:
        number = 0
        try:
            with closing(_connect(path)) as connection:
                _allow_reading_only(connection)
                for values in connection.execute(query):
                    number += 1
                    yield dict(zip(columns, map(_plain, values), strict=True))
        except sqlite3.Error as error:
            raise _unusable(path, error) from None

    return Source(
        name=f"{path}::{what}" if what else str(path),
        kind="table",
        columns=columns,
        open_rows=rows,
        count=count,
        base=path.parent,
    )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _allow_reading_only(connection: sqlite3.Connection) -> None:
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
    """The statement to run, and the number of rows where it is cheap to know."""
    if not what and len(tables) == 1:
        what = tables[0]
    if what in tables:
        table = '"' + what.replace('"', '""') + '"'
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return f"SELECT * FROM {table}", count
    if what.lower().startswith(("select", "with", "values")):
        return what, None
    shown = ", ".join(quoted(table) for table in tables[:10]) or "none"
    raise InputError(
        f"there is no table {quoted(what)}" if what else f"{path.name} has {len(tables)} tables",
        f"Write {path.name}::TABLE or {path.name}::SELECT …; tables: {shown}.",
        path=path,
    )


def _plain(value: Any) -> Any:
    """Bytes as text where they are UTF-8, else in base64."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _unusable(path: Path, error: sqlite3.Error) -> InputError:
    return InputError(
        f"{quoted(path.name)}: {error}",
        "Look at the query; only reading is allowed.",
        path=path,
    )
