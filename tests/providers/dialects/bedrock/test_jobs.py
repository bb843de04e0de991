"""Model invocation jobs: what is sent, what a lost create does, and what is read of the bucket."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.providers.fakes import KEY, Scripted
from tui.core.jobs import BatchStatus, RemoteCounts
from tui.core.remote_batches import ResultSource
from tui.errors import (
    BatchdeckError,
    ConfigError,
    InputError,
    KeyRejectedError,
    QuotaError,
    RequestRejectedError,
    ResponseLostError,
    UnreachableError,
)
from tui.providers.connect import connect
from tui.providers.dialect import BatchDraft
from tui.providers.profiles.load import find_profile

ROLE = "arn:aws:iam::111122223333:role/bd"
ARN = "arn:aws:bedrock:eu-west-1:111122223333:model-invocation-job/a1b2c3d4e5f6"
SOURCE = "s3://answers/batchdeck/b1.jsonl"
CREATE = "POST /model-invocation-job"
GET = "GET /model-invocation-job/a1b2c3d4e5f6"
LIST = "GET /model-invocation-jobs"
FOLDER = "/answers/batchdeck/b1/a1b2c3d4e5f6/"
OUTPUT = f"{FOLDER}b1.jsonl.out"
MANIFEST = f"GET {FOLDER}manifest.json.out"
PARAMS = {"bucket": "answers", "region": "eu-west-1", "role_arn": ROLE}
CREATED = httpx.Response(200, json={"jobArn": ARN})
GONE = httpx.Response(404, content=b"<Error><Code>NoSuchKey</Code></Error>")
DENIED = httpx.Response(403, content=b"<Error><Code>AccessDenied</Code></Error>")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def bedrock(script: Any, changes: Any = None, *, key: str | None = None, **params: str) -> Any:
    table = {"base": "bedrock", "http": {"first_pause": 0.001}, **(changes or {})}
    return connect(
        find_profile("made-up", {"made-up": table}),
        key=key,
        transport=httpx.MockTransport(script),
        params={**PARAMS, **params},
    )


def draft(**fields: Any) -> BatchDraft:
    given = {
        "path": None, "rows": 120, "endpoint": "/v1/chat/completions",
        "model": "us.anthropic.claude-sonnet-5-v1:0", "window": "", "intent": "b1",
        "file_id": SOURCE,
    }  # fmt: skip
    return BatchDraft(**{**given, **fields})


def job(status: str = "InProgress", **fields: Any) -> dict[str, Any]:
    return {
        "jobArn": ARN,
        "jobName": "bd-b1",
        "status": status,
        "submitTime": "2026-11-20T08:01:02Z",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": SOURCE}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://answers/batchdeck/b1/"}},
        **fields,
    }


def refused(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(
        status, headers={"x-amzn-errortype": f"{code}:http://x/"}, json={"message": message}
    )


COUNTS = {
    "totalRecordCount": 120,
    "processedRecordCount": 110,
    "successRecordCount": 100,
    "errorRecordCount": 10,
}


async def test_a_create_names_the_intent_twice_and_the_folders() -> None:
    script = Scripted({CREATE: CREATED})
    batch = await bedrock(script, kms_key="alias/k", bucket_owner="1" * 12).create(draft())
    assert script.sent() == {
        "jobName": "bd-b1",
        "clientRequestToken": "bd-b1",
        "roleArn": ROLE,
        "modelId": "us.anthropic.claude-sonnet-5-v1:0",
        "modelInvocationType": "InvokeModel",
        "timeoutDurationInHours": 24,
        "inputDataConfig": {"s3InputDataConfig": {
            "s3InputFormat": "JSONL", "s3Uri": SOURCE, "s3BucketOwner": "1" * 12,
        }},
        "outputDataConfig": {"s3OutputDataConfig": {
            "s3Uri": "s3://answers/batchdeck/b1/", "s3EncryptionKeyId": "alias/k",
            "s3BucketOwner": "1" * 12,
        }},
    }  # fmt: skip
    (request,) = script.requests
    assert request.url == "https://bedrock.eu-west-1.amazonaws.com/model-invocation-job"
    assert "/eu-west-1/bedrock/aws4_request" in request.headers["authorization"]
    assert (batch.id, batch.status, batch.intent) == ("a1b2c3d4e5f6", BatchStatus.VALIDATING, "b1")
    assert (batch.counts.total, batch.input_file_id) == (120, SOURCE)


async def test_the_model_and_its_rows_decide_the_invocation() -> None:
    script = Scripted({CREATE: CREATED})
    await bedrock(script).create(draft(model="eu.amazon.nova-lite-v1:0", window="2d"))
    assert script.sent()["modelInvocationType"] == "Converse"
    assert script.sent()["timeoutDurationInHours"] == 48
    await bedrock(script, model="m.x").create(draft(model="", endpoint="/model/invoke"))
    assert (script.sent()["modelId"], script.sent()["modelInvocationType"]) == (
        "m.x",
        "InvokeModel",
    )
    with pytest.raises(InputError, match="24 to 168"):
        await bedrock(script).create(draft(window="12h"))
    with pytest.raises(InputError, match="no model"):
        await bedrock(script).create(draft(model=""))


@pytest.mark.parametrize("trouble", [httpx.ReadError("cut"), httpx.Response(502)])
async def test_a_lost_create_is_sent_again_unchanged(trouble: Any) -> None:
    script = Scripted({CREATE: [trouble, CREATED]})
    batch = await bedrock(script).create(draft())
    assert batch.id == "a1b2c3d4e5f6"
    assert script.calls == [CREATE, CREATE]
    assert script.bodies[0] == script.bodies[1]


async def test_a_create_that_stays_lost_is_looked_for_by_its_name() -> None:
    other = job(jobName="bd-b12", jobArn=ARN[:-1] + "x")
    listed = httpx.Response(200, json={"invocationJobSummaries": [other, job()]})
    script = Scripted({CREATE: httpx.ReadError("cut"), LIST: listed})
    assert (await bedrock(script).create(draft())).id == "a1b2c3d4e5f6"
    assert script.calls == [CREATE] * 3 + [LIST]
    assert script.requests[-1].url.params["nameContains"] == "bd-b1"
    nothing = httpx.Response(200, json={"invocationJobSummaries": []})
    script = Scripted({CREATE: httpx.ReadError("cut"), LIST: nothing})
    with pytest.raises(ResponseLostError):
        await bedrock(script).create(draft())


async def test_a_refusal_after_a_lost_create_proves_nothing() -> None:
    nothing = httpx.Response(200, json={"invocationJobSummaries": []})
    script = Scripted(
        {CREATE: [httpx.ReadError("cut"), refused(400, "ValidationException", "no")], LIST: nothing}
    )
    with pytest.raises(ResponseLostError):
        await bedrock(script).create(draft())
    # The list may be forbidden; that proves nothing either.
    script = Scripted({
        CREATE: [httpx.ReadError("cut"), refused(403, "ExpiredTokenException", "over")],
        LIST: refused(403, "AccessDeniedException", "no"),
    })  # fmt: skip
    with pytest.raises(ResponseLostError):
        await bedrock(script).create(draft())


async def test_a_name_that_is_taken_is_ours() -> None:
    taken = refused(400, "ConflictException", "The job name is in use.")
    listed = httpx.Response(200, json={"invocationJobSummaries": [job()]})
    script = Scripted({CREATE: taken, LIST: listed})
    assert (await bedrock(script).create(draft())).id == "a1b2c3d4e5f6"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Submitted", "validating"), ("Validating", "validating"), ("Scheduled", "validating"),
        ("InProgress", "in_progress"), ("Stopping", "cancelling"), ("Completed", "completed"),
        ("Failed", "failed"), ("Stopped", "cancelled"), ("Expired", "expired"),
        ("PartiallyCompleted", "expired"), ("Paused", "unknown"),
    ],
)  # fmt: skip
async def test_every_status_has_a_meaning(word: str, status: str) -> None:
    answer = httpx.Response(200, json=job(word, **COUNTS))
    script = Scripted({GET: answer, MANIFEST: GONE})
    batch = await bedrock(script).retrieve("a1b2c3d4e5f6")
    assert (batch.status, batch.raw_status) == (status, word)
    assert batch.counts == RemoteCounts(total=120, completed=100, failed=10)
    assert [source.ref for source in batch.results] == [f"s3:/{OUTPUT}"]
    assert batch.results[0].growing is (status in ("validating", "in_progress", "cancelling",
                                                   "unknown"))  # fmt: skip


async def test_a_partly_completed_job_with_all_rows_is_complete() -> None:
    whole = {**COUNTS, "successRecordCount": 110}
    answer = httpx.Response(200, json=job("PartiallyCompleted", **whole))
    batch = await bedrock(Scripted({GET: answer, MANIFEST: GONE})).retrieve(ARN)
    assert batch.status is BatchStatus.COMPLETED


async def test_the_manifest_has_the_counts_that_a_job_lacks() -> None:
    manifest = {**COUNTS, "inputTokenCount": 5, "outputTokenCount": 7}
    script = Scripted(
        {
            GET: httpx.Response(200, json=job("Completed")),
            MANIFEST: httpx.Response(200, json=manifest),
        }
    )
    dialect = bedrock(script)
    batch = await dialect.retrieve("a1b2c3d4e5f6")
    assert batch.counts == RemoteCounts(
        total=120, completed=100, failed=10, input_tokens=5, output_tokens=7
    )
    assert batch.raw["manifest"] == manifest
    await dialect.retrieve("a1b2c3d4e5f6")
    assert script.calls.count(MANIFEST) == 1


@pytest.mark.parametrize(("head", "results"), [(GONE, 0), (DENIED, 0), (httpx.Response(200), 1)])
async def test_a_job_that_failed_before_its_first_row_has_no_results(
    head: httpx.Response, results: int
) -> None:
    answer = httpx.Response(200, json=job("Failed", message="Could not assume the role."))
    script = Scripted({GET: answer, MANIFEST: GONE, f"HEAD {OUTPUT}": head})
    batch = await bedrock(script).retrieve("a1b2c3d4e5f6")
    assert len(batch.results) == results
    (issue,) = batch.issues
    assert issue.message.startswith("Could not assume the role. Check params.role_arn")
    assert "bedrock.amazonaws.com" in issue.message


async def read(dialect: Any, source: ResultSource, have: int = 0) -> tuple[bytes, bool]:
    async with dialect.download(source, have_bytes=have) as download:
        return b"".join([chunk async for chunk in download.chunks]), download.appends


async def test_results_are_resumed_only_in_the_version_that_is_known() -> None:
    asked: list[tuple[str | None, str | None]] = []
    content, etag = b"one\ntwo\n", '"1"'

    def answer(request: httpx.Request) -> httpx.Response:
        wanted, version = request.headers.get("range"), request.headers.get("if-match")
        asked.append((wanted, version))
        if wanted is None:
            return httpx.Response(200, headers={"etag": etag}, content=content)
        if version != etag:
            return httpx.Response(412)
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers = {"etag": etag, "content-range": place}
        return httpx.Response(206, headers=headers, content=content[start:])

    dialect = bedrock(Scripted({f"GET {OUTPUT}": answer}))
    source = ResultSource(kind="output", ref=f"s3:/{OUTPUT}", growing=True)
    assert await read(dialect, source, have=4) == (content, False)
    assert await read(dialect, source, have=4) == (b"two\n", True)
    content, etag = b"two\none\n", '"2"'
    assert await read(dialect, source, have=4) == (content, False)
    assert asked == [(None, None), ("bytes=4-", '"1"'), ("bytes=4-", '"1"'), (None, None)]


@pytest.mark.parametrize("answer", [GONE, DENIED])
async def test_results_that_do_not_exist_yet_are_absent(answer: httpx.Response) -> None:
    dialect = bedrock(Scripted({f"GET {OUTPUT}": answer}))
    source = ResultSource(kind="output", ref=f"s3:/{OUTPUT}", growing=True)
    with pytest.raises(RequestRejectedError) as caught:
        await read(dialect, source)
    assert caught.value.status == 404


async def test_a_bucket_that_denies_reading_is_named() -> None:
    dialect = bedrock(Scripted({f"GET {OUTPUT}": DENIED}))
    with pytest.raises(ConfigError, match="may not read in s3://answers/batchdeck/") as caught:
        await read(dialect, ResultSource(kind="output", ref=f"s3:/{OUTPUT}"))
    assert "s3:GetObject" in caught.value.hint and "s3:ListBucket" in caught.value.hint


async def test_a_folder_of_inputs_has_a_folder_of_results() -> None:
    config = {"inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://answers/in/"}}}
    script = Scripted({GET: httpx.Response(200, json={**job(**COUNTS), **config})})
    batch = await bedrock(script).retrieve("a1b2c3d4e5f6")
    assert [source.ref for source in batch.results] == [f"s3:/{FOLDER}"]


async def test_a_stop_without_a_body_is_followed_by_the_job() -> None:
    stop = "POST /model-invocation-job/a1b2c3d4e5f6/stop"
    script = Scripted(
        {stop: httpx.Response(200, json={}), GET: httpx.Response(200, json=job("Stopping"))}
    )
    batch = await bedrock(script).cancel("a1b2c3d4e5f6")
    assert (batch.status, script.calls) == (BatchStatus.CANCELLING, [stop, GET])
    ended = {stop: refused(400, "ConflictException", "It has ended."),
             GET: httpx.Response(200, json=job("Completed", **COUNTS)), MANIFEST: GONE}  # fmt: skip
    assert (await bedrock(Scripted(ended)).cancel(ARN)).status is BatchStatus.COMPLETED


async def test_jobs_are_listed_newest_first_by_pages() -> None:
    pages = [
        httpx.Response(200, json={"invocationJobSummaries": [job()], "nextToken": "n"}),
        httpx.Response(200, json={"invocationJobSummaries": [job(jobName="theirs")]}),
    ]
    script = Scripted({LIST: pages})
    found = [batch async for batch in bedrock(script).list_batches(created_after=1_000_000_000.0)]
    assert [(batch.intent, batch.metadata) for batch in found] == [
        ("b1", {}), (None, {"name": "theirs"}),
    ]  # fmt: skip
    first, second = (dict(request.url.params) for request in script.requests)
    assert first == {
        "sortBy": "CreationTime", "sortOrder": "Descending", "maxResults": "100",
        "submitTimeAfter": "2001-09-09T01:41:40Z",
    }  # fmt: skip
    assert second == {**first, "nextToken": "n"}


async def test_a_key_is_sent_instead_of_a_signature_but_not_to_the_bucket() -> None:
    script = Scripted({CREATE: CREATED, f"GET {OUTPUT}": httpx.Response(200, content=b"")})
    dialect = bedrock(script, key=KEY)
    await dialect.create(draft())
    await read(dialect, ResultSource(kind="output", ref=f"s3:/{OUTPUT}"))
    first, second = (request.headers["authorization"] for request in script.requests)
    assert first == f"Bearer {KEY}"
    assert second.startswith("AWS4-HMAC-SHA256") and KEY not in second
    script = Scripted({CREATE: CREATED})
    await bedrock(script, {"auth": {"ways": ["aws"]}}, key=KEY).create(draft())
    assert script.requests[0].headers["authorization"].startswith("AWS4-HMAC-SHA256")


CLOCK = "Signature expired: 20261120T080000Z is now earlier than 20261120T080500Z (… - 5 min.)"
PASS_ROLE = f"User: arn:aws:iam::1:user/a is not authorized to perform: iam:PassRole on {ROLE}"
DENIED_LIST = "User: a is not authorized to perform: bedrock:CreateModelInvocationJob on resource"


@pytest.mark.parametrize(
    ("answer", "kind", "message", "hint"),
    [
        (refused(403, "ExpiredTokenException", "The security token is expired"), KeyRejectedError,
         "the sign-in of the AWS credentials has expired", "aws sso login"),
        (refused(403, "InvalidSignatureException", CLOCK), ConfigError, "the clock of this machine",
         "Set the clock"),
        (refused(403, "UnrecognizedClientException", "The security token is invalid"),
         KeyRejectedError, "rejected the credentials", "AWS_PROFILE"),
        (refused(403, "SignatureDoesNotMatch", "no match"), KeyRejectedError,
         "rejected the credentials", "AWS_SECRET_ACCESS_KEY"),
        (refused(403, "InvalidSignatureException",
                 "Credential should be scoped to a valid region."), ConfigError, "eu-west-1",
         "params.region"),
        (refused(403, "AccessDeniedException", PASS_ROLE), ConfigError, ROLE, "iam:PassRole"),
        (refused(403, "AccessDeniedException", DENIED_LIST), ConfigError,
         "bedrock:CreateModelInvocationJob", "for your identity"),
        (refused(400, "ValidationException", f"Could not assume role {ROLE}"), RequestRejectedError,
         "Could not assume", "params.role_arn"),
        (refused(400, "ValidationException", "The provided model identifier is invalid."),
         RequestRejectedError, "model identifier", "us., eu. or global."),
        (refused(400, "ServiceQuotaExceededException", "Too many jobs"), QuotaError, "Too many",
         "other batches"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), UnreachableError,
         "cannot be resolved", "params.region"),
    ],
)  # fmt: skip
async def test_an_error_names_the_setting_that_is_wrong(
    answer: Any, kind: type[BatchdeckError], message: str, hint: str
) -> None:
    script = Scripted({CREATE: answer})
    with pytest.raises(kind) as caught:
        await bedrock(script).create(draft())
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert type(caught.value) is kind


async def test_an_ended_session_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from botocore.credentials import RefreshableCredentials
    from botocore.exceptions import ClientError

    def fails(self: Any) -> Any:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "over"}}, "AssumeRole")

    monkeypatch.setattr(RefreshableCredentials, "get_frozen_credentials", fails)
    monkeypatch.setattr(
        "botocore.session.Session.get_credentials",
        lambda self: RefreshableCredentials("a", "b", "c", None, None, "x"),
    )
    script = Scripted({CREATE: CREATED})
    with pytest.raises(BatchdeckError, match="cannot be renewed") as caught:
        await bedrock(script).create(draft())
    assert "aws sso login" in caught.value.hint
    assert script.requests == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"role_arn": ""}, "has no role_arn"),
        ({"role_arn": "bd"}, "'bd' is not the ARN of a role"),
        ({"bucket": ""}, "no bucket"),
        ({"region": ""}, "region"),
    ],
)
def test_an_account_names_role_bucket_and_region(params: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bedrock(Scripted({}), **params)


async def test_a_job_of_another_region_is_not_looked_for_here() -> None:
    with pytest.raises(ConfigError, match="in us-east-1, and the account in eu-west-1"):
        await bedrock(Scripted({})).retrieve(ARN.replace("eu-west-1", "us-east-1"))


async def test_results_are_deleted_with_their_manifest() -> None:
    done = httpx.Response(204)
    script = Scripted({
        f"DELETE {OUTPUT}": done, MANIFEST.replace("GET", "DELETE"): done,
        "DELETE /answers/batchdeck/b1.jsonl": done,
    })  # fmt: skip
    dialect = bedrock(script)
    await dialect.delete_file(SOURCE)
    await dialect.delete_file(f"s3:/{OUTPUT}")
    assert len(script.calls) == 3


async def test_a_single_request_goes_to_the_runtime() -> None:
    path = "/model/eu.amazon.nova-lite-v1%3A0/converse"
    answer = {"output": {"message": {"role": "assistant", "content": [{"text": "4"}]}}}
    script = Scripted({f"POST {path}": httpx.Response(200, json=answer)})
    line = {
        "custom_id": "a",
        "url": "/v1/chat/completions",
        "body": {
            "model": "eu.amazon.nova-lite-v1:0",
            "messages": [{"role": "user", "content": "?"}],
        },
    }
    made = await bedrock(script).ask(json.dumps(line).encode())
    assert json.loads(made) == answer
    (request,) = script.requests
    assert request.url.host == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert "/eu-west-1/bedrock/aws4_request" in request.headers["authorization"]
    assert script.sent() == {"messages": [{"role": "user", "content": [{"text": "?"}]}]}


async def test_models_are_those_of_the_region_and_its_profiles() -> None:
    script = Scripted({
        "GET /foundation-models": httpx.Response(
            200, json={"modelSummaries": [{"modelId": "a.b"}]}
        ),
        "GET /inference-profiles": httpx.Response(
            200, json={"inferenceProfileSummaries": [{"inferenceProfileId": "eu.a.b"}]}
        ),
    })  # fmt: skip
    assert await bedrock(script).models() == ["a.b", "eu.a.b"]
    del script.script["GET /inference-profiles"]
    assert await bedrock(script).models() == ["a.b"]
