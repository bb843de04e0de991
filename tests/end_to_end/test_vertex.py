"""The whole loop with Vertex AI: jobs of a server of the test, files at fake-gcs-server."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import QUICK
from tests.end_to_end.rows import ROWS, Maker, chat, contents, expected, written
from tests.end_to_end.test_full_loop import ended, submitted
from tests.end_to_end.test_particulars import seen
from tests.end_to_end.vertex_server import REGION, VertexServer, vertex_server
from tests.fakes.gcs import GCS_BUCKET, GCS_REGION, GcsObjects, GcsServer
from tests.fakes.google_sign_in import PROJECT, SignIn
from tests.threads import in_thread
from tests.waiting import within
from tui.config.settings import AccountConfig, Config
from tui.core.jobs import BatchStatus
from tui.core.rows import Outcome
from tui.core.send_plans import ReuseOptions, Saving
from tui.engine.account_setup import check_account
from tui.engine.engine import Engine
from tui.errors import ConfigError, KeyRejectedError, UsageError
from tui.paths import Paths
from tui.sandbox.options import SandboxOptions
from tui.sandbox.serve import configure

Opened = Callable[..., AbstractAsyncContextManager[Engine]]


def gemini(number: int, text: str) -> dict[str, Any]:
    return with_model(chat(number, text), "gemini-3.5-flash")


def claude(number: int, text: str) -> dict[str, Any]:
    row = chat(number, text)
    return with_model({**row, "custom_id": f"Row {number}"}, "claude-sonnet-5")


def llama(number: int, text: str) -> dict[str, Any]:
    return with_model(chat(number, text), "meta/llama-3.3-70b-instruct-maas")


def odd_ids(number: int, text: str) -> dict[str, Any]:
    return {**gemini(number, text), "custom_id": f"Ünd/Row {number} " + "x" * 60}


def without_ids(number: int, text: str) -> dict[str, Any]:
    """A row as Vertex AI's own pages show it: a request, and nothing that says which."""
    return {"request": contents(number, text)["request"]}


def numbers(number: int, text: str) -> dict[str, Any]:
    return {**gemini(number, text), "custom_id": f"{number:04}"}


def with_model(row: dict[str, Any], model: str) -> dict[str, Any]:
    return {**row, "body": {**row["body"], "model": model}}


@pytest.fixture
def server(gcs: GcsServer, sign_in: SignIn) -> Iterator[VertexServer]:
    with vertex_server(gcs, sign_in) as made:
        yield made


@pytest.fixture
def there(server: VertexServer, gcs: GcsServer, paths: Paths) -> Opened:
    """``there()``: an engine with an account at the server and a bucket."""

    @asynccontextmanager
    async def opened(*, home: Path | None = None, **changes: str) -> AsyncIterator[Engine]:
        params = {
            "project": PROJECT,
            "region": REGION,
            "bucket": GCS_BUCKET,
            "endpoint_url": gcs.url,
            **changes,
        }
        table = AccountConfig(provider="vertex", base_url=server.url, params=params)
        poll = {**QUICK["poll"], "confirm_seconds": 2}
        config = Config(
            default_account="there",
            accounts={"there": table},
            providers={"vertex": {"poll": poll, "http": {"first_pause": 0.01}}},
        )
        engine = await Engine.open(paths if home is None else Paths.find(home), config)
        try:
            yield engine
        finally:
            await engine.close()

    return opened


