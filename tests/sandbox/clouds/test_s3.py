from __future__ import annotations

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.providers.test_bedrock import KEY, REGION, ROLE, claude, client_of, records

BUCKET = "rehearsal"


@pytest.fixture
def url(bench, clock):
    return bench(like="bedrock", region=REGION, key=":".join(KEY), clock=clock).url


@pytest.fixture
def s3(url):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEY[0],
        aws_secret_access_key=KEY[1],
        config=Config(
            request_checksum_calculation="when_required",
            s3={"addressing_style": "path", "payload_signing_enabled": False},
        ),
    )


def keys(s3, prefix="", size=1000):
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": size}
    )
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


@pytest.mark.parametrize("key", ["a/b.jsonl", "one two.jsonl", "é+&%<x>.jsonl", "a//b"])
def test_an_object_is_kept_as_it_is(s3, key):
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"first")
    made = s3.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789")
    found = s3.get_object(Bucket=BUCKET, Key=key)
    assert (found["Body"].read(), found["ETag"]) == (b"0123456789", made["ETag"])
    part = s3.get_object(Bucket=BUCKET, Key=key, Range="bytes=4-")
    assert (part["Body"].read(), part["ContentRange"]) == (b"456789", "bytes 4-9/10")
    assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == 10
    assert keys(s3) == [key]
    for _ in range(2):
        s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=BUCKET, Key=key)


def test_the_list_has_prefixes_and_pages(s3):
    names = [f"a/{n}" for n in range(5)] + ["b", "a%1", "a_1"]
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"x")
    assert keys(s3, size=2) == sorted(names)
    assert keys(s3, "a/", size=2) == [f"a/{n}" for n in range(5)]
    assert keys(s3, "a%") == ["a%1"]


def test_an_unsigned_request_is_refused(url, s3):
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"x")
    answer = httpx.get(f"{url}/{BUCKET}/a")
    assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)


def test_a_job_works_on_these_buckets(url, s3, clock):
    import json

    bedrock = client_of(url)
    data = "".join(json.dumps(row) + "\n" for row in records(["sandbox:say=Four"] * 100, claude))
    s3.put_object(Bucket=BUCKET, Key="in/rows.jsonl", Body=data.encode())
    arn = bedrock.create_model_invocation_job(
        jobName="one",
        roleArn=ROLE,
        modelId="anthropic.claude-sandbox-v1:0",
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{BUCKET}/in/rows.jsonl"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/out/"}},
    )["jobArn"]
    clock.now += 3600
    assert bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] == "Completed"
    folder = f"out/{arn.rpartition('/')[2]}"
    assert keys(s3, "out/") == [f"{folder}/manifest.json.out", f"{folder}/rows.jsonl.out"]
    body = s3.get_object(Bucket=BUCKET, Key=f"{folder}/rows.jsonl.out")["Body"].read()
    assert body.count(b'"Four"') == 100


def test_who_is_signed_in(url):
    me = client_of(url, service="sts").get_caller_identity()
    assert me["Account"] == "111122223333"
    role = client_of(url, service="iam", region="us-east-1").get_role(RoleName="bd")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert role["Arn"] == "arn:aws:iam::111122223333:role/bd"
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client_of(url, service="sts", key=("other", "secret")).get_caller_identity()
