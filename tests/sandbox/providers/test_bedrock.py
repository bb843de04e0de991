from __future__ import annotations

import json
from functools import cache

import botocore.session
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.fakes.bucket import BUCKET, REGION, BotoObjects

ROLE = "arn:aws:iam::111122223333:role/bd"
CLAUDE = "us.anthropic.claude-sonnet-5-v1:0"
NOVA = "amazon.nova-lite-v1:0"
KEY = ("AKIDEXAMPLE", "secret")


def client_of(url, *, region=REGION, key=KEY, service="bedrock"):
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        config=Config(retries={"max_attempts": 1}),
    )


@pytest.fixture
def start(bench, boto, clock):
    """Start the façade; gives its address."""

    def run(**values):
        usual = {"clock": clock, "region": REGION, "rows_per_second": 100, "key": ":".join(KEY)}
        return bench(like="bedrock", objects=BotoObjects(boto), **(usual | values)).url

    return run


@pytest.fixture
def bedrock(start):
    return client_of(start())


def claude(text, **more):
    turn = {"role": "user", "content": [{"type": "text", "text": text}]}
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": [turn], **more}


def converse(text, **more):
    return {"messages": [{"role": "user", "content": [{"text": text}]}], **more}


def records(texts, make=claude):
    return [{"recordId": f"r-{n}", "modelInput": make(text)} for n, text in enumerate(texts)]


def put(boto, rows, key="in/rows.jsonl"):
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    boto.put_object(Bucket=BUCKET, Key=key, Body=data)
    return f"s3://{BUCKET}/{key}"


def order(boto, rows, name="bd-1", **more):
    """The arguments of a create."""
    return {
        "jobName": name,
        "clientRequestToken": name,
        "roleArn": ROLE,
        "modelId": CLAUDE,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": put(boto, rows)}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/out/"}},
        **more,
    }


def create(client, *args, **more):
    return client.create_model_invocation_job(**order(*args, **more))["jobArn"]


def get(client, arn):
    return client.get_model_invocation_job(jobIdentifier=arn)


def keys(boto):
    found = boto.list_objects_v2(Bucket=BUCKET, Prefix="out/").get("Contents", [])
    return {item["Key"].rpartition("/")[2]: item["Key"] for item in found}


def text_of(boto, name):
    return boto.get_object(Bucket=BUCKET, Key=keys(boto)[name])["Body"].read()


def results(boto):
    return [json.loads(line) for line in text_of(boto, "rows.jsonl.out").splitlines()]


def refusal(work):
    with pytest.raises(ClientError) as caught:
        work()
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@cache
def shape_of(service, operation):
    """The form of an answer, by the service model of AWS's own client."""
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(operation).output_shape


def valid(operation, answer, service="bedrock"):
    """Whether an answer has its form, types and required members included."""
    shape = shape_of(service, operation)
    body = {name: value for name, value in answer.items() if name in shape.members}
    report = ParamValidator().validate(body, shape)
    return not report.has_errors(), report.generate_report()


def test_a_job_reads_and_fills_the_bucket(bedrock, boto, clock):
    texts = ["x"] * 110 + ["sandbox:fail=400"] * 10
    arn = create(bedrock, boto, records(texts))
    assert arn.startswith(f"arn:aws:bedrock:{REGION}:111122223333:model-invocation-job/")
    assert get(bedrock, arn)["status"] == "Validating"
    assert keys(boto) == {}
    clock.now += 0.5
    assert get(bedrock, arn)["status"] == "Scheduled"
    clock.now += 0.6
    going = get(bedrock, arn.rpartition("/")[2])
    assert (going["status"], going["totalRecordCount"]) == ("InProgress", 120)
    first = results(boto)
    assert len(first) == going["processedRecordCount"]
    assert 55 < len(first) < 65
    assert set(keys(boto)) == {"rows.jsonl.out"}
    clock.now += 10
    done = get(bedrock, arn)
    assert done["status"] == "Completed"
    assert (done["successRecordCount"], done["errorRecordCount"]) == (110, 10)
    assert done["endTime"] > done["submitTime"]
    found = results(boto)
    assert found[: len(first)] == first
    assert sorted(row["recordId"] for row in found) == sorted(f"r-{n}" for n in range(120))
    assert [row["recordId"] for row in found] != [f"r-{n}" for n in range(120)]
    sent = {row["recordId"]: row["modelInput"] for row in records(texts)}
    for row in found:
        assert row["modelInput"] == sent[row["recordId"]]
        if "error" in row:
            assert row["error"]["errorCode"] == 400
            assert row["error"]["errorMessage"]
        else:
            assert row["modelOutput"]["content"][0]["text"]
            assert row["modelOutput"]["stop_reason"] == "end_turn"
    manifest = json.loads(text_of(boto, "manifest.json.out"))
    assert (manifest["totalRecordCount"], manifest["errorRecordCount"]) == (120, 10)
    usage = [row["modelOutput"]["usage"] for row in found if "error" not in row]
    assert manifest["outputTokenCount"] == sum(one["output_tokens"] for one in usage)


