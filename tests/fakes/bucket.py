from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

BUCKET = "answers"
REGION = "eu-west-1"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The address of moto's S3, an object store that others wrote."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def boto(moto_url: str) -> Iterator[Any]:
    """AWS's own client of that store, with one empty bucket."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=moto_url,
        region_name=REGION,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield client
    httpx.post(f"{moto_url}/moto-api/reset")
