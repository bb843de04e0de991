"""Answers of earlier jobs are used for equal requests; only the others are sent."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.batches.test_repeats import answers, sent
from tests.engine.bench import Bench, adds_up, home_in_memory, outcomes, timeline, write_requests
from tests.fakes.loop import JumpingLoop, run
from tui.config.settings import AccountConfig, Config
from tui.core.jobs import BatchStatus, Job
from tui.core.rows import Outcome
from tui.core.send_plans import ReuseOptions, Saving
from tui.engine.engine import Engine
from tui.errors import HistoryError, RequestRejectedError, UsageError
from tui.store.history import origin_of
from tui.store.reuse.index import RequestIndex

GOOD, BAD = Outcome.SUCCEEDED, Outcome.FAILED
ANY = ReuseOptions()


async def reused(
    bench: Bench, engine: Engine, *texts: str, options: ReuseOptions = ANY, dedupe: bool = False
) -> Job:
    job = await bench.imported(engine, *texts)
    await engine.submit(job.id, saving=Saving(dedupe, options))
    await engine.wait([job.id])
    return engine.history.jobs.get(job.id)


def test_only_requests_without_an_answer_are_sent(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            first = await bench.done(engine, "a", "b", "c")
            job = await reused(bench, engine, "b", "x", "a", "b")
            assert sent(bench) == [["r0", "r1", "r2"], ["r1"]]
            assert job.status is BatchStatus.COMPLETED
            assert outcomes(engine, job.id) == [GOOD] * 4
            adds_up(engine, job.id)
            assert answers(engine, job.id) == [
                f"answer to {row}" for row in ("r1", "r1", "r0", "r1")
            ]
            line = engine.history.rows.get(job.id, 2).attempts[0].line
            assert origin_of(line) == {"job": first.id, "name": first.name, "custom_id": "r0"}
            old, new = engine.history.batches.of_job(job.id)
            assert (old.reuses, old.rows, old.collected) == (True, 3, True)
            assert (new.reuses, new.rows) == (False, 1)
            assert any("Reused 3 answers" in entry for entry in timeline(engine, job.id))

    run(test)


def test_a_job_whose_answers_are_all_there_sends_nothing(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a", "b")
            job = await bench.imported(engine, "b", "a")
            job = await engine.submit(job.id, saving=Saving(reuse=ANY))
            assert (job.status, len(bench.provider.batches)) == (BatchStatus.COMPLETED, 1)
            assert outcomes(engine, job.id) == [GOOD, GOOD]
            with pytest.raises(UsageError, match="already submitted"):
                await engine.submit(job.id, saving=Saving(reuse=ANY))

    run(test)


def test_bad_truncated_old_and_edited_answers_are_not_used(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)

        def answer(request: bytes, before: int) -> bytes:
            value = json.loads(request)
            text = json.dumps(value["body"])
            reason = "length" if "long" in text else "stop"
            choice = {"message": {"content": "x"}, "finish_reason": reason}
            status = 500 if "bad" in text and before == 0 else 200
            body = {"model": "m", "choices": [choice]} if status == 200 else {"error": {}}
            return json.dumps(
                {
                    "custom_id": value["custom_id"],
                    "response": {"status_code": status, "body": body},
                    "error": None,
                }
            ).encode()

        bench.provider.answer = answer
        async with bench.engine() as engine:
            first = await bench.done(engine, "good", "long", "bad")
            plan = await engine.retries.plan(first.id, [2], {"model": "big"})
            await engine.retry(plan)
            await engine.wait([first.id])
            assert outcomes(engine, first.id) == [GOOD, Outcome.TRUNCATED, GOOD]
            bench.provider.seen.clear()
            await reused(bench, engine, "good", "long", "bad")
            assert sent(bench)[-1] == ["r1", "r2"]
            later = ReuseOptions(since=engine._context.clock() + 1)
            await reused(bench, engine, "good", options=later)
            assert sent(bench)[-1] == ["r0"]

    run(test)


def test_other_parameters_and_other_servers_are_other_requests(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        here, there = "http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"
        accounts = {
            name: AccountConfig(provider="openai-compatible", base_url=url)
            for name, url in (("one", here), ("two", there), ("three", here))
        }
        async with bench.engine(Config(accounts=accounts)) as engine:
            file = write_requests(tmp_path / "requests.jsonl", ["a", "b"])
            first = await engine.requests.import_file(file, account="one")
            await engine.submit(first.id)
            await engine.wait([first.id])
            for account, edits, rows in (
                ("two", {}, 2),
                ("three", {"temperature": 0}, 2),
                ("three", {}, 0),
            ):
                before = len(bench.provider.batches)
                job = await engine.requests.import_file(file, account=account, edits=edits)
                await engine.submit(job.id, saving=Saving(reuse=ANY))
                await engine.wait([job.id])
                new = list(bench.provider.batches.values())[before:]
                assert sum(len(batch.lines) for batch in new) == rows

    run(test)


def test_an_account_that_names_another_server_today_has_no_answers_of_it(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        for port, rows in ((1, 2), (2, 2), (1, 0)):
            url = f"http://127.0.0.1:{port}/v1"
            accounts = {"one": AccountConfig(provider="openai-compatible", base_url=url)}
            async with bench.engine(Config(accounts=accounts)) as engine:
                before = len(bench.provider.batches)
                file = write_requests(tmp_path / "requests.jsonl", ["a", "b"])
                job = await engine.requests.import_file(file, account="one")
                await engine.submit(job.id, saving=Saving(reuse=ANY))
                await engine.wait([job.id])
                new = list(bench.provider.batches.values())[before:]
                assert sum(len(batch.lines) for batch in new) == rows

    run(test)


def test_one_job_may_be_the_only_source(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a")
            only = await bench.done(engine, "b")
            await reused(bench, engine, "a", "b", options=ReuseOptions(only=only.id))
            assert sent(bench)[-1] == ["r0"]

    run(test)


def test_copies_are_no_source_and_deleted_jobs_are_forgotten(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            first = await bench.done(engine, "a", "b")
            copy = await reused(bench, engine, "a")
            await engine.remote.delete(first.id)
            await reused(bench, engine, "a")
            assert sent(bench)[-1] == ["r0"] and len(bench.provider.batches) == 2
            assert answers(engine, copy.id) == ["answer to r0"]

    run(test)


def test_a_file_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            first = await bench.done(engine, "aaa", "bbb")
            (batch,) = engine.history.batches.of_job(first.id)
            path = engine.history.files.get(batch.id, "output").path
            path.write_bytes(path.read_bytes().replace(b"answer to r0", b"answer to r9")[:-30])
            requests = engine.history.jobs.requests_file(first.id)
            requests.write_bytes(requests.read_bytes().replace(b"aaa", b"zzz"))
            await reused(bench, engine, "aaa", "bbb")
            assert sent(bench)[-1] == ["r0", "r1"]

    run(test)


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a")
            index = bench.paths.data / "request_index.db"
            index.write_bytes(b"no database at all" * 100)
            await reused(bench, engine, "a")
            assert len(bench.provider.batches) == 1
            with sqlite3.connect(index) as other:
                other.execute("PRAGMA user_version=99")
            other.close()
            await reused(bench, engine, "a")
            assert len(bench.provider.batches) == 1

    run(test)


def test_more_than_agreed_is_not_sent(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            first = await bench.done(engine, "a", "b")
            job = await bench.imported(engine, "a", "b", "c")
            await engine.remote.delete(first.id)
            with pytest.raises(UsageError, match="3 requests would be sent, and not 1"):
                await engine.submit(job.id, saving=Saving(reuse=ANY, most_rows=1))
            assert len(bench.provider.batches) == 1

    run(test)


def test_a_refused_upload_keeps_the_copies(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a", "b")
            job = await bench.imported(engine, "a", "c")
            bench.provider.fault("upload", RequestRejectedError("no", status=400))
            with pytest.raises(RequestRejectedError):
                await engine.submit(job.id, saving=Saving(reuse=ANY))
            assert outcomes(engine, job.id)[0] is GOOD
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]
            assert sent(bench)[-1] == ["r1"]

    run(test)


def test_what_a_killed_program_left_is_indexed_by_the_next(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a", "b")
            job = await bench.imported(engine, "b", "a")

            def dies(step: str) -> None:
                if step == "planned":
                    raise SystemError

            engine._context.reach = dies  # type: ignore[method-assign]
            with pytest.raises(SystemError):
                await engine.submit(job.id, saving=Saving(reuse=ANY))
        async with bench.engine(watch=True) as engine:
            await engine.wait([job.id])
            assert outcomes(engine, job.id) == [GOOD, GOOD]
            assert len(bench.provider.batches) == 1

    run(test)


def test_the_index_of_rows_is_rebuilt_with_the_copies(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a", "b")
            job = await reused(bench, engine, "a", "x")
            texts = answers(engine, job.id)
        for name in ("history.db", "history.db-wal", "history.db-shm"):
            (bench.paths.data / name).unlink(missing_ok=True)
        async with bench.engine() as engine:
            engine.history.jobs.restore(engine._context.clock())
            engine.history.jobs.reindex(job.id, rules_of=lambda _: {}, now=1.0)
            assert answers(engine, job.id) == texts
            assert outcomes(engine, job.id) == [GOOD, GOOD]
            assert [batch.reuses for batch in engine.history.batches.of_job(job.id)] == [
                True,
                False,
            ]

    run(test)


TEXTS = st.lists(st.sampled_from(["a", "b", "c", "flaky d", "fail e"]), min_size=1, max_size=8)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables=st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=4))
def test_a_good_answer_is_never_paid_for_twice(tables: list[tuple[list[str], bool]]) -> None:
    """For any tables one after the other, with repeats and failures."""

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(folder, loop)
        async with bench.engine() as engine:
            good: set[str] = set()
            for number, (texts, dedupe) in enumerate(tables):
                before = len(bench.provider.batches)
                job = await reused(bench, engine, *texts, dedupe=dedupe)
                new = list(bench.provider.batches.values())[before:]
                paid = [texts[int(row.removeprefix("r"))] for batch in new for row in batch.ids]
                assert not good & set(paid), number
                wanted = [text for text in texts if text not in good]
                assert sorted(paid) == sorted(set(wanted) if dedupe else wanted)
                found = outcomes(engine, job.id)
                assert adds_up(engine, job.id).pending == 0
                good |= {text for text, one in zip(texts, found, strict=True) if one is GOOD}

    folder = home_in_memory("batchdeck-reuse-")
    try:
        run(test)
    finally:
        shutil.rmtree(folder)


def test_each_request_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time would grow with the repeats here times the repeats of earlier jobs."""
    looked_up: list[int] = []
    find = RequestIndex.find

    def counted(index: RequestIndex, hashes: Sequence[int], leave_out: str = "") -> Any:
        looked_up.extend(hashes)
        return find(index, hashes, leave_out)

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            texts = ["a", "b"] * 600
            await bench.done(engine, *texts)
            monkeypatch.setattr(RequestIndex, "find", counted)
            job = await reused(bench, engine, *texts, "new")
            assert len(looked_up) == 3
            assert sent(bench)[-1] == ["r1200"]
            assert outcomes(engine, job.id) == [GOOD] * 1201
            found = engine.history.batches.durations(job.account, job.model, job.window, 9)
            assert len(found) == 2, "a copy is no batch that says how long others take"

    run(test)


