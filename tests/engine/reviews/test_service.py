"""Reviews on a real engine: queues, acts, and labels from files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.store.bench import Desk
from tests.ui.jobs_with_answers import add_job
from tui.compose.sources.open import open_source
from tui.config.settings import Config, ReviewConfig
from tui.core.query import RowFilter
from tui.core.reviews.review import Review
from tui.engine.engine import Engine
from tui.engine.reviews.queue import ReviewQueue
from tui.errors import InputError, UsageError
from tui.paths import Paths

LABELS = {"a": "x", "b": "x", "c": "y", "d": None, "e": "x", "f": "z"}


@pytest.fixture
def job(paths: Paths) -> str:
    desk = Desk(paths)
    try:
        return add_job(
            desk,
            "letters",
            {
                id: None if label is None else json.dumps({"label": label})
                for id, label in LABELS.items()
            },
        )
    finally:
        desk.history.close()


@pytest.fixture
async def engine(paths: Paths, job: str) -> AsyncIterator[Engine]:
    config = Config(review=ReviewConfig(name="anna"))
    engine = await Engine.open(paths, config)
    try:
        yield engine
    finally:
        await engine.close()


async def queue_of(engine: Engine, job: str, *rows: Any, **options: Any) -> ReviewQueue:
    made = await engine.reviews.queue(job, *rows, **options)
    assert made is not None
    return made


async def test_a_queue_over_a_filter_resumes(engine: Engine, job: str) -> None:
    queue = await queue_of(engine, job)
    assert list(queue.seqs) == [0, 1, 2, 3, 4, 5]
    assert (queue.reviewer, queue.open, queue.without_answer) == ("anna", 5, 1)
    detail = engine.history.rows.get(job, 0)
    await engine.reviews.store(job, engine.reviews.make(detail, "anna", label="RIGHT"))
    again = await queue_of(engine, job)
    assert again.next_open() == 1 and again.done == 1
    assert (await queue_of(engine, job, reviewer="ben")).next_open() == 0
    failed = await queue_of(engine, job, RowFilter.errors_only())
    assert (len(failed), failed.next_open()) == (1, None)
    marked = await queue_of(engine, job, [4, 2, 0])
    assert list(marked.seqs) == [4, 2, 0] and marked.next_open() == 0


async def test_a_sample_has_rows_with_an_answer_alone(engine: Engine, job: str) -> None:
    queue = await queue_of(engine, job, sample=50, seed=3)
    assert sorted(queue.seqs) == [0, 1, 2, 4, 5]
    three = await queue_of(engine, job, sample=3, seed=3, by="@label")
    assert len(three) == 3
    assert {stratum.value: stratum.chosen for stratum in three.strata} == {"x": 1, "y": 1, "z": 1}
    by_model = await queue_of(engine, job, sample=3, by="model")
    assert [(s.value, s.rows, s.chosen) for s in by_model.strata] == [("m", 5, 3)]
    for by, missing in (("nothing", "unknown column"), ("@", "unknown column")):
        with pytest.raises(UsageError, match=missing):
            await engine.reviews.queue(job, sample=3, by=by)
    with pytest.raises(UsageError, match="needs the size"):
        await engine.reviews.queue(job, by="model")


async def test_an_act_is_undone(engine: Engine, job: str) -> None:
    detail = engine.history.rows.get(job, 0)
    first = engine.reviews.make(detail, "anna", label="right", note="\ud800")
    await engine.reviews.store(job, first)
    second = engine.reviews.make(detail, "anna", label="wrong", correction="{}")
    await engine.reviews.store(job, second)
    await engine.reviews.store(job, engine.reviews.undone(second, first))
    [kept] = engine.history.reviews.all(job)
    assert (kept.label, kept.correction, kept.note, kept.undo) == ("right", None, "?", True)
    await engine.reviews.store(job, engine.reviews.undone(first, None))
    assert list(engine.history.reviews.all(job)) == []


async def test_a_row_without_an_answer_cannot_be_reviewed(engine: Engine, job: str) -> None:
    with pytest.raises(UsageError, match="no answer"):
        engine.reviews.make(engine.history.rows.get(job, 3), "anna", label="right")


async def test_labels_come_from_a_file(engine: Engine, job: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "Custom_ID,Label,Correction,Note,Reviewer\n"
        'a,RIGHT,,,\nb,wrong,"{""label"": ""y""}",odd,Ben\nc,,,,\nzz,right,,,\nd,right,,,\n'
        "e,none,,,\nf,refund,,,\n"
    )
    engine.reviews.config = ReviewConfig(name="anna", labels=("Refund",))
    found = await engine.reviews.import_table(job, open_source(str(path)))
    assert (found.lines, found.stored, found.empty, found.unknown) == (7, 3, 1, 1)
    assert (found.unanswered, found.invalid) == (1, 1)
    assert found.examples[:2] == ["zz", "d"] and "review:none" in found.examples[2]
    kept = {(one.custom_id, one.reviewer): one for one in engine.history.reviews.all(job)}
    assert {key: one.label for key, one in kept.items()} == {
        ("a", "anna"): "right", ("b", "Ben"): "wrong", ("f", "anna"): "Refund",
    }  # fmt: skip
    assert kept["b", "Ben"].correction == '{"label": "y"}'
    assert kept["a", "anna"].batch_id == engine.history.rows.page(job, [0])[0].batch_id
    again = await engine.reviews.import_table(job, open_source(str(path)))
    assert (again.stored, again.unchanged) == (0, 3)


@pytest.mark.parametrize("text", ["id,text\na,b\n", "label,note\nx,y\n"])
async def test_a_file_without_the_columns(
    engine: Engine, job: str, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="needs the column custom_id"):
        await engine.reviews.import_table(job, open_source(str(path)))


async def test_the_reviewer_is_the_user_unless_configured(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine.reviews.reviewer == "anna" and engine.reviews.labels == ("right", "wrong")
    engine.reviews.config = ReviewConfig()
    monkeypatch.setattr("getpass.getuser", lambda: "ben")
    assert engine.reviews.reviewer == "ben"

    def nobody() -> str:
        raise KeyError("uid not found: 1000")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert engine.reviews.reviewer == "me"


async def test_a_job_with_reviews_is_not_deleted_by_accident(engine: Engine, job: str) -> None:
    engine.history.reviews.add(job, [Review(custom_id="a", reviewer="anna", at=1, label="x")])
    assert engine.remote.losses(job) == ["1 review written by hand would be deleted too."]
    with pytest.raises(UsageError, match="1 review written by hand") as refused:
        await engine.remote.delete(job)
    assert "Export them first" in refused.value.hint
    await engine.remote.delete(job, forget=True)
    assert not engine.history.reviews.log_file(job).exists()


async def test_a_review_of_any_attempt_counts_as_done(engine: Engine, job: str) -> None:
    engine.history.reviews.add(job, [Review(custom_id="a", reviewer="anna", at=1, label="x")])
    assert (await queue_of(engine, job)).done == 1
