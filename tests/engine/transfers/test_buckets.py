"""Tables from buckets, and exports to them: moto for S3, the sandbox's own GCS for Google."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.bucket import BUCKET, KEY_PAIR, REGION, boto, moto_url
from tests.fakes.server import sandbox
from tui.addresses import parse_address
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, ConfigError, InputError, UsageError
from tui.progress import Progress
from tui.providers.stores.open import open_typed_bucket

__all__ = ["boto", "moto_url"]
TABLE = b"name,price\nlamp,3\n"


async def test_a_table_is_read_from_s3_and_an_export_goes_there(
    engine: Engine, boto: Any, moto_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**KEY_PAIR, "AWS_REGION": REGION, "AWS_ENDPOINT_URL_S3": moto_url}.items():
        monkeypatch.setenv(name, value)
    boto.put_object(Bucket=BUCKET, Key="in/products.csv", Body=TABLE)
    await _round_trip(engine, f"s3://{BUCKET}", tmp_path)
    stored = boto.get_object(Bucket=BUCKET, Key="out/rows.csv")
    assert stored["ContentType"] == "text/csv; charset=utf-8"
    assert stored["Body"].read().startswith(b"custom_id,")

    with pytest.raises(ConfigError, match="the bucket nowhere does not exist") as caught:
        async with engine.results.open_target("s3://nowhere/x.csv") as target:
            target.path.write_bytes(TABLE)
            await target.upload()
    assert caught.value.hint == "Check the address."


async def test_a_table_is_read_from_gcs_and_an_export_goes_there(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with sandbox(tmp_path / "sandbox", like="vertex", key=None) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        async with httpx.AsyncClient(base_url=url) as client:
            await client.post(
                "/upload/storage/v1/b/answers/o",
                params={"uploadType": "media", "name": "in/products.csv"},
                content=TABLE,
            )
        await _round_trip(engine, "gs://answers", tmp_path)


async def _round_trip(engine: Engine, bucket: str, tmp_path: Path) -> None:
    source = await engine.requests.open_source(f"{bucket}/in/products.csv")
    assert (source.name, list(source.rows())) == (
        f"{bucket}/in/products.csv",
        [{"name": "lamp", "price": "3"}],
    )
    again = await engine.requests.fetch(f"{bucket}/in/products.csv")
    assert not again.is_new
    report = await engine.requests.compose(
        source, "Praise the {name}", tmp_path / "r.jsonl", model="gpt-5-mini"
    )
    job = await engine.requests.import_file(Path(report.path))
    sent: list[int] = []
    async with engine.results.open_target(f"{bucket}/out/rows.csv") as target:
        assert not await target.exists()
        assert await engine.results.export(job.id, target.path) == 1
        await target.upload(Progress(lambda done, _: sent.append(done), seconds=0))
        assert await target.exists()
        written = target.path.read_bytes()
    assert sent[-1] == len(written)
    assert not target.path.exists()
    assert (await engine.requests.fetch(f"{bucket}/out/rows.csv")).path.read_bytes() == written
    with pytest.raises(InputError, match="there is no file at"):
        await engine.requests.fetch(f"{bucket}/in/none.csv")


async def test_an_export_to_the_web_is_refused(engine: Engine) -> None:
    with pytest.raises(UsageError, match="cannot be written to https://"):
        async with engine.results.open_target("https://data.example.org/x.csv"):
            pass


async def test_the_region_of_a_bucket_is_asked_for_and_missing_rights_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**KEY_PAIR, "AWS_REGION": "us-east-2"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(403, headers={"x-amz-bucket-region": REGION})

    store = await open_typed_bucket(
        "s3", "answers", transport=httpx.MockTransport(answer), clock=lambda: 0.0
    )
    assert "authorization" not in asked[0].headers
    (tmp_path / "rows.csv").write_bytes(TABLE)
    for act, right in (
        (store.describe("s3://answers/x.csv"), "s3:GetObject"),
        (store.put(tmp_path / "rows.csv", "x.csv"), "s3:PutObject"),
    ):
        with pytest.raises(BatchdeckError) as caught:
            await act
        assert right in caught.value.hint
    assert asked[-1].url.host == f"s3.{REGION}.amazonaws.com"
    await store.aclose()
    assert parse_address("s3://answers/a/b.csv").path == "a/b.csv"
