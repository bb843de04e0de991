"""Jobs outlive their database: each folder says what it is."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.store.bench import Desk, line
from tui.core.jobs import BatchStatus, Submission
from tui.core.rows import Outcome
from tui.paths import Paths


def no_rules(_: str) -> dict[str, bool]:
    return {}


def lost(desk: Desk) -> Desk:
    """The same home without its database."""
    desk.history.close()
    for path in desk.paths.data.glob("history.db*"):
        path.unlink()
    return Desk(desk.paths)


def brought_back(desk: Desk) -> list[str]:
    back, _ = desk.history.jobs.restore(200.0)
    for job in back:
        desk.history.jobs.reindex(job, rules_of=no_rules, now=200.0, restored=True)
    return back


def change(desk: Desk, batch: str, **changes: Any) -> None:
    desk.history.batches.update(batch, changes, 150.0)


def test_a_job_comes_back_with_its_rows_and_its_retry(desk: Desk) -> None:
    job = desk.job(["a", "b", "c"], name="reviews")
    first = desk.batch(job)
    desk.results(first, [line("a", text="A"), line("b", Outcome.FAILED), line("c", text="C")])
    change(desk, first.id, status=BatchStatus.COMPLETED, collected=True, ended_at=160.0)
    again = desk.batch(job, [1], attempt=2)
    desk.results(again, [line("b", text="B")])
    change(desk, again.id, status=BatchStatus.COMPLETED, collected=True, ended_at=170.0)
    desk.history.jobs.annotate(job, ("weekly",), "a note")
    desk.history.costs.set_actual(job, 1.5, "EUR")
    before = desk.history.jobs.get(job)
    rows = desk.rows(job)

    new = lost(desk)
    try:
        assert new.history.jobs.list() == []
        assert brought_back(new) == [job]
        after = new.history.jobs.get(job)
        assert (after.name, after.note, after.tags) == ("reviews", "a note", ("weekly",))
        assert after.counts == before.counts and after.cost.actual == 1.5
        assert [(r.custom_id, r.outcome, r.attempt) for r in new.rows(job)] == [
            (r.custom_id, r.outcome, r.attempt) for r in rows
        ]
        assert new.history.batches.rows_of(again.id) == [1]
        assert brought_back(new) == [], "there is nothing more to bring back"
    finally:
        new.history.close()


def test_the_id_of_a_batch_that_runs_comes_back(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    change(desk, batch.id, remote_id="batch_7", input_file_id="file_7")
    new = lost(desk)
    try:
        brought_back(new)
        [found] = new.history.batches.unfinished()
        assert (found.id, found.remote_id, found.input_file_id) == (batch.id, "batch_7", "file_7")
        assert new.history.batches.job_of_remote("sandbox", "batch_7") == job
        assert new.history.jobs.get(job).counts.pending == 2
    finally:
        new.history.close()


def test_a_create_under_way_is_known_afterwards(desk: Desk) -> None:
    job = desk.job(["a"])
    batch = desk.batch(job)
    change(desk, batch.id, submission=Submission.CREATING, status=BatchStatus.SUBMITTING)
    new = lost(desk)
    try:
        brought_back(new)
        assert new.history.batches.get(batch.id).submission is Submission.CREATING
    finally:
        new.history.close()


def test_a_copy_without_its_log_gets_what_it_lacks(desk: Desk, tmp_path: Path) -> None:
    job = desk.job(["a"])
    batch = desk.batch(job)
    change(desk, batch.id, submission=Submission.UPLOADING)
    desk.database._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(desk.paths.history_db, copy / "history.db")
    change(desk, batch.id, submission=Submission.RUNNING, remote_id="batch_9")
    later = desk.job(["b"], name="later")
    shutil.copytree(desk.paths.jobs, copy / "jobs")
    new = Desk(Paths.find(copy))
    try:
        assert new.history.batches.get(batch.id).remote_id is None
        assert sorted(brought_back(new)) == sorted([job, later])
        assert new.history.batches.get(batch.id).remote_id == "batch_9"
        assert new.history.jobs.get(later).counts.total == 1
    finally:
        new.history.close()


def test_a_deleted_job_does_not_come_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    job = desk.job(["a"])
    # Killed before the folder is removed.
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    desk.history.jobs.delete(job)
    assert desk.paths.job_folder(job).exists()
    back, unknown = desk.history.jobs.restore(1.0)
    assert back == [] and unknown == [job]


def test_what_a_killed_program_did_not_write_is_written_next(desk: Desk) -> None:
    job = desk.job(["a"])
    desk.database.after_commit = None
    desk.history.jobs.annotate(job, None, "written by the next one")
    desk.history.close()
    again = Desk(desk.paths)
    try:
        again.history.jobs.note(job, 1.0, "anything")
        text = (again.paths.job_folder(job) / "job.json").read_text()
        assert json.loads(text)["job"]["note"] == "written by the next one"
    finally:
        again.history.close()


def test_a_killed_reindex_goes_on(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    change(desk, batch.id, remote_id="batch_7")
    new = lost(desk)
    try:
        new.history.jobs.restore(200.0)
        # Killed before its rows were rebuilt: the next one does it, though the batch runs.
        new.history.jobs.reindex(job, rules_of=no_rules, now=201.0)
        assert [row.custom_id for row in new.rows(job)] == ["a", "b"]
    finally:
        new.history.close()


def test_a_folder_of_somebody_else_is_left(desk: Desk) -> None:
    folder = desk.paths.jobs / "strange"
    folder.mkdir()
    for content in ("{", "[]", '{"job": {"id": "other"}}', "null"):
        (folder / "job.json").write_text(content)
        back, unknown = desk.history.jobs.restore(1.0)
        assert back == [] and unknown == ["strange"]


def test_a_full_disk_does_not_stop_a_transaction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = desk.job(["a"])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tui.store.manifests._replace", full)
        desk.history.jobs.annotate(job, None, "kept")
    assert desk.history.jobs.get(job).note == "kept"
    with closing(sqlite3.connect(desk.paths.history_db)) as connection:
        assert connection.execute("SELECT count(*) FROM manifests_due").fetchone() == (1,)
