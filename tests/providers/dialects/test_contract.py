"""Every dialect against the sandbox's own idea of its provider, over real HTTP."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bucket import KEY_PAIR
from tests.fakes.server import SteppingClock
from tests.providers.fakes import KEY
from tests.threads import in_thread
from tests.waiting import within
from tui.core.jobs import BatchStatus, is_terminal
from tui.core.remote_batches import RemoteBatch
from tui.core.results.readers import READERS
from tui.core.rows import Outcome, RowResult
from tui.errors import LimitError, ProviderError, RequestRejectedError, ResponseLostError
from tui.providers.connect import connect
from tui.providers.dialect import BatchDraft, Dialect
from tui.providers.dialects.files import FilesDialect
from tui.providers.profiles.load import find_profile
from tui.sandbox import LocalSandbox, SandboxOptions
from tui.sandbox.serve import configure

LIKES = {
    "openai": "openai",
    "anthropic": "anthropic",
    "doubleword": "doubleword",
    "doubleword-old": "doubleword",
    "groq": "groq",
    "melious": "melious",
    "mistral": "mistral",
    "openrouter": "openrouter",
    "scaledown": "scaledown",
    "scaledown-2": "scaledown",
    "tensorzero": "tensorzero",
    "together": "together",
    "xai": "xai",
    "gemini": "gemini",
    "fireworks": "fireworks",
    "bedrock": "bedrock",
    "vertex": "vertex",
}

ON_A_PORT = {"bedrock", "fireworks", "vertex"}
"""Their files have addresses of their own, which a socket in a folder does not have."""

MODELS = {"vertex": "gemini-sandbox"}
LEAST_ROWS = {"bedrock": 100}

NO_CANCEL = {"scaledown", "scaledown-2", "openrouter", "fireworks"}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bedrock is asked with its key, and the bucket with a pair."""
    for name, value in KEY_PAIR.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, LocalSandbox]]:
    """Sandboxes without quirks, started when first asked for and shared by the tests."""
    started: dict[str, LocalSandbox] = {}
    yield started
    for sandbox in started.values():
        sandbox.stop()


@asynccontextmanager
async def sandbox_like(
    like: str, running: dict[str, LocalSandbox] | None = None, **options: Any
) -> AsyncIterator[Dialect]:
    """A dialect that speaks to a sandbox; one of its own, or one of those that run."""
    if like in ON_A_PORT:
        chosen = SandboxOptions(like=like, key=KEY, **{"rows_per_second": 0, **options})
        with in_thread(configure(chosen)) as url:
            params = {
                **dict.fromkeys(("account_id", "project", "bucket"), "acme"),
                "region": chosen.region,
                "endpoint_url": url,
                "role_arn": "arn:aws:iam::111122223333:role/bd",
            }
            dialect = connect(find_profile(like), base_url=url, key=KEY, params=params)
            yield dialect
            await dialect.aclose()
        return
    sandbox = (running or {}).get(like)
    if sandbox is None:
        chosen = SandboxOptions(like=like, key=KEY, **{"rows_per_second": 0, **options})
        sandbox = await asyncio.to_thread(LocalSandbox.start, chosen)
        if running is not None:
            running[like] = sandbox
    dialect = connect(
        find_profile(LIKES[like]), base_url=sandbox.base_url, key=KEY, uds=sandbox.uds
    )
    try:
        yield dialect
    finally:
        await dialect.aclose()
        if running is None:
            await asyncio.to_thread(sandbox.stop)


