"""Databases of strangers: views without an end, values of any size."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.waiting import ends
from tui.compose.sources import sqlite as source
from tui.compose.sources.open import open_source
from tui.errors import InputError
from tui.progress import Progress, as_current

ENDLESS = "WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM x)"


def database(folder: Path, *statements: str) -> str:
    path = folder / "of_others.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return str(path)


def test_a_view_without_an_end_can_be_read_from_its_start(tmp_path: Path) -> None:
    opened = open_source(database(tmp_path, f"CREATE VIEW t AS {ENDLESS} SELECT n FROM x"))
    assert opened.count is None
    rows = opened.rows()
    assert [next(rows)["n"] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    "view",
    [f"{ENDLESS} SELECT n FROM x WHERE n < 0", f"{ENDLESS} SELECT count(*) AS n FROM x"],
    ids=["no row", "an aggregate"],
)
def test_a_view_that_gives_no_row_ends(
    view: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_ROW_SECONDS", 0.2)
    with pytest.raises(InputError, match="no further row"):
        list(open_source(database(tmp_path, f"CREATE VIEW t AS {view}")).rows())


def test_reading_can_be_stopped_inside_sqlite(tmp_path: Path) -> None:
    place = database(tmp_path, f"CREATE VIEW t AS {ENDLESS} SELECT n FROM x WHERE n < 0")
    progress = Progress()
    told: list[InputError] = []

    def read() -> None:
        with as_current(progress):
            try:
                list(open_source(place).rows())
            except InputError as error:
                told.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    progress.stop()
    assert ends(thread)
    assert [error.message for error in told] == ["reading the database was stopped"]


@pytest.mark.parametrize("value", ["zeroblob(900000000)", "hex(zeroblob(90000000))"])
def test_a_value_of_any_size_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(open_source(database(tmp_path, f"CREATE VIEW t AS SELECT {value} AS a")).rows())
    assert "bytes" in caught.value.message


def test_a_table_has_a_count(tmp_path: Path) -> None:
    place = database(tmp_path, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2)")
    assert open_source(place).count == 2
