"""A history with an earlier schema is backed up before it is migrated."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.store.bench import Desk
from tui.errors import HistoryError
from tui.paths import Paths
from tui.store import migrations
from tui.store.history import History


def _later(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'")


def _fails(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE jobs ADD COLUMN shape TEXT")
    raise sqlite3.OperationalError("no more")


@pytest.fixture
def old(paths: Paths) -> tuple[Paths, str, int]:
    """A history with a job and the current schema."""
    desk = Desk(paths)
    job = desk.job(["a", "b"], name="kept")
    desk.history.close()
    return paths, job, len(migrations.MIGRATIONS)


def _steps(monkeypatch: pytest.MonkeyPatch, *steps: object) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *steps))


def test_the_old_history_is_backed_up(
    old: tuple[Paths, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, job, version = old
    _steps(monkeypatch, _later, _later_still)
    history = History(paths)
    assert history.jobs.get(job).name == "kept"
    history.close()
    backup = paths.data / f"history.db.backup-{version}"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (version,)
        assert copy.execute("SELECT name FROM jobs").fetchall() == [("kept",)]
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with contextlib.closing(sqlite3.connect(paths.history_db)) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (version + 2,)
        assert now.execute("SELECT colour FROM jobs").fetchall() == [("blue",)]
    assert [file.name for file in paths.data.glob("*part")] == []


def _later_still(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE jobs ADD COLUMN mood TEXT")


def test_a_failed_migration_changes_nothing(
    old: tuple[Paths, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, job, version = old
    with monkeypatch.context() as patch:
        _steps(patch, _fails)
        with pytest.raises(HistoryError, match="no more"):
            History(paths)
    history = History(paths)
    assert history.jobs.get(job).counts.total == 2
    history.close()
    assert (paths.data / f"history.db.backup-{version}").exists()


def test_without_a_backup_nothing_is_migrated(
    old: tuple[Paths, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, _, version = old
    (paths.data / f"history.db.backup-{version}").mkdir()
    with monkeypatch.context() as patch:
        _steps(patch, _later)
        with pytest.raises(HistoryError):
            History(paths)
    with contextlib.closing(sqlite3.connect(paths.history_db)) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (version,)


def test_no_backup_without_a_migration(old: tuple[Paths, str, int]) -> None:
    paths, _, _ = old
    History(paths).close()
    assert list(paths.data.glob("*backup*")) == []


def test_a_newer_history_is_left_unchanged(old: tuple[Paths, str, int]) -> None:
    paths, _, _ = old
    with contextlib.closing(sqlite3.connect(paths.history_db)) as now:
        now.execute("PRAGMA user_version=999")
    before = Path(paths.history_db).read_bytes()
    with pytest.raises(HistoryError, match="newer version of Batchdeck"):
        History(paths)
    assert paths.history_db.read_bytes() == before
