"""Large files are indexed in a process of their own, with the same result as here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.bench import Desk, line
from tui.core.jobs import Batch
from tui.core.rows import Outcome
from tui.errors import HistoryError
from tui.store.indexing import child_process
from tui.store.indexing.child_process import FileIndexer, Task

ROWS = 40


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "_LARGE_BYTES", 1)


class Place:
    """A job whose results come in."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.job = desk.job([f"r{number}" for number in range(ROWS)])
        self.batch: Batch = desk.batch(self.job)
        self.indexer = self.new()

    def new(self) -> FileIndexer:
        task = Task(
            database=str(self.desk.database.path),
            batch=self.batch.id,
            pk=self.desk.file(self.batch).pk,
            path=str(self.desk.file(self.batch).path),
            style="openai",
            rules={},
        )
        return FileIndexer(self.desk.database, task)

    def lines(self, first: int, last: int) -> bytes:
        outcomes = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TRUNCATED)
        return b"".join(
            line(f"r{number}", outcomes[number % 3], f"text {number}") + b"\n"
            for number in range(first, last)
        )


@pytest.fixture
def place(desk: Desk) -> Iterator[Place]:
    place = Place(desk)
    yield place
    place.indexer.close()


def test_a_process_follows_a_file_that_grows(place: Place) -> None:
    desk = place.desk
    half = place.lines(20, 40)
    desk.write(place.batch, place.lines(0, 20) + half[:50])
    place.indexer.start_if_large(1000)
    assert place.indexer.run(complete=False) == 20
    assert place.indexer._process is not None
    assert place.indexer.indexed == desk.file(place.batch).indexed
    desk.write(place.batch, half[50:] + b"{")
    assert place.indexer.run(complete=False) == 20
    assert place.indexer.run(complete=True) == 1
    assert place.indexer.lines == desk.file(place.batch).lines == 41
    counts = desk.adds_up(place.job)
    assert (counts.succeeded, counts.failed, counts.truncated) == (14, 13, 13)
    assert desk.history.rows.orphan_lines(place.job).unreadable == 1


def test_a_process_that_dies_is_stood_in_for(place: Place) -> None:
    place.desk.write(place.batch, place.lines(0, 10))
    place.indexer.start_if_large(1000)
    process = place.indexer._process
    assert process is not None
    place.indexer.run(complete=False)
    process.kill()
    process.wait()
    place.desk.write(place.batch, place.lines(10, ROWS))
    assert place.indexer.run(complete=True) == ROWS - 10
    assert place.desk.adds_up(place.job).pending == 0


def test_without_processes_it_is_done_here(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    place.desk.write(place.batch, place.lines(0, ROWS))
    place.indexer.start_if_large(1000)
    assert place.indexer._process is None
    assert place.indexer.run(complete=True) == ROWS
    assert place.desk.adds_up(place.job).pending == 0


def test_trouble_in_the_process_is_told_here(place: Place) -> None:
    place.desk.write(place.batch, place.lines(0, 10))
    place.indexer.start_if_large(1000)
    place.indexer.run(complete=False)
    # Another program reads on in the same file.
    place.desk.write(place.batch, place.lines(10, 20))
    assert place.desk.index(place.batch) == 10
    place.desk.write(place.batch, place.lines(20, 30))
    with pytest.raises(HistoryError, match="another process"):
        place.indexer.run(complete=False)
    assert place.indexer.run(complete=True) == 20
    assert place.desk.adds_up(place.job).pending == 10


def test_the_process_gets_no_variable_that_could_be_a_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_SECRET", "sk-secret")
    monkeypatch.setenv("BATCHDECK_KEY_WORK", "sk-secret")
    place.desk.file(place.batch).path.write_bytes(place.lines(0, 4))
    place.indexer.start_if_large(100)
    process = place.indexer._process
    assert process is not None
    environment = Path(f"/proc/{process.pid}/environ")
    if environment.exists():
        assert b"sk-secret" not in environment.read_bytes()
    assert place.indexer.run(complete=True) == 4
