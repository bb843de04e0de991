"""How long it takes to collect and index results, beside a bare loop that decodes each line.

Run as ``python tests/benchmarks/bench_collect.py [--rows N] [--words N] [--rounds N]``. The
floor reads and decodes the same file. "index" reads it from the disk into a fresh history;
"collect + index" also streams it to the disk through the engine's collector, as a download.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.rounds import measure, table
from tui.config import Config
from tui.core.counts import Counts
from tui.core.jobs import Batch, Job
from tui.core.remote import RemoteBatch, ResultSource
from tui.core.status import BatchStatus
from tui.engine.accounts import Accounts
from tui.engine.collector import Collector
from tui.engine.context import Context
from tui.engine.events import EventBus
from tui.paths import Paths
from tui.providers.base import Download
from tui.store.batches import begin_first_attempt
from tui.store.files import result_file
from tui.store.history import History
from tui.store.importing import import_requests
from tui.store.indexing import ResultIndexer

SOURCE = ResultSource(kind="output", ref="file")


def write_results(path: Path, rows: int, words: int) -> None:
    """Chat results, of which 2 % failed, nearly in the order of the requests."""
    chance = random.Random(1)
    order = list(range(rows))
    for start in range(0, rows, 500):
        part = order[start : start + 500]
        chance.shuffle(part)
        order[start : start + 500] = part
    with path.open("wb") as file:
        for number in order:
            file.write(msgspec.json.encode(_line(number, words)) + b"\n")


def _line(number: int, words: int) -> dict[str, object]:
    failed = number % 50 == 7
    text = " ".join(
        ("the", "review", "praises", "its", "quick", "delivery")[n % 6] for n in range(words)
    )
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
                    "content": text,
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": words,
            "total_tokens": 120 + words,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }
    if failed:
        message = f"Rate limit reached for requests. Try again in {number % 60}s."
        body = {
            "error": {"message": message, "type": "requests", "param": None, "code": "rate_limit"}
        }
    return {
        "id": f"batch_req_{number:024x}",
        "custom_id": f"row-{number:06d}",
        "response": {
            "status_code": 429 if failed else 200,
            "request_id": f"req_{number:024x}",
            "body": body,
        },
        "error": None,
    }


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

            yield Download(chunks(), appends=False, growing=False, total=None)


def bare(path: Path) -> None:
    """The floor: decode every line and keep nothing."""
    decode = msgspec.json.decode
    with path.open("rb") as file:
        for line in file:
            decode(line)


class Bench:
    """Makes a fresh history for each run, outside the measured time."""

    def __init__(self, folder: Path, results: Path, rows: int) -> None:
        self._results = results
        self._homes = (folder / f"home-{number}" for number in itertools.count())
        self._rows = rows

    def history(self) -> tuple[Paths, History, Batch]:
        """A job that waits for its results."""
        paths = Paths.find(next(self._homes))
        history = History(paths)
        job = Job(
            id="job",
            name="bench",
            account="sandbox",
            provider="sandbox",
            endpoint="/v1/chat/completions",
            model="m",
            status=BatchStatus.DRAFT,
            counts=Counts(total=self._rows),
            created_at=time.time(),
        )
        ids = (f"row-{number:06d}" for number in range(self._rows))
        import_requests(history.database, paths, job, ((id_, b"{}") for id_ in ids))
        batch = Batch(
            id="batch",
            job_id="job",
            account="sandbox",
            rows=self._rows,
            first_seq=0,
            last_seq=self._rows - 1,
        )
        begin_first_attempt(history.database, [batch])
        return paths, history, batch

    def index(self, paths: Paths, history: History) -> None:
        """Index a file that lies on the disk already."""
        file = result_file(history.database, paths, "batch", "output")
        file.path.symlink_to(self._results)
        ResultIndexer(history.database, "batch", file).run(complete=True)

    async def collect(self, paths: Paths, history: History, batch: Batch) -> None:
        """Stream the file to the disk and index behind it."""
        accounts = Accounts(paths, Config())
        context = Context(paths, history, accounts, EventBus(), time.time)
        remote = RemoteBatch(
            id="r", status=BatchStatus.COMPLETED, raw_status="completed", results=(SOURCE,)
        )
        await Collector(context).fetch(FileDialect(self._results), batch, remote)  # type: ignore[arg-type]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        results = folder / "results.jsonl"
        write_results(results, options.rows, options.words)
        bench = Bench(folder, results, options.rows)
        ready = [bench.history() for _ in range(options.rounds)]
        spare = [bench.history() for _ in range(options.rounds)]
        medians = measure(
            {
                "bare msgspec decode loop": lambda: bare(results),
                "index from the disk": lambda: bench.index(*ready.pop()[:2]),
                "collect + index": lambda: asyncio.run(bench.collect(*spare.pop())),
            },
            options.rounds,
        )
        size = results.stat().st_size
    print(f"{options.rows:,} rows, {size / 1e6:.1f} MB, median of {options.rounds} rounds")
    print(table(medians, size))


if __name__ == "__main__":
    main()
