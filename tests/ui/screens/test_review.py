"""Reviewing answers one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from textual.widgets import TextArea

from tests.store.bench import Desk
from tests.ui.conftest import notes, running, screen_text, until
from tests.ui.jobs_with_answers import add_job
from tui.config.settings import Config, ReviewConfig
from tui.core.reviews.review import Review
from tui.paths import Paths
from tui.store.reviews.log import read_log
from tui.ui.app import BatchdeckApp
from tui.ui.screens.review import ReviewScreen

HOSTILE = "[bold]x[/] \x1b[31m\x07 \u202e end"


def a_job(paths: Paths, answers: dict[str, str | None]) -> str:
    desk = Desk(paths)
    try:
        return add_job(desk, "letters", answers)
    finally:
        desk.history.close()


def plain_job(paths: Paths, rows: int = 6) -> str:
    return a_job(paths, {f"r{n}": f"answer {n}" for n in range(rows)})


def app_of(paths: Paths, *labels: str, name: str = "anna") -> BatchdeckApp:
    config = Config(review=ReviewConfig(name=name, labels=labels))

    async def open_engine() -> Any:
        from tui.engine.engine import Engine

        return await Engine.open(paths, config)

    return BatchdeckApp(paths, config, open_engine)


def reviewing(app: BatchdeckApp) -> ReviewScreen:
    screen = app.screen
    assert isinstance(screen, ReviewScreen), screen
    return screen


def shown(app: BatchdeckApp) -> str:
    detail = app.screen.detail if isinstance(app.screen, ReviewScreen) else None
    return "" if detail is None else detail.row.custom_id


async def start(app: BatchdeckApp, pilot: Any, *keys: str) -> None:
    """Open the job, and its review."""
    await until(pilot, lambda: app.main.batches.job)
    await pilot.press("enter")
    await until(pilot, lambda: app.main.results.rows_table.row_count)
    await pilot.press(*keys, "V")
    await until(pilot, lambda: app.screen.query("#review-sample"))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and shown(app))


def kept(app: BatchdeckApp, job: str) -> dict[str, str]:
    assert app.engine is not None
    return {each.custom_id: each.label for each in app.engine.history.reviews.all(job)}


async def test_one_key_for_each_verdict(paths: Paths) -> None:
    job = plain_job(paths)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot)
        assert shown(app) == "r0" and "answer 0" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: shown(app) == "r1")
        assert kept(app, job) == {"r0": "right"}
        await pilot.press("n", "s", "space", "y")
        await until(pilot, lambda: shown(app) == "r5")
        assert kept(app, job) == {"r0": "right", "r1": "wrong", "r4": "right"}
        assert "3 done" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: shown(app) == "r2")
        assert any("2 skipped rows" in note for note in notes(app))
        await pilot.press("y", "y")
        await until(pilot, lambda: any("All done" in note for note in notes(app)))
        assert len(kept(app, job)) == 6
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert any("6 rows of 6 reviewed" in note for note in notes(app))


async def test_own_labels_have_digits(paths: Paths) -> None:
    job = plain_job(paths)
    app = app_of(paths, "refund", "other")
    async with running(app) as pilot:
        await start(app, pilot)
        assert "1 refund  2 other" in screen_text(app)
        await pilot.press("y", "3", "2", "1")
        await until(pilot, lambda: shown(app) == "r2")
        assert kept(app, job) == {"r0": "other", "r1": "refund"}


async def test_nine_labels_are_all_there_in_80_columns(paths: Paths) -> None:
    plain_job(paths)
    labels = [f"a rather long label {n}" for n in range(1, 8)]
    app = app_of(paths, "refund", *labels, "other")
    async with running(app) as pilot:
        await start(app, pilot)
        await until(pilot, lambda: "9 other" in screen_text(app))
        lines = screen_text(app).splitlines()[1:3]
        assert all(f"{n} a rather" in "".join(lines) for n in range(2, 9)), lines
        await pilot.press("9")
        await until(pilot, lambda: shown(app) == "r1")


async def test_undo_steps_back_through_the_session(paths: Paths) -> None:
    job = plain_job(paths)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot)
        await pilot.press("y", "n")
        await until(pilot, lambda: shown(app) == "r2")
        await pilot.press("u")
        await until(pilot, lambda: shown(app) == "r1")
        assert kept(app, job) == {"r0": "right"}
        await pilot.press("u", "u")
        await until(pilot, lambda: any("Nothing to undo" in note for note in notes(app)))
        assert shown(app) == "r0" and kept(app, job) == {}
        assert app.engine is not None
        log = list(read_log(app.engine.history.reviews.log_file(job)))
        assert len(log) == 4, "an undo is a line too"
        await pilot.press("p")
        assert shown(app) == "r0"


async def test_a_review_goes_on_where_it_stopped(paths: Paths) -> None:
    job = plain_job(paths)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot)
        await pilot.press("y", "s", "y")
        await until(pilot, lambda: shown(app) == "r3")
    again = app_of(paths)
    async with running(again) as pilot:
        await start(again, pilot)
        assert shown(again) == "r1" and kept(again, job) == {"r0": "right", "r2": "right"}
        await pilot.press("p")
        await until(pilot, lambda: shown(again) == "r0")
        assert "[✓ right]" in screen_text(again), "what was said stands beside the keys"


async def test_an_answer_is_corrected(paths: Paths) -> None:
    job = plain_job(paths)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot)
        await pilot.press("e")
        await until(pilot, lambda: app.screen.query(TextArea))
        await pilot.press("end", "!", "ctrl+s")
        await until(pilot, lambda: shown(app) == "r1")
        assert app.engine is not None
        [review] = app.engine.history.reviews.all(job)
        assert (review.label, review.correction) == ("wrong", "answer 0!")
        await pilot.press("p")
        await until(pilot, lambda: "Corrected by anna" in screen_text(app))
        assert "answer 0!" in screen_text(app) and "corrected" in screen_text(app)


async def test_json_is_checked_by_the_schema_of_the_job(paths: Paths) -> None:
    job = a_job(paths, {"r0": json.dumps({"label": "a"}), "r1": "x"})
    schema = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}}
    app = app_of(paths)
    async with running(app) as pilot:
        assert app.engine is not None
        app.engine.history.jobs.set_schema(job, json.dumps(schema).encode())
        await start(app, pilot)
        await pilot.press("e")
        await until(pilot, lambda: app.screen.query(TextArea))
        area = app.screen.query_one(TextArea)
        area.text = '{"label": "c"}'
        await until(pilot, lambda: '"c" is not one of' in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "again saves it anyway" in screen_text(app))
        area.text = '{"label": "b"}'
        await pilot.press("ctrl+s")
        await until(pilot, lambda: shown(app) == "r1")
        [review] = app.engine.history.reviews.all(job)
        assert review.correction == '{"label": "b"}'


async def test_a_note_stays_on_the_row(paths: Paths) -> None:
    job = plain_job(paths)
    app = app_of(paths, "refund")
    async with running(app) as pilot:
        await start(app, pilot)
        await pilot.press("t")
        await until(pilot, lambda: app.screen.query("#ask"))
        await pilot.press(*"odd", "enter")
        await until(pilot, lambda: "note: odd" in screen_text(app))
        assert shown(app) == "r0"
        await pilot.press("1")
        await until(pilot, lambda: shown(app) == "r1")
        assert app.engine is not None
        [review] = app.engine.history.reviews.all(job)
        assert (review.label, review.note) == ("refund", "odd")


async def test_hostile_answers_and_rows_without_one(paths: Paths) -> None:
    answers: dict[str, str | None] = {"bad": None, "markup": HOSTILE, "big": "x" * 10_000_000}
    answers["last"] = "fine"
    job = a_job(paths, answers)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot)
        assert shown(app) == "markup" and "1 no answer" in screen_text(app)
        text = screen_text(app)
        assert "[bold]x[/] \\x1b[31m" in text and "\x1b" not in text
        await pilot.press("p")
        await until(pilot, lambda: "No answer to review: s goes on" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: any("has no answer" in note for note in notes(app)))
        assert kept(app, job) == {}
        await pilot.press("s", "n")
        await until(pilot, lambda: shown(app) == "big")
        await pilot.press("e")
        await until(pilot, lambda: any("too long to edit" in note for note in notes(app)))
        await pilot.press("y")
        await until(pilot, lambda: shown(app) == "last")
        assert kept(app, job) == {"markup": "wrong", "big": "right"}


async def test_another_reviewer_is_not_seen_but_the_agreement_is(paths: Paths) -> None:
    job = plain_job(paths, 4)
    app = app_of(paths)
    async with running(app, (120, 36)) as pilot:
        assert app.engine is not None
        labels = ("right", "right", "wrong", "wrong")
        app.engine.history.reviews.add(
            job,
            [
                Review(custom_id=f"r{n}", reviewer="ben", at=1, label=label, note="hidden")
                for n, label in enumerate(labels)
            ],
        )
        await start(app, pilot)
        assert "hidden" not in screen_text(app) and "ben" not in screen_text(app)
        await pilot.press("y", "n", "n")
        await until(pilot, lambda: "67% of 3 as ben, kappa 0.40" in screen_text(app))


async def test_marked_rows_and_a_sample(paths: Paths) -> None:
    plain_job(paths, 30)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot, "j", "space", "j", "space")
        assert shown(app) == "r1" and "1 of 2" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        app.main.results.clear_marks()
        await pilot.press("V")
        await until(pilot, lambda: app.screen.query("#review-sample"))
        await pilot.press("5", "down", *"nothing")
        await until(pilot, lambda: "unknown column" in screen_text(app))
        await pilot.press("ctrl+u", *"model", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and shown(app))
        assert "1 of 5" in screen_text(app)


async def test_results_show_what_was_said(paths: Paths) -> None:
    plain_job(paths, 3)
    app = app_of(paths)
    async with running(app, (140, 40)) as pilot:
        app.session.state.looks = {}
        await start(app, pilot)
        await pilot.press("y", "n", "escape")
        await until(pilot, lambda: app.screen is app.main)
        app.main.results.rows_table.choose_columns(["custom_id", "review", "preview"])
        await until(pilot, lambda: "✓ right" in screen_text(app))
        assert "✗ wrong" in screen_text(app)
        await pilot.press("slash", *"review:wrong", "enter")
        await until(pilot, lambda: app.main.results.rows_table.row_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: "wrong (anna)" in screen_text(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_prompt_and_answer_are_both_there(paths: Paths, size: tuple[int, int]) -> None:
    plain_job(paths)
    app = app_of(paths)
    async with running(app, size) as pilot:
        await start(app, pilot)
        view = reviewing(app).view
        request, answer = view.query_one("#row-request"), view.query_one("#row-answer")
        assert min(request.size.height, answer.size.height) >= 5
        assert (request.region.y == answer.region.y) == (size[0] >= 100)


async def test_a_disk_that_is_full_keeps_the_row(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.errors import HistoryError

    job = plain_job(paths)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot)

        def full(*_: object) -> None:
            raise HistoryError("reviews.jsonl cannot be written: No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("tui.store.reviews.stored_reviews.append_reviews", full)
            await pilot.press("y")
            await until(pilot, lambda: "No space left" in screen_text(app))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        assert shown(app) == "r0"
        await pilot.press("y")
        await until(pilot, lambda: shown(app) == "r1")
        assert kept(app, job) == {"r0": "right"}


async def test_a_job_that_is_deleted_meanwhile_ends_the_review(paths: Paths) -> None:
    job = plain_job(paths)
    app = app_of(paths)
    async with running(app) as pilot:
        await start(app, pilot)
        assert app.engine is not None
        app.engine.history.jobs.delete(job)
        await pilot.press("y")
        await until(pilot, lambda: app.screen is app.main)
        assert any("deleted elsewhere" in note for note in notes(app))


async def test_an_undo_brings_back_the_review_of_an_earlier_attempt(paths: Paths) -> None:
    job = plain_job(paths, 2)
    app = app_of(paths)
    async with running(app) as pilot:
        assert app.engine is not None
        earlier = Review(
            custom_id="r0", reviewer="anna", at=1, label="wrong", batch_id="before", attempt=1
        )
        app.engine.history.reviews.add(job, [earlier])
        await start(app, pilot)
        assert shown(app) == "r0" and "reviewed an earlier attempt" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: shown(app) == "r1")
        await pilot.press("u")
        await until(pilot, lambda: shown(app) == "r0")
        [review] = app.engine.history.reviews.all(job)
        assert (review.label, review.batch_id, review.undo) == ("wrong", "before", True)
        assert "0 done" in screen_text(app)
