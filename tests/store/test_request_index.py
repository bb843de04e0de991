"""The index of requests: damaged, in use by another program, in a folder without permission."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tui.core.requests import request_identity
from tui.errors import HistoryError
from tui.paths import Paths
from tui.store.job_folder import requests_file
from tui.store.reuse import index as index_module
from tui.store.reuse.index import RequestIndex
from tui.store.rows.repeats import request_hash

LINE = b'{"custom_id":"r%d","method":"POST","url":"/v1","body":{"input":"%d"}}\n'


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A home with the requests of job ``one``."""
    found = Paths.find(tmp_path / "home").ensure()
    file = requests_file(found, "one")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"".join(LINE % (n, n) for n in range(2000)))
    return found


def hashed(number: int) -> int:
    return request_hash(request_identity((LINE % (number, number)).rstrip()))


def rows_of(paths: Paths) -> list[tuple[str, int]]:
    with RequestIndex(paths) as index:
        index.refresh(["one"])
        return index.find([hashed(7)])[hashed(7)]


def torn(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(whole)


def replaced(path: Path) -> None:
    """Another file, and a journal that does not belong to it."""
    path.write_bytes(b"no database at all" * 1000)
    path.with_name(f"{path.name}-wal").write_bytes(b"\x37\x7f\x06\x82" + b"x" * 5000)
    path.with_name(f"{path.name}-shm").write_bytes(b"y" * 32768)


@pytest.mark.parametrize("damage", [torn, replaced])
def test_a_damaged_index_is_filled_again(paths: Paths, damage: Callable[[Path], None]) -> None:
    assert rows_of(paths) == [("one", 7)]
    damage(paths.data / "request_index.db")
    assert rows_of(paths) == [("one", 7)]


def test_damage_that_shows_while_rows_are_looked_up_is_told_once(paths: Paths) -> None:
    assert rows_of(paths) == [("one", 7)]
    path = paths.data / "request_index.db"
    with sqlite3.connect(path) as other:
        (root,) = other.execute("SELECT rootpage FROM sqlite_schema WHERE name='hashes'").fetchone()
        (size,) = other.execute("PRAGMA page_size").fetchone()
    other.close()
    whole = bytearray(path.read_bytes())
    whole[size * (root - 1) : size * root] = b"\xff" * size
    path.write_bytes(whole)
    with RequestIndex(paths) as index:
        index.refresh(["one"])
        with pytest.raises(HistoryError) as told:
            index.find([hashed(7)])
    assert "request_index.db" in told.value.message and "again" in told.value.hint
    assert rows_of(paths) == [("one", 7)]


def test_an_index_in_use_is_not_removed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_BUSY_SECONDS", 0.01)
    path = paths.data / "request_index.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(HistoryError, match="locked"):
        RequestIndex(paths)
    other.execute("COMMIT")
    assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)
    other.close()
    assert path.exists()


def test_a_folder_that_cannot_be_written_is_told(paths: Paths) -> None:
    (paths.data / "request_index.db").mkdir()
    with pytest.raises(HistoryError, match=r"request_index\.db"):
        RequestIndex(paths)


def test_small_steps_find_the_same_as_one_large_one(paths: Paths) -> None:
    other = requests_file(paths, "two")
    other.parent.mkdir(parents=True)
    # A blank line and one that is no object have a number, and no hash; the last has no line end.
    other.write_bytes(LINE % (1, 1) + b"\n[]\n" + (LINE % (7, 7)).rstrip())
    with RequestIndex(paths) as index:
        steps = 1
        while index.add_some(["one", "two"], 300):
            steps += 1
        assert steps == 7, "the last one has the end of one job and all of the other"
        small = index.find([hashed(n) for n in range(2000)])
        assert sorted(small[hashed(7)]) == [("one", 7), ("two", 3)]
    (paths.data / "request_index.db").unlink()
    with RequestIndex(paths) as index:
        index.refresh(["one", "two"])
        assert index.find([hashed(n) for n in range(2000)]) == small
        assert not index.add_some(["one", "two"], 300)


def test_a_step_takes_many_small_jobs(paths: Paths) -> None:
    jobs = [f"small{n}" for n in range(1000)]
    for number, job in enumerate(jobs[:900]):
        file = requests_file(paths, job)
        file.parent.mkdir(parents=True)
        file.write_bytes(LINE % (number, number) + LINE % (-1, -1))
    with RequestIndex(paths) as index:
        # 1,800 rows; a job whose requests are gone counts as one row, and so does the look at the
        # end of a job that a step ended with.
        steps = 1
        while index.add_some(jobs, 100):
            steps += 1
        assert steps == 20
        assert index.find([hashed(7)]) == {hashed(7): [("small7", 0)]}
        assert len(index.find([hashed(-1)])[hashed(-1)]) == 900


def test_steps_of_two_programs_and_a_refresh_add_each_row_once(paths: Paths) -> None:
    with RequestIndex(paths) as one, RequestIndex(paths) as two:
        assert one.add_some(["one"], 700)
        assert two.add_some(["one"], 700)
        one.refresh(["one"])
        assert not two.add_some(["one"], 700)
        found = two.find([hashed(n) for n in range(2000)])
        assert found == {hashed(n): [("one", n)] for n in range(2000)}
        two.refresh([])
        assert not one.find([hashed(7)])
