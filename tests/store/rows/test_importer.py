from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator

import pytest

from tests.store.bench import Desk, request
from tui.core.jobs import BatchStatus, Counts, Job
from tui.errors import HistoryError, InputError
from tui.progress import Progress
from tui.store.job_folder import REQUESTS
from tui.store.rows.importer import ImportResult


def record(job_id: str = "j1") -> Job:
    return Job(
        id=job_id,
        name="n",
        account="sandbox",
        provider="sandbox",
        endpoint="/v1/chat/completions",
        model="m",
        status=BatchStatus.DRAFT,
        counts=Counts(),
        created_at=5.0,
    )


def nothing_left(desk: Desk) -> bool:
    with desk.database.write() as connection:
        tables = ("jobs", "requests", "timeline")
        counts = [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables]
    return counts == [0, 0, 0] and list(desk.paths.jobs.iterdir()) == []


def test_a_job_is_its_file_and_its_places(desk: Desk) -> None:
    lines = [("a", request("a")), ("b\x00", b'{"x":"\xe2\x80\xa8"}'), ("c", b"")]
    written = desk.history.jobs.add(record(), lines)
    file = desk.paths.job_folder("j1") / REQUESTS
    whole = b"".join(line + b"\n" for _, line in lines)
    assert written == ImportResult(3, len(whole))
    assert file.read_bytes() == whole
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(entry.name for entry in file.parent.iterdir()) == ["job.json", REQUESTS]
    job = desk.history.jobs.get("j1")
    assert (job.counts.total, job.counts.pending, job.size) == (3, 3, len(whole))
    assert [row.custom_id for row in desk.rows("j1")] == ["a", "b\x00", "c"]
    assert [desk.history.rows.get("j1", seq).request for seq in range(3)] == [
        one for _, one in lines
    ]
    assert [entry.what for entry in desk.history.jobs.timeline("j1")] == ["Imported 3 requests"]


def test_two_requests_with_one_id(desk: Desk) -> None:
    with pytest.raises(InputError):
        desk.history.jobs.add(record(), [("a", b"1"), ("a", b"2")])
    assert nothing_left(desk)


@pytest.mark.parametrize("after", [0, 1, 6000])
def test_a_source_that_breaks_leaves_nothing(desk: Desk, after: int) -> None:
    def breaks() -> Iterator[tuple[str, bytes]]:
        for number in range(after):
            yield str(number), b"x"
        raise InputError("gone")

    with pytest.raises(InputError):
        desk.history.jobs.add(record(), breaks())
    assert nothing_left(desk)


def test_a_stopped_import_leaves_nothing(desk: Desk) -> None:
    lines = ((str(number), b"x") for number in range(20_000))
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 2

    assert desk.history.jobs.add(record(), lines, progress=Progress(stop=stop)) is None
    assert nothing_left(desk)
    assert next(lines)[0] == "10000"


def test_a_commit_that_fails_leaves_nothing(desk: Desk) -> None:
    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if sql == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)  # type: ignore[arg-type]

    writer = desk.database._writer
    desk.database._writer = sqlite3.connect(
        desk.database.path, isolation_level=None, factory=Full, check_same_thread=False
    )
    with pytest.raises(HistoryError):
        desk.history.jobs.add(record(), [("a", b"1")])
    desk.database._writer.close()
    desk.database._writer = writer
    assert nothing_left(desk)


def test_a_disk_that_fails_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        desk.history.jobs.add(record(), [("a", b"1")])
    assert nothing_left(desk)
    monkeypatch.undo()
    assert desk.history.jobs.add(record(), [("a", b"1")]) == ImportResult(1, 2)
