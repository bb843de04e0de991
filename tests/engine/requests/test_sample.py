from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.engine.rows import chat, chats, file_of, import_sample
from tui.engine.engine import Engine
from tui.errors import InputError, UsageError


async def ids(engine: Engine, job_id: str) -> list[str]:
    return [row.custom_id for row in engine.history.rows.page(job_id, range(1000))]


async def test_a_sample_and_the_rest_are_the_file(engine: Engine, tmp_path: Path) -> None:
    path = chats(tmp_path / "reviews.jsonl", 103)
    sample, rest = import_sample(engine, path, 10, account="openai")
    assert (sample.name, rest.name) == ("reviews-sample", "reviews")
    assert sample.counts.total == 10 and rest.counts.total == 93
    chosen, others = await ids(engine, sample.id), await ids(engine, rest.id)
    assert sorted(chosen + others) == sorted(f"row-{n}" for n in range(103))
    numbers = [int(name.removeprefix("row-")) for name in chosen]
    gaps = {after - before for before, after in pairwise(numbers)}
    assert numbers[0] == 0 and gaps <= {10, 11}
    whole = (await engine.requests.check(path)).input_tokens
    assert (sample.input_tokens or 0) + (rest.input_tokens or 0) == pytest.approx(whole, abs=2)
    sent = await engine.submit(import_sample(engine, path, 3)[0].id)
    await engine.wait([sent.id])
    assert engine.history.jobs.get(sent.id).counts.succeeded == 3


async def test_a_sample_is_smaller_than_the_file(engine: Engine, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 3)
    for rows in (0, 3, 4):
        with pytest.raises(UsageError):
            import_sample(engine, path, rows)
    bad = file_of(tmp_path / "b.jsonl", chat("a", "x"), chat("a", "y"))
    with pytest.raises(InputError):
        import_sample(engine, bad, 1)
    assert engine.history.jobs.list() == []
