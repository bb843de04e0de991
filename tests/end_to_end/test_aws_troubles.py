"""What can be wrong with an AWS account, over real HTTP: told by its setting, nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.rows import written
from tests.end_to_end.servers import Served
from tests.end_to_end.test_bedrock import CLAUDE, CREATE, bedrock, chat, config_for, make_role
from tests.end_to_end.test_full_loop import ended
from tests.end_to_end.test_particulars import seen
from tests.fakes.aws import Aws, aws
from tests.fakes.bucket import BUCKET, KEY_PAIR
from tui.core.jobs import BatchStatus
from tui.engine.account_setup import check_account
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, ConfigError, KeyRejectedError
from tui.paths import Paths

pytestmark = pytest.mark.long

ROWS = 120
SKEWED = timedelta(minutes=10)
ROLE = "arn:aws:iam::123456789012:role/bd"

Opened = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    for name, value in KEY_PAIR.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server(boto: Any) -> Iterator[Served]:
    with bedrock(boto, rows_per_second=60) as found:
        yield found


@pytest.fixture
def there(server: Served, moto_url: str) -> Iterator[Aws]:
    with aws(server.url, moto_url) as found:
        yield found


@pytest.fixture
def opened(there: Aws, paths: Paths) -> Opened:
    """``opened()``: an engine with an account of it."""

    @asynccontextmanager
    async def open_engine(**params: str) -> AsyncIterator[Engine]:
        urls = {"sts_url": there.url, "iam_url": there.url, "role_arn": ROLE}
        engine = await Engine.open(paths, config_for(there.url, there.url, **urls, **params))
        try:
            yield engine
        finally:
            await engine.close()

    return open_engine


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    return written(tmp_path / "rows.jsonl", chat(CLAUDE), ROWS)


async def whole(engine: Engine, job_id: str, server: Served) -> None:
    """Wait for the job; it has all its rows, and was paid once."""
    job = await ended(engine, job_id)
    assert job.status is BatchStatus.COMPLETED
    assert (job.counts.total, job.counts.pending, job.counts.missing) == (ROWS, 0, 0)
    assert server.count("POST", CREATE) == 1
    assert len([_ async for _ in engine.remote.walk()]) == 1


def wrong_clock(there: Aws, is_wrong: bool, ahead: timedelta = SKEWED) -> None:
    there.clock_ahead = ahead if is_wrong else timedelta()


def behind(there: Aws, is_wrong: bool) -> None:
    wrong_clock(there, is_wrong, -SKEWED)


def hours_off(there: Aws, is_wrong: bool) -> None:
    wrong_clock(there, is_wrong, timedelta(hours=3))


def ended_session(there: Aws, is_wrong: bool) -> None:
    there.ended = is_wrong


def other_region(there: Aws, is_wrong: bool) -> None:
    there.bucket_region = "eu-north-1" if is_wrong else ""


def other_region_of_a_new_bucket(there: Aws, is_wrong: bool) -> None:
    other_region(there, is_wrong)
    there.moved = 307


Trouble = Callable[[Aws, bool], None]
TROUBLES = [
    (wrong_clock, ConfigError, "clock of this machine is wrong", "Set the clock"),
    (behind, ConfigError, "clock of this machine is wrong", "Set the clock"),
    (hours_off, ConfigError, "clock of this machine is wrong", "Set"),
    (
        ended_session,
        KeyRejectedError,
        "sign-in of the AWS credentials has expired",
        "aws sso login",
    ),
    (other_region, ConfigError, "is in eu-north-1, not in eu-west-1", "params.region"),
    (
        other_region_of_a_new_bucket,
        ConfigError,
        "is in eu-north-1, not in eu-west-1",
        "params.region",
    ),
]
troubles = pytest.mark.parametrize(
    ("trouble", "kind", "message", "hint"),
    TROUBLES,
    ids=[trouble.__name__ for trouble, *_ in TROUBLES],
)


@troubles
async def test_a_submit_names_the_setting_and_is_sent_when_it_is_right(
    trouble: Trouble,
    kind: type[BatchdeckError],
    message: str,
    hint: str,
    there: Aws,
    server: Served,
    opened: Opened,
    requests: Path,
) -> None:
    async with opened() as engine:
        job = await engine.requests.import_file(requests)
        trouble(there, True)
        with pytest.raises(kind, match=message) as caught:
            await engine.submit(job.id)
        assert hint in caught.value.hint
        assert engine.history.jobs.get(job.id).status is BatchStatus.DRAFT
        trouble(there, False)
        await engine.submit(job.id)
        await whole(engine, job.id, server)


@troubles
async def test_a_running_job_tells_it_and_goes_on_when_it_is_right(
    trouble: Trouble,
    kind: type[BatchdeckError],
    message: str,
    hint: str,
    there: Aws,
    server: Served,
    opened: Opened,
    requests: Path,
) -> None:
    async with opened() as engine:
        job = await engine.requests.import_file(requests)
        await engine.submit(job.id)
        trouble(there, True)
        await seen(engine, lambda: message in engine.history.jobs.get(job.id).trouble)
        counts = engine.history.jobs.get(job.id).counts
        assert (counts.missing, counts.failed) == (0, 0)
        trouble(there, False)
        await engine.collect(job.id)
        await whole(engine, job.id, server)
        assert engine.history.jobs.get(job.id).trouble == ""


@troubles
async def test_the_test_of_an_account_names_the_setting(
    trouble: Trouble,
    kind: type[BatchdeckError],
    message: str,
    hint: str,
    there: Aws,
    moto_url: str,
    opened: Opened,
) -> None:
    make_role(moto_url)
    trouble(there, True)
    async with opened() as engine:
        with pytest.raises(kind, match=message) as caught:
            await check_account(engine.accounts, "there")
        assert hint in caught.value.hint


async def test_a_bucket_that_denies_listing_is_enough_for_a_job(
    there: Aws, server: Served, opened: Opened, requests: Path
) -> None:
    there.denies_lists = True
    async with opened() as engine:
        job = await engine.requests.import_file(requests)
        await engine.submit(job.id)
        await seen(engine, lambda: engine.history.jobs.get(job.id).counts.ended > 0)
        await whole(engine, job.id, server)
        with pytest.raises(ConfigError, match="may not list in s3://answers/batchdeck/") as caught:
            await engine.accounts.check_storage("there")
        assert "s3:ListBucket" in caught.value.hint


async def test_the_objects_of_others_are_neither_listed_nor_deleted(
    boto: Any, there: Aws, server: Served, opened: Opened, requests: Path
) -> None:
    from moto.s3.models import s3_backends

    bucket = s3_backends["123456789012"]["aws"]
    # More than a page of a list, before and behind what is ours.
    folders = ("", "batchdeck/0", "batchdeck/z/", "z/")
    others = [f"{folder}{number}" for number in range(300) for folder in folders]
    for key in others:
        bucket.put_object(BUCKET, key, b"not ours")
    async with opened() as engine:
        job = await engine.requests.import_file(requests)
        await engine.submit(job.id)
        await whole(engine, job.id, server)
        await engine.remote.delete(job.id, remote=True)
    assert len(there.lists()) <= 2
    found: list[str] = []
    for page in boto.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        found += [item["Key"] for item in page["Contents"]]
    assert sorted(found) == sorted(others)
