"""Each distinct request is sent once to each of the core systems, and every row has its answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import Maker, text_of
from tests.end_to_end.servers import sandbox
from tests.end_to_end.test_full_loop import SYSTEMS, ended
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome
from tui.core.send_plans import ReuseOptions, Saving

DISTINCT, ROWS = 20, 100
"""Row number N asks for what row N % 20 asks for."""


def repeated(path: Path, make: Maker) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            of = number % DISTINCT
            request = make(of, text_of(of))
            request[next(key for key in ("custom_id", "key") if key in request)] = f"row-{number}"
            file.write(json.dumps(request) + "\n")
    return path


@pytest.mark.parametrize(
    "name",
    [name for name in SYSTEMS if "split" not in name and "generation 2" not in name],
)
async def test_repeats_are_sent_once(name: str, tmp_path: Path, opened: Opener) -> None:
    system = SYSTEMS[name]
    path = repeated(tmp_path / "rows.jsonl", system.make)
    with sandbox(system.like, key=KEY) as server:
        async with opened(system.provider, server.url, **system.changes) as engine:
            history = engine.history
            scan = await engine.requests.scan(path)
            assert scan.report.repeats == ROWS - DISTINCT
            job = await engine.requests.import_file(path)
            await engine.submit(job.id, saving=Saving(dedupe=True))
            job = await ended(engine, job.id)
            assert job.status is BatchStatus.COMPLETED
            (batch,) = history.batches.of_job(job.id)
            assert (batch.rows, batch.repeats) == (DISTINCT, ROWS - DISTINCT)
            # Each of the words stands in one of twenty requests: in five of the hundred rows.
            assert (job.counts.failed, job.counts.truncated, job.counts.refused) == (15, 5, 5)

            plan = await engine.retries.plan(job.id)
            assert (plan.rows, len(plan.repeats)) == (2, 8)
            await engine.retry(plan)
            job = await ended(engine, job.id)
            assert job.counts.failed == 5
            assert job.counts.pending == job.counts.missing == 0
            assert server.count("POST", system.create) == 2
            again = history.batches.of_job(job.id)[1]
            assert (again.rows, again.repeats) == (2, 8)

            lines = list(history.rows.lines(job.id, await engine.results.select(job.id)))
            assert [line.custom_id for line in lines] == [f"row-{n}" for n in range(ROWS)]
            for number, line in enumerate(lines):
                first = lines[number % DISTINCT]
                assert (line.outcome, line.text, line.data, line.attempt) == (
                    first.outcome,
                    first.text,
                    first.data,
                    first.attempt,
                )
                if number >= DISTINCT:
                    assert line.usage.input_tokens is None and not line.cost
                elif line.outcome is Outcome.SUCCEEDED and line.usage.output_tokens is not None:
                    assert line.usage.output_tokens > 0
            strays = history.rows.orphan_lines(job.id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)
            shown = history.rows.get(job.id, 47).attempts[0]
            assert (shown.same_as, shown.shared_with) == ("row-7", 0)
            assert history.rows.get(job.id, 7).attempts[0].shared_with == 4


@pytest.mark.parametrize("name", ["openai", "gemini", "fireworks"])
async def test_good_answers_are_reused_whatever_the_ids_are(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    system = SYSTEMS[name]
    path = tmp_path / "rows.jsonl"
    ids = [f"Zeile {n}: »ä« " + "x" * 30 for n in range(6)]
    with path.open("w", encoding="utf-8") as file:
        for number, custom_id in enumerate(ids):
            request = {**system.make(number % 3, f"text {number % 3}"), "custom_id": custom_id}
            file.write(json.dumps(request) + "\n")
    with sandbox(system.like, key=KEY) as server:
        async with opened(system.provider, server.url, **system.changes) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id, saving=Saving(dedupe=True))
            job = await ended(engine, job.id)
            assert job.counts.succeeded == 6
            later = await engine.requests.import_file(path, name="later")
            later = await engine.submit(later.id, saving=Saving(reuse=ReuseOptions()))
            assert later.counts.succeeded == 6
            assert server.count("POST", system.create) == 1
            rows = engine.history.rows
            lines = list(rows.lines(later.id, rows.select(later.id)))
            assert [line.custom_id for line in lines] == ids
