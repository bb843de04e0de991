"""The whole loop with Bedrock's model invocation jobs: signed requests, a bucket at moto."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.end_to_end.conftest import QUICK
from tests.end_to_end.rows import Maker, expected, wrapped, written
from tests.end_to_end.servers import Served, sandbox
from tests.end_to_end.test_full_loop import ended, submitted
from tests.end_to_end.test_particulars import seen
from tests.fakes.bucket import BUCKET, REGION, BotoObjects
from tests.fakes.server import SteppingClock
from tui.config.settings import AccountConfig, Config, PriceConfig
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome
from tui.engine.account_setup import check_account
from tui.engine.engine import Engine
from tui.errors import BatchdeckError, ConfigError, QuotaError, UnconfirmedError, UsageError
from tui.paths import Paths

ROWS = 1200
"""So many that also a retry has the 100 rows that Bedrock requires."""
ROLE = "arn:aws:iam::111122223333:role/bd"
CLAUDE = "us.anthropic.claude-sonnet-5-v1:0"
NOVA = "eu.amazon.nova-lite-v1:0"
CREATE = "/model-invocation-job"


def chat(model: str) -> Maker:
    def make(number: int, text: str) -> dict[str, Any]:
        messages = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": text},
        ]
        return wrapped(number, {"model": model, "max_tokens": 50, "messages": messages})

    return make


def own(number: int, text: str) -> dict[str, Any]:
    """A row of Bedrock's own form, for a model of Llama; its job must name the model."""
    return {"recordId": f"row-{number}", "modelInput": {"prompt": text, "max_gen_len": 50}}


def config_for(url: str, moto_url: str, changes: Any = None, **params: str) -> Config:
    given = {"bucket": BUCKET, "region": REGION, "role_arn": ROLE, "endpoint_url": moto_url}
    table = AccountConfig(provider="bedrock", base_url=url, params={**given, **params})
    poll = {**QUICK["poll"], "confirm_seconds": 0.3}
    return Config(
        default_account="there",
        accounts={"there": table},
        providers={"bedrock": {"poll": poll, "http": {"first_pause": 0.01}, **(changes or {})}},
    )


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def bedrock(boto: Any, **options: Any) -> Any:
    usual = {"objects": BotoObjects(boto), "region": REGION, "key": "AKIDEXAMPLE:secret"}
    return sandbox("bedrock", **{**usual, **options})


@pytest.fixture
def server(boto: Any) -> Iterator[Served]:
    with bedrock(boto) as found:
        yield found


def keys(boto: Any) -> list[str]:
    return [item["Key"] for item in boto.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


@pytest.mark.parametrize(
    ("make", "edits"),
    [(chat(CLAUDE), {}), (chat(NOVA), {}), (own, {"model": "us.meta.llama3-3-70b-instruct-v1:0"})],
    ids=["messages", "converse", "own rows"],
)
async def test_the_whole_loop(
    make: Maker,
    edits: dict[str, Any],
    boto: Any,
    moto_url: str,
    server: Served,
    paths: Paths,
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "rows.jsonl", make, ROWS)
    words = expected(ROWS)
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    bad = words["sandbox:fail=400"]
    engine = await Engine.open(paths, config_for(server.url, moto_url))
    job_id = await submitted(engine, path, edits=edits)
    job = await ended(engine, job_id)
    assert job.counts.failed == flaky + bad
    assert job.counts.truncated == words["sandbox:truncate"]
    if make is not own:
        # Llama has no word for a refusal.
        assert job.counts.refused == words["sandbox:refuse"]
    await engine.retry(await engine.retries.plan(job_id))
    job = await ended(engine, job_id)
    assert job.status is BatchStatus.COMPLETED
    assert (job.counts.total, job.counts.failed) == (ROWS, bad)
    assert job.counts.pending == job.counts.missing == 0
    assert server.count("POST", CREATE) == 2
    (first, again) = engine.history.batches.of_job(job_id)
    assert (first.remote_counts.total, first.remote_counts.failed) == (ROWS, flaky + bad)
    assert again.remote_counts.total == flaky
    manifest = first.raw["manifest"]
    lines = list(engine.history.rows.lines(job_id, await engine.results.select(job_id)))
    assert [line.custom_id for line in lines] == [f"row-{n}" for n in range(ROWS)]
    usage = [line.usage for line in lines if line.attempt == 1]
    assert manifest["inputTokenCount"] == sum(each.input_tokens or 0 for each in usage)
    assert manifest["outputTokenCount"] == sum(each.output_tokens or 0 for each in usage)
    for number, line in enumerate(lines):
        assert line.attempt == (2 if number % 20 in (7, 8) else 1)
        if line.outcome is Outcome.SUCCEEDED:
            assert line.text
            assert line.usage.input_tokens and line.usage.output_tokens
    strays = engine.history.rows.orphan_lines(job_id)
    assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)
    assert len(keys(boto)) == 6
    await engine.remote.delete(job_id, remote=True)
    assert keys(boto) == []
    await engine.close()