@pytest.mark.parametrize(
    ("make", "repeats_labels"),
    [
        (gemini, True),
        (gemini, False),
        (odd_ids, True),
        (contents, True),
        (without_ids, True),
        (without_ids, False),
        (claude, True),
        (llama, True),
    ],
    ids=[
        "gemini", "gemini, labels lost", "gemini, odd ids", "rows of Gemini",
        "rows of Vertex AI", "rows of Vertex AI, labels lost", "claude", "open model",
    ],
)  # fmt: skip
async def test_the_whole_loop(
    make: Maker,
    repeats_labels: bool,
    server: VertexServer,
    gcs: GcsServer,
    there: Opened,
    tmp_path: Path,
) -> None:
    server.repeats_labels = repeats_labels
    gcs.put("others/1", b"not ours")
    path = written(tmp_path / "rows.jsonl", make)
    words = expected()
    flaky, bad = words["sandbox:flaky=500"] + words["sandbox:flaky=429"], words["sandbox:fail=400"]
    async with there() as engine:
        job_id = await submitted(engine, path)
        job = await ended(engine, job_id)
        assert job.counts.failed == flaky + bad
        assert job.counts.truncated == words["sandbox:truncate"]
        assert job.counts.refused == words["sandbox:refuse"]
        await engine.retry(await engine.retries.plan(job_id))
        job = await ended(engine, job_id)
        assert (job.counts.total, job.counts.failed) == (ROWS, bad)
        assert job.counts.pending == job.counts.missing == 0
        assert server.creates == 2
        rows = engine.history.rows.page(job_id, range(ROWS))
        assert rows[11].outcome is Outcome.FAILED
        assert rows[13].outcome is Outcome.TRUNCATED
        assert rows[0].usage.output_tokens == 3
        await engine.remote.delete(job_id, remote=True)
    assert gcs.keys() == ["others/1"]
    assert server.jobs == {}


TOKEN = "ya29.token"