def request(number: int, text: str, like: str) -> bytes:
    body: dict[str, Any] = {
        "model": MODELS.get(like, "sandbox-small"),
        "max_tokens": 5,
        "messages": [{"role": "user", "content": text}],
    }
    if like.startswith("scaledown"):
        labels = [
            {"name": "good", "rubric": "Is it good?"},
            {"name": "bad", "rubric": "Is it bad?"},
        ]
        body = {"model": "classify", "text": text, "labels": labels}
    line = {
        "custom_id": f"row-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }
    return json.dumps(line).encode()


async def submitted(
    dialect: Dialect, tmp_path: Path, like: str, texts: list[str], intent: str = "b-1"
) -> RemoteBatch:
    texts = texts + texts[-1:] * (LEAST_ROWS.get(like, 0) - len(texts))
    path = tmp_path / f"{intent}.jsonl"
    lines = [request(number, text, like) for number, text in enumerate(texts)]
    path.write_bytes(b"".join(dialect.encode_line(line) + b"\n" for line in lines))
    file_id = None
    if dialect.capabilities.uploads:
        file_id = await dialect.upload(path, name="rows.jsonl")
    draft = BatchDraft(
        path=path,
        rows=len(texts),
        endpoint="/v1/chat/completions",
        model=MODELS.get(like, "sandbox-small"),
        window="24h",
        intent=intent,
        file_id=file_id,
    )
    return await dialect.create(draft)


async def ended(dialect: Dialect, batch_id: str) -> RemoteBatch:
    async with within(20):
        for pause in itertools.chain([0.0], itertools.repeat(0.02)):
            await asyncio.sleep(pause)
            batch = await dialect.retrieve(batch_id)
            if is_terminal(batch.status):
                break
    return batch


async def results(dialect: Dialect, batch: RemoteBatch) -> Mapping[str, RowResult]:
    read = READERS[dialect.result_style]
    found: dict[str, RowResult] = {}
    for source in batch.results:
        async with dialect.download(source) as download:
            data = b"".join([chunk async for chunk in download.chunks])
        for line in data.split(b"\n"):
            if line.strip():
                result = read(line, dialect.retry_rules)
                assert result.custom_id not in found
                found[result.custom_id] = result
    return found


@pytest.mark.parametrize("like", sorted(LIKES))
async def test_the_whole_way(like: str, running: dict[str, LocalSandbox], tmp_path: Path) -> None:
    async with sandbox_like(like, running) as dialect:
        texts = ["hello", "sandbox:fail=429", "hello again"]
        rows = LEAST_ROWS.get(like, len(texts))
        made = await submitted(dialect, tmp_path, like, texts)
        assert made.id
        batch = await ended(dialect, made.id)
        assert batch.status is BatchStatus.COMPLETED
        counts = batch.counts
        if counts.total is not None and counts.failed is not None:
            assert (counts.total, counts.completed, counts.failed) == (rows, rows - 1, 1)
        found = await results(dialect, batch)
        outcomes = {f"row-{number}": Outcome.SUCCEEDED for number in range(rows)}
        assert {name: result.outcome for name, result in found.items()} == {
            **outcomes,
            "row-1": Outcome.FAILED,
        }
        error = found["row-1"].error
        assert error is not None
        assert error.message
        assert found["row-0"].text
        if find_profile(LIKES[like]).can.models:
            assert await dialect.models()
        if dialect.capabilities.lists:
            listed = {one.id: one async for one in dialect.list_batches()}
            assert listed[made.id].status is BatchStatus.COMPLETED
            if dialect.capabilities.metadata:
                assert listed[made.id].intent == "b-1"


@pytest.mark.parametrize("like", sorted(set(LIKES) - NO_CANCEL))
async def test_cancel(like: str, running: dict[str, LocalSandbox], tmp_path: Path) -> None:
    async with sandbox_like(like, running) as dialect:
        made = await submitted(dialect, tmp_path, like, ["sandbox:slow", "sandbox:slow"])
        stopped = await dialect.cancel(made.id)
        # Together has no word for a batch that is being cancelled.
        under_way = {BatchStatus.CANCELLING, BatchStatus.CANCELLED, BatchStatus.IN_PROGRESS}
        assert stopped.status in under_way - (
            set() if like == "together" else {BatchStatus.IN_PROGRESS}
        )
        batch = await ended(dialect, made.id)
        assert batch.status is BatchStatus.CANCELLED


@pytest.mark.parametrize(
    "like", ["doubleword", "anthropic", "scaledown", "openrouter", "xai", "gemini", "vertex"]
)
async def test_a_lost_answer(like: str, tmp_path: Path) -> None:
    async with sandbox_like(like, lose_answer=("create:1",)) as dialect:
        with pytest.raises(ResponseLostError):
            await submitted(dialect, tmp_path, like, ["hello"])
        if dialect.capabilities.lists:
            assert len([one async for one in dialect.list_batches()]) == 1


@pytest.mark.parametrize(
    "like",
    [
        "openai", "doubleword", "melious", "anthropic", "openrouter", "xai", "gemini", "fireworks",
        "bedrock", "vertex",
    ],
)  # fmt: skip
async def test_many_batches_are_listed_once_each(
    like: str, running: dict[str, LocalSandbox], tmp_path: Path
) -> None:
    async with sandbox_like(like, running) as dialect:
        made = {
            (await submitted(dialect, tmp_path, like, ["hello"], f"b-{number}")).id
            for number in range(3)
        }
        listed = [one.id async for one in dialect.list_batches()]
        assert made <= set(listed)
        assert len(listed) == len(set(listed))


async def test_bedrock_makes_one_job_of_a_create_that_is_sent_again(tmp_path: Path) -> None:
    async with sandbox_like("bedrock", lose_answer=("create:2",)) as dialect:
        assert dialect.capabilities.creates_once
        made = await submitted(dialect, tmp_path, "bedrock", ["hello"])
        assert [one.id async for one in dialect.list_batches()] == [made.id]


async def test_anthropic_counts_wait_for_the_end(tmp_path: Path) -> None:
    clock = SteppingClock(0.001)
    async with sandbox_like("anthropic", rows_per_second=100, clock=clock) as dialect:
        made = await submitted(dialect, tmp_path, "anthropic", ["hello"] * 5)
        assert (made.counts.total, made.counts.ended) == (5, None)
        assert made.results == ()
        batch = await ended(dialect, made.id)
        assert batch.counts.completed == 5
        found = await results(dialect, batch)
        assert all(result.usage.output_tokens for result in found.values())


async def test_anthropic_row_errors(running: dict[str, LocalSandbox], tmp_path: Path) -> None:
    words = ["sandbox:fail=400", "sandbox:fail=500", "sandbox:truncate", "sandbox:refuse"]
    async with sandbox_like("anthropic", running) as dialect:
        made = await submitted(dialect, tmp_path, "anthropic", words)
        found = await results(dialect, await ended(dialect, made.id))
    errors = [found[f"row-{number}"].error for number in range(2)]
    assert [error.retryable for error in errors if error] == [False, True]
    assert errors[0] is not None
    assert errors[0].code == "invalid_request_error"
    assert found["row-2"].outcome is Outcome.TRUNCATED
    assert found["row-3"].outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("like", "quirk", "kind"),
    [
        ("anthropic", "spend-limit", LimitError),
        ("anthropic", "413-html", RequestRejectedError),
        ("melious", "503-no-route", RequestRejectedError),
        ("melious", "502-all-failed", ProviderError),
    ],
)
async def test_troubles_of_a_create(
    like: str, quirk: str, kind: type[Exception], tmp_path: Path
) -> None:
    async with sandbox_like(like, quirks=(quirk,)) as dialect:
        with pytest.raises(kind) as caught:
            await submitted(dialect, tmp_path, like, ["hello"])
        assert type(caught.value) is kind


