"""The whole loop with the real parts: dialect, HTTP and the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.rows import Maker, chat, expected, written
from tests.engine.bench import adds_up, outcomes, write_requests
from tests.fakes.server import batches_at, sandbox
from tui.config.settings import AccountConfig, Config
from tui.core.jobs import BatchStatus, Job, Submission
from tui.core.query import RowFilter
from tui.core.rows import Outcome
from tui.engine.account_setup import check_account
from tui.engine.engine import Engine
from tui.errors import KeyRejectedError, UnreachableError, UsageError
from tui.paths import Paths

GOOD, BAD = Outcome.SUCCEEDED, Outcome.FAILED


@asynccontextmanager
async def local(paths: Paths, rate: float = 0) -> AsyncIterator[Engine]:
    """An engine whose only account is the sandbox inside it."""
    engine = await Engine.open(paths, Config(), sandbox_rate=rate)
    try:
        yield engine
    finally:
        await engine.close()


def far(url: str, /, **profile: object) -> Config:
    """A configuration with one account, on a sandbox elsewhere."""
    quick = {"base": "openai-compatible", "poll": {"min_seconds": 0.05, "max_seconds": 0.2}}
    return Config(
        default_account="far",
        providers={"far": {**quick, **profile}},
        accounts={"far": AccountConfig(provider="far", base_url=f"{url}/v1")},
    )


@asynccontextmanager
async def engine_at(home: Paths, url: str, /, **profile: object) -> AsyncIterator[Engine]:
    engine = await Engine.open(home, far(url, **profile))
    try:
        yield engine
    finally:
        await engine.close()


async def done(engine: Engine, folder: Path, *texts: str) -> Job:
    job = await engine.requests.import_file(write_requests(folder / "requests.jsonl", texts))
    await engine.submit(job.id)
    await engine.wait([job.id])
    return engine.history.jobs.get(job.id)


async def test_every_word_that_the_sandbox_obeys(paths: Paths, tmp_path: Path) -> None:
    async with local(paths) as engine:
        job = await done(
            engine,
            tmp_path,
            "plain",
            "sandbox:fail=400",
            "sandbox:fail=429",
            "sandbox:flaky=500",
            "sandbox:truncate",
            "sandbox:refuse",
            "sandbox:say=h\\u00e9llo\u2028there",
        )
        truncated, refused = Outcome.TRUNCATED, Outcome.REFUSED
        found = outcomes(engine, job.id)
        assert found == [GOOD, BAD, BAD, BAD, truncated, refused, GOOD]
        adds_up(engine, job.id)
        codes = {
            group.http_status: group.retryable
            for group in engine.history.rows.error_groups(job.id)
            if group.http_status is not None
        }
        assert codes == {400: False, 429: True, 500: True}
        (said,) = engine.history.rows.lines(
            job.id, await engine.results.select(job.id, RowFilter(text="h\u00e9llo"))
        )
        assert said.text.startswith("h\u00e9llo")
        plan = await engine.retries.plan(job.id)
        assert (list(plan.seqs), plan.permanent) == ([2, 3], 1)
        await engine.retry(plan)
        await engine.wait([job.id])
        assert outcomes(engine, job.id) == [GOOD, BAD, BAD, GOOD, truncated, refused, GOOD]
        plan = await engine.retries.plan(job.id, [4], edits={"max_tokens": 4000})
        await engine.retry(plan)
        await engine.wait([job.id])
        assert outcomes(engine, job.id)[4] is GOOD
        assert adds_up(engine, job.id).total == 7
        assert engine.history.jobs.get(job.id).status is BatchStatus.COMPLETED


async def test_rows_that_expire(paths: Paths, tmp_path: Path) -> None:
    async with local(paths) as engine:
        job = await done(engine, tmp_path, "plain", "sandbox:expire", "plain")
        assert outcomes(engine, job.id) == [GOOD, Outcome.EXPIRED, GOOD]
        assert job.status is BatchStatus.EXPIRED
        assert (await engine.retries.plan(job.id)).rows == 1


async def test_a_running_batch_is_cancelled(paths: Paths, tmp_path: Path) -> None:
    async with local(paths, rate=1) as engine:
        file = write_requests(tmp_path / "requests.jsonl", ["x"] * 50)
        job = await engine.requests.import_file(file)
        await engine.submit(job.id)
        await engine.cancel(job.id)
        await engine.wait([job.id])
        counts = adds_up(engine, job.id)
        assert counts.cancelled >= 48
        assert counts.cancelled + counts.succeeded == 50
        assert engine.history.jobs.get(job.id).status is BatchStatus.CANCELLED


async def test_a_job_is_split_by_the_limits_of_its_provider(paths: Paths, tmp_path: Path) -> None:
    with sandbox(tmp_path / "far") as url:
        async with engine_at(paths, url, limits={"rows": 3}) as engine:
            job = await done(engine, tmp_path, *["x"] * 7, "sandbox:flaky=500")
            assert [batch.rows for batch in engine.history.batches.of_job(job.id)] == [3, 3, 2]
            assert outcomes(engine, job.id) == [GOOD] * 7 + [BAD]
            await engine.retry(await engine.retries.plan(job.id))
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 8
        assert len(batches_at(url)) == 4


async def test_a_job_is_split_by_bytes(paths: Paths, tmp_path: Path) -> None:
    with sandbox(tmp_path / "far") as url:
        async with engine_at(paths, url, limits={"bytes": 500}) as engine:
            job = await done(engine, tmp_path, *["x" * 100] * 7)
            batches = engine.history.batches.of_job(job.id)
            assert len(batches) > 2
            assert sum(batch.rows for batch in batches) == 7
            assert adds_up(engine, job.id).succeeded == 7


@pytest.mark.parametrize("lost", ["create:1", "upload:1", "create:1,upload:1"])
async def test_lost_answers_are_not_paid_twice(paths: Paths, tmp_path: Path, lost: str) -> None:
    with sandbox(tmp_path / "far", lose_answer=tuple(lost.split(","))) as url:
        async with engine_at(paths, url) as engine:
            file = write_requests(tmp_path / "requests.jsonl", ["a", "b"])
            job = await engine.requests.import_file(file)
            # A lost upload is repeated at once: it costs a file at most.
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
        assert len(batches_at(url)) == 1


def files_at(url: str) -> list[str]:
    """The names of the files at a sandbox."""
    return [file["filename"] for file in httpx.get(f"{url}/v1/files").json()["data"]]


async def test_the_spare_file_of_a_lost_upload_is_told_and_deleted(
    paths: Paths, tmp_path: Path
) -> None:
    with sandbox(tmp_path / "far", lose_answer=("upload:1",)) as url:
        async with engine_at(paths, url) as engine:
            job = await done(engine, tmp_path, "a")
            (batch,) = engine.history.batches.of_job(job.id)
            assert files_at(url).count(f"{batch.id}.jsonl") == 2
            told = [entry.what for entry in engine.history.jobs.timeline(job.id)]
            (spare,) = [what for what in told if "has a second file" in what]
            assert str(batch.input_file_id) not in spare
            assert await engine.remote.delete(job.id, remote=True) == []
            assert files_at(url) == []


async def test_the_files_of_an_upload_that_never_got_an_answer_are_deleted(
    paths: Paths, tmp_path: Path
) -> None:
    with sandbox(tmp_path / "far", lose_answer=("upload",)) as url:
        async with engine_at(paths, url, http={"attempts": 2, "first_pause": 0.01}) as engine:
            job = await engine.requests.import_file(write_requests(tmp_path / "r.jsonl", ["a"]))
            with pytest.raises(UnreachableError):
                await engine.submit(job.id)
            assert files_at(url)
            told = [entry.what for entry in engine.history.jobs.timeline(job.id)]
            assert any("may have a file of this upload" in what for what in told)
            assert await engine.remote.delete(job.id, remote=True) == []
            assert files_at(url) == []


async def test_a_provider_that_does_not_list_files_may_have_one_left(
    paths: Paths, tmp_path: Path
) -> None:
    with sandbox(tmp_path / "far", lose_answer=("upload:1",)) as url:
        async with engine_at(paths, url, paths={"file_list": ""}) as engine:
            job = await done(engine, tmp_path, "a")
            (batch,) = engine.history.batches.of_job(job.id)
            (left,) = await engine.remote.delete(job.id, remote=True)
            assert f"{batch.id}.jsonl" in left
            assert files_at(url) == [f"{batch.id}.jsonl"]


@pytest.mark.parametrize("lost", ["retrieve:2", "list:1", "content:1", "content-half:2"])
async def test_other_lost_answers_are_asked_for_again(
    paths: Paths, tmp_path: Path, lost: str
) -> None:
    with sandbox(tmp_path / "far", lose_answer=(lost,)) as url:
        async with engine_at(paths, url) as engine:
            job = await done(engine, tmp_path, "a", "sandbox:fail=500", "b")
            assert outcomes(engine, job.id) == [GOOD, BAD, GOOD]
            strays = engine.history.rows.orphan_lines(job.id)
            assert (strays.duplicate, strays.unreadable, strays.unknown) == (0, 0, 0)


async def test_a_provider_that_is_down(paths: Paths, tmp_path: Path) -> None:
    with sandbox(tmp_path / "far") as url:
        pass
    async with engine_at(paths, url, http={"attempts": 1}) as engine:
        file = write_requests(tmp_path / "requests.jsonl", ["a", "b"])
        job = await engine.requests.import_file(file)
        with pytest.raises(UnreachableError):
            await engine.submit(job.id)
        job = engine.history.jobs.get(job.id)
        assert (job.status, job.counts.pending) == (BatchStatus.DRAFT, 2)
        assert job.trouble
        assert engine.history.batches.of_job(job.id)[0].submission is Submission.DRAFT


async def test_a_key_that_is_refused_and_one_that_is_not(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox(tmp_path / "far", key="right") as url:
        monkeypatch.setenv("BATCHDECK_KEY_FAR", "wrong")
        async with engine_at(paths, url) as engine:
            file = write_requests(tmp_path / "requests.jsonl", ["a", "b"])
            job = await engine.requests.import_file(file)
            with pytest.raises(KeyRejectedError) as caught:
                await engine.submit(job.id)
            assert "BATCHDECK_KEY_FAR" in caught.value.hint
            assert "wrong" not in str(caught.value)
            monkeypatch.setenv("BATCHDECK_KEY_FAR", "right")
            await engine.submit(job.id)
            await engine.wait([job.id])
            assert adds_up(engine, job.id).succeeded == 2
            monkeypatch.setenv("BATCHDECK_KEY_FAR", "wrong")
            await engine.accounts.forget("far")
            job = await engine.requests.import_file(file)
            with pytest.raises(KeyRejectedError):
                await engine.submit(job.id)


async def test_a_batch_that_the_server_cancelled_elsewhere(paths: Paths, tmp_path: Path) -> None:
    with sandbox(tmp_path / "far", rows_per_second=0.1) as url:
        async with engine_at(paths, url) as engine:
            file = write_requests(tmp_path / "requests.jsonl", ["x"] * 30)
            job = await engine.requests.import_file(file)
            await engine.submit(job.id)
            (remote,) = batches_at(url)
            async with httpx.AsyncClient() as client:
                await client.post(f"{url}/v1/batches/{remote['id']}/cancel")
            await engine.wait([job.id])
            assert engine.history.jobs.get(job.id).status is BatchStatus.CANCELLED
            counts = adds_up(engine, job.id)
            assert counts.cancelled + counts.succeeded == 30


async def test_two_engines_on_one_home(paths: Paths, tmp_path: Path) -> None:
    import asyncio

    with sandbox(tmp_path / "far") as url:
        async with engine_at(paths, url) as one, engine_at(paths, url) as two:
            two.watch()
            file = write_requests(tmp_path / "requests.jsonl", ["a", "sandbox:flaky=500", "c"])
            job = await one.requests.import_file(file)
            sent = await asyncio.gather(
                one.submit(job.id), two.submit(job.id), return_exceptions=True
            )
            assert any(isinstance(result, Job) for result in sent)
            assert all(isinstance(result, (Job, UsageError)) for result in sent)
            await asyncio.gather(one.wait([job.id]), two.wait([job.id]))
            assert len(batches_at(url)) == 1
            plans = [await engine.retries.plan(job.id) for engine in (one, two)]
            await asyncio.gather(one.retry(plans[0]), two.retry(plans[1]), return_exceptions=True)
            await asyncio.gather(one.wait([job.id]), two.wait([job.id]))
            assert adds_up(two, job.id).succeeded == 3
            assert len(batches_at(url)) == 2
            strays = one.history.rows.orphan_lines(job.id)
            assert (strays.duplicate, strays.unreadable, strays.unknown) == (0, 0, 0)


async def test_the_demo_history(paths: Paths) -> None:
    from tui.engine.demo import seed_demo

    await seed_demo(paths)
    async with local(paths) as engine:
        jobs = engine.history.jobs.list()
        assert len(jobs) == 10
        for job in jobs:
            adds_up(engine, job.id)
        names = {job.name: job for job in jobs}
        for name in ("mail-replies", "headlines"):
            job = names[name]
            assert job.status is BatchStatus.COMPLETED
            assert job.counts.succeeded > 0
            (batch,) = engine.history.batches.of_job(job.id)
            assert batch.remote_id


MODELS = {
    "bedrock-openai": "openai.gpt-oss-20b-1:0",
    "scaleway": "llama-3.3-70b-instruct",
    "bedrock": "us.anthropic.claude-sonnet-5-v1:0",
    "vertex": "gemini-3.5-flash",
    "fireworks": "accounts/fireworks/models/llama-v3p3-70b-instruct",
}


@pytest.mark.parametrize("provider", MODELS)
async def test_an_account_whose_files_are_in_a_store_is_practised_without_a_cloud(
    provider: str, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never sent")
    path = written(tmp_path / "rows.jsonl", with_model(MODELS[provider]), 600)
    words = expected(600)
    account = AccountConfig(provider="ours", base_url="sandbox:")
    # A profile of the person's own, derived from the shipped one.
    config = Config(
        default_account="dry", accounts={"dry": account}, providers={"ours": {"base": provider}}
    )
    engine = await Engine.open(paths, config, sandbox_rate=0)
    try:
        assert (await check_account(engine.accounts, "dry")).was_asked
        job = await engine.requests.import_file(path)
        await engine.submit(job.id)
        await engine.wait([job.id])
        flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
        counts = engine.history.jobs.get(job.id).counts
        assert counts.failed == flaky + words["sandbox:fail=400"]
        assert (counts.pending, counts.missing) == (0, 0)
        await engine.remote.delete(job.id, remote=True)
    finally:
        await engine.close()


def with_model(model: str) -> Maker:
    def make(number: int, text: str) -> dict[str, Any]:
        row = chat(number, text)
        return {**row, "body": {**row["body"], "model": model}}

    return make