def test_answers_have_the_form_of_the_service_model(bedrock, boto, clock):
    arn = create(bedrock, boto, records(["x"] * 100), timeoutDurationInHours=48)
    shown = get(bedrock, arn)
    assert valid("GetModelInvocationJob", shown) == (True, "")
    assert (shown["jobExpirationTime"] - shown["submitTime"]).total_seconds() == 48 * 3600
    clock.now += 60
    assert valid("GetModelInvocationJob", get(bedrock, arn)) == (True, "")
    listed = bedrock.list_model_invocation_jobs()
    assert valid("ListModelInvocationJobs", listed) == (True, "")


def test_rows_of_converse_have_the_form_of_its_response(bedrock, boto, clock):
    schema = json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}})
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": "n"}}}
    rows = records(["x"] * 98 + ["sandbox:truncate", "sandbox:refuse"], converse)
    rows.append({"recordId": "s", "modelInput": converse("x", outputConfig={"textFormat": form})})
    rows.append({"recordId": "bad", "modelInput": {**converse("x"), "max_tokens": 5}})
    create(bedrock, boto, rows, modelId=NOVA, modelInvocationType="Converse")
    clock.now += 60
    bedrock.list_model_invocation_jobs()
    found = {row["recordId"]: row for row in results(boto)}
    assert "extraneous key [max_tokens]" in found.pop("bad")["error"]["errorMessage"]
    for row in found.values():
        assert valid("Converse", row["modelOutput"], "bedrock-runtime") == (True, "")
    reasons = [found[name]["modelOutput"]["stopReason"] for name in ("r-0", "r-98", "r-99")]
    assert reasons == ["end_turn", "max_tokens", "content_filtered"]
    (block,) = found["s"]["modelOutput"]["output"]["message"]["content"]
    assert isinstance(json.loads(block["text"])["n"], int)


@pytest.mark.parametrize(
    ("model", "body", "path"),
    [
        (NOVA, converse("x"), ("output", "message", "content", 0, "text")),
        ("amazon.titan-text-express-v1", {"inputText": "x"}, ("results", 0, "outputText")),
        ("amazon.titan-embed-text-v2:0", {"inputText": "x", "dimensions": 256}, ("embedding", 255)),
        ("us.meta.llama3-3-70b-instruct-v1:0", {"prompt": "x"}, ("generation",)),
        ("mistral.mistral-7b-instruct-v0:2", {"prompt": "x"}, ("outputs", 0, "text")),
        (
            "mistral.mistral-large-2407-v1:0",
            {"messages": [{"role": "user", "content": "x"}]},
            ("choices", 0, "message", "content"),
        ),
        (
            "openai.gpt-oss-120b-1:0",
            {"messages": [{"role": "user", "content": "x"}]},
            ("choices", 0, "message", "content"),
        ),
    ],
)
def test_each_vendor_has_its_own_form(bedrock, boto, clock, model, body, path):
    rows = [{"recordId": f"r-{n}", "modelInput": body} for n in range(99)]
    rows.append({"recordId": "bad", "modelInput": {"input": "x"}})
    arn = create(bedrock, boto, rows, modelId=model)
    clock.now += 60
    assert get(bedrock, arn)["errorRecordCount"] == 1
    for row in results(boto):
        if row["recordId"] == "bad":
            assert "required key" in row["error"]["errorMessage"]
            continue
        value = row["modelOutput"]
        for step in path:
            value = value[step]
        assert value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": CLAUDE}, "extraneous key [model]"),
        ({"anthropic_version": "2023-06-01"}, "Invalid API version"),
        ({"messages": []}, "at least one message"),
    ],
)
def test_a_wrong_row_of_claude_fails_alone(bedrock, boto, clock, change, words):
    rows = records(["x"] * 100)
    rows[3]["modelInput"] |= change
    arn = create(bedrock, boto, rows)
    clock.now += 60
    assert get(bedrock, arn)["status"] == "Completed"
    (bad,) = (row for row in results(boto) if "error" in row)
    assert bad["recordId"] == "r-3"
    assert words in bad["error"]["errorMessage"]


