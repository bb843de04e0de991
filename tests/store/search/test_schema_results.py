"""Verdicts of many rows: found once, kept, and found again when an answer is another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tui.store.search.schema_results as verdicts_module
from tests.engine.bench import Bench
from tests.fakes.loop import JumpingLoop, run
from tests.fakes.provider import good_line
from tui.core.results.schema import AnswerChecker, SchemaError, SchemaResult
from tui.engine.engine import Engine
from tui.errors import InputError
from tui.progress import Progress
from tui.store.job_folder import schema_of, set_schema
from tui.store.search.schema_results import schema_cache_file

STARS = b'{"type": "object", "required": ["stars"]}'
ANSWERS = {"good": '{"stars": 1}', "bad": '{"moons": 1}', "text": "three stars"}


async def done(bench: Bench, engine: Engine, *texts: str) -> str:
    """A job whose answers are those of ``ANSWERS``, or fail."""

    def answer(request: bytes, before: int) -> bytes:
        value = json.loads(request)
        text = value["body"]["messages"][0]["content"]
        return good_line(value["custom_id"], ANSWERS.get(text, ANSWERS["good"]))

    bench.provider.answer = answer
    job = await bench.done(engine, *texts)
    return job.id


def test_bad_answers_are_found_and_not_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Any] = []

    class Counting(AnswerChecker):
        def judge(self, *values: Any, **more: Any) -> Any:
            judged.append(values)
            return super().judge(*values, **more)

    monkeypatch.setattr(verdicts_module, "AnswerChecker", Counting)

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await done(bench, engine, "good", "bad", "text", "good")
            told: list[tuple[int, int | None]] = []
            found = await engine.results.check_schema(
                job, schema=STARS, progress=Progress(lambda *seen: told.append(seen))
            )
            assert list(found.bad) == [1, 2]
            assert found.counts == {
                SchemaResult.FITS: 2,
                SchemaResult.MISFITS: 1,
                SchemaResult.NOT_JSON: 1,
            }
            assert (found.checked, found.pass_rate, found.stopped) == (4, 0.5, False)
            assert told == [(4, 4)] and len(judged) == 4
            again = await engine.results.check_schema(job, [2, 0], STARS)
            assert list(again.bad) == [2] and list(again.each) == [3, 1]
            assert len(judged) == 4
            # Another schema is another check.
            assert (await engine.results.check_schema(job)).counts == {SchemaResult.NOTHING: 4}
            # A retried row has another answer.
            await engine.retry(await engine.retries.plan(job, [1], {"messages.0.content": "good"}))
            await engine.wait([job])
            judged.clear()
            assert list((await engine.results.check_schema(job, schema=STARS)).bad) == [2]
            assert len(judged) == 1
            file = bench.paths.job_folder(job) / schema_cache_file(STARS)
            assert file.stat().st_size == 4 * 8
            file.write_bytes(b"damaged")
            assert list((await engine.results.check_schema(job, schema=STARS)).bad) == [2]
            # Who has a longer file mapped would die if it became shorter.
            file.write_bytes(file.read_bytes() + bytes(1 << 16))
            assert list((await engine.results.check_schema(job, schema=STARS)).bad) == [2]
            assert file.stat().st_size == 4 * 8 + (1 << 16)

    run(test)


def test_a_check_that_is_stopped_says_so(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await done(bench, engine, "good", "bad")
            found = engine.history.rows.check_schemas(
                job, range(2), STARS, progress=Progress(stop=lambda: True)
            )
            assert found.stopped and found.pass_rate is None and not found.each

    run(test)


def test_a_schema_is_given_to_a_job_and_taken_away(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            job = await done(bench, engine, "good", "bad")
            await engine.results.set_schema(job, STARS)
            assert await engine.results.schema_of(job) == STARS
            assert engine.history.rows.get(job, 0).schema == STARS
            assert list((await engine.results.check_schema(job)).bad) == [1]
            assert list((await engine.results.check_schema(job, own=True)).bad) == []
            with pytest.raises(InputError, match="not JSON"):
                await engine.results.set_schema(job, b"{")
            assert schema_of(bench.paths, job) == STARS
            set_schema(bench.paths, job, b"")
            assert schema_of(bench.paths, job) == b""
            with pytest.raises(SchemaError):
                set_schema(bench.paths, job, b"7")
            with pytest.raises(InputError):
                await engine.results.check_schema(job, schema=b"7")
            await engine.remote.delete(job)

    run(test)