async def test_a_404_after_the_create_of_anthropic_passes(tmp_path: Path) -> None:
    async with sandbox_like("anthropic", quirks=("404-after-create:2",)) as dialect:
        made = await submitted(dialect, tmp_path, "anthropic", ["hello"])
        assert (await dialect.retrieve(made.id)).id == made.id


@pytest.mark.parametrize("like", ["scaledown", "scaledown-2"])
async def test_scaledown_in_trouble(like: str, tmp_path: Path) -> None:
    async with sandbox_like(like, quirks=("502-submit:1", "503-output:1")) as dialect:
        # It may have made the batch, so the create is not repeated.
        with pytest.raises(ResponseLostError):
            await submitted(dialect, tmp_path, like, ["hello"])
        made = await submitted(dialect, tmp_path, like, ["hello"])
        found = await results(dialect, await ended(dialect, made.id))
        assert json.loads(found["row-0"].text)["top_label"] in ("good", "bad")


async def test_scaledown_takes_fifty_rows(running: dict[str, LocalSandbox], tmp_path: Path) -> None:
    assert find_profile("scaledown").limits.rows == 50
    async with sandbox_like("scaledown-2", running) as dialect:
        with pytest.raises(RequestRejectedError):
            await submitted(dialect, tmp_path, "scaledown-2", ["hello"] * 51)


