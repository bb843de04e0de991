"""Summaries, comparisons and samples, read from a history."""

from __future__ import annotations

import pytest

from tests.store.bench import Desk, line
from tui.core.analysis.comparison import ROW_COMPARISONS, CompareOptions, RowComparison
from tui.core.jobs import RemoteCounts
from tui.core.rows import Outcome
from tui.errors import UsageError
from tui.progress import Progress
from tui.store.job_records import batch_pk
from tui.store.rows import sql_conditions as conditions
from tui.store.rows.comparison import NO_ROW, compare_jobs
from tui.store.rows.summary import add_sample, read_samples


def answered(desk: Desk, answers: dict[str, str], **more: str) -> str:
    job = desk.job(list(answers), **more)
    desk.results(desk.batch(job), [line(id, text=text) for id, text in answers.items()])
    return job


def every_step(told: list[tuple[int, int | None]]) -> Progress:
    return Progress(lambda done, total: told.append((done, total)), seconds=0.0)


def test_a_summary_of_a_job(desk: Desk) -> None:
    job = desk.job(["a", "b", "c", "d"])
    desk.results(
        desk.batch(job),
        [
            line("a", text='{"label": "x"}', prompt_tokens=3, completion_tokens=5),
            line("b", Outcome.TRUNCATED, '{"label": "x"}'),
            line("c", Outcome.FAILED),
        ],
    )
    told: list[tuple[int, int | None]] = []
    made = desk.history.rows.summarize(job, progress=every_step(told))
    assert made.is_whole and told == [(4, 4)]
    assert (made.answered, made.counts.pending, made.input_tokens) == (2, 1, 3)
    assert (made.field, made.labels.items) == ("data.label", (("x", 2),))
    assert dict(made.finish.items) == {"length": 1, "stop": 1}


def test_a_stopped_summary_tells_how_far_it_got(desk: Desk) -> None:
    job = desk.job([str(number) for number in range(1200)])
    made = desk.history.rows.summarize(job, progress=Progress(stop=lambda: True))
    assert (made.rows, made.is_whole) == (500, False)


def test_jobs_are_compared_by_id_in_whatever_order(desk: Desk) -> None:
    left = answered(desk, {"b": "1", "a": "same", "é": "2", "z": "x"}, name="left")
    right = answered(desk, {"é": "3", "a": "same", "c": "4", "𝕏": "5", "b": "1 "}, name="right")
    found = desk.history.rows.compare([left, right])
    rows = zip(found.kinds, *found.seqs, strict=True)
    assert [(ROW_COMPARISONS[kind], ours, theirs) for kind, ours, theirs in rows] == [
        (RowComparison.SAME, 1, 1),
        (RowComparison.DIFFERENT, 0, 4),
        (RowComparison.ONLY_RIGHT, NO_ROW, 2),
        (RowComparison.ONLY_LEFT, 3, NO_ROW),
        (RowComparison.DIFFERENT, 2, 0),
        (RowComparison.ONLY_RIGHT, NO_ROW, 3),
    ]
    assert list(found.places[RowComparison.DIFFERENT]) == [1, 4]
    assert (found.left.rows, found.right.rows, found.is_same) == (4, 5, False)
    spaced = desk.history.rows.compare([left, right], CompareOptions(ignore_space=True))
    assert spaced.count(RowComparison.SAME) == 2


def test_equal_jobs_are_the_same(desk: Desk) -> None:
    answers = {f"r{n}": f'{{"n": {n}}}' for n in range(1100)}
    left, right = answered(desk, answers, name="l"), answered(desk, answers, name="r")
    told: list[tuple[int, int | None]] = []
    found = desk.history.rows.compare([left, right], progress=every_step(told))
    assert found.is_same and len(found) == 1100
    assert found.left.pass_rate == 1.0
    assert told == [(0, 2200), (1000, 2200), (2000, 2200), (2200, 2200)]


def test_another_test_of_answers_can_be_given(desk: Desk) -> None:
    left = answered(desk, {"a": "12", "b": "x"}, name="l")
    right = answered(desk, {"a": "12", "b": "3"}, name="r")
    found = compare_jobs([desk.data(left), desk.data(right)], passes=lambda row: row.text.isdigit())
    assert (found.left.pass_rate, found.right.pass_rate) == (0.5, 1.0)


def test_a_stopped_comparison_is_no_proof(desk: Desk) -> None:
    answers = {f"r{n}": "x" for n in range(1500)}
    left, right = answered(desk, answers, name="l"), answered(desk, answers, name="r")
    found = desk.history.rows.compare([left, right], progress=Progress(stop=lambda: True))
    assert found.stopped and not found.is_same
    assert len(found) == 500


def test_a_comparison_can_be_stopped_while_its_ids_are_put_in_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {f"r{n}": "x" for n in range(1500)}
    left, right = answered(desk, answers, name="l"), answered(desk, answers, name="r")
    monkeypatch.setattr(conditions, "_STEPS_PER_STOP", 10)
    found = desk.history.rows.compare([left, right], progress=Progress(stop=lambda: True))
    # Nothing is called missing on a side of which nothing was read.
    assert found.stopped and len(found) == 0


def test_a_comparison_tells_what_there_is_to_read_at_once(desk: Desk) -> None:
    left, right = answered(desk, {"a": "1"}), answered(desk, {"a": "1", "b": "2"})
    told: list[tuple[int, int | None]] = []
    desk.history.rows.compare([left, right], progress=every_step(told))
    assert (told[0], told[-1]) == ((0, 3), (3, 3))


def test_a_job_is_not_compared_with_itself(desk: Desk) -> None:
    job = desk.job(["a"])
    with pytest.raises(UsageError, match="itself"):
        desk.history.rows.compare([job, job])


def test_samples_are_few_and_keep_both_ends(desk: Desk) -> None:
    job = desk.job(["a"])
    batch = desk.batch(job)
    with desk.database.write() as connection:
        pk, _ = batch_pk(connection, batch.id)
        add_sample(connection, pk, 1.0, RemoteCounts())
        for number in range(1000):
            counts = RemoteCounts(total=1000, completed=number, failed=0)
            add_sample(connection, pk, 10.0 + number, counts)
            add_sample(connection, pk, 10.5 + number, counts)
    samples = read_samples(desk.data(job))
    assert samples[0] == (10.0, 0) and samples[-1] == (1009.0, 999)
    assert 100 < len(samples) <= 241
    assert samples == sorted(samples)


def test_parts_of_a_job_are_added_up(desk: Desk) -> None:
    job = desk.job(["a", "b"])
    first, second = desk.batch(job), desk.batch(job)
    with desk.database.write() as connection:
        for at, batch, done in ((1.0, first, 3), (2.0, second, 4), (3.0, first, 5)):
            pk, _ = batch_pk(connection, batch.id)
            add_sample(connection, pk, at, RemoteCounts(completed=done, failed=0))
    assert read_samples(desk.data(job)) == [(1.0, 3), (2.0, 7), (3.0, 9)]
