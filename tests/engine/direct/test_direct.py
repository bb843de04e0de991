"""Rows that are sent one by one: answered, repeated, paced, stopped, gone on with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.servers import sandbox
from tests.engine.direct.conftest import Opener
from tests.engine.direct.counter import ModelServer, written
from tests.stacks import stacks
from tests.waiting import Patience
from tui.core.jobs import BatchStatus, Job
from tui.core.rows import Outcome
from tui.engine.engine import Engine
from tui.errors import KeyRejectedError
from tui.processes import process_name


async def sent(engine: Engine, path: Path, **options: str) -> Job:
    job = await engine.requests.import_file(path, **options)
    return await engine.submit(job.id)


async def ended(engine: Engine, job_id: str) -> Job:
    waiting = asyncio.create_task(engine.wait([job_id]))
    await until(waiting.done, lambda: engine.history.jobs.document(job_id))
    await waiting
    return engine.history.jobs.get(job_id)


async def until(
    condition: Callable[[], object], tell: Callable[[], object] = lambda: "it did not happen"
) -> None:
    patience = Patience(20)
    while not condition():
        assert not patience.is_over, f"{tell()}, in {patience}\n{stacks()}"
        await asyncio.sleep(0.01)


async def test_every_row_gets_its_answer(opened: Opener, tmp_path: Path) -> None:
    texts = ["busy 0", "broken 1", "bad 2", "page 3", "plain 4", "twice 5"]
    texts += [f"fine {number}" for number in range(6, 40)]
    model = ModelServer(seconds=0.01)
    with model.running() as server:
        async with opened(server.url, concurrency=3) as engine:
            job = await sent(engine, written(tmp_path / "rows.jsonl", texts))
            job = await ended(engine, job.id)
            counts = job.counts
            assert job.status is BatchStatus.COMPLETED
            assert (counts.succeeded, counts.failed, counts.pending) == (35, 5, 0)
            assert model.sent["busy 0"] == 2
            assert all(model.sent[text] == 1 for text in texts[1:])
            assert 1 < model.most_under_way <= 3
            rows = engine.history.rows.page(job.id, range(6))
            codes = [row.error.code if row.error else None for row in rows]
            assert codes[:2] == [None, "no_answer"], "a 500 may come from a gateway"
            assert (codes[2], rows[2].error.retryable) == ("model_not_found", False)  # type: ignore[union-attr]
            assert codes[3] == "unreadable_answer"
            assert "teapot" in rows[4].error.message  # type: ignore[union-attr]
            assert rows[5].http_status == 500 and rows[5].error.retryable  # type: ignore[union-attr]
            lines = list(engine.history.rows.lines(job.id, await engine.results.select(job.id)))
            assert lines[10].text == "Answer to fine 10"
            assert lines[10].usage is not None and lines[10].usage.input_tokens == 5

            plan = await engine.retries.plan(job.id)
            assert plan.rows == 4, "all but the wrong model"
            await engine.retry(plan)
            job = await ended(engine, job.id)
            assert job.counts.total == 40 and job.counts.pending == 0
            assert model.sent["broken 1"] == 2 and job.counts.succeeded == 36
            assert engine.history.jobs.document(job.id)["batches"][1]["rows"] == 4


async def test_no_more_than_so_many_a_minute(opened: Opener, tmp_path: Path) -> None:
    model = ModelServer()
    with model.running() as server:
        async with opened(server.url, requests_per_minute=60) as engine:
            job = await sent(engine, written(tmp_path / "rows.jsonl", list("abc")))
            await until(lambda: sum(model.sent.values()) == 1)
            assert model.most_under_way == 1
            await engine.cancel(job.id)
            job = await ended(engine, job.id)
            assert job.counts.pending == 0 and job.counts.cancelled >= 1


async def test_rows_are_shown_as_they_come_and_a_cancel_keeps_them(
    opened: Opener, tmp_path: Path
) -> None:
    model = ModelServer()
    texts = [f"fine {number}" for number in range(10)]
    with model.running() as server:
        async with opened(server.url, concurrency=2) as engine:
            model.held_after = 2
            job = await sent(engine, written(tmp_path / "rows.jsonl", texts))
            await until(lambda: engine.history.jobs.get(job.id).counts.succeeded)
            running = engine.history.jobs.get(job.id)
            assert running.counts.pending and running.status is BatchStatus.IN_PROGRESS
            await engine.cancel(job.id)
            model.held_after = None
            job = await ended(engine, job.id)
            assert job.status is BatchStatus.CANCELLED
            assert job.counts.succeeded + job.counts.cancelled == 10
            assert job.counts.succeeded == sum(model.answered.values())
            again = await engine.retries.plan(job.id)
            assert again.rows == job.counts.cancelled


async def test_a_cancel_ends_what_nobody_sends(opened: Opener, tmp_path: Path) -> None:
    model = ModelServer()
    model.held = True
    with model.running() as server:
        async with opened(server.url, concurrency=1) as engine:
            job = await sent(engine, written(tmp_path / "rows.jsonl", list("abc")))
            await until(lambda: model.under_way)
            closing = asyncio.create_task(engine.close())
            await until(lambda: engine._runner._closing)
            model.held = False
            await closing
        assert sum(model.sent.values()) == 1, "an answer under way is kept, no row follows"
        async with opened(server.url) as engine:
            assert engine.history.jobs.get(job.id).counts.succeeded == 1
            await engine.cancel(job.id)
            counts = engine.history.jobs.get(job.id).counts
            assert (counts.succeeded, counts.cancelled) == (1, 2)
            assert engine.history.jobs.get(job.id).status is BatchStatus.CANCELLED
        assert sum(model.sent.values()) == 1


async def test_a_cancel_does_not_wait_for_ever(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.engine.batches.direct._CANCEL_SECONDS", 0.05)
    model = ModelServer()
    with model.running() as server:
        async with opened(server.url, concurrency=2) as engine:
            job = await sent(engine, written(tmp_path / "rows.jsonl", ["fine 0"]))
            job = await ended(engine, job.id)
            model.held = True
            job = await sent(engine, written(tmp_path / "rows.jsonl", list("abc")))
            await until(lambda: model.under_way)
            await engine.cancel(job.id)
            job = await ended(engine, job.id)
            # Those under way may be answered, and paid.
            assert (job.status, job.counts.cancelled) == (BatchStatus.CANCELLED, 1)
            assert job.counts.failed == 2
            model.held = False


async def test_another_program_can_stop_it(opened: Opener, tmp_path: Path) -> None:
    model = ModelServer()
    model.held_after = 2
    texts = [f"fine {number}" for number in range(60)]
    with model.running() as server:
        async with opened(server.url, concurrency=2) as one, opened(server.url) as other:
            job = await sent(one, written(tmp_path / "rows.jsonl", texts))
            await until(lambda: one.history.jobs.get(job.id).counts.succeeded)
            await other.cancel(job.id)
            await until(lambda: all(run.stop.is_set() for run in one._runner._runs.values()))
            model.held_after = None
            job = await ended(one, job.id)
            assert job.status is BatchStatus.CANCELLED
            assert job.counts.succeeded == sum(model.sent.values()) < 60
            assert job.counts.succeeded + job.counts.cancelled == 60


async def test_a_program_that_goes_on_after_another_took_over_sends_no_row(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after Ctrl+Z, another program, and fg: what was under way is kept, nothing is paid twice.

    Every row is as if the program had been stopped before it.
    """
    monkeypatch.setattr("tui.engine.batches.direct._GUARD_SECONDS", -1.0)
    # Neither is it a save that notices.
    monkeypatch.setattr("tui.engine.batches.direct._SAVE_SECONDS", 3600.0)
    model = ModelServer()
    model.held_after = 4
    with model.running() as server:
        async with opened(server.url, concurrency=2) as engine:
            texts = [f"fine {n}" for n in range(40)]
            job = await sent(engine, written(tmp_path / "rows.jsonl", texts))
            await until(lambda: model.sent.total() == 6 and model.answered.total() == 4)
            (batch,) = engine.history.batches.of_job(job.id)
            with engine.history._database.write() as connection:
                connection.execute("UPDATE batches SET lease_owner=?", (process_name(),))
            output = engine._runner._runs[batch.id].path
            # What the server has sent is here when it is in the file.
            await until(lambda: output.read_bytes().count(b"\n") == 4)
            before = output.read_bytes() + b'{"custom_id": "row-39", "written": "by the other"}\n'
            output.write_bytes(before)
            model.held_after = None
            await until(lambda: not engine._runner.runs(batch.id))
            assert model.sent.total() == 6
            after = output.read_bytes()
            assert after.startswith(before) and after.removeprefix(before).count(b"\n") == 2


