from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from tests.store.bench import Desk, line
from tui.core.jobs import BatchStatus
from tui.core.query import RowFilter, RowSort, parse_query
from tui.core.reviews.review import Review
from tui.core.rows import Outcome
from tui.errors import UnknownJobError
from tui.paths import Paths
from tui.store.history import History
from tui.store.reviews.log import append_reviews, read_log


def review(custom_id: str, label: str = "right", by: str = "anna", **others: object) -> Review:
    return Review(custom_id=custom_id, reviewer=by, at=1.0, label=label, **others)  # type: ignore[arg-type]


def current_reviews(log: Iterable[Review]) -> dict[tuple[str, str], Review]:
    """What the index has to hold: the last review of each row by each reviewer."""
    current = {(one.custom_id, one.reviewer): one for one in log}
    return {key: one for key, one in current.items() if not one.is_empty}


@pytest.fixture
def job(desk: Desk) -> str:
    """Four rows: three with an answer, one that failed."""
    made = desk.job(["a", "b", "c", "d"])
    lines = [
        line("a", text="A"),
        line("b", text="B"),
        line("c", text="C"),
        line("d", Outcome.FAILED),
    ]
    desk.results(desk.batch(made), lines)
    return made


def found(desk: Desk, job: str, where: str) -> str:
    query = parse_query(where)
    assert not query.problems, query.problems
    seqs = desk.history.rows.select(job, query.rows).seqs
    return "".join("abcd"[seq] for seq in seqs)


def batch_of(desk: Desk, job: str, seq: int = 0) -> str | None:
    return desk.history.rows.page(job, [seq])[0].batch_id


def test_reviews_are_found_by_what_they_say(desk: Desk, job: str) -> None:
    reviews = desk.history.reviews
    reviews.add(
        job, [review("a"), review("b", "wrong", correction="B2"), review("a", "wrong", "Ben")]
    )
    reviews.add(job, [review("c", "", note="odd"), review("b", "refund", "Ben")])
    assert found(desk, job, "review:right") == "a"
    assert found(desk, job, "review:WRONG") == "ab"
    assert found(desk, job, "review:refund,right") == "ab"
    assert found(desk, job, "review:any") == "ab"
    assert found(desk, job, "review:none") == "cd"
    assert found(desk, job, "review:disagree") == "ab"
    assert found(desk, job, "review:corrected") == "b"
    assert found(desk, job, "review:noted") == "c"
    assert found(desk, job, "reviewer:anna") == "ab"
    assert found(desk, job, "reviewer:ben review:wrong") == "a"
    assert found(desk, job, "reviewer:anna review:none") == "cd"
    assert found(desk, job, "review:disagree reviewer:anna outcome:answered") == "ab"
    assert found(desk, job, "review:earlier") == ""
    assert found(desk, job, "review:right id:a") == "a"
    assert found(desk, job, "review:none outcome:failed") == "d"
    assert found(desk, job, 'reviewer:"x\' OR 1"') == ""


def test_rows_carry_their_reviews(desk: Desk, job: str) -> None:
    desk.history.reviews.add(
        job, [review("b", "wrong", correction="B2", note="no"), review("b", by="ben")]
    )
    rows = desk.rows(job)
    assert [len(row.reviews) for row in rows] == [0, 2, 0, 0]
    first, second = rows[1].reviews
    assert (first.reviewer, first.label, first.has_correction, first.has_note) == (
        "anna", "wrong", True, True,
    )  # fmt: skip
    assert (second.reviewer, second.label, second.has_correction) == ("ben", "right", False)
    detail = desk.history.rows.get(job, 1)
    assert [one.correction for one in detail.reviews] == ["B2", None]


def test_the_last_act_counts_and_an_undo_is_one(desk: Desk, job: str) -> None:
    reviews = desk.history.reviews
    reviews.add(job, [review("a")])
    reviews.add(job, [review("a", "wrong")])
    assert found(desk, job, "review:wrong") == "a"
    reviews.add(job, [review("a", undo=True)])
    assert found(desk, job, "review:right") == "a"
    reviews.add(job, [review("a", "", undo=True)])
    assert found(desk, job, "review:any") == ""
    assert len(list(read_log(reviews.log_file(job)))) == 4, "nothing is taken out of the log"