@asynccontextmanager
async def opened(
    paths: Paths, server: Served, moto_url: str, changes: Any = None, **params: str
) -> AsyncIterator[Engine]:
    engine = await Engine.open(paths, config_for(server.url, moto_url, changes, **params))
    try:
        yield engine
    finally:
        await engine.close()


def requests(tmp_path: Path, rows: int = 120) -> Path:
    return written(tmp_path / "rows.jsonl", chat(CLAUDE), rows)


async def test_rows_can_be_read_while_the_job_runs(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    path = requests(tmp_path, 300)
    with bedrock(boto, rows_per_second=150, clock=SteppingClock(0.05)) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, path)
            await seen(engine, lambda: 0 < engine.history.jobs.get(job_id).counts.ended < 300)
            job = engine.history.jobs.get(job_id)
            assert job.status is BatchStatus.IN_PROGRESS
            job = await ended(engine, job_id)
            assert (job.counts.total, job.counts.pending, job.counts.missing) == (300, 0, 0)
            strays = engine.history.rows.orphan_lines(job_id)
            assert (strays.unknown, strays.duplicate, strays.unreadable) == (0, 0, 0)


async def test_a_stopped_job_keeps_the_rows_that_are_done(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    path = requests(tmp_path, 300)
    with bedrock(boto, rows_per_second=20) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, path)
            await seen(engine, lambda: engine.history.jobs.get(job_id).counts.ended > 0)
            await engine.cancel(job_id)
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.CANCELLED
            assert job.counts.succeeded > 0 and job.counts.cancelled > 0
            assert job.counts.pending == job.counts.missing == 0
            assert engine.history.batches.of_job(job_id)[0].raw_status == "Stopped"


async def test_a_job_whose_time_is_over_keeps_the_rows_that_are_done(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    path = requests(tmp_path, 300)
    clock = SteppingClock(0.05)
    with bedrock(boto, rows_per_second=50, window_seconds=3.0, clock=clock) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, path)
            job = await ended(engine, job_id)
            (batch,) = engine.history.batches.of_job(job_id)
            assert batch.raw_status == "PartiallyCompleted"
            assert job.counts.succeeded > 0 and job.counts.expired > 0
            assert job.counts.pending == job.counts.missing == 0
            plan = await engine.retries.plan(job_id)
            assert plan.rows >= job.counts.expired


@pytest.mark.parametrize("lost", ["create:1", "create:3"])
async def test_a_create_without_an_answer_makes_one_job(
    lost: str, boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    with bedrock(boto, lose_answer=(lost,)) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, requests(tmp_path))
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED
            assert len([_ async for _ in engine.remote.walk()]) == 1


