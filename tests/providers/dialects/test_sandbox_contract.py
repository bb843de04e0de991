"""The dialect against the sandbox, over real HTTP: two readings of the same wire facts."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.providers.fakes import KEY
from tests.waiting import within
from tui.core.jobs import BatchStatus, is_terminal
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.core.results.openai_lines import read_openai_line
from tui.core.rows import Outcome
from tui.errors import KeyRejectedError, RequestRejectedError, ResponseLostError, UnreachableError
from tui.providers.connect import connect
from tui.providers.dialect import BatchDraft, Dialect
from tui.providers.profiles.load import find_profile
from tui.sandbox import LocalSandbox, SandboxOptions

WORDS = ["hello", "sandbox:fail=400", "sandbox:truncate", "sandbox:say=Grün\u2028 und weiter"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LocalSandbox]:
    started = LocalSandbox.start(SandboxOptions(rows_per_second=0, key=KEY))
    yield started
    started.stop()


def dialect_for(sandbox: LocalSandbox, key: str | None = KEY) -> Dialect:
    return connect(find_profile("sandbox"), base_url=sandbox.base_url, key=key, uds=sandbox.uds)


@pytest.fixture
async def dialect(sandbox: LocalSandbox) -> AsyncIterator[Dialect]:
    found = dialect_for(sandbox)
    yield found
    await found.aclose()


def rows(tmp_path: Path, texts: list[str]) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [
        json.dumps(
            {
                "custom_id": f"row-{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": "sandbox-small",
                    "max_tokens": 5,
                    "messages": [{"role": "user", "content": text}],
                },
            },
            ensure_ascii=False,
        )
        for number, text in enumerate(texts)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def draft(path: Path, file_id: str, intent: str, count: int) -> BatchDraft:
    return BatchDraft(
        path=path,
        rows=count,
        endpoint="/v1/chat/completions",
        model="sandbox-small",
        window="24h",
        intent=intent,
        file_id=file_id,
    )


async def submitted(dialect: Dialect, tmp_path: Path, texts: list[str], intent: str) -> RemoteBatch:
    path = rows(tmp_path, texts)
    file_id = await dialect.upload(path, name="rows.jsonl")
    return await dialect.create(draft(path, file_id, intent, len(texts)))


async def ended(dialect: Dialect, batch_id: str) -> RemoteBatch:
    async with within(20):
        batch = await dialect.retrieve(batch_id)
        for pause in itertools.repeat(0.02):
            if is_terminal(batch.status):
                break
            await asyncio.sleep(pause)
            batch = await dialect.retrieve(batch_id)
    return batch


async def content(dialect: Dialect, source: ResultSource, **have: int) -> tuple[bytes, bool]:
    async with dialect.download(source, **have) as download:
        return b"".join([chunk async for chunk in download.chunks]), download.appends


async def test_from_upload_to_answers(dialect: Dialect, tmp_path: Path) -> None:
    made = await submitted(dialect, tmp_path, WORDS, "b-whole")
    assert made.status is BatchStatus.VALIDATING
    assert made.counts.total is None
    batch = await ended(dialect, made.id)
    assert batch.status is BatchStatus.COMPLETED
    assert (batch.counts.total, batch.counts.completed, batch.counts.failed) == (4, 3, 1)
    assert batch.intent == "b-whole"
    assert batch.ended_at is not None
    assert [source.kind for source in batch.results] == ["output", "errors"]
    data = b"".join([(await content(dialect, source))[0] for source in batch.results])
    read = [read_openai_line(line) for line in data.rstrip(b"\n").split(b"\n")]
    results = {result.custom_id: result for result in read}
    assert results["row-0"].outcome is Outcome.SUCCEEDED
    assert results["row-1"].outcome is Outcome.FAILED
    assert results["row-1"].http_status == 400
    assert results["row-2"].outcome is Outcome.TRUNCATED
    assert results["row-3"].text == "Grün\u2028 und weiter"


async def test_a_download_goes_on_where_it_stopped(dialect: Dialect, tmp_path: Path) -> None:
    batch = await ended(dialect, (await submitted(dialect, tmp_path, ["a"] * 20, "b-range")).id)
    whole, _ = await content(dialect, batch.results[0])
    rest, appends = await content(dialect, batch.results[0], have_bytes=100)
    assert (whole[:100] + rest if appends else rest) == whole
    nothing, appends = await content(dialect, batch.results[0], have_bytes=len(whole))
    assert (whole + nothing if appends else nothing) == whole


async def test_the_batch_is_found_in_the_list_by_its_intent(
    dialect: Dialect, tmp_path: Path
) -> None:
    made = await submitted(dialect, tmp_path, ["a"], "b-listed")
    assert made.created_at is not None
    found = [
        batch async for batch in dialect.list_batches(created_after=made.created_at) if batch.intent
    ]
    assert made.id in [batch.id for batch in found if batch.intent == "b-listed"]


async def test_cancel_and_cancel_again(dialect: Dialect, tmp_path: Path) -> None:
    made = await submitted(dialect, tmp_path, ["sandbox:slow"], "b-cancel")
    stopped = await dialect.cancel(made.id)
    assert stopped.status in (BatchStatus.CANCELLING, BatchStatus.CANCELLED)
    assert (await ended(dialect, made.id)).status is BatchStatus.CANCELLED
    assert (await dialect.cancel(made.id)).status is BatchStatus.CANCELLED


async def test_a_bad_file_makes_a_failed_batch_with_lines(dialect: Dialect, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"custom_id":"a"\n')
    file_id = await dialect.upload(path, name="rows.jsonl")
    made = await dialect.create(draft(path, file_id, "b-bad", 1))
    batch = await ended(dialect, made.id)
    assert batch.status is BatchStatus.FAILED
    assert batch.issues[0].line == 1
    assert batch.issues[0].code == "invalid_json_line"
    assert batch.results == ()


async def test_expired_rows_are_told(dialect: Dialect, tmp_path: Path) -> None:
    made = await submitted(dialect, tmp_path, ["a", "sandbox:expire"], "b-expire")
    batch = await ended(dialect, made.id)
    assert batch.status is BatchStatus.EXPIRED
    data = b"".join([(await content(dialect, source))[0] for source in batch.results])
    outcomes = {read_openai_line(line).outcome for line in data.rstrip(b"\n").split(b"\n")}
    assert outcomes == {Outcome.SUCCEEDED, Outcome.EXPIRED}


async def test_models_files_and_refusals(dialect: Dialect, tmp_path: Path) -> None:
    assert await dialect.models()
    file_id = await dialect.upload(rows(tmp_path, ["a"]), name="rows.jsonl")
    await dialect.delete_file(file_id)
    await dialect.delete_file(file_id)
    with pytest.raises(RequestRejectedError):
        await dialect.retrieve("batch_unknown")
    with pytest.raises(RequestRejectedError):
        await dialect.create(draft(tmp_path / "x", "file-unknown", "b-x", 1))


async def test_a_wrong_key(sandbox: LocalSandbox) -> None:
    stranger = dialect_for(sandbox, "sk-wrong-0123456789abcdef")
    with pytest.raises(KeyRejectedError) as caught:
        await stranger.models()
    assert "sk-wrong" not in str(caught.value)
    await stranger.aclose()


async def test_lost_answers_leave_it_open_and_the_list_knows(tmp_path: Path) -> None:
    options = SandboxOptions(rows_per_second=0, lose_answer=("create:1",))
    started = await asyncio.to_thread(LocalSandbox.start, options)
    try:
        dialect = dialect_for(started, None)
        with pytest.raises(ResponseLostError):
            await submitted(dialect, tmp_path, ["a"], "b-lost")
        found = [batch async for batch in dialect.list_batches() if batch.intent == "b-lost"]
        assert len(found) == 1
        await dialect.aclose()
    finally:
        await asyncio.to_thread(started.stop)


async def test_a_download_that_breaks_off_can_go_on(tmp_path: Path) -> None:
    options = SandboxOptions(rows_per_second=0, lose_answer=("content-half:1",))
    started = await asyncio.to_thread(LocalSandbox.start, options)
    try:
        dialect = dialect_for(started, None)
        made = await submitted(dialect, tmp_path, ["a"] * 50, "b-half")
        batch = await ended(dialect, made.id)
        have = bytearray()
        with pytest.raises(UnreachableError):
            async with dialect.download(batch.results[0]) as download:
                async for chunk in download.chunks:
                    have += chunk
        rest, appends = await content(dialect, batch.results[0], have_bytes=len(have))
        whole = bytes(have) + rest if appends else rest
        assert len(whole.rstrip(b"\n").split(b"\n")) == 50
        assert appends
        await dialect.aclose()
    finally:
        await asyncio.to_thread(started.stop)