def test_a_review_belongs_to_the_attempt_that_was_seen(desk: Desk, job: str) -> None:
    seen = batch_of(desk, job)
    reviews = desk.history.reviews
    reviews.add(job, [review("a", "wrong", batch_id=seen, attempt=1), review("b", "wrong")])
    again = desk.batch(job, [0, 1], attempt=2)
    desk.database.write()
    from tui.store.job_records import job_pk
    from tui.store.rows.attempts import archive_attempts

    with desk.database.write() as connection:
        archive_attempts(connection, job_pk(connection, job), [0, 1])
    assert found(desk, job, "review:wrong") == "b", "the first is sent again"
    desk.results(again, [line("a", text="A2"), line("b", text="B2")])
    assert found(desk, job, "review:wrong") == "b", "labels from a file mean any answer"
    assert found(desk, job, "review:none") == "acd"
    assert found(desk, job, "review:earlier") == "a"
    assert [mark.is_current for mark in desk.rows(job)[0].reviews] == [False]
    assert list(reviews.labelled_rows(job, "anna")) == [1]
    summary = reviews.summary(job)
    assert (summary.rows, summary.earlier) == (1, 1)


def test_reviews_of_unknown_rows_stay_in_the_log_alone(desk: Desk, job: str) -> None:
    desk.history.reviews.add(job, [review("zzz"), review("a")])
    assert found(desk, job, "review:any") == "a"
    assert [one.custom_id for one in desk.history.reviews.all(job)] == ["a"]


def test_labels_are_a_column_of_facets(desk: Desk, job: str) -> None:
    rows = desk.history.rows
    reviews = desk.history.reviews
    reviews.add(job, [review("a"), review("b", "wrong"), review("c", batch_id="gone")])

    def counted() -> dict[str, int]:
        (facet,) = rows.facets(job, ["review"])
        return {value.value: value.rows for value in facet.values}

    assert counted() == {"right": 1, "wrong": 1}
    reviews.add(job, [Review(custom_id="a", reviewer="ben", at=2.0, label="wrong")])
    assert counted() == {"wrong": 2}, "the newest label counts, and the facet follows at once"
    assert rows.values(job, ["review"], [0, 3]) == [("wrong",), (None,)]
    assert found(desk, job, "-review:wrong") == "cd"
    reviews.add(job, [review("d", "right")])
    by_label = rows.select(job, order=RowSort(column="review")).seqs
    assert list(by_label) == [3, 0, 1, 2], "rows without a label come last"


def test_figures(desk: Desk, job: str) -> None:
    reviews = desk.history.reviews
    reviews.add(job, [review("a"), review("b", "wrong", correction="x"), review("c", "", note="n")])
    reviews.add(job, [review("a", by="ben"), review("b", by="ben"), review("d", by="ben")])
    found = reviews.summary(job)
    assert (found.rows, found.earlier) == (3, 0)
    assert [(one.reviewer, one.rows, one.labels, one.corrected) for one in found.reviewers] == [
        ("anna", 2, {"right": 1, "wrong": 1}, 1),
        ("ben", 3, {"right": 3}, 0),
    ]
    [both] = found.agreements
    assert (both.reviewers, both.rows, both.same, both.kappa) == (("anna", "ben"), 2, 1, 0.0)


def test_what_a_killed_program_wrote_is_indexed_by_the_next(desk: Desk, job: str) -> None:
    """Killed after the log was written, before the transaction was."""
    reviews = desk.history.reviews
    reviews.add(job, [review("a")])
    append_reviews(reviews.log_file(job), [review("b", "wrong")])
    assert found(desk, job, "review:wrong") == "b"
    append_reviews(reviews.log_file(job), [review("b", "", undo=True)])
    reviews.add(job, [review("c")])
    assert found(desk, job, "review:any") == "ac"


def test_a_torn_line_is_told_by_doctor_and_costs_no_other(desk: Desk, job: str) -> None:
    from tui.store.integrity import check_integrity

    reviews = desk.history.reviews
    reviews.add(job, [review("a")])
    with reviews.log_file(job).open("ab") as stream:
        stream.write(b'{"custom_id":"b","re')
    assert found(desk, job, "review:any") == "a"
    assert any("cut off" in problem for problem in check_integrity(desk.paths).problems)
    reviews.add(job, [review("c")])
    assert found(desk, job, "review:any") == "ac"
    assert any("cannot be read" in problem for problem in check_integrity(desk.paths).problems)


def test_reindex_and_a_lost_database_bring_reviews_back(desk: Desk, job: str) -> None:
    desk.history.batches.update(
        desk.history.batches.of_job(job)[0].id,
        {"status": BatchStatus.COMPLETED, "collected": True, "ended_at": 160.0},
        150.0,
    )
    seen = batch_of(desk, job)
    desk.history.reviews.add(job, [review("a", batch_id=seen), review("b", "wrong", by="ben")])
    with desk.database.write() as connection:
        connection.execute("DELETE FROM reviews")
    desk.history.jobs.reindex(job, rules_of=lambda _: {}, now=200.0)
    assert found(desk, job, "review:right") == "a"
    desk.history.close()
    for path in desk.paths.data.glob("history.db*"):
        path.unlink()
    new = Desk(desk.paths)
    try:
        new.history.jobs.restore(200.0)
        new.history.jobs.reindex(job, rules_of=lambda _: {}, now=200.0, restored=True)
        assert found(new, job, "review:right reviewer:anna") == "a"
        assert found(new, job, "review:wrong") == "b"
    finally:
        new.history.close()