def copies(bench: Bench, job_id: str) -> list[Path]:
    return list((bench.paths.data / "jobs" / job_id).glob("*.output.jsonl"))


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        async with bench.engine() as engine:
            await bench.done(engine, "a")
            job = await bench.imported(engine, "a", "b")
            with monkeypatch.context() as patched:
                patched.setattr("tui.store.reuse.answers.os.fsync", full)
                with pytest.raises(HistoryError, match="No space left") as told:
                    await engine.submit(job.id, saving=Saving(reuse=ANY))
            assert "disk" in told.value.hint
            assert copies(bench, job.id) == []
            await engine.submit(job.id, saving=Saving(reuse=ANY))
            await engine.wait([job.id])
            assert sent(bench)[1:] == [["r1"]]

    run(test)


def test_too_few_rows_for_a_batch_are_told_and_leave_nothing_behind(tmp_path: Path) -> None:
    async def test(loop: JumpingLoop) -> None:
        bench = Bench(tmp_path, loop)
        changes = {"sandbox": {"limits": {"min_rows": 3}}}
        async with bench.engine(Config(providers=changes)) as engine:
            await bench.done(engine, "a", "b", "c")
            job = await bench.imported(engine, "a", "b", "x", "y", "y")
            with pytest.raises(UsageError, match="at least 3 rows per batch, got 2") as told:
                await engine.submit(job.id, saving=Saving(dedupe=True, reuse=ANY))
            assert f"To send all of its rows: `batchdeck submit {job.id}`." in told.value.hint
            assert copies(bench, job.id) == []
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert len(sent(bench)[-1]) == 5

    run(test)
