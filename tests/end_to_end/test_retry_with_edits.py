"""Rows that failed in five ways; one group is retried with an edit, at each core system."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import Maker, chat, own_models, params
from tests.end_to_end.servers import sandbox
from tests.waiting import within
from tui.core.jobs import Job
from tui.core.query import RowFilter
from tui.core.requests import edit_request
from tui.core.rows import UNANSWERED, Outcome
from tui.engine.engine import Engine

WORDS = ("fail=400", "fail=401", "fail=404", "fail=429", "fail=500")
MORE = "Answer in one word."


@dataclass(frozen=True)
class System:
    """A system, and where its requests have their text."""

    like: str
    provider: str
    make: Maker
    text_path: str
    rows: int | None = None


SYSTEMS = {
    "melious": System("melious", "melious", chat, "messages.1.content"),
    "doubleword": System("doubleword", "doubleword", chat, "messages.1.content"),
    "anthropic": System("anthropic", "anthropic", params, "messages.0.content"),
    "scaledown": System("scaledown", "scaledown", own_models, "text", rows=1000),
    "scaledown, generation 2": System("scaledown-2", "scaledown", own_models, "text"),
    "tensorzero": System("tensorzero", "tensorzero", chat, "messages.1.content"),
}


def requests(path: Path, make: Maker, rows: int, failing: int) -> dict[str, int]:
    """Write requests of which ``failing`` fail in five ways; returns how many in each."""
    every = rows // failing
    counts = dict.fromkeys(WORDS, 0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            text = f"Say number {number}."
            turn, rest = divmod(number, every)
            if rest == 0 and turn < failing:
                word = WORDS[turn % len(WORDS)]
                counts[word] += 1
                text += f" sandbox:{word}"
            file.write(json.dumps(make(number, text)) + "\n")
    return counts


def payloads(engine: Engine, job_id: str, seqs: list[int]) -> list[dict[str, Any]]:
    """The bodies of rows as they were last sent."""
    lines = [json.loads(line) for _, line in engine.history.rows.newest_requests(job_id, seqs)]
    return [line["body"] for line in lines]


async def ended(engine: Engine, job_id: str) -> Job:
    """The job once it has ended."""
    async with within(300):
        await engine.wait([job_id])
    return engine.history.jobs.get(job_id)


def system_text(body: dict[str, Any]) -> str:
    """The system message, in any format."""
    for name in ("system", "instructions", "instruction", "system_prompt"):
        if name in body:
            return str(body[name])
    return str(body["messages"][0]["content"])


async def whole_story(
    system: System, folder: Path, opened: Opener, rows: int, failing: int
) -> None:
    path = folder / "rows.jsonl"
    words = requests(path, system.make, rows, failing)
    changes = {"limits": {"rows": system.rows}} if system.rows else {}
    with sandbox(system.like, key=KEY) as server:
        async with opened(system.provider, server.url, **changes) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id)
            job = await ended(engine, job.id)
            assert (job.counts.failed, job.counts.succeeded) == (failing, rows - failing)
            groups = engine.history.rows.error_groups(job.id)
            # Melious has two codes for one kind of trouble.
            assert len(groups) >= len(words)
            assert sum(group.count for group in groups) == failing

            # One group, changed so that it can succeed.
            group = groups[0]
            chosen = RowFilter(outcomes=UNANSWERED, error_group=group.id)
            edits = {system.text_path: "Say it.", "@max_tokens": "x2", "@system": MORE}
            plan = await engine.retries.plan(job.id, chosen, edits)
            assert plan.rows == group.count
            seqs = list(plan.seqs)
            rehearsal = await engine.retries.preview(plan, edits)
            assert not rehearsal.problem
            assert system.text_path in [change.path for change in rehearsal.rows[0].changes]
            await engine.retry(plan)
            job = await ended(engine, job.id)
            left = failing - group.count
            assert (job.counts.failed, job.counts.succeeded) == (left, rows - left)
            found = engine.history.rows.page(job.id, seqs)
            assert {(row.outcome, row.attempt) for row in found} == {(Outcome.SUCCEEDED, 2)}
            for body in payloads(engine, job.id, seqs[:30]):
                assert system_text(body).endswith(MORE)
                assert body.get("max_tokens", 100) == 100

            # The merged result: each row once, and with an answer where there is one.
            told: dict[str, str] = {}
            total = 0
            for line in engine.history.rows.lines(job.id, await engine.results.select(job.id)):
                total += 1
                told[line.custom_id] = line.outcome.value
            assert total == len(told) == rows
            assert list(told.values()).count("failed") == left

            # Another group is sent twice: the second time goes on from the first one's changes.
            group = engine.history.rows.error_groups(job.id)[0]
            chosen = RowFilter(outcomes=UNANSWERED, error_group=group.id)
            await engine.retry(await engine.retries.plan(job.id, chosen, {"@system": MORE}))
            job = await ended(engine, job.id)
            plan = await engine.retries.plan(
                job.id, chosen, {system.text_path: "Say it."}, include_permanent=True
            )
            assert plan.rows == group.count
            await engine.retry(plan)
            job = await ended(engine, job.id)
            assert job.counts.failed == left - group.count
            seq = plan.seqs[0]
            detail = engine.history.rows.get(job.id, seq)
            assert [attempt.row.attempt for attempt in detail.attempts] == [4, 3, 1]
            assert detail.attempts[0].edits == {"@first": {"@system": MORE}, **dict(plan.edits)}
            (body,) = payloads(engine, job.id, [seq])
            assert system_text(body).endswith(MORE)
            sent = json.loads(edit_request(detail.request, detail.attempts[0].edits))
            assert sent["body"] == body


@pytest.mark.parametrize("name", SYSTEMS)
async def test_one_error_group_is_retried_with_an_edit(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    await whole_story(SYSTEMS[name], tmp_path, opened, rows=250, failing=25)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["melious", "doubleword", "anthropic", "tensorzero", "scaledown"])
async def test_fifty_thousand_rows_of_which_980_failed(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    await whole_story(SYSTEMS[name], tmp_path, opened, rows=50_000, failing=980)
