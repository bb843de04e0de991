"""A job in a real history whose input column ``label`` holds the true labels."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.store.bench import Desk, line, request
from tests.ui.conftest import BatchdeckPilot, until
from tui.core.jobs import BatchStatus, Counts, Job, new_job_id
from tui.core.rows import ColumnsHeader, Outcome
from tui.paths import Paths
from tui.store.job_records import update_batch
from tui.ui.app import BatchdeckApp

CLASSES = ("refund", "praise", "question", "spam", "退款")


def pairs(rows: int = 200) -> list[tuple[str | None, str | None]]:
    """True labels and answers: most agree; some are empty, spelled otherwise, or not answered."""
    made: list[tuple[str | None, str | None]] = []
    for number in range(rows):
        gold = CLASSES[number % 5]
        answer: str | None = CLASSES[(number // 7) % 5] if number % 6 == 0 else gold
        if number % 31 == 0:
            answer = gold.title()
        made.append((None if number % 23 == 0 else gold, None if number % 41 == 3 else answer))
    return made


def labelled_job(
    paths: Paths, labels: Sequence[tuple[str | None, str | None]] | None = None
) -> str:
    """The job; its rows are ``labels``, and an answer that is missing has failed."""
    desk = Desk(paths)
    try:
        labels = pairs() if labels is None else labels
        job = Job(
            id=new_job_id(),
            name="reviews",
            account="sandbox",
            provider="sandbox",
            endpoint="/v1/chat/completions",
            model="m",
            status=BatchStatus.DRAFT,
            counts=Counts(),
            created_at=100.0,
        )
        ids = [f"r{number:04}" for number in range(len(labels))]
        rows = ((one, request(one, f"Review {one}")) for one in ids)
        columns = (json.dumps([gold, "x"]).encode() for gold, _ in labels)
        head = ColumnsHeader(columns=("label", "text"), rows=len(labels), source="reviews.csv")
        assert desk.history.jobs.add(job, rows, columns=(head, columns)) is not None
        batch = desk.batch(job.id)
        desk.results(
            batch,
            (
                line(one, Outcome.FAILED, "boom")
                if answer is None
                else line(one, text=json.dumps({"label": answer}))
                for one, (_, answer) in zip(ids, labels, strict=True)
            ),
        )
        with desk.database.write() as connection:
            values = {"status": BatchStatus.COMPLETED, "collected": True, "ended_at": 160.0}
            update_batch(connection, batch.id, values)
        return job.id
    finally:
        desk.history.close()


async def rows_shown(pilot: BatchdeckPilot, app: BatchdeckApp) -> None:
    """Open the job under the cursor, once the dashboard has started, and wait for its rows."""
    await until(pilot, lambda: app.session.ready.is_set() and app.main.batches.job)
    await pilot.press("enter")
    await until(pilot, lambda: app.main.results.rows_table.row_count)