def test_a_record_without_an_id_gets_one(bedrock, boto, clock):
    create(bedrock, boto, [{"modelInput": claude("x")} for _ in range(100)])
    clock.now += 60
    bedrock.list_model_invocation_jobs()
    names = {row["recordId"] for row in results(boto)}
    assert len(names) == 100
    assert {len(name) for name in names} == {11}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (records(["x"] * 99), "less records (99) than the required minimum of: 100"),
        ([], "less records (0) than"),
        ([*records(["x"] * 100), {"recordId": "a"}], "Record 101: the record has no modelInput"),
    ],
)
def test_an_input_that_is_not_accepted_fails_the_job(bedrock, boto, clock, rows, words):
    arn = create(bedrock, boto, rows)
    assert get(bedrock, arn)["status"] == "Validating"
    clock.now += 1
    done = get(bedrock, arn)
    assert done["status"] == "Failed"
    assert words in done["message"]
    assert keys(boto) == {}


def test_a_token_that_is_sent_again_makes_no_second_job(bedrock, boto):
    rows = records(["x"] * 100)
    assert create(bedrock, boto, rows) == create(bedrock, boto, rows)
    again = lambda: create(bedrock, boto, rows, clientRequestToken="other")  # noqa: E731
    assert refusal(again) == ("ConflictException", 400)
    assert len(bedrock.list_model_invocation_jobs()["invocationJobSummaries"]) == 1


def test_a_job_is_stopped_and_keeps_what_ran(bedrock, boto, clock):
    arn = create(bedrock, boto, records(["x"] * 100))
    clock.now += 1
    assert bedrock.stop_model_invocation_job(jobIdentifier=arn)["ResponseMetadata"]
    assert get(bedrock, arn)["status"] == "Stopping"
    clock.now += 1
    done = get(bedrock, arn)
    assert (done["status"], done["processedRecordCount"]) == ("Stopped", 50)
    assert len(results(boto)) == 50
    stop = lambda: bedrock.stop_model_invocation_job(jobIdentifier=arn)  # noqa: E731
    assert refusal(stop) == ("ConflictException", 400)


@pytest.mark.parametrize(("rate", "status"), [(0.001, "PartiallyCompleted"), (1e-6, "Expired")])
def test_a_job_ends_when_its_time_is_over(start, boto, clock, rate, status):
    bedrock = client_of(start(rows_per_second=rate))
    arn = create(bedrock, boto, records(["x"] * 100))
    clock.now += 24 * 3600 + 1
    done = get(bedrock, arn)
    assert done["status"] == status
    assert (done["processedRecordCount"] > 0) is (status == "PartiallyCompleted")


def test_the_list_has_filters_and_pages(bedrock, boto, clock):
    rows = records(["x"] * 100)
    for number in range(5):
        create(bedrock, boto, rows, name=f"{'odd' if number % 2 else 'even'}-{number}")
        clock.now += 1
    pages = bedrock.get_paginator("list_model_invocation_jobs")

    def names(**filters):
        found = pages.paginate(PaginationConfig={"PageSize": 2}, **filters)
        return [job["jobName"] for page in found for job in page["invocationJobSummaries"]]

    assert names() == ["even-4", "odd-3", "even-2", "odd-1", "even-0"]
    assert names(nameContains="even") == ["even-4", "even-2", "even-0"]
    assert names(sortBy="CreationTime", sortOrder="Ascending")[0] == "even-0"
    assert names(statusEquals="Completed") == ["odd-3", "even-2", "odd-1", "even-0"]
    job = bedrock.list_model_invocation_jobs(nameContains="odd-3")["invocationJobSummaries"][0]
    assert names(submitTimeAfter=job["submitTime"]) == ["even-4"]
    assert names(submitTimeBefore=job["submitTime"]) == ["even-2", "odd-1", "even-0"]


