from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.waiting import ends
from tui.errors import HistoryError, NewerHistoryError
from tui.paths import Paths
from tui.store import job_records, migrations
from tui.store.database import Database
from tui.store.history import History
from tui.store.migrations import MIGRATIONS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_a_fresh_history_has_the_newest_schema_and_is_private(file: Path) -> None:
    database = Database(file)
    assert database.read.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert database.read.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file.stat().st_mode & 0o777 == 0o600
    database.close()
    again = Database(file)
    assert again.read.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    again.close()


def test_each_step_leads_to_the_next(file: Path) -> None:
    """A history of any age is brought to the newest schema, the same as a fresh one has."""

    def schema(path: Path) -> list[tuple[str, str]]:
        connection = sqlite3.connect(path)
        found = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        connection.close()
        return found

    Database(file).close()
    growing = sqlite3.connect(":memory:", isolation_level=None)
    for age, step in enumerate(MIGRATIONS):
        growing.execute(f"PRAGMA user_version={age}")
        old = file.with_name(f"{age}.db")
        copy = sqlite3.connect(old)
        growing.backup(copy)
        copy.close()
        Database(old).close()
        assert schema(old) == schema(file)
        step(growing)
    growing.close()


def test_a_newer_history_is_left_alone(file: Path) -> None:
    Database(file).close()
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(NewerHistoryError) as caught:
        Database(file)
    assert caught.value.hint
    assert str(file) in caught.value.message


def test_a_step_that_breaks_leaves_the_schema_before(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database(file).close()

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (x)")
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(HistoryError):
        Database(file)
    monkeypatch.undo()
    database = Database(file)
    assert database.read.execute("SELECT * FROM sqlite_master WHERE name='half'").fetchall() == []
    database.close()


def test_a_file_that_is_no_database(file: Path) -> None:
    file.write_bytes(b"not at all" * 500)
    with pytest.raises(HistoryError) as caught:
        Database(file)
    assert "doctor" in caught.value.hint


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HistoryError):
        Database(tmp_path / "missing" / "history.db")


_OPEN = """
import sys
from pathlib import Path
from tui.store.database import Database
sys.stdin.readline()
database = Database(Path(sys.argv[1]))
with database.write() as connection:
    connection.execute("INSERT INTO terms (text) VALUES (?)", (sys.argv[2],))
database.close()
"""


def test_programs_that_open_a_fresh_history_at_once(file: Path) -> None:
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, str(file), str(number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        _, errors = program.communicate(timeout=60)
        assert program.returncode == 0, errors
    database = Database(file)
    assert database.read.execute("SELECT count(*) FROM terms").fetchone() == (4,)
    database.close()


def test_threads_that_open_a_fresh_history_at_once(file: Path) -> None:
    start = threading.Barrier(6)
    trouble: list[Exception] = []

    def run() -> None:
        try:
            start.wait(20)
            Database(file).close()
        except Exception as error:
            trouble.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert all(map(ends, threads))
    assert trouble == []


def test_a_transaction_is_stored_whole_or_not_at_all(file: Path) -> None:
    database = Database(file)
    with pytest.raises(KeyboardInterrupt), database.write() as connection:
        connection.execute("INSERT INTO terms (text) VALUES ('a')")
        raise KeyboardInterrupt
    with pytest.raises(HistoryError), database.write(durable=True) as connection:
        connection.execute("INSERT INTO terms (text) VALUES ('b')")
        connection.execute("INSERT INTO nowhere VALUES (1)")
    assert database.read.execute("SELECT count(*) FROM terms").fetchone() == (0,)
    with database.write() as connection:
        connection.execute("INSERT INTO terms (text) VALUES ('c')")
    assert database.read.execute("SELECT text FROM terms").fetchall() == [("c",)]
    database.close()


def test_readers_cannot_write(file: Path) -> None:
    database = Database(file)
    with pytest.raises(sqlite3.OperationalError):
        database.read.execute("INSERT INTO terms (text) VALUES ('a')")
    database.close()


def test_only_what_others_write_changes_the_version(file: Path) -> None:
    database, other = Database(file), Database(file)
    before = database.version()
    with database.write() as connection:
        connection.execute("INSERT INTO terms (text) VALUES ('mine')")
    assert database.version() == before
    with other.write() as connection:
        connection.execute("INSERT INTO terms (text) VALUES ('theirs')")
    assert database.version() != before
    database.close()
    other.close()


def test_a_history_that_cannot_be_written(paths: Paths) -> None:
    history = History(paths)
    history.close()
    with pytest.raises(HistoryError), history._database.write():
        pass


def test_closing_waits_for_nobody_and_harms_nobody(file: Path) -> None:
    """A thread that reads while the program ends: closing its connection would kill it."""
    for _ in range(30):
        database = Database(file)
        reading = threading.Event()
        stop = threading.Event()

        def read(
            database: Database = database,
            reading: threading.Event = reading,
            stop: threading.Event = stop,
        ) -> None:
            connection = database.read
            while not stop.is_set():
                list(job_records.read_jobs(connection, "1", ()))
                reading.set()

        thread = threading.Thread(target=read)
        thread.start()
        assert reading.wait(20)
        database.close()
        with pytest.raises(sqlite3.ProgrammingError):
            database.read.execute("SELECT 1")
        with pytest.raises(HistoryError), database.write():
            pass
        stop.set()
        assert ends(thread)


def test_closing_leaves_one_file(file: Path) -> None:
    """Nobody reads any more, so the write-ahead log is gone too."""
    database = Database(file)
    with database.write() as connection:
        connection.execute("INSERT INTO terms (text) VALUES ('a')")
    threads = [threading.Thread(target=lambda: database.read.execute("SELECT 1")) for _ in "ab"]
    for thread in threads:
        thread.start()
        thread.join()
    database.read.execute("SELECT 1")
    database.close()
    # The lock of the opening stays, empty: taken away, two could hold two of them.
    names = {file.name, f".{file.name}.opening"}
    assert {p.name for p in file.parent.iterdir()} == names


@pytest.mark.parametrize("has_log", [False, True])
def test_a_folder_that_cannot_be_written_is_read_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch, has_log: bool
) -> None:
    writing = Database(file)
    with writing.write() as connection:
        connection.execute("CREATE TABLE probe AS SELECT 1 AS value")
    if not has_log:
        writing.close()

    def refused(_: Database) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(Database, "_open", refused)
    monkeypatch.setattr("tui.store.database.is_unwritable", lambda path: True)
    reading = Database(file)
    assert reading.is_read_only
    assert reading.read.execute("SELECT value FROM probe").fetchone() == (1,)
    with pytest.raises(HistoryError, match="cannot be written"), reading.write():
        pass
    reading.close()
    if has_log:
        writing.close()
