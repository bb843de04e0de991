from __future__ import annotations

from typing import Any

import pytest

from tests.store.bench import Desk, line
from tui.core.jobs import BatchStatus, OrphanLines
from tui.core.rows import Outcome
from tui.errors import UnknownJobError
from tui.store.indexing.indexer import ResultIndexer
from tui.store.job_records import note, update_batch


def test_jobs_are_found_by_words_in_any_case(desk: Desk) -> None:
    first = desk.job(["a"], name="Über Reviews")
    second = desk.job(["a"], name="straße 50%_x")
    find = lambda text: {job.id for job in desk.history.jobs.list(search=text)}  # noqa: E731
    assert find("") == {first, second}
    assert find("über REVIEWS") == find("ÜBER rev") == {first}
    assert find("STRASSE") == find("50%_") == {second}
    assert find("sandbox") == {first, second}
    assert find(first[:6]) == {first}
    assert find("reviews nothing") == set()
    assert find("%") == {second}


def test_newest_first_and_not_more_than_wanted(desk: Desk) -> None:
    ids = [desk.job(["a"], name=f"n{number}") for number in range(4)]
    with desk.database.write() as connection:
        connection.execute("UPDATE jobs SET created_at=50 WHERE id=?", (ids[3],))
    assert [job.id for job in desk.history.jobs.list()] == [ids[2], ids[1], ids[0], ids[3]]
    assert [job.id for job in desk.history.jobs.list(limit=2)] == [ids[2], ids[1]]
    assert desk.history.jobs.list(limit=0) == []
    desk.batch(ids[0])
    running = desk.history.jobs.list(status=BatchStatus.IN_PROGRESS)
    assert [job.id for job in running] == [ids[0]]
    assert desk.history.jobs.list(account="other") == []


def test_a_job_is_named_by_id_prefix_or_name(desk: Desk) -> None:
    first, second = desk.job(["a"], name="one"), desk.job(["a"], name="two")
    with desk.database.write() as connection:
        connection.execute("UPDATE jobs SET id='abc111' WHERE id=?", (first,))
        connection.execute("UPDATE jobs SET id='abc222' WHERE id=?", (second,))
    find = desk.history.jobs.find
    assert find("abc111").name == "one"
    assert find("abc2").name == "two"
    assert find("one").id == "abc111"
    for reference in ("abc", "nothing", "", "ABC111", "a%", "_bc111"):
        with pytest.raises(UnknownJobError):
            find(reference)
    third = desk.job(["a"], name="one")
    with pytest.raises(UnknownJobError, match="matches 2 jobs"):
        find("one")
    assert find(third).id == third


def test_what_is_not_there(desk: Desk) -> None:
    for ask in (desk.history.jobs.get, desk.history.rows.error_groups, desk.history.jobs.timeline):
        with pytest.raises(UnknownJobError):
            ask("none")
    with pytest.raises(UnknownJobError):
        desk.history.batches.get("none")
    assert desk.history.batches.find("none") is None
    assert desk.history.batches.of_job("none") == []
    job = desk.job(["a"])
    with pytest.raises(UnknownJobError):
        desk.history.rows.get(job, 1)
    with pytest.raises(UnknownJobError), desk.database.write() as connection:
        update_batch(connection, "none", {"trouble": "x"})


def test_only_known_fields_of_a_batch_change(desk: Desk) -> None:
    batch = desk.batch(desk.job(["a"]))
    with pytest.raises(ValueError, match="cannot be changed"), desk.database.write() as connection:
        update_batch(connection, batch.id, {"trouble": "x", "id": "y"})
    assert desk.history.batches.get(batch.id) == batch


def test_rows_in_the_order_asked(desk: Desk) -> None:
    job = desk.job([f"r{number}" for number in range(5)])
    found = desk.history.rows.page(job, [3, 0, 99, 3, 4])
    assert [row.seq for row in found] == [3, 0, 3, 4]
    assert desk.history.rows.page(job, []) == []
    requests = list(desk.history.rows.requests(job, [4, 1]))
    assert [seq for seq, _ in requests] == [4, 1]
    assert b'"r4"' in requests[0][1]


def test_the_document_of_a_job(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    desk.results(batch, [line("a"), line("b", Outcome.FAILED, "it broke"), line("x"), b"?"])
    with desk.database.write() as connection:
        note(connection, 1, 101.0, "Something happened", batch.id)
        update_batch(connection, batch.id, {"remote_id": "batch_1", "trouble": "now"})
    document = desk.history.jobs.document(job)
    assert document["counts"]["succeeded"] == document["counts"]["failed"] == 1
    assert document["status"] == "in_progress"
    assert document["trouble"] == "now"
    assert document["created_at"] == "1970-01-01T00:01:40Z"
    assert document["ended_at"] is None
    (group,) = document["error_groups"]
    assert group["message"] == "it broke"
    assert (group["code"], group["count"], group["example_custom_id"]) == ("server_error", 1, "b")
    (told,) = document["batches"]
    assert (told["remote_id"], told["attempt"], told["submission"]) == ("batch_1", 1, "running")
    assert document["strays"] == {"unknown": 1, "duplicate": 0, "unreadable": 1}
    whats = [entry.what for entry in desk.history.jobs.timeline(job)]
    assert whats == ["Imported 2 requests", "Something happened"]


def test_a_deleted_job_is_gone_with_its_files(desk: Desk) -> None:
    kept, gone = desk.job(["a"]), desk.job(["a"])
    desk.results(desk.batch(gone), [line("a"), line("x")])
    desk.results(desk.batch(kept), [line("a", Outcome.FAILED)])
    desk.history.jobs.delete(gone)
    desk.history.jobs.delete("none")
    assert [job.id for job in desk.history.jobs.list()] == [kept]
    assert not desk.paths.job_folder(gone).exists()
    assert desk.adds_up(kept).failed == 1
    read = desk.database.read
    for table in ("results", "attempts", "strays", "files", "requests", "timeline", "error_groups"):
        left = read.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        assert left <= 1, table


def test_a_whole_job_is_read_page_by_page(desk: Desk) -> None:
    count = 1203
    job = desk.job([f"r{number}" for number in range(count)])
    desk.results(desk.batch(job), (line(f"r{number}", text=str(number)) for number in range(count)))
    lines = list(desk.history.rows.lines(job, desk.history.rows.select(job)))
    assert [row.text for row in lines] == [str(number) for number in range(count)]


def test_a_line_that_changed_on_the_disk_does_not_stop_the_reading(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    batch = desk.batch(job)
    desk.results(batch, [line("a", text="one"), line("b", text="two")])
    file = desk.file(batch).path
    raw = bytearray(file.read_bytes())
    raw[5:40] = b"\x00" * 35
    file.write_bytes(raw)
    detail = desk.history.rows.get(job, 0)
    assert detail.row.outcome is Outcome.SUCCEEDED
    assert desk.rows(job)[1].preview == "two"


def test_a_line_that_is_completed_between_two_slices_is_one_row(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = desk.job(["a", "b", "c"])
    batch = desk.batch(job)
    whole = b"".join(line(name) + b"\n" for name in "abc")
    cut = whole.index(b"\n") + 20
    desk.write(batch, whole[:cut])
    store = ResultIndexer._store

    def stored(self: ResultIndexer, part: Any) -> None:
        store(self, part)
        if part.end < cut:
            desk.write(batch, whole[cut:])

    monkeypatch.setattr(ResultIndexer, "_store", stored)
    assert desk.index(batch) == 3
    assert desk.history.rows.orphan_lines(job) == OrphanLines()
    assert desk.adds_up(job).succeeded == 3
