from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.conftest import Opener
from tests.engine.rows import chat, chats, file_of, import_sample, line
from tui.compose.templates.model import Template
from tui.core.jobs import SamplePart
from tui.engine.engine import Engine
from tui.errors import InputError, UsageError
from tui.store.history import History


async def ids(engine: Engine, job_id: str) -> list[str]:
    return [row.custom_id for row in engine.history.rows.page(job_id, range(1000))]


async def test_a_sample_and_the_rest_are_the_file(engine: Engine, tmp_path: Path) -> None:
    path = chats(tmp_path / "reviews.jsonl", 103)
    sample, rest = import_sample(engine, path, 10, account="openai", seed=7)
    assert (sample.name, rest.name) == ("reviews-sample", "reviews")
    assert sample.counts.total == 10 and rest.counts.total == 93
    chosen, others = await ids(engine, sample.id), await ids(engine, rest.id)
    assert sorted(chosen + others) == sorted(f"row-{n}" for n in range(103))
    numbers = [int(name.removeprefix("row-")) for name in chosen]
    # In the order of the file, but neither its head nor evenly spread.
    assert numbers == sorted(numbers) and numbers != list(range(10))
    assert len({after - before for before, after in pairwise(numbers)}) > 2
    whole = (await engine.requests.check(path)).input_tokens
    assert (sample.input_tokens or 0) + (rest.input_tokens or 0) == pytest.approx(whole, abs=2)
    again, _ = import_sample(engine, path, 10, account="openai", seed=7)
    assert await ids(engine, again.id) == chosen
    other, _ = import_sample(engine, path, 10, account="openai", seed=8)
    assert await ids(engine, other.id) != chosen


async def test_the_provider_gets_each_row_once(opened: Opener, tmp_path: Path) -> None:
    path = chats(tmp_path / "reviews.jsonl", 40)
    with sandbox("openai") as server:
        async with opened("openai", server.url) as engine:
            jobs = import_sample(engine, path, 7, seed=3)
            for job in jobs:
                await engine.submit(job.id)
                await engine.wait([job.id])
                assert engine.history.jobs.get(job.id).counts.all_succeeded
            shown = [await ids(engine, job.id) for job in jobs]
            assert [len(each) for each in shown] == [7, 33]
            assert sorted(shown[0] + shown[1]) == sorted(f"row-{n}" for n in range(40))
            # The provider's own books.
            sent: list[str] = []
            async with httpx.AsyncClient(base_url=f"{server.url}/v1") as client:
                batches = (await client.get("/batches")).json()["data"]
                assert sorted(batch["request_counts"]["total"] for batch in batches) == [7, 33]
                for batch in batches:
                    answers = await client.get(f"/files/{batch['output_file_id']}/content")
                    sent += [json.loads(row)["custom_id"] for row in answers.iter_lines()]
            assert Counter(sent) == Counter(f"row-{n}" for n in range(40))


async def composed(engine: Engine, folder: Path) -> Path:
    """A hundred requests from a table: 5 in German, 7 in French, the rest in English."""
    languages = ["de"] * 5 + ["fr"] * 7 + ["en"] * 88
    table = folder / "table.csv"
    table.write_text("lang,text\n" + "".join(f"{lang},t\n" for lang in languages))
    template = Template(user="{text}", model="gpt-5-mini", max_tokens=50)
    return Path((await engine.requests.compose(str(table), template, folder / "t.jsonl")).path)


async def test_shares_of_an_input_column(engine: Engine, tmp_path: Path) -> None:
    path = await composed(engine, tmp_path)
    sample, rest = import_sample(engine, path, 18, seed=1, by="in.lang")
    assert sample.sample == SamplePart(rows=18, of=100, seed=1, by="in.lang")
    assert rest.sample == SamplePart(rows=18, of=100, seed=1, by="in.lang", rest=True)
    assert sample.sample.text == (
        "random sample of 18 of 100 rows, seed 1, equal shares of in.lang"
    )
    values = engine.history.rows.column(sample.id, "in.lang")
    assert Counter(values.texts[code] for code in values.codes) == {"de": 5, "fr": 6, "en": 7}
    left = engine.history.rows.column(rest.id, "in.lang")
    assert Counter(left.texts[code] for code in left.codes) == {"fr": 1, "en": 81}
    document = engine.history.jobs.document(rest.id)["sample"]
    assert document == {"rows": 18, "of": 100, "seed": 1, "by": "in.lang", "rest": True}


async def test_a_lost_history_gets_the_seed_back(engine: Engine, tmp_path: Path) -> None:
    """It stands in the folder of the job."""
    sample, _ = import_sample(engine, chats(tmp_path / "a.jsonl", 9), 4, seed=12)
    await engine.close()
    engine.paths.history_db.unlink()
    history = History(engine.paths)
    try:
        history.jobs.restore(0.0)
        assert history.jobs.get(sample.id).sample == SamplePart(rows=4, of=9, seed=12)
    finally:
        history.close()


async def test_columns_that_cannot_be_sampled_by(engine: Engine, tmp_path: Path) -> None:
    plain = chats(tmp_path / "plain.jsonl", 9)
    with pytest.raises(UsageError, match=r"plain\.jsonl has no input columns"):
        import_sample(engine, plain, 3, by="in.lang")
    path = await composed(engine, tmp_path)
    with pytest.raises(UsageError, match="no input column 'language'") as error:
        import_sample(engine, path, 3, by="in.language")
    assert error.value.hint == "Use one of in.lang, in.text."
    for column in ("@label", "model"):
        with pytest.raises(UsageError, match="is not known before the rows are answered"):
            import_sample(engine, path, 3, by=column)
    path.write_bytes(path.read_bytes() + line(chat("one-more", "t")) + b"\n")
    with pytest.raises(UsageError, match="it was changed after it was composed"):
        import_sample(engine, path, 3, by="in.lang")
    assert engine.history.jobs.list() == []


async def test_a_sample_is_smaller_than_the_file(engine: Engine, tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", 3)
    for rows in (0, 3, 4):
        with pytest.raises(UsageError):
            import_sample(engine, path, rows)
    bad = file_of(tmp_path / "b.jsonl", chat("a", "x"), chat("a", "y"))
    with pytest.raises(InputError):
        import_sample(engine, bad, 1)
    assert engine.history.jobs.list() == []
