"""A provider in memory that knows the truth, and a dialect that speaks to it, badly if told so."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tui.core.jobs import TERMINAL, BatchStatus, RemoteCounts
from tui.core.remote_batches import BatchIssue, RemoteBatch, ResultSource
from tui.errors import BatchdeckError, RequestRejectedError, ResponseLostError, UnreachableError
from tui.progress import NO_PROGRESS, Progress
from tui.providers.dialect import BatchDraft, Capabilities, ResultStyle
from tui.providers.wire.download import Download


class Lost(Exception):
    """A fault: the call acts, and its answer is lost."""


class Late(Exception):
    """A fault: the answer is lost, and the call acts only after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"acts after {seconds:g} seconds")
        self.seconds = seconds


@dataclass
class FakeBatch:
    """A batch as it stands at the provider."""

    id: str
    file_id: str | None
    intent: str | None
    lines: list[bytes]
    created_at: float
    status: BatchStatus = BatchStatus.IN_PROGRESS
    output: bytes | None = None
    errors: bytes | None = None
    counts: RemoteCounts = field(default_factory=RemoteCounts)
    issues: tuple[BatchIssue, ...] = ()
    asked: int = 0
    growing: bool = False
    done: int = 0
    expires_at: float | None = None

    @property
    def ids(self) -> list[str]:
        return [json.loads(line)["custom_id"] for line in self.lines]


@dataclass
class FakeProvider:
    """What is true: files, batches, and how often each call came in.

    ``faults`` holds, by name of a call, what the next calls meet: an error to raise before
    anything is done, ``Lost()`` to lose the answer, or ``None`` for no fault.
    """

    clock: Callable[[], float]
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, FakeBatch] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    faults: dict[str, deque[Exception | None]] = field(default_factory=dict)
    answer: Callable[[bytes, int], bytes] | None = None
    """Makes the result line of a request; gets the line and how often its id was run before."""
    seen: Counter[str] = field(default_factory=Counter)
    ends_after: int | None = 1
    """A batch ends at that poll by itself; ``None``: the test ends it."""
    hidden: set[str] = field(default_factory=set)
    """Batches that the list does not show yet."""
    list_lag: float = 0.0
    """Seconds until the list shows a new batch."""
    same_bytes_same_file: bool = False
    """Files are named by their bytes."""
    when_called: dict[str, Callable[[], None]] = field(default_factory=dict)

    made: Callable[[FakeBatch, str], None] = lambda batch, intent: None
    """Called with each new batch, and the intent of its create."""
    asked_alone: Callable[[str], None] = lambda custom_id: None
    """Called with the id of each row that is sent by itself."""

    def fault(self, call: str, *faults: Exception | None) -> None:
        """Let the next calls of a kind meet these faults."""
        self.faults.setdefault(call, deque()).extend(faults)

    def meet(self, call: str) -> Exception | None:
        """Count a call; raise its fault, or hand back that its answer is lost."""
        self.calls[call] += 1
        if (hook := self.when_called.get(call)) is not None:
            hook()
        waiting = self.faults.get(call)
        fault = waiting.popleft() if waiting else None
        if fault is not None and not isinstance(fault, (Lost, Late)):
            raise fault
        return fault

    def advance(self, batch: FakeBatch, rows: int) -> None:
        """Answer the next requests of a batch; they can be read where partial results can."""
        good, bad = batch.output or b"", batch.errors or b""
        completed, failed = batch.counts.completed or 0, batch.counts.failed or 0
        for request in batch.lines[batch.done : batch.done + rows]:
            custom_id = json.loads(request)["custom_id"]
            line = (self.answer or answered)(request, self.seen[custom_id]) + b"\n"
            self.seen[custom_id] += 1
            batch.done += 1
            if b'"status_code": 200' in line:
                good, completed = good + line, completed + 1
            else:
                bad, failed = bad + line, failed + 1
        batch.output, batch.errors = good or None, bad or None
        batch.counts = RemoteCounts(total=len(batch.lines), completed=completed, failed=failed)
        batch.growing = True

    def run(self, batch: FakeBatch) -> None:
        """Answer all requests of a batch and end it."""
        self.advance(batch, len(batch.lines))
        batch.growing = False
        batch.status = BatchStatus.COMPLETED

    def touch(self, batch: FakeBatch) -> None:
        """A batch is asked for, and goes on by that."""
        batch.asked += 1
        if batch.status is BatchStatus.CANCELLING:
            batch.status = BatchStatus.CANCELLED
        elif batch.status is BatchStatus.IN_PROGRESS and batch.asked >= (
            float("inf") if self.ends_after is None else self.ends_after
        ):
            self.run(batch)

    def remote(self, batch: FakeBatch) -> RemoteBatch:
        """The batch as a dialect tells of it."""
        ended = batch.status in TERMINAL
        batch.growing = batch.growing and not ended
        ended = ended or batch.growing
        results = []
        if ended and batch.output is not None:
            growing = batch.growing
            results.append(ResultSource(kind="output", ref=f"{batch.id}-out", growing=growing))
        if ended and batch.errors is not None:
            growing = batch.growing
            results.append(ResultSource(kind="errors", ref=f"{batch.id}-err", growing=growing))
        return RemoteBatch(
            id=batch.id,
            status=batch.status,
            raw_status=batch.status.value,
            counts=batch.counts,
            results=tuple(results),
            issues=batch.issues,
            input_file_id=batch.file_id,
            intent=batch.intent,
            created_at=batch.created_at,
            expires_at=batch.expires_at,
            raw={"id": batch.id, "status": batch.status.value},
        )

    def only(self) -> FakeBatch:
        """The one batch that there is."""
        (batch,) = self.batches.values()
        return batch