def test_another_log_replaces_the_index(desk: Desk, job: str) -> None:
    """A backup that was put back."""
    reviews = desk.history.reviews
    reviews.add(job, [review("a")])
    shutil.copy(reviews.log_file(job), desk.paths.data / "backup")
    reviews.add(job, [review("b"), review("c")])
    shutil.copy(desk.paths.data / "backup", reviews.log_file(job))
    assert found(desk, job, "review:any") == "a"


def test_a_deleted_job_takes_its_reviews_along(desk: Desk, job: str) -> None:
    reviews = desk.history.reviews
    reviews.add(job, [review("a")])
    path = reviews.log_file(job)
    desk.history.jobs.delete(job)
    assert not path.exists()
    assert desk.database.read.execute("SELECT count(*) FROM reviews").fetchone() == (0,)
    with pytest.raises(UnknownJobError):
        reviews.add(job, [review("a")])


def _review_many(paths: Paths, job: str, name: str, seed: int) -> None:
    """A program of its own that reviews the rows of a job in some order."""
    history = History(paths)
    random_order = random.Random(seed)
    for number in range(60):
        custom_id = random_order.choice("abcd")
        label = random_order.choice(["right", "wrong", ""])
        made = Review(custom_id=custom_id, reviewer=name, at=float(number), label=label)
        history.reviews.add(job, [made])
        if seed == 3 and number == 30:
            os.kill(os.getpid(), signal.SIGKILL)
    history.close()


def test_three_programs_review_one_job_and_one_is_killed(desk: Desk, job: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    names = ("anna", "ben", "anna")
    programs = [
        spawn.Process(target=_review_many, args=(desk.paths, job, name, seed))
        for seed, name in enumerate(names, 1)
    ]
    for program in programs:
        program.start()
    for program in programs:
        program.join(120)
    assert [program.exitcode for program in programs] == [0, 0, -signal.SIGKILL]
    reviews = desk.history.reviews
    log = [one.review for one in read_log(reviews.log_file(job))]
    assert len(log) == 60 + 60 + 31 and None not in log
    expected = current_reviews(one for one in log if one is not None)
    shown = {(one.custom_id, one.reviewer): one for one in reviews.all(job)}
    assert shown == expected


def test_reviewed_rows_are_selected_in_a_history_that_cannot_be_written(
    desk: Desk, job: str
) -> None:
    desk.history.reviews.add(job, [review("a")])
    desk.history.close()
    desk.paths.data.chmod(0o500)
    try:
        history = History(desk.paths)
        rows = RowFilter(reviews=frozenset({"right"}))
        assert list(history.rows.select(job, rows).seqs) == [0]
        history.close()
    finally:
        desk.paths.data.chmod(0o700)
        desk.history = History(desk.paths)


def test_a_correction_of_any_text_is_kept(desk: Desk, job: str) -> None:
    text = "line\u2028\x00\x1b[31m \n" + "x" * 1_000_000
    desk.history.reviews.add(job, [review("a", "wrong", correction=text)])
    [kept] = desk.history.reviews.all(job)
    assert kept.correction == text
    assert msgspec.json.decode(Path(desk.history.reviews.log_file(job)).read_bytes())


@pytest.mark.parametrize("seed", range(5))
def test_the_index_says_what_the_log_says_whatever_happens(desk: Desk, job: str, seed: int) -> None:
    """Acts, acts of killed programs that are not indexed, torn lines and rebuilt indexes."""
    chance = random.Random(seed)
    reviews = desk.history.reviews
    path = reviews.log_file(job)
    for number in range(80):
        made = review(
            chance.choice("abcdx"),
            chance.choice(["right", "wrong", "", "refund"]),
            chance.choice(["anna", "ben"]),
            correction=chance.choice([None, None, "text"]),
            note=chance.choice(["", "", "odd"]),
            undo=number % 7 == 0,
        )
        match chance.randrange(8):
            case 0:
                append_reviews(path, [made])
            case 1:
                with path.open("ab") as stream:
                    stream.write(msgspec.json.encode(made)[: chance.randrange(1, 20)])
            case 2:
                with desk.database.write() as connection:
                    connection.execute("DELETE FROM reviews")
                    connection.execute("DELETE FROM review_logs")
            case _:
                reviews.add(job, [made, made] if number % 5 == 0 else [made])
        log = [one.review for one in read_log(path) if one.review is not None]
        expected = {
            key: one for key, one in current_reviews(log).items() if one.custom_id in "abcd"
        }
        assert {(one.custom_id, one.reviewer): one for one in reviews.all(job)} == expected
        labelled = {one.custom_id for one in expected.values() if one.label}
        assert found(desk, job, "review:any") == "".join(sorted(labelled))
