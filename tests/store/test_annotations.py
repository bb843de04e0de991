"""Tags and notes on jobs: kept, found, in the document, and there after an update."""

from __future__ import annotations

import sqlite3

import pytest

from tests.store.bench import Desk
from tui.errors import UnknownJobError
from tui.paths import Paths
from tui.store import migrations
from tui.store.history import History
from tui.store.job_records import job_pk


def write(desk: Desk, job: str, *tags: str, note: str | None = None) -> None:
    desk.history.jobs.annotate(job, tags, note)


def test_tags_and_note_are_kept_and_in_the_document(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    write(desk, job, "weekly", "nl", note="prompt of May")
    record = desk.history.jobs.get(job)
    assert (record.tags, record.note) == (("weekly", "nl"), "prompt of May")
    document = desk.history.jobs.document(job)
    assert (document["tags"], document["note"]) == (["weekly", "nl"], "prompt of May")
    write(desk, job, note=None)
    assert desk.history.jobs.get(job).tags == ()
    assert desk.history.jobs.get(job).note == "prompt of May"


def test_they_are_found(desk: Desk) -> None:
    first, second = desk.job(["a"], name="first"), desk.job(["a"], name="second")
    write(desk, first, "Weekly", "nl")
    write(desk, second, "weekly-de", note="Ask Ümit first")

    def found(**what: str) -> set[str]:
        return {job.name for job in desk.history.jobs.list(**what)}  # type: ignore[arg-type]

    assert found(tag="weekly") == found(tag="#WEEKLY") == {"first"}
    assert found(tag="week") == set()
    assert found(search="weekly") == {"first", "second"}
    assert found(search="#nl") == {"first"}
    assert found(search="ümit") == {"second"}
    assert found(search="#eekly") == set()


def test_there_must_be_such_a_job(desk: Desk) -> None:
    with pytest.raises(UnknownJobError):
        write(desk, "nonesuch00", "x")


def test_a_history_without_them_gets_them(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (migrations.m001_initial,))
        sqlite_only(paths)
    history = History(paths)
    assert [(job.name, job.tags, job.note) for job in history.jobs.list()] == [("old", (), "")]
    history.close()


def sqlite_only(paths: Paths) -> None:
    """A history of the first schema with one job in it."""
    connection = sqlite3.connect(paths.ensure().history_db, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    migrations.migrate(connection, paths.history_db)
    connection.execute(
        "INSERT INTO jobs (id, name, account, provider, endpoint, model, window, source, size,"
        " total, created_at, currency)"
        " VALUES ('old0000000','old','sandbox','sandbox','/v1','m','24h','',1,1,5,'USD')"
    )
    connection.close()


def test_the_counts_of_many_jobs_are_those_of_each(desk: Desk) -> None:
    from tui.core.rows import OUTCOMES, Outcome
    from tui.store.job_records import add_counts

    for number in range(60):
        job = desk.job(["a", "b", "c"], name=f"job {number}")
        with desk.database.write() as connection:
            pk = job_pk(connection, job)
            add_counts(connection, pk, {OUTCOMES.index(Outcome.FAILED): number % 3})
    listed = desk.history.jobs.list()
    assert len(listed) == 60
    assert [job.counts for job in listed] == [
        desk.history.jobs.get(job.id).counts for job in listed
    ]
