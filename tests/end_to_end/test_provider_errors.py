"""Lost answers, late batches and broken downloads: paid once and complete at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import KEY, Opener
from tests.end_to_end.rows import Maker, chat, own_models, params, written
from tests.end_to_end.servers import sandbox
from tests.end_to_end.test_full_loop import CREATE, ended, submitted
from tui.core.jobs import Submission
from tui.errors import KeyRejectedError, LimitError, ResponseLostError, UnconfirmedError

SYSTEMS = [
    ("openai", "openai", chat),
    ("melious", "melious", chat),
    ("doubleword", "doubleword", chat),
    ("tensorzero", "tensorzero", chat),
    ("anthropic", "anthropic", params),
]


@pytest.mark.parametrize(("like", "provider", "make"), SYSTEMS)
async def test_a_create_with_a_lost_answer_is_found_and_not_repeated(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    """By its intent or its own file; where a list shows neither, the user names it."""
    path = written(tmp_path / "rows.jsonl", make, 40)
    with sandbox(like, key=KEY, lose_answer=("create:1",)) as server:
        async with opened(provider, server.url) as engine:
            if like == "anthropic":
                job = await engine.requests.import_file(path)
                with pytest.raises(UnconfirmedError) as unclear:
                    await engine.submit(job.id)
                (entry,) = await engine.remote.sync()
                assert entry.job_id is None
                assert f"the same size, perhaps this one: {entry.remote.id}." in unclear.value.hint
                await engine.remote.attach(job.id, entry.remote.id)
                job = await ended(engine, job.id)
            else:
                job = await ended(engine, await submitted(engine, path))
            assert job.counts.total == 40
            assert job.counts.pending == job.counts.missing == 0
            (entry,) = await engine.remote.sync()
            assert entry.job_id == job.id


async def test_without_a_list_the_user_decides(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", own_models, 40)
    with sandbox("scaledown-2", key=KEY, lose_answer=("create:1",)) as server:
        async with opened("scaledown", server.url) as engine:
            job = await engine.requests.import_file(path)
            with pytest.raises(ResponseLostError, match="may or may not"):
                await engine.submit(job.id)
            (batch,) = engine.history.batches.of_job(job.id)
            assert batch.submission is Submission.UNCERTAIN
            with pytest.raises(ResponseLostError, match="may or may not"):
                await engine.submit(job.id)
            before = len([call for call in server.asked if call.path.endswith(CREATE)])
            await engine.submit(job.id, resend=True)
            assert len([call for call in server.asked if call.path.endswith(CREATE)]) == before + 1
            assert (await ended(engine, job.id)).counts.pending == 0


@pytest.mark.parametrize(
    ("like", "provider", "make"), [one for one in SYSTEMS if one[0] != "doubleword"]
)
async def test_a_batch_that_appears_late_is_waited_for(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", make, 40)
    with sandbox(like, key=KEY, quirks=("404-after-create:2",)) as server:
        async with opened(provider, server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            assert job.counts.pending == job.counts.missing == 0
            assert server.count("POST", CREATE) == 1


@pytest.mark.parametrize(("like", "provider", "make"), SYSTEMS)
async def test_a_download_that_breaks_off_is_completed(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", make)
    with sandbox(like, key=KEY, lose_answer=("content-half:2",)) as server:
        async with opened(provider, server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            assert job.counts.total == 300
            assert job.counts.pending == job.counts.missing == 0
            strays = engine.history.rows.orphan_lines(job.id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)
            assert job.counts.failed == 45
            ends = ("/content", "/results")
            assert sum(call.path.endswith(ends) for call in server.asked) >= 3


async def test_a_spend_limit_is_reported_and_nothing_is_repeated(
    tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", params, 40)
    with sandbox("anthropic", key=KEY, quirks=("spend-limit:1",)) as server:
        async with opened("anthropic", server.url) as engine:
            job = await engine.requests.import_file(path)
            with pytest.raises(LimitError):
                await engine.submit(job.id)
            calls = [call for call in server.asked if call.path.endswith(CREATE)]
            assert len(calls) == 1
            # It stays, and can be sent when there is money again.
            await engine.submit(job.id)
            assert (await ended(engine, job.id)).counts.pending == 0


@pytest.mark.parametrize(("like", "provider", "make"), [*SYSTEMS, ("scaledown", "scaledown", chat)])
async def test_a_rejected_key_is_reported_and_the_job_stays(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", own_models if like == "scaledown" else make, 40)
    with sandbox(like, key="sk-another") as server:
        async with opened(provider, server.url) as engine:
            job = await engine.requests.import_file(path)
            with pytest.raises(KeyRejectedError) as caught:
                await engine.submit(job.id)
            assert KEY not in str(caught.value) + caught.value.hint
            assert "BATCHDECK_KEY_THERE" in caught.value.hint
            assert engine.history.batches.of_job(job.id)[0].is_unsent
