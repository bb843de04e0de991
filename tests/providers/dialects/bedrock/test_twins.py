"""What AWS's own client sends for a job, beside what the dialect sends, and the service model."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.session import Session
from botocore.validate import ParamValidator

from tests.providers.dialects.bedrock.test_jobs import (
    ARN,
    CREATE,
    CREATED,
    GET,
    LIST,
    MANIFEST,
    bedrock,
    draft,
    job,
)
from tests.providers.fakes import Scripted

STOP = "POST /model-invocation-job/a1b2c3d4e5f6/stop"
SCRIPT: dict[str, Any] = {
    CREATE: CREATED,
    GET: httpx.Response(200, json=job()),
    LIST: httpx.Response(200, json={"invocationJobSummaries": [job()]}),
    STOP: httpx.Response(200, json={}),
    MANIFEST: httpx.Response(404),
    "GET /foundation-models": httpx.Response(200, json={"modelSummaries": []}),
    "GET /inference-profiles": httpx.Response(200, json={"inferenceProfileSummaries": []}),
}
KEYS = Credentials("AKIDEXAMPLE", "secret")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)


@cache
def operation(name: str) -> Any:
    return Session().get_service_model("bedrock").operation_model(name)


class Recorded:
    """AWS's own client, whose requests are answered by a script of the fakes."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.client = boto3.client(
            "bedrock",
            region_name="eu-west-1",
            aws_access_key_id=KEYS.access_key,
            aws_secret_access_key=KEYS.secret_key,
        )
        self.client.meta.events.register("before-send.bedrock.*", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)
        path = urlsplit(request.url).path
        answer = SCRIPT[f"{request.method} {path}"]
        response = AWSResponse(request.url, answer.status_code, dict(answer.headers), None)
        response._content = answer.content
        return response


def theirs(request: Any) -> dict[str, Any]:
    parts = urlsplit(request.url)
    return {
        "method": request.method,
        "host": parts.netloc,
        "path": parts.path,
        "query": dict(parse_qsl(parts.query)),
        "body": json.loads(request.body) if request.body else None,
    }


def ours(script: Scripted, number: int) -> dict[str, Any]:
    request, body = script.requests[number], script.bodies[number]
    return {
        "method": request.method,
        "host": request.url.host,
        "path": request.url.raw_path.decode().partition("?")[0],
        "query": dict(request.url.params),
        "body": json.loads(body) if body else None,
    }


async def test_the_dialect_sends_what_awss_client_sends() -> None:
    script, recorded = Scripted(SCRIPT), Recorded()
    dialect, client = bedrock(script), recorded.client
    await dialect.create(draft())
    await dialect.retrieve("a1b2c3d4e5f6")
    _ = [batch async for batch in dialect.list_batches(created_after=1_795_000_300.0)]
    _ = [batch async for batch in dialect.jobs_named("bd-b1")]
    await dialect.cancel("a1b2c3d4e5f6")
    await dialect.models()
    # After a stop without a job in its response, the dialect asks for the job.
    del script.requests[5], script.bodies[5]

    body = ours(script, 0)["body"]
    client.create_model_invocation_job(**body)
    client.get_model_invocation_job(jobIdentifier="a1b2c3d4e5f6")
    order = {"sortBy": "CreationTime", "sortOrder": "Descending", "maxResults": 100}
    client.list_model_invocation_jobs(submitTimeAfter=1_795_000_000, **order)
    client.list_model_invocation_jobs(nameContains="bd-b1", **order)
    client.stop_model_invocation_job(jobIdentifier="a1b2c3d4e5f6")
    client.list_foundation_models()
    client.list_inference_profiles(maxResults=100)

    assert [ours(script, n) for n in range(len(script.requests))] == list(
        map(theirs, recorded.requests)
    )


async def test_a_create_fits_the_service_model() -> None:
    shape = operation("CreateModelInvocationJob").input_shape
    for model in ("us.anthropic.claude-sonnet-5-v1:0", "eu.amazon.nova-lite-v1:0"):
        script = Scripted({CREATE: CREATED})
        dialect = bedrock(script, kms_key="alias/k", bucket_owner="1" * 12)
        await dialect.create(draft(model=model, intent="0123456789abcdefghij"))
        body = script.sent()
        report = ParamValidator().validate(body, shape)
        assert not report.has_errors(), report.generate_report()
        assert set(body) <= set(shape.members)
        # The validator does not look at patterns.
        for name in ("jobName", "clientRequestToken", "roleArn", "modelId"):
            pattern = shape.members[name].metadata["pattern"]
            assert re.fullmatch(pattern, body[name]), name
        for outer, inner in (
            ("inputDataConfig", "s3InputDataConfig"),
            ("outputDataConfig", "s3OutputDataConfig"),
        ):
            uri = shape.members[outer].members[inner].members["s3Uri"]
            assert re.fullmatch(uri.metadata["pattern"], body[outer][inner]["s3Uri"])


@pytest.mark.parametrize("batch_id", ["a1b2c3d4e5f6", ARN])
async def test_the_signature_is_that_of_botocore(batch_id: str) -> None:
    script = Scripted(SCRIPT)
    dialect = bedrock(script)
    await dialect.create(draft())
    await dialect.retrieve(batch_id)
    assert script.calls[1] == GET
    for request, body in zip(script.requests, script.bodies, strict=True):
        signed = request.headers["authorization"]
        names = signed.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"host", "x-amz-date"} <= set(names)
        headers = {name: request.headers[name] for name in names if name != "host"}
        twin = AWSRequest(method=request.method, url=str(request.url), headers=headers, data=body)
        twin.context["timestamp"] = request.headers["x-amz-date"]
        signer = SigV4Auth(KEYS, "bedrock", "eu-west-1")
        text = signer.string_to_sign(twin, signer.canonical_request(twin))
        assert signed.endswith(f"Signature={signer.signature(text, twin)}")
        # The body is part of what is signed.
        changed = AWSRequest(
            method=request.method, url=str(request.url), headers=headers, data=body + b" "
        )
        changed.context["timestamp"] = request.headers["x-amz-date"]
        other = signer.string_to_sign(changed, signer.canonical_request(changed))
        assert other != text