@pytest.mark.parametrize("like", ["doubleword", "doubleword-old", "xai"])
async def test_results_grow(like: str, tmp_path: Path) -> None:
    clock = SteppingClock(0.02)
    async with sandbox_like(like, rows_per_second=100, clock=clock) as dialect:
        made = await submitted(dialect, tmp_path, like, ["hello"] * 40)
        have = b""
        appended = 0
        async with within(20):
            for pause in itertools.repeat(0.05):
                batch = await dialect.retrieve(made.id)
                source = next((one for one in batch.results if one.kind == "output"), None)
                if source is None:
                    continue
                lines = have.count(b"\n")
                async with dialect.download(
                    source, have_bytes=len(have), have_lines=lines
                ) as download:
                    data = b"".join([chunk async for chunk in download.chunks])
                    have = have + data if download.appends else data
                    appended += bool(download.appends and data)
                if is_terminal(batch.status) and not download.growing:
                    break
                await asyncio.sleep(pause)
        ids = [json.loads(line)["custom_id"] for line in have.split(b"\n") if line]
        assert sorted(ids) == sorted(f"row-{number}" for number in range(40))
        assert appended >= 1


async def test_doubleword_runs_rows_again_in_place(
    running: dict[str, LocalSandbox], tmp_path: Path
) -> None:
    async with sandbox_like("doubleword", running) as dialect:
        assert isinstance(dialect, FilesDialect)
        texts = ["hello", "sandbox:flaky=500", "sandbox:fail=400"]
        made = await submitted(dialect, tmp_path, "doubleword", texts)
        batch = await ended(dialect, made.id)
        first = await results(dialect, batch)
        assert first["row-1"].outcome is Outcome.FAILED
        await dialect.retry(made.id)
        second = await results(dialect, await ended(dialect, made.id))
        assert second["row-1"].outcome is Outcome.SUCCEEDED
        assert second["row-2"].outcome is Outcome.FAILED
        guarded = await dialect.cancel(made.id)
        assert guarded.status is BatchStatus.COMPLETED
        assert await dialect.estimate(batch.input_file_id or "", "24h") is not None


async def test_openrouter_results_and_cost(
    running: dict[str, LocalSandbox], tmp_path: Path
) -> None:
    async with sandbox_like("openrouter", running) as dialect:
        made = await submitted(dialect, tmp_path, "openrouter", ["hello"])
        batch = await ended(dialect, made.id)
        assert batch.cost is not None
        assert batch.raw.get("results") in (None, [])


async def test_tensorzero_deletes_although_it_says_no(
    running: dict[str, LocalSandbox], tmp_path: Path
) -> None:
    async with sandbox_like("tensorzero", running) as dialect:
        made = await submitted(dialect, tmp_path, "tensorzero", ["hello"])
        batch = await ended(dialect, made.id)
        assert batch.input_file_id is not None
        await dialect.delete_file(batch.input_file_id)