def answered(request: bytes, before: int) -> bytes:
    """A good answer that repeats the id; ``fail`` and ``flaky`` in the request act like it."""
    value = json.loads(request)
    custom_id = value["custom_id"]
    text = json.dumps(value["body"])
    if "fail" in text or ("flaky" in text and before == 0):
        return failed_line(custom_id, 400 if "permanent" in text else 500)
    return good_line(custom_id, f"answer to {custom_id}")


def good_line(custom_id: str, text: str) -> bytes:
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    response = {"status_code": 200, "body": {"model": "m", "choices": [choice]}}
    return json.dumps({"custom_id": custom_id, "response": response, "error": None}).encode()


def failed_line(custom_id: str, status: int = 500) -> bytes:
    error = {"message": "boom", "code": None}
    response = {"status_code": status, "body": {"error": error}}
    return json.dumps({"custom_id": custom_id, "response": response, "error": None}).encode()


class FakeDialect:
    """Speaks to a ``FakeProvider``, with whatever capabilities it is given."""

    def __init__(
        self,
        provider: FakeProvider,
        capabilities: Capabilities | None = None,
        *,
        by_lines: bool = False,
        ranges: bool = True,
    ) -> None:
        self.provider = provider
        self.capabilities = capabilities or Capabilities()
        self.result_style: ResultStyle = "openai"
        self.retry_rules: Mapping[str, bool] = {}
        self.passes_through = True
        self._by_lines = by_lines
        self._ranges = ranges
        self.chunk = 1 << 16

    def encode_line(self, request: bytes) -> bytes:
        return request

    async def upload(self, path: Path, *, name: str, progress: Progress = NO_PROGRESS) -> str:
        lost = self.provider.meet("upload")
        data = await asyncio.to_thread(path.read_bytes)
        file_id = f"file-{len(self.provider.files)}"
        if self.provider.same_bytes_same_file:
            file_id = f"file-{hashlib.sha256(data).hexdigest()[:8]}"
        self.provider.files[file_id] = data
        progress.update(len(data), len(data))
        if lost:
            raise ResponseLostError("the answer to the upload was lost")
        return file_id

    async def create(self, draft: BatchDraft, *, progress: Progress = NO_PROGRESS) -> RemoteBatch:
        provider = self.provider
        lost = provider.meet("create")
        if draft.file_id is not None:
            data = provider.files[draft.file_id]
        else:
            data = await asyncio.to_thread(draft.path.read_bytes)
        if isinstance(lost, Late):
            loop = asyncio.get_running_loop()
            loop.call_later(lost.seconds, self._make, data, draft)
        else:
            made = self._make(data, draft)
        if lost:
            raise ResponseLostError("the answer to the create was lost")
        return provider.remote(made)

    def _make(self, data: bytes, draft: BatchDraft) -> FakeBatch:
        provider = self.provider
        batch = FakeBatch(
            id=f"batch-{len(provider.batches)}",
            file_id=draft.file_id,
            intent=draft.intent if self.capabilities.metadata else None,
            lines=[line for line in data.split(b"\n") if line.strip()],
            created_at=provider.clock(),
        )
        batch.counts = RemoteCounts(total=len(batch.lines))
        provider.batches[batch.id] = batch
        provider.made(batch, draft.intent or "")
        return batch

    async def retrieve(self, batch_id: str) -> RemoteBatch:
        provider = self.provider
        provider.meet("retrieve")
        batch = provider.batches.get(batch_id)
        if batch is None:
            raise RequestRejectedError("no such batch", status=404)
        provider.touch(batch)
        return provider.remote(batch)

    async def list_batches(
        self, *, created_after: float | None = None
    ) -> AsyncIterator[RemoteBatch]:
        assert self.capabilities.lists
        self.provider.meet("list")
        for batch in reversed(list(self.provider.batches.values())):
            age = self.provider.clock() - batch.created_at
            if batch.id in self.provider.hidden or age < self.provider.list_lag:
                continue
            if created_after is None or batch.created_at >= created_after:
                self.provider.touch(batch)
                yield self.provider.remote(batch)

    async def cancel(self, batch_id: str) -> RemoteBatch:
        self.provider.meet("cancel")
        batch = self.provider.batches[batch_id]
        if batch.status not in TERMINAL:
            batch.status = BatchStatus.CANCELLING
        return self.provider.remote(batch)

    @asynccontextmanager
    async def download(
        self, source: ResultSource, *, have_bytes: int = 0, have_lines: int = 0
    ) -> AsyncIterator[Download]:
        provider = self.provider
        fault = provider.faults.get("download")
        cut = None
        provider.calls["download"] += 1
        if (hook := provider.when_called.get("download")) is not None:
            hook()
        if fault:
            first = fault.popleft()
            if isinstance(first, Broken):
                cut = first.after
            elif first is not None:
                raise first
        batch_id, _, kind = source.ref.rpartition("-")
        if source.ref.startswith("file-"):
            if source.ref not in provider.files:
                raise RequestRejectedError("no such file", status=404)
            data = provider.files[source.ref]
        else:
            batch = provider.batches[batch_id]
            data = (batch.output if kind == "out" else batch.errors) or b""
        start = 0
        if self._by_lines:
            start = sum(len(line) for line in data.splitlines(keepends=True)[:have_lines])
        elif self._ranges:
            start = min(have_bytes, len(data))
        body = data[start:]

        async def chunks() -> AsyncIterator[bytes]:
            sent = 0
            for begin in range(0, len(body), self.chunk):
                piece = body[begin : begin + self.chunk]
                if cut is not None and sent + len(piece) > cut:
                    if piece[: cut - sent]:
                        yield piece[: cut - sent]
                    raise UnreachableError("the connection broke")
                sent += len(piece)
                yield piece

        yield Download(chunks=chunks(), appends=start > 0, growing=source.growing, total=len(body))

    async def models(self) -> list[str]:
        return ["m"]

    async def delete_file(self, file_id: str) -> None:
        self.provider.calls["delete_file"] += 1
        self.provider.files.pop(file_id, None)

    async def files_named(self, name: str, *, created_after: float) -> list[str] | None:
        return []

    async def delete_batch(self, batch_id: str) -> None:
        self.provider.calls["delete_batch"] += 1
        self.provider.batches.pop(batch_id, None)

    async def aclose(self) -> None:
        return None


class Broken(BatchdeckError):
    """A fault of a download: the body ends after so many bytes."""

    def __init__(self, after: int) -> None:
        super().__init__(f"breaks off after {after} bytes")
        self.after = after
