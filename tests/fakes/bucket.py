from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

BUCKET = "answers"
REGION = "eu-west-1"


class BotoObjects:
    """The buckets that a client of boto3 reaches, for a provider of the sandbox.

    Args:
        client: The client, such as the fixture `boto`.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def region(self, bucket: str) -> str:
        """The region of a bucket."""
        with _as_plain_errors():
            answer = self._client.get_bucket_location(Bucket=bucket)
        return answer["LocationConstraint"] or "us-east-1"

    def read(self, bucket: str, key: str, target: Path) -> None:
        """Copy an object into a file."""
        with _as_plain_errors():
            self._client.download_file(bucket, key, str(target))

    def write(self, bucket: str, key: str, chunks: Iterable[bytes]) -> None:
        """Create or replace an object."""
        with tempfile.TemporaryFile() as file:
            for chunk in chunks:
                file.write(chunk)
            file.seek(0)
            with _as_plain_errors():
                self._client.put_object(Bucket=bucket, Key=key, Body=file)


@contextmanager
def _as_plain_errors() -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("403", "AccessDenied"):
            raise PermissionError(code) from error
        raise LookupError(code) from error


KEY_PAIR = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
"""The variables of the credentials of that store."""


@contextmanager
def moto_server() -> Iterator[str]:
    """Serve moto's AWS while the block runs; gives its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The address of moto's S3, an object store that others wrote."""
    with moto_server() as url:
        yield url


@contextmanager
def one_bucket(moto_url: str) -> Iterator[Any]:
    """AWS's own client of that store, with one empty bucket, while the block runs."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=moto_url,
        region_name=REGION,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    try:
        yield client
    finally:
        httpx.post(f"{moto_url}/moto-api/reset")


@pytest.fixture
def boto(moto_url: str) -> Iterator[Any]:
    """AWS's own client of that store, with one empty bucket."""
    with one_bucket(moto_url) as client:
        yield client