async def test_a_server_that_is_not_there_costs_no_row(opened: Opener, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with opened(f"http://127.0.0.1:{port}", concurrency=2) as engine:
        path = written(tmp_path / "rows.jsonl", list("abc"))
        job = await sent(engine, path)
        await until(lambda: engine.history.jobs.get(job.id).trouble)
        job = engine.history.jobs.get(job.id)
        assert "Cannot reach" in job.trouble
        assert job.counts.pending == 3 and not job.counts.failed


async def test_a_wrong_key_stops_the_lane(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ModelServer()
    model.key = "right"
    monkeypatch.setenv("BATCHDECK_KEY_LOCAL", "wrong")
    with model.running() as server:
        async with opened(server.url) as engine:
            job = await sent(engine, written(tmp_path / "rows.jsonl", [f"r{n}" for n in range(9)]))
            with pytest.raises(KeyRejectedError):
                await ended(engine, job.id)
            assert engine.history.jobs.get(job.id).counts.pending == 9
            assert not model.sent
        monkeypatch.setenv("BATCHDECK_KEY_LOCAL", "right")
        async with opened(server.url) as engine:
            assert (await ended(engine, job.id)).counts.succeeded == 9


@pytest.mark.parametrize(
    ("like", "provider"),
    [("openai", "openai"), ("anthropic", "anthropic"), ("doubleword", "doubleword")],
)
async def test_failed_rows_of_a_batch_by_the_direct_lane(
    like: str, provider: str, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_LOCAL", "sk-1")
    # Doubleword asks for a minute after a 429, and gets it.
    busy = 500 if like == "doubleword" else 429
    texts = ["fine", "sandbox:flaky=500", f"sandbox:flaky={busy} b", "sandbox:fail=400"]
    with sandbox(like) as server:
        base = server.url if provider == "anthropic" else f"{server.url}/v1"
        async with opened(server.url, provider=provider, base_url=base) as engine:
            path = written(tmp_path / "rows.jsonl", texts)
            text = path.read_text().replace('"model": "tiny"', '"model": "tiny", "max_tokens": 9')
            path.write_text(text)
            job = await sent(engine, path)
            job = await ended(engine, job.id)
            assert (job.counts.succeeded, job.counts.failed) == (1, 3)
            creates = server.count("POST", "/batches")
            plan = await engine.retries.plan(job.id, direct=True)
            assert plan.account == "local+direct" and plan.rows == 2
            await engine.retry(plan)
            job = await ended(engine, job.id)
            assert job.counts.failed > 1, "a 500 is not sent again by itself"
            await engine.retry(await engine.retries.plan(job.id, direct=True))
            job = await ended(engine, job.id)
            assert (job.counts.succeeded, job.counts.failed) == (3, 1)
            assert server.count("POST", "/batches") == creates
            second = engine.history.rows.get(job.id, 1)
            assert second.row.outcome is Outcome.SUCCEEDED and second.row.attempt == 3