@asynccontextmanager
async def at_the_sandbox(
    gcs: GcsServer, paths: Paths, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncIterator[Engine]:
    """An engine with an account at the sandbox's Vertex AI, with a token of its own as the key."""
    monkeypatch.setenv("BATCHDECK_KEY_THERE", TOKEN)
    objects = GcsObjects(gcs)
    sandbox = SandboxOptions(
        **{"like": "vertex", "objects": objects, "key": TOKEN, "rows_per_second": 0, **options}
    )
    params = {
        "project": PROJECT,
        "region": GCS_REGION,
        "bucket": GCS_BUCKET,
        "endpoint_url": gcs.url,
    }
    with in_thread(configure(sandbox)) as url:
        table = AccountConfig(provider="vertex", base_url=url, params=params)
        poll = {**QUICK["poll"], "confirm_seconds": 2}
        config = Config(
            default_account="there",
            accounts={"there": table},
            providers={"vertex": {"poll": poll, "http": {"first_pause": 0.01}}},
        )
        engine = await Engine.open(paths, config)
        try:
            yield engine
        finally:
            await engine.close()
    objects.close()


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (gemini, {}),
        (numbers, {"quirks": ("numeric-labels",)}),
        (gemini, {"quirks": ("several-files",)}),
        (odd_ids, {"quirks": ("incremental-predictions", "several-files"), "rows_per_second": 900}),
        (contents, {}),
        (without_ids, {}),
        (claude, {}),
        (llama, {"quirks": ("several-files",)}),
        (gemini, {"late_file": 0.5}),
        (gemini, {"lose_answer": ("create:1",)}),
    ],
    ids=[
        "gemini", "labels that come back as numbers", "several files",
        "parts of results while it runs", "rows of Gemini", "rows of Vertex AI", "claude",
        "open model", "results that come late", "a create whose response is lost",
    ],
)  # fmt: skip
async def test_the_whole_loop_at_the_sandbox(
    make: Maker,
    options: dict[str, Any],
    gcs: GcsServer,
    paths: Paths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = written(tmp_path / "rows.jsonl", make)
    words = expected()
    flaky, bad = words["sandbox:flaky=500"] + words["sandbox:flaky=429"], words["sandbox:fail=400"]
    async with at_the_sandbox(gcs, paths, monkeypatch, **options) as engine:
        job_id = await submitted(engine, path)
        job = await ended(engine, job_id)
        assert job.counts.failed == flaky + bad
        assert job.counts.truncated == words["sandbox:truncate"]
        assert job.counts.refused == words["sandbox:refuse"]
        await engine.retry(await engine.retries.plan(job_id))
        job = await ended(engine, job_id)
        assert (job.counts.total, job.counts.failed) == (ROWS, bad)
        assert job.counts.pending == job.counts.missing == 0
        await engine.remote.delete(job_id, remote=True)
    assert gcs.keys() == []


@pytest.mark.parametrize(
    ("age", "steps", "hours", "words"),
    [
        (40.0, 0.0, 72, "at 72 hours, it expires without any result"),
        (15.0, 60.0, 24, "at 24 hours, it ends, and the rows that are not done expire"),
    ],
    ids=["in the queue", "running"],
)
async def test_a_job_that_may_end_before_it_is_done_is_flagged(
    age: float,
    steps: float,
    hours: int,
    words: str,
    gcs: GcsServer,
    paths: Paths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = written(tmp_path / "rows.jsonl", gemini, 20)
    now = time.time() - age * 3600
    options = {"rows_per_second": 0.01, "clock": lambda: now}
    async with at_the_sandbox(gcs, paths, monkeypatch, **options) as engine:
        job_id = await submitted(engine, path)
        now += steps
        await seen(engine, lambda: words in engine.history.jobs.get(job_id).trouble)
        (batch,) = engine.history.batches.of_job(job_id)
        assert "smaller parts" in batch.trouble
        assert batch.expires_at == pytest.approx(now + hours * 3600, abs=70)


async def test_a_bucket_in_another_region_is_named_by_the_job(
    gcs: GcsServer, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "rows.jsonl", gemini, 20)
    monkeypatch.setattr(GcsObjects, "region", lambda self, bucket: "us-central1")
    async with at_the_sandbox(gcs, paths, monkeypatch) as engine:
        job = await ended(engine, await submitted(engine, path))
        assert (job.status, job.counts.failed) == (BatchStatus.FAILED, 20)
        (group,) = engine.history.rows.error_groups(job.id)
        assert "us-central1" in group.message
        assert "params.bucket" in group.message


async def test_an_account_is_tested_with_its_bucket(there: Opened, gcs: GcsServer) -> None:
    async with there() as engine:
        tested = await check_account(engine.accounts, "there")
        assert (tested.was_asked, tested.storage) == (True, f"gs://{GCS_BUCKET}/batchdeck/")
    async with there(endpoint_url=gcs.url, bucket="nowhere") as engine:
        with pytest.raises(ConfigError, match="nowhere"):
            await check_account(engine.accounts, "there")


async def test_a_sign_in_that_has_ended_is_told_and_nothing_is_lost(
    there: Opened, sign_in: SignIn, server: VertexServer, tmp_path: Path
) -> None:
    path = written(tmp_path / "rows.jsonl", gemini, 20)
    sign_in.ended = True
    async with there() as engine:
        with pytest.raises(KeyRejectedError) as caught:
            await submitted(engine, path)
        assert "gcloud auth application-default login" in caught.value.hint
        (job,) = engine.history.jobs.list()
        assert server.creates == 0
        sign_in.ended = False
        await engine.submit(job.id)
        job = await ended(engine, job.id)
        assert job.counts.pending == 0
        assert server.creates == 1


async def test_a_create_whose_response_was_lost_is_found_by_its_label(
    there: Opened, server: VertexServer, tmp_path: Path
) -> None:
    server.lost = 1
    path = written(tmp_path / "rows.jsonl", gemini, 20)
    async with there() as engine:
        job = await ended(engine, await submitted(engine, path))
        assert job.counts.pending == job.counts.missing == 0
    assert (server.creates, len(server.jobs)) == (1, 1)


async def test_results_that_are_half_written_are_read_when_they_are_whole(
    there: Opened, server: VertexServer, tmp_path: Path
) -> None:
    server.late_files = 1
    path = written(tmp_path / "rows.jsonl", gemini, 20)
    async with there() as engine:
        job_id = await submitted(engine, path)
        job = await ended(engine, job_id)
        assert job.counts.pending == job.counts.missing == 0
        assert job.counts.total == 20


async def test_a_cancelled_job_keeps_the_rows_that_are_done(
    there: Opened, server: VertexServer, tmp_path: Path
) -> None:
    server.holds = True
    path = written(tmp_path / "rows.jsonl", gemini, 20)
    async with there() as engine:
        job_id = await submitted(engine, path)
        await engine.cancel(job_id)
        job = await ended(engine, job_id)
        assert job.status is BatchStatus.CANCELLED
        assert job.counts.cancelled == 10
        assert job.counts.missing == job.counts.pending == 0


@pytest.mark.parametrize("repeats_labels", [True, False])
@pytest.mark.parametrize("make", [gemini, claude])
async def test_a_job_is_adopted_with_the_ids_of_its_rows(
    make: Maker, repeats_labels: bool, there: Opened, server: VertexServer, tmp_path: Path
) -> None:
    server.repeats_labels = repeats_labels
    path = written(tmp_path / "rows.jsonl", make, 20)
    async with there() as engine:
        job_id = await submitted(engine, path)
        job = await ended(engine, job_id)
        before = {row.custom_id: row.outcome for row in engine.history.rows.page(job_id, range(20))}
    async with there(home=tmp_path / "other") as engine:
        (remote_id,) = server.jobs
        adopted = await engine.remote.adopt(remote_id)
        job = await ended(engine, adopted.id)
        assert job.counts.total == 20
        rows = engine.history.rows.page(job.id, range(20))
        assert {row.custom_id: row.outcome for row in rows} == before
        assert job.model == server.jobs[remote_id]["model"]
        # A retry of it is sent in the same form again.
        await engine.retry(await engine.retries.plan(job.id))
        job = await ended(engine, job.id)
        assert job.counts.failed == 1


async def test_lines_that_cannot_be_joined_are_told_and_their_rows_not_paid_again(
    there: Opened, server: VertexServer, tmp_path: Path
) -> None:
    """A server that loses the labels and changes the request."""
    server.repeats_labels = False
    path = tmp_path / "rows.jsonl"
    lines = [gemini(number, f"Say {number}.") for number in range(4)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    original = server._result
    server._result = lambda row: {**original(row), "request": {"contents": "…"}}  # type: ignore[method-assign]
    async with there() as engine:
        job_id = await submitted(engine, path)
        job = await ended(engine, job_id)
        assert job.counts.missing == 4
        rows = engine.history.rows.page(job_id, range(4))
        assert {row.error.code for row in rows if row.error} == {"answer_lost"}
        with pytest.raises(UsageError, match="would fail again unchanged"):
            await engine.retry(await engine.retries.plan(job_id))
    assert server.creates == 1


async def test_a_bucket_that_denies_listing_says_which_right_is_missing(
    there: Opened, server: VertexServer, tmp_path: Path
) -> None:
    path = written(tmp_path / "rows.jsonl", gemini, 20)
    server.denies_lists = True
    async with there(endpoint_url=server.url) as engine:
        with pytest.raises(ConfigError, match="may not list") as caught:
            await engine.accounts.check_storage("there")
        assert "storage.objects.list" in caught.value.hint
        job_id = await submitted(engine, path)
        with pytest.raises(ConfigError, match="may not list"):
            async with within(30):
                while True:
                    await engine.collect(job_id)
        counts = engine.history.jobs.get(job_id).counts
        assert (counts.pending, counts.missing) == (20, 0)
        server.denies_lists = False
        assert (await ended(engine, job_id)).counts.pending == 0
    assert server.creates == 1


@pytest.mark.parametrize(
    ("make", "repeats_labels"),
    [(gemini, False), (odd_ids, True), (without_ids, True), (without_ids, False), (claude, True)],
    ids=["labels lost", "odd ids", "own rows", "own rows, labels lost", "claude"],
)
async def test_repeats_and_good_answers_are_not_sent_again(
    make: Maker, repeats_labels: bool, tmp_path: Path, server: VertexServer, there: Opened
) -> None:
    server.repeats_labels = repeats_labels
    path = tmp_path / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(40):
            row = make(number % 10, f"text {number % 10}")
            if "custom_id" in row:
                row["custom_id"] = make(number, "")["custom_id"]
            file.write(json.dumps(row) + "\n")
    async with there() as engine:
        job = await engine.requests.import_file(path)
        await engine.submit(job.id, saving=Saving(dedupe=True))
        job = await ended(engine, job.id)
        assert job.counts.succeeded == 40
        assert [batch.rows for batch in engine.history.batches.of_job(job.id)] == [10]
        later = await engine.requests.import_file(path, name="later")
        await engine.submit(later.id, saving=Saving(reuse=ReuseOptions()))
        later = await ended(engine, later.id)
        assert later.counts.succeeded == 40
        assert [batch.reuses for batch in engine.history.batches.of_job(later.id)] == [True]
        rows = engine.history.rows
        first, second = (
            [line.text for line in rows.lines(one.id, rows.select(one.id))] for one in (job, later)
        )
        assert first == second
        assert all(first[n] == first[n % 10] for n in range(40))
