"""The whole loop with Fireworks: ids of our own, a store beside the API, a delete that stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import ROWS, chat, expected, written
from tests.end_to_end.test_full_loop import ended, submitted
from tests.end_to_end.test_particulars import seen
from tests.fakes.fireworks import ACCOUNT, MODEL, ROOT, fireworks
from tests.fakes.server import SteppingClock
from tui.core.jobs import BatchStatus
from tui.engine.account_setup import check_account
from tui.errors import UsageError

SMALL = {"limits": {"rows": 150}}


async def test_the_whole_loop(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", chat)
    words = expected()
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    bad = words["sandbox:fail=400"]
    with fireworks(KEY) as (api, server):
        async with opened("fireworks", api.url + ROOT, **SMALL) as engine:
            job_id = await submitted(engine, path)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED
            assert job.counts.failed == flaky + bad
            assert len(server.created) == 2
            plan = await engine.retries.plan(job_id)
            assert (plan.rows, plan.permanent) == (flaky, bad)
            await engine.retry(plan)
            job = await ended(engine, job_id)
            assert (job.counts.total, job.counts.failed) == (ROWS, bad)
            assert job.counts.pending == job.counts.missing == 0
            ours = [f"bd-{batch.id}" for batch in engine.history.batches.of_job(job_id)]
            assert sorted(server.created) == sorted(ours)
            strays = engine.history.rows.orphan_lines(job_id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)
            await engine.remote.delete(job_id, remote=True)
            assert server.datasets == {}
            assert await engine.remote.sync() == []


@pytest.mark.parametrize("lost", ["dataset", "upload", "create"])
@pytest.mark.parametrize("times", [1, 7])
async def test_a_lost_answer_makes_no_second_batch(
    lost: str, times: int, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 20)
    http = {"http": {"attempts": 2, "first_pause": 0.0}}
    with fireworks(KEY, (lost,) * times) as (api, server):
        async with opened("fireworks", api.url + ROOT, **http) as engine:
            job = await engine.requests.import_file(path)
            await engine.submit(job.id, wait_if_busy=True)
            job = await ended(engine, job.id)
            assert job.counts.pending == job.counts.missing == 0
            assert len(server.created) == len(await engine.remote.sync()) == 1
            assert len(server.datasets) == 2


async def test_a_running_batch_is_stopped_by_a_delete_after_a_yes(
    tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 20)
    with fireworks(KEY, rows_per_second=0.5) as (api, server):
        async with opened("fireworks", api.url + ROOT) as engine:
            job_id = await submitted(engine, path)
            await seen(
                engine,
                lambda: engine.history.batches.of_job(job_id)[0].status is BatchStatus.IN_PROGRESS,
            )
            with pytest.raises(UsageError, match="cannot cancel") as caught:
                await engine.cancel(job_id)
            assert f"batchdeck delete {job_id} --remote --forget" in caught.value.hint
            with pytest.raises(UsageError, match="still running") as caught:
                await engine.remote.delete(job_id)
            assert "stops when it is deleted" in caught.value.hint
            (loss,) = engine.remote.losses(job_id, remote=True)
            assert "1 batch at Fireworks stops what still runs there" in loss
            with pytest.raises(UsageError, match="answers are lost"):
                await engine.remote.delete(job_id, remote=True)
            assert len(server.datasets) == 2
            await engine.remote.delete(job_id, remote=True, forget=True)
            assert server.datasets == {}
            assert await engine.remote.sync() == []
            assert engine.history.jobs.list() == []


async def test_a_foreign_batch_is_adopted_with_its_rows_and_its_model(
    tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 40)
    with fireworks(KEY) as (api, _):
        async with opened("fireworks", api.url + ROOT, home=tmp_path / "elsewhere") as other:
            made = await ended(other, await submitted(other, path))
            remote_id = other.history.batches.of_job(made.id)[0].remote_id
            assert remote_id is not None
        async with opened("fireworks", api.url + ROOT) as engine:
            (entry,) = await engine.remote.sync()
            assert (entry.remote.id, entry.job_id) == (remote_id, None)
            job = await ended(engine, (await engine.remote.adopt(remote_id)).id)
            assert job.counts == made.counts
            assert job.model == MODEL
            assert b"Say number" in engine.history.rows.get(job.id, 0).request
            await engine.retry(await engine.retries.plan(job.id))
            job = await ended(engine, job.id)
            assert job.counts.failed == 2


async def test_an_expired_batch_keeps_the_rows_that_are_done(
    tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", chat, 60)
    clock = SteppingClock(0.05)
    with fireworks(KEY, rows_per_second=20, window_seconds=1.5, clock=clock) as (api, _):
        async with opened("fireworks", api.url + ROOT) as engine:
            job = await ended(engine, await submitted(engine, path))
            assert job.status is BatchStatus.EXPIRED
            assert job.counts.expired > 0
            assert job.counts.succeeded + job.counts.failed > 0
            assert job.counts.pending == job.counts.missing == 0


async def test_the_environment_may_name_the_account(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", ACCOUNT)
    with fireworks(KEY) as (api, _):
        async with opened("fireworks", api.url) as engine:
            assert (
                await check_account(engine.accounts, "there")
            ).words == "works: 2 models available"
            assert engine.account("fireworks").base_url.endswith(f"/accounts/{ACCOUNT}")