@pytest.mark.parametrize(
    "change",
    [
        {"jobName": "-bd"},
        {"clientRequestToken": "bd_1"},
        {"roleArn": "role/bd"},
        {"outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "https://bkt/out"}}},
        {"timeoutDurationInHours": 25.5},
        {"modelInvocationType": "Chat"},
        {"modelId": None},
        {"modelId": "anthropic.claude-does-not-exist"},
    ],
)
def test_a_create_that_the_service_model_refuses(start, boto, change):
    # boto3 checks neither patterns nor enumerations, and here it checks nothing.
    body = order(boto, records(["x"] * 100)) | change
    data = json.dumps(body).encode()
    url = f"{start()}/model-invocation-job"
    request = AWSRequest("POST", url, data=data, headers={"content-type": "application/json"})
    SigV4Auth(Credentials(*KEY), "bedrock", REGION).add_auth(request)
    answer = httpx.post(url, content=data, headers=dict(request.headers))
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "ValidationException"
    words = ("1 validation error detected", "The provided model identifier is invalid.")
    assert answer.json()["message"].startswith(words)


def test_an_unknown_job(bedrock):
    assert refusal(lambda: get(bedrock, "a" * 12)) == ("ResourceNotFoundException", 404)
    assert refusal(lambda: get(bedrock, "short")) == ("ValidationException", 400)


def test_a_request_is_signed_with_the_key_for_the_region(start):
    url = start()
    list_with = lambda **values: client_of(url, **values).list_model_invocation_jobs()  # noqa: E731
    assert list_with()["invocationJobSummaries"] == []
    wrong = refusal(lambda: list_with(key=("AKIDEXAMPLE", "wrong")))
    assert wrong == ("InvalidSignatureException", 403)
    assert refusal(lambda: list_with(key=("AKIDOTHER", "secret")))[0].startswith("Unrecognized")
    assert refusal(lambda: list_with(region="us-west-2")) == ("InvalidSignatureException", 403)
    none = httpx.get(f"{url}/model-invocation-jobs")
    assert none.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    assert none.status_code == 403


def test_a_bearer_key(start):
    url = f"{start(key='right')}/model-invocation-jobs"
    assert httpx.get(url, headers={"authorization": "Bearer right"}).status_code == 200
    wrong = httpx.get(url, headers={"authorization": "Bearer wrong"})
    assert (wrong.status_code, "message" in wrong.json()) == (403, True)
    # The signature cannot be checked without the secret, but its region can.
    far = client_of(url.removesuffix("/model-invocation-jobs"), region="eu-north-1")
    assert refusal(far.list_model_invocation_jobs) == ("InvalidSignatureException", 403)


@pytest.mark.parametrize("how", ["region", "bucket", "object", "role", "name"])
def test_a_job_that_cannot_reach_its_bucket_fails(start, boto, moto_url, clock, how):
    quirks = ("role-without-trust",) if how == "role" else ()
    bedrock = client_of(start(quirks=quirks))
    values = order(boto, records(["x"] * 100))
    source = values["inputDataConfig"]["s3InputDataConfig"]
    if how == "region":
        there = {"LocationConstraint": "us-west-2"}
        far = client_of(moto_url, region="us-west-2", service="s3")
        far.create_bucket(Bucket="far", CreateBucketConfiguration=there)
        values["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"] = "s3://far/out/"
    source["s3Uri"] = {
        "bucket": "s3://nowhere/in/rows.jsonl",
        "object": f"s3://{BUCKET}/in/other.jsonl",
        "name": f"s3://{BUCKET}/in/rows.json",
    }.get(how, source["s3Uri"])
    arn = bedrock.create_model_invocation_job(**values)["jobArn"]
    assert "message" not in get(bedrock, arn)
    clock.now += 1
    done = get(bedrock, arn)
    assert done["status"] == "Failed"
    word = {"region": "us-west-2", "role": "could not assume", "name": ".jsonl"}
    assert word.get(how, "does not exist") in done["message"]
    assert valid("GetModelInvocationJob", done) == (True, "")


def test_a_bucket_that_is_gone_fails_the_job(bedrock, boto, clock):
    boto.create_bucket(Bucket="later", CreateBucketConfiguration={"LocationConstraint": REGION})
    target = {"s3OutputDataConfig": {"s3Uri": "s3://later/out"}}
    arn = create(bedrock, boto, records(["x"] * 100), outputDataConfig=target)
    boto.delete_bucket(Bucket="later")
    clock.now += 1
    assert "no permission to write" in get(bedrock, arn).get("message", "")


@pytest.mark.parametrize(
    ("quirk", "code"),
    [
        ("queue-full:1", ("ServiceQuotaExceededException", 400)),
        ("no-pass-role:1", ("AccessDeniedException", 403)),
    ],
)
def test_a_create_that_is_refused(start, boto, quirk, code):
    bedrock = client_of(start(quirks=(quirk,)))
    rows = records(["x"] * 100)
    assert refusal(lambda: create(bedrock, boto, rows)) == code
    assert create(bedrock, boto, rows)


def test_late_results_and_a_service_without_counts(start, boto, clock):
    bedrock = client_of(start(late_file=5, quirks=("no-counts",)))
    arn = create(bedrock, boto, records(["x"] * 100))
    clock.now += 1.6
    shown = get(bedrock, arn)
    assert "totalRecordCount" not in shown
    clock.now += 0.5
    assert get(bedrock, arn)["status"] == "Completed"
    assert "manifest.json.out" not in keys(boto)
    clock.now += 5
    get(bedrock, arn)
    assert len(results(boto)) == 100
    assert "manifest.json.out" in keys(boto)


def test_a_lost_answer_of_a_create(start, boto):
    bedrock = client_of(start(lose_answer=("create:1",)))
    # boto3 sends it again by itself, with the same token.
    create(bedrock, boto, records(["x"] * 100))
    assert len(bedrock.list_model_invocation_jobs()["invocationJobSummaries"]) == 1


def test_converse_answers_one_request(start):
    client = client_of(start(), service="bedrock-runtime")
    turns = [{"role": "user", "content": [{"text": "sandbox:say=Four"}]}]
    said = client.converse(modelId=NOVA, messages=turns, inferenceConfig={"maxTokens": 9})
    assert said["output"]["message"]["content"] == [{"text": "Four"}]
    assert said["stopReason"] == "end_turn"
    assert said["usage"]["totalTokens"] > said["usage"]["outputTokens"] > 0


def test_a_model_of_each_vendor_answers_in_its_own_form(start):
    client = client_of(start(), service="bedrock-runtime")
    arn = f"arn:aws:bedrock:{REGION}:111122223333:inference-profile/{CLAUDE}"
    for model in (CLAUDE, arn):
        said = client.invoke_model(modelId=model, body=json.dumps(claude("sandbox:say=Four")))
        assert json.loads(said["body"].read())["content"][0]["text"] == "Four"
        headers = said["ResponseMetadata"]["HTTPHeaders"]
        assert int(headers["x-amzn-bedrock-input-token-count"]) > 0
    chat = {"messages": [{"role": "user", "content": "sandbox:say=Four"}]}
    said = client.invoke_model(modelId="openai.gpt-oss-20b-1:0", body=json.dumps(chat))
    assert json.loads(said["body"].read())["choices"][0]["message"]["content"] == "Four"


@pytest.mark.parametrize(
    ("model", "text", "code"),
    [
        (NOVA, "sandbox:fail=429", "ThrottlingException"),
        (NOVA, "sandbox:fail=500", "InternalServerException"),
        (NOVA, "sandbox:fail=400", "ValidationException"),
        ("amazon.does-not-exist", "hello", "ValidationException"),
    ],
)
def test_a_single_request_that_fails(start, model, text, code):
    client = client_of(start(), service="bedrock-runtime")
    with pytest.raises(ClientError) as caught:
        client.converse(modelId=model, messages=converse(text)["messages"])
    assert caught.value.response["Error"]["Code"] == code


def test_the_models(bedrock):
    names = [one["modelId"] for one in bedrock.list_foundation_models()["modelSummaries"]]
    assert CLAUDE.split(".")[1] in {name.split(".")[0] for name in names}
