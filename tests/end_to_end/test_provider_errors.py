"""Lost answers, late batches and broken downloads: paid once, and complete in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.core.status import Submission
from tui.errors import AnswerLostError, KeyRefusedError, LimitError

from .conftest import KEY, Opener
from .rows import Maker, chat, own_models, params, written
from .serving import sandbox
from .test_full_loop import CREATE, ended, submitted

SYSTEMS = [
    ("openai", "openai", chat),
    ("melious", "melious", chat),
    ("doubleword", "doubleword", chat),
    ("tensorzero", "tensorzero", chat),
    ("anthropic", "anthropic", params),
]


@pytest.mark.parametrize(("like", "provider", "make"), SYSTEMS)
async def test_a_create_whose_answer_is_lost_is_found_and_not_repeated(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", make, 40)
    with sandbox(like, key=KEY, lose_answer=("create:1",)) as server:
        async with opened(provider, server.url) as engine:
            job = await ended(engine, await submitted(engine, path))
            assert job.counts.total == 40
            assert job.counts.pending == job.counts.missing == 0
            (entry,) = await engine.sync()
            assert entry.job_id == job.id


async def test_without_a_list_a_person_decides(tmp_path: Path, opened: Opener) -> None:
    path = written(tmp_path / "rows.jsonl", own_models, 40)
    with sandbox("scaledown-2", key=KEY, lose_answer=("create:1",)) as server:
        async with opened("scaledown", server.url) as engine:
            job = await engine.import_file(path)
            with pytest.raises(AnswerLostError, match="not certain"):
                await engine.submit(job.id)
            (batch,) = engine.history.batches(job.id)
            assert batch.submission is Submission.UNCERTAIN
            with pytest.raises(AnswerLostError, match="not certain"):
                await engine.submit(job.id)
            before = len([call for call in server.asked if call.path.endswith(CREATE)])
            await engine.submit(job.id, resend_uncertain=True)
            assert len([call for call in server.asked if call.path.endswith(CREATE)]) == before + 1
            assert (await ended(engine, job.id)).counts.pending == 0


@pytest.mark.parametrize(
    ("like", "provider", "make"), [one for one in SYSTEMS if one[0] != "doubleword"]
)
async def test_a_batch_that_is_not_there_yet_is_waited_for(
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
            strays = engine.history.strays(job.id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)
            assert job.counts.failed == 45
            ends = ("/content", "/results")
            assert sum(call.path.endswith(ends) for call in server.asked) >= 3


async def test_a_spend_limit_is_told_and_nothing_is_repeated(
    tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", params, 40)
    with sandbox("anthropic", key=KEY, quirks=("spend-limit:1",)) as server:
        async with opened("anthropic", server.url) as engine:
            job = await engine.import_file(path)
            with pytest.raises(LimitError):
                await engine.submit(job.id)
            calls = [call for call in server.asked if call.path.endswith(CREATE)]
            assert len(calls) == 1
            # It stays, and can be sent when there is money again.
            await engine.submit(job.id)
            assert (await ended(engine, job.id)).counts.pending == 0


@pytest.mark.parametrize(("like", "provider", "make"), [*SYSTEMS, ("scaledown", "scaledown", chat)])
async def test_a_refused_key_is_told_and_the_job_stays(
    like: str, provider: str, make: Maker, tmp_path: Path, opened: Opener
) -> None:
    path = written(tmp_path / "rows.jsonl", own_models if like == "scaledown" else make, 40)
    with sandbox(like, key="sk-another") as server:
        async with opened(provider, server.url) as engine:
            job = await engine.import_file(path)
            with pytest.raises(KeyRefusedError) as caught:
                await engine.submit(job.id)
            assert KEY not in str(caught.value) + caught.value.hint
            assert "BATCHDECK_KEY_THERE" in caught.value.hint
            assert engine.history.batches(job.id)[0].is_unsent