async def test_a_lost_create_that_no_list_shows_is_sent_again_and_makes_one_job(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    lists = ("list:4",)
    with bedrock(boto, lose_answer=("create:3", *lists)) as server:
        changes = {"http": {"first_pause": 0.01, "attempts": 1}}
        async with opened(paths, server, moto_url, changes) as engine:
            job = await engine.requests.import_file(requests(tmp_path))
            with pytest.raises(UnconfirmedError):
                await engine.submit(job.id)
            assert (await ended(engine, job.id)).status is BatchStatus.COMPLETED
            assert len([_ async for _ in engine.remote.walk()]) == 1


async def test_a_job_of_others_is_adopted(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    import boto3

    rows = [own(number, f"Say {number}") for number in range(110)]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    boto.put_object(Bucket=BUCKET, Key="theirs/in.jsonl", Body=data)
    with bedrock(boto) as server:
        client = boto3.client("bedrock", endpoint_url=server.url, region_name=REGION)
        arn = client.create_model_invocation_job(
            jobName="theirs",
            roleArn=ROLE,
            modelId="meta.llama3-8b-instruct-v1:0",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{BUCKET}/theirs/in.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/theirs/out/"}},
        )["jobArn"]
        async with opened(paths, server, moto_url) as engine:
            (entry,) = await engine.remote.sync()
            assert entry.remote.id == arn.rpartition("/")[2]
            job = await engine.remote.adopt(entry.remote.id)
            job = await ended(engine, job.id)
            assert (job.counts.total, job.counts.succeeded) == (110, 110)
            ((_, line),) = engine.history.rows.requests(job.id, [0])
            assert json.loads(line) == {
                "custom_id": "row-0",
                "method": "POST",
                "url": "/model/invoke",
                "body": {**rows[0]["modelInput"], "model": "meta.llama3-8b-instruct-v1:0"},
            }


async def test_too_few_rows_are_told_before_anything_is_sent(
    boto: Any, moto_url: str, paths: Paths, server: Served, tmp_path: Path
) -> None:
    async with opened(paths, server, moto_url) as engine:
        with pytest.raises(UsageError, match="requires at least 100 in a batch") as caught:
            await engine.requests.import_file(requests(tmp_path, 99))
        assert "+direct" in caught.value.hint
        job = await engine.requests.import_file(requests(tmp_path, 100))
        await engine.submit(job.id)
        await ended(engine, job.id)
        asked = len(server.asked)
        with pytest.raises(UsageError, match="at least 100 rows") as caught:
            await engine.retry(await engine.retries.plan(job.id))
        assert "retry --direct" in caught.value.hint
        assert (len(server.asked), len(keys(boto))) == (asked, 3)


async def test_rows_that_name_no_model_are_told_before_anything_is_sent(
    boto: Any, moto_url: str, paths: Paths, server: Served, tmp_path: Path
) -> None:
    path = written(tmp_path / "rows.jsonl", own, 120)
    async with opened(paths, server, moto_url) as engine:
        job = await engine.requests.import_file(path)
        with pytest.raises(UsageError, match="names no model") as caught:
            await engine.submit(job.id)
        assert "params.model" in caught.value.hint
    assert (server.asked, keys(boto)) == ([], [])
    async with opened(paths, server, moto_url, model="meta.llama3-8b-instruct-v1:0") as engine:
        await engine.submit(job.id)
        assert (await ended(engine, job.id)).status is BatchStatus.COMPLETED


@pytest.mark.parametrize(
    ("quirk", "params", "kind", "message", "hint"),
    [
        ("no-pass-role:1", {}, ConfigError, ROLE, "iam:PassRole"),
        ("", {"region": "eu-central-1"}, ConfigError, "eu-central-1", "params.region"),
        ("", {"bucket": "nowhere"}, ConfigError, "bucket nowhere does not exist", "params.bucket"),
    ],
)
async def test_a_wrong_setting_is_named_and_nothing_is_lost(
    quirk: str,
    params: dict[str, str],
    kind: type[BatchdeckError],
    message: str,
    hint: str,
    boto: Any,
    moto_url: str,
    paths: Paths,
    tmp_path: Path,
) -> None:
    with bedrock(boto, quirks=(quirk,) if quirk else ()) as server:
        async with opened(paths, server, moto_url, **params) as engine:
            job = await engine.requests.import_file(requests(tmp_path))
            with pytest.raises(kind) as caught:
                await engine.submit(job.id)
            assert message in caught.value.message
            assert hint in caught.value.hint
            assert engine.history.jobs.get(job.id).status is BatchStatus.DRAFT
        async with opened(paths, server, moto_url) as engine:
            await engine.submit(job.id)
            assert (await ended(engine, job.id)).status is BatchStatus.COMPLETED
            assert len([_ async for _ in engine.remote.walk()]) == 1


async def test_a_role_without_trust_is_named_and_its_rows_can_be_sent_again(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    with bedrock(boto, quirks=("role-without-trust:1",)) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, requests(tmp_path))
            job = await ended(engine, job_id)
            assert (job.status, job.counts.failed) == (BatchStatus.FAILED, 120)
            (group,) = engine.history.rows.error_groups(job_id)
            assert "could not assume the role" in group.message
            assert "params.role_arn" in group.message
            await engine.retry(await engine.retries.plan(job_id))
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED
            words = expected(120)
            assert job.counts.failed == 120 - sum(
                words[word] for word in ("", "sandbox:truncate", "sandbox:refuse")
            )


async def test_jobs_without_counts_have_those_of_the_manifest(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    with bedrock(boto, quirks=("no-counts",)) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, requests(tmp_path))
            await ended(engine, job_id)
            (batch,) = engine.history.batches.of_job(job_id)
            assert (batch.remote_counts.total, batch.remote_counts.failed) == (
                120, 120 - (batch.remote_counts.completed or 0),
            )  # fmt: skip


async def test_tokens_of_rows_that_report_none_are_those_of_the_manifest(
    boto: Any, moto_url: str, paths: Paths, server: Served, tmp_path: Path
) -> None:
    model = "mistral.mistral-7b-instruct-v0:2"

    def prompt(number: int, text: str) -> dict[str, Any]:
        body = {"prompt": f"<s>[INST] {text} [/INST]", "max_tokens": 50}
        return {"recordId": f"row-{number}", "modelInput": body}

    config = msgspec.structs.replace(
        config_for(server.url, moto_url, model=model),
        prices={model: PriceConfig(input=1000, output=3000)},
    )
    engine = await Engine.open(paths, config)
    job_id = await submitted(engine, written(tmp_path / "rows.jsonl", prompt, 120))
    job = await ended(engine, job_id)
    rows = engine.history.rows.page(job_id, range(120))
    assert {row.usage.input_tokens for row in rows} == {None}
    (batch,) = engine.history.batches.of_job(job_id)
    manifest = batch.raw["manifest"]
    tokens = (manifest["inputTokenCount"], manifest["outputTokenCount"])
    assert all(tokens)
    summary = await engine.results.summary(job_id)
    assert (summary.input_tokens, summary.output_tokens, summary.token_rows) == (*tokens, 0)
    (shown,) = engine.history.jobs.document(job_id)["batches"]
    assert (shown["counts"]["input_tokens"], shown["counts"]["output_tokens"]) == tokens
    assert job.cost.actual == pytest.approx((tokens[0] * 1000 + tokens[1] * 3000) / 1e6)
    await engine.close()


async def test_results_that_are_late_are_waited_for(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    path = requests(tmp_path, 300)
    clock = SteppingClock(0.05)
    with bedrock(boto, rows_per_second=200, late_file=1.0, clock=clock) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, path)
            job = await ended(engine, job_id)
            assert job.counts.missing == job.counts.pending == 0
            assert job.status is BatchStatus.COMPLETED


async def test_a_full_queue_is_waited_for(
    boto: Any, moto_url: str, paths: Paths, tmp_path: Path
) -> None:
    with bedrock(boto, quirks=("queue-full:1",)) as server:
        async with opened(paths, server, moto_url) as engine:
            job = await engine.requests.import_file(requests(tmp_path))
            with pytest.raises(QuotaError):
                await engine.submit(job.id)
            assert (await ended(engine, job.id)).status is BatchStatus.COMPLETED
            assert len([_ async for _ in engine.remote.walk()]) == 1


def make_role(moto_url: str) -> str:
    """Make a role that trusts Bedrock; returns its ARN."""
    import boto3

    client = boto3.client("iam", endpoint_url=moto_url, region_name="us-east-1")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = client.create_role(RoleName="bd", AssumeRolePolicyDocument=trust)
    return str(made["Role"]["Arn"])


async def test_an_account_is_tested_with_its_sign_in_bucket_and_role(
    boto: Any, moto_url: str, paths: Paths, server: Served
) -> None:
    urls = {"sts_url": moto_url, "iam_url": moto_url}
    role = make_role(moto_url)
    async with opened(paths, server, moto_url, role_arn=role, **urls) as engine:
        tested = await check_account(engine.accounts, "there")
        assert tested.facts == (
            "Signed in as arn:aws:sts::123456789012:user/moto.",
            "The role bd trusts Bedrock.",
        )
        assert tested.storage == f"s3://{BUCKET}/batchdeck/"
        assert "amazon.nova-sandbox-v1:0" in tested.models
        assert keys(boto) == []


@pytest.mark.parametrize("with_key", [False, True], ids=["signed", "key"])
@pytest.mark.parametrize("model", [CLAUDE, NOVA], ids=["messages", "converse"])
async def test_rows_sent_one_by_one(
    model: str,
    with_key: bool,
    boto: Any,
    moto_url: str,
    paths: Paths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = {}
    if with_key:
        key = {"key": "bedrock-api-key-1"}
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key["key"])
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    path = written(tmp_path / "rows.jsonl", chat(model), 40)
    words = expected(40)
    flaky = words["sandbox:flaky=500"] + words["sandbox:flaky=429"]
    with bedrock(boto, **key) as server:
        async with opened(paths, server, moto_url) as engine:
            job_id = await submitted(engine, path, account="there+direct")
            job = await ended(engine, job_id)
            assert job.status is BatchStatus.COMPLETED
            # A 500 may come from a gateway: the row may be paid, and is not sent again by itself.
            failed = words["sandbox:fail=400"] + words["sandbox:flaky=500"]
            assert (job.counts.total, job.counts.failed) == (40, failed)
            assert job.counts.truncated == words["sandbox:truncate"]
            assert job.counts.refused == words["sandbox:refuse"]
            # What was not taken is sent again; the others are sent once.
            action = "/converse" if model == NOVA else "/invoke"
            assert server.count("POST", action) == 40 - failed
            assert server.count("POST", action, good=False) == flaky + words["sandbox:fail=400"]
            rows = engine.history.rows.page(job_id, range(40))
            for row in rows:
                if row.outcome is Outcome.SUCCEEDED:
                    assert row.usage.input_tokens and row.usage.output_tokens
            assert server.count("POST", CREATE) == 0
    assert keys(boto) == []


async def test_rows_that_are_too_few_for_a_retry_are_sent_one_by_one(
    boto: Any, moto_url: str, paths: Paths, server: Served, tmp_path: Path
) -> None:
    words = expected(120)
    async with opened(paths, server, moto_url) as engine:
        job_id = await submitted(engine, requests(tmp_path))
        await ended(engine, job_id)
        plan = await engine.retries.plan(job_id, direct=True)
        await engine.retry(plan)
        job = await ended(engine, job_id)
        failed = words["sandbox:fail=400"] + words["sandbox:flaky=500"]
        assert (job.counts.total, job.counts.failed) == (120, failed)
        assert server.count("POST", CREATE) == 1


async def test_a_request_is_tried_before_the_batch(
    boto: Any, moto_url: str, paths: Paths, server: Served, tmp_path: Path
) -> None:
    async with opened(paths, server, moto_url) as engine:
        path = written(tmp_path / "rows.jsonl", chat(NOVA), 1)
        (line,) = path.read_bytes().splitlines()
        tried = await engine.try_request(line)
        assert tried.result.text and tried.result.usage.output_tokens
    assert server.count("POST", "/converse") == 1
