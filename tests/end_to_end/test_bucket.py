"""The whole loop with a provider whose files are in a bucket of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.bucket_server import BUCKET, bucket_server
from tests.end_to_end.conftest import KEY, QUICK
from tests.end_to_end.rows import ROWS, chat, expected, written
from tests.end_to_end.test_full_loop import ended, submitted
from tests.fakes.bucket import REGION
from tui.config.settings import AccountConfig, Config
from tui.engine.engine import Engine
from tui.errors import ConfigError, KeyMissingError, UsageError
from tui.paths import Paths


def config_for(url: str, provider: str = "scaleway", **params: str) -> Config:
    table = AccountConfig(provider=provider, base_url=f"{url}/v1", params=params)
    return Config(
        default_account="there", accounts={"there": table}, providers={provider: dict(QUICK)}
    )


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHDECK_KEY_THERE", KEY)
    monkeypatch.setenv("SCW_ACCESS_KEY", "SCWEXAMPLE")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("provider", ["scaleway", "bedrock-openai"])
async def test_the_whole_loop(
    provider: str,
    boto: Any,
    moto_url: str,
    paths: Paths,
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "rows.jsonl", chat)
    words = expected()
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    bad = words["sandbox:fail=400"]
    with bucket_server(boto, KEY, like=provider) as server:
        config = config_for(
            server.url,
            provider,
            bucket=BUCKET,
            region=REGION,
            endpoint_url=moto_url,
            role_arn="arn:aws:iam::111122223333:role/bd",
        )
        engine = await Engine.open(paths, config)
        assert await engine.accounts.check_storage("there") == f"s3://{BUCKET}/batchdeck/"
        job_id = await submitted(engine, path)
        job = await ended(engine, job_id)
        assert job.counts.failed == flaky + bad
        if provider == "bedrock-openai":
            # Its batches have at least 100 rows.
            with pytest.raises(UsageError, match="at least 100 rows"):
                await engine.retry(await engine.retries.plan(job_id))
            await engine.close()
            return
        await engine.retry(await engine.retries.plan(job_id))
        job = await ended(engine, job_id)
        assert (job.counts.total, job.counts.failed) == (ROWS, bad)
        assert job.counts.pending == job.counts.missing == 0
        keys = [item["Key"] for item in boto.list_objects_v2(Bucket=BUCKET)["Contents"]]
        assert sum(key.startswith("batchdeck/") for key in keys) == 2
        await engine.remote.delete(job_id, remote=True)
        assert "Contents" not in boto.list_objects_v2(Bucket=BUCKET)
        await engine.close()


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({}, ConfigError, "the account has no bucket"),
        ({"bucket": BUCKET, "region": ""}, None, ""),
    ],
)
async def test_an_account_names_its_bucket(
    params: dict[str, str], error: type[ConfigError] | None, words: str, paths: Paths
) -> None:
    engine = await Engine.open(paths, config_for("http://127.0.0.1:9", **params))
    if error is None:
        await engine.accounts.dialect("there")
    else:
        with pytest.raises(error, match=words):
            await engine.accounts.dialect("there")
    await engine.close()


async def test_a_bucket_needs_an_access_key(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCW_ACCESS_KEY")
    engine = await Engine.open(paths, config_for("http://127.0.0.1:9", bucket=BUCKET))
    with pytest.raises(KeyMissingError) as caught:
        await engine.accounts.dialect("there")
    assert "SCW_ACCESS_KEY" in caught.value.hint
    await engine.close()
