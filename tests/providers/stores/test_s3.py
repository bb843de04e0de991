"""A bucket at moto, written by Batchdeck and read by boto3, and the other way round."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.bucket import BUCKET, REGION
from tui.core.remote_batches import ResultSource
from tui.errors import BatchdeckError, ConfigError, KeyRejectedError, RequestRejectedError
from tui.progress import Progress
from tui.providers.profiles.load import find_profile
from tui.providers.stores.aws import AwsSigner, aws_credentials
from tui.providers.stores.s3 import Bucket, S3Store
from tui.providers.wire.address import parse_base_url
from tui.providers.wire.client import HttpClient


def store_at(
    url: str,
    transport: httpx.AsyncBaseTransport | None = None,
    pair: tuple[str, str] = ("AKIDEXAMPLE", "secret"),
    **changes: str,
) -> S3Store:
    bucket = Bucket(**{"name": BUCKET, "region": REGION, "prefix": "bd/", **changes})
    client = HttpClient(
        find_profile("openai"),
        parse_base_url(url, provider="The bucket", query={}),
        transport=transport,
        signer=AwsSigner(aws_credentials(*pair), "s3", REGION),
    )
    return S3Store(client, bucket)


@pytest.fixture
async def store(boto: Any, moto_url: str) -> AsyncIterator[S3Store]:
    made = store_at(moto_url)
    yield made
    await made.aclose()


async def read(store: S3Store, uri: str, have: int = 0) -> tuple[bytes, bool]:
    source = ResultSource(kind="output", ref=uri)
    async with store.open(source, have_bytes=have) as download:
        return b"".join([chunk async for chunk in download.chunks]), download.appends


async def test_a_file_is_put_read_resumed_listed_and_deleted(
    store: S3Store, boto: Any, tmp_path: Path
) -> None:
    data = b'{"a":"\xc3\xa9"}\n' * 50_000
    (tmp_path / "in.jsonl").write_bytes(data)
    sent: list[int] = []
    uri = await store.put(
        tmp_path / "in.jsonl", "one two.jsonl", progress=Progress(lambda done, _: sent.append(done))
    )
    assert uri == f"s3://{BUCKET}/bd/one two.jsonl"
    assert sent[-1] == len(data)
    assert boto.get_object(Bucket=BUCKET, Key="bd/one two.jsonl")["Body"].read() == data
    assert await read(store, uri) == (data, False)
    assert await read(store, uri, have=1000) == (data[1000:], True)
    assert [key async for key in store.keys("bd/")] == ["bd/one two.jsonl"]
    await store.delete(uri)
    await store.delete(uri)
    assert [key async for key in store.keys("")] == []


async def test_a_list_of_many_files_is_read_page_by_page() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        more = "" if "continuation-token" in asked[-1] else "<NextContinuationToken>t+1"
        more += "</NextContinuationToken>" if more else ""
        key = f"<Contents><Key>bd/{len(asked)}</Key></Contents>"
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        text = f'<ListBucketResult xmlns="{space}">{key}{more}</ListBucketResult>'
        return httpx.Response(200, content=text.encode())

    store = store_at("https://s3.example", httpx.MockTransport(answer))
    assert [key async for key in store.keys("bd/")] == ["bd/1", "bd/2"]
    assert [params.get("continuation-token") for params in asked] == [None, "t+1"]


@pytest.mark.parametrize(
    "uri",
    [
        "s3://answers/bd/x.jsonl",
        "https://answers.s3.eu-west-1.amazonaws.com/bd/x.jsonl",
        "https://s3.fr-par.scw.cloud/answers/bd/x.jsonl?versionId=1",
    ],
)
def test_every_address_of_an_object_names_its_key(uri: str) -> None:
    assert store_at("http://127.0.0.1:9").key_of(uri) == "bd/x.jsonl"


@pytest.mark.parametrize("uri", ["s3://theirs/x", "https://evil.example/x", "file-1", ""])
def test_nothing_is_signed_for_another_bucket(uri: str) -> None:
    with pytest.raises(RequestRejectedError, match="not in the bucket answers"):
        store_at("http://127.0.0.1:9").key_of(uri)


async def test_a_bucket_that_does_not_exist_is_named(
    boto: Any, moto_url: str, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"{}\n")
    store = store_at(moto_url, name="nowhere")
    with pytest.raises(ConfigError, match="the bucket nowhere does not exist") as caught:
        await store.put(tmp_path / "in.jsonl", "a.jsonl")
    assert "params.bucket" in caught.value.hint
    await store.aclose()


def xml(code: str, more: str = "") -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code>{more}</Error>".encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message", "hint"),
    [
        (403, xml("AccessDenied"), ConfigError, "may not read in s3://answers/bd/", "s3:GetObject"),
        (403, xml("ExpiredToken"), KeyRejectedError, "has expired", "aws sso login"),
        (403, xml("SignatureDoesNotMatch"), KeyRejectedError, "rejected the access key", "secret"),
        (403, xml("RequestTimeTooSkewed"), ConfigError, "clock", "Set it"),
        (
            400,
            xml("AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"),
            ConfigError,
            "is in eu-north-1, not in eu-west-1",
            "params.region of the account to eu-north-1",
        ),
        (301, xml("PermanentRedirect"), ConfigError, "in another region", "params.region"),
        (403, b"", ConfigError, "may not read", "s3:GetObject"),
    ],
)
async def test_an_error_names_the_setting_that_is_wrong(
    status: int, body: bytes, kind: type[BatchdeckError], message: str, hint: str
) -> None:
    answer = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    store = store_at("https://s3.example", answer)
    with pytest.raises(kind) as caught:
        await read(store, f"s3://{BUCKET}/bd/x")
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.fixture
def user(boto: Any, moto_url: str) -> Iterator[tuple[str, str]]:
    """The key pair of a user who may not list the bucket, while moto checks rights."""
    import boto3

    iam = boto3.client(
        "iam",
        endpoint_url=moto_url,
        region_name=REGION,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )
    iam.create_user(UserName="us")
    statement = {
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
        "Resource": f"arn:aws:s3:::{BUCKET}/bd/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="us", PolicyName="bd", PolicyDocument=policy)
    made = iam.create_access_key(UserName="us")["AccessKey"]
    httpx.post(f"{moto_url}/moto-api/reset-auth", content=b"0").raise_for_status()
    try:
        yield made["AccessKeyId"], made["SecretAccessKey"]
    finally:
        httpx.post(f"{moto_url}/moto-api/reset-auth", content=b"inf").raise_for_status()


async def test_the_rights_of_a_user_are_enough_or_named(
    user: tuple[str, str], moto_url: str, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"{}\n")
    store = store_at(moto_url, pair=user)
    uri = await store.put(tmp_path / "in.jsonl", "a.jsonl")
    assert await read(store, uri) == (b"{}\n", False)
    await store.delete(uri)
    with pytest.raises(ConfigError, match="may not list") as caught:
        await store.check()
    assert "s3:ListBucket" in caught.value.hint
    await store.aclose()
    elsewhere = store_at(moto_url, pair=user, prefix="other/")
    with pytest.raises(ConfigError, match="may not write in s3://answers/other/") as caught:
        await elsewhere.put(tmp_path / "in.jsonl", "a.jsonl")
    assert "s3:PutObject" in caught.value.hint
    await elsewhere.aclose()
    mistyped = store_at(moto_url, pair=(user[0], "another secret"))
    with pytest.raises(KeyRejectedError, match="rejected the access key"):
        await mistyped.put(tmp_path / "in.jsonl", "a.jsonl")
    await mistyped.aclose()


async def test_the_signature_is_that_of_botocore() -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=b"{}")

    store = store_at("https://s3.example", httpx.MockTransport(answer))
    await read(store, f"s3://{BUCKET}/bd/a b+c é.jsonl", have=5)
    (request, *_) = asked
    signed = re_signed = request.headers["authorization"]
    names = signed.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "range", "x-amz-content-sha256", "x-amz-date"} <= set(names)

    class Again(S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return "UNSIGNED-PAYLOAD"

        def _modify_request_before_signing(self, request: Any) -> None:
            request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"

    headers = {name: request.headers[name] for name in names if name != "host"}
    twin = AWSRequest(method="GET", url=str(request.url), headers=headers)
    signer = Again(aws_credentials("AKIDEXAMPLE", "secret"), "s3", REGION)
    twin.context["timestamp"] = request.headers["x-amz-date"]
    text = signer.string_to_sign(twin, signer.canonical_request(twin))
    re_signed = signer.signature(text, twin)
    assert signed.endswith(f"Signature={re_signed}")
    assert request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
