"""Histories of any size for the benchmarks, written through the store as the program does."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import msgspec

from tui.config.settings import Config
from tui.core.jobs import Batch, BatchStatus, Counts, Job, Submission
from tui.core.remote_batches import RemoteBatch, ResultSource
from tui.engine.accounts import Accounts
from tui.engine.batches.collector import Collector
from tui.engine.context import Context
from tui.engine.events import EventBus
from tui.paths import Paths
from tui.providers.wire.download import Download
from tui.store.batches import NewBatch
from tui.store.history import History
from tui.store.indexing.indexer import ResultIndexer
from tui.store.job_records import update_batch

SOURCE = ResultSource(kind="output", ref="file")

WORDS = ("the", "review", "praises", "its", "quick", "delivery")


def custom_id(number: int) -> str:
    """The id of a row."""
    return f"row-{number:07d}"


def answer_words(number: int, words: int) -> str:
    """An answer of so many words; one row in a thousand holds a needle."""
    text = " ".join(WORDS[(n + number) % 6] for n in range(words))
    return f"{text} caf\u00e9 Zanzibar" if number % 1000 == 999 else text


def json_answer(number: int, words: int) -> str:
    """An answer with a label, a number, and a text of so many words."""
    label = ("refund", "delivery", "praise", "quality", "not sure")[(number * 7919) % 5]
    return msgspec.json.encode(
        {"label": label, "score": number % 50 / 10, "reason": answer_words(number, words)}
    ).decode()


Answer = Callable[[int, int], str]


def result_line(number: int, words: int, answer: Answer = answer_words) -> bytes:
    """A chat result; two in a hundred failed, in three groups."""
    failed = number % 50 == 7
    body: dict[str, object] = {
        "id": f"chatcmpl-{number:024x}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-5-mini-2026-08-07",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": answer(number, words),
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 100 + number % 50,
            "completion_tokens": words + number % 7,
            "total_tokens": 100 + number % 50 + words + number % 7,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }
    if failed:
        kind, status = (("rate_limit", 429), ("server_error", 500), ("invalid", 400))[number % 3]
        message = f"Trouble {kind} with the request. Try again in {number % 60}s."
        body = {"error": {"message": message, "type": "requests", "param": None, "code": kind}}
    return msgspec.json.encode(
        {
            "id": f"batch_req_{number:024x}",
            "custom_id": custom_id(number),
            "response": {
                "status_code": status if failed else 200,
                "request_id": f"req_{number:024x}",
                "body": body,
            },
            "error": None,
        }
    )


def write_results(path: Path, rows: int, words: int, answer: Answer = answer_words) -> None:
    """Results nearly in the order of the requests."""
    chance = random.Random(1)
    order = list(range(rows))
    for start in range(0, rows, 500):
        part = order[start : start + 500]
        chance.shuffle(part)
        order[start : start + 500] = part
    with path.open("wb", buffering=1 << 20) as file:
        for number in order:
            file.write(result_line(number, words, answer) + b"\n")


def add_job(history: History, job_id: str, rows: int) -> Batch:
    """A job that was sent as one batch and waits for its results."""
    job = Job(
        id=job_id,
        name=job_id,
        account="sandbox",
        provider="sandbox",
        endpoint="/v1/chat/completions",
        model="m",
        status=BatchStatus.DRAFT,
        counts=Counts(total=rows),
        created_at=time.time(),
    )
    requests = ((custom_id(number), b"{}") for number in range(rows))
    history.jobs.add(job, requests)
    batch = Batch(
        id=f"{job_id}-batch",
        job_id=job_id,
        account="sandbox",
        rows=rows,
        first_seq=0,
        last_seq=rows - 1,
    )
    history.batches.begin_first_attempt([NewBatch(batch)])
    return batch


def add_ended_job(
    history: History, job_id: str, rows: int, words: int, answer: Answer = answer_words
) -> Path:
    """A job that has ended and is collected; the answer is its result file."""
    batch = add_job(history, job_id, rows)
    file = history.files.get(batch.id, "output")
    write_results(file.path, rows, words, answer)
    ResultIndexer(history._database, batch.id, file).run(complete=True)
    changes = {
        "submission": Submission.RUNNING,
        "status": BatchStatus.COMPLETED,
        "raw_status": "completed",
        "collected": True,
        "submitted_at": time.time(),
        "ended_at": time.time(),
    }
    with history._database.write() as connection:
        update_batch(connection, batch.id, changes)
    return file.path


class FileDialect:
    """Downloads from a file in place of a wire; the rest of a dialect is not asked for."""

    result_style = "openai"
    retry_rules: ClassVar[dict[str, bool]] = {}

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AsyncIterator[Download]:
        """The file in pieces of 64 KB."""
        with self._path.open("rb") as stream:

            async def chunks() -> AsyncIterator[bytes]:
                while chunk := stream.read(1 << 16):
                    yield chunk
                    await asyncio.sleep(0)

            size = self._path.stat().st_size
            yield Download(chunks(), appends=False, growing=False, total=size)


def collector_for(history: History) -> Collector:
    """The engine's collector, as it is there when the engine runs."""
    paths = history.paths
    return Collector(Context(paths, history, Accounts(paths, Config()), EventBus(), time.time))


async def collect(collector: Collector, batch: Batch, results: Path) -> None:
    """Stream a result file to the disk and index behind it, with the engine's collector."""
    remote = RemoteBatch(
        id="r", status=BatchStatus.COMPLETED, raw_status="completed", results=(SOURCE,)
    )
    await collector.fetch(FileDialect(results), batch, remote)  # type: ignore[arg-type]


def fresh_batches(folder: Path, rows: int) -> Iterator[tuple[History, Batch]]:
    """One history after the other, each with a job of so many rows that waits for results."""
    number = 0
    while True:
        history = History(Paths.find(folder / f"home-{number}"))
        yield history, add_job(history, "job", rows)
        number += 1
