from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from tests.threads import in_thread, join_all
from tui.sandbox.options import SandboxOptions
from tui.sandbox.serve import configure


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_767_300_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@contextmanager
def running(options: SandboxOptions) -> Iterator[str]:
    """Serve a sandbox over TCP in a thread; yields its address."""
    with in_thread(configure(options)) as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def _all_servers_end() -> Iterator[None]:
    yield
    join_all()


def chat_line(custom_id: str, text: str, **body: Any) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": [{"role": "user", "content": text}], **body},
    }


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def lines_of(data: bytes) -> dict[str, dict[str, Any]]:
    entries = [json.loads(line) for line in data.split(b"\n") if line]
    found = {entry["custom_id"]: entry for entry in entries}
    assert len(found) == len(entries)
    return found


class Bench:
    """An openai client on a sandbox, with short cuts."""

    def __init__(self, url: str, clock: Clock | None = None, key: str = "none") -> None:
        self.url = url
        self.clock = clock
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)

    def upload(self, lines: list[dict[str, Any]] | bytes) -> str:
        data = lines if isinstance(lines, bytes) else jsonl(lines)
        return self.client.files.create(file=("in.jsonl", data), purpose="batch").id

    def create(self, lines: list[dict[str, Any]] | bytes, **extra: Any) -> Any:
        values = {"endpoint": "/v1/chat/completions", "completion_window": "24h", **extra}
        return self.client.batches.create(input_file_id=self.upload(lines), **values)

    def get(self, batch: Any) -> Any:
        return self.client.batches.retrieve(batch.id)

    def read(self, file_id: str) -> dict[str, dict[str, Any]]:
        return lines_of(self.client.files.content(file_id).read())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench(tmp_path: Any) -> Iterator[Callable[..., Bench]]:
    """Start a sandbox with options; the clock stands still unless one is given."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(**values: Any) -> Bench:
            values.setdefault("home", tmp_path / "home")
            values.setdefault("rows_per_second", 0)
            key = values.get("key") or "none"
            url = stack.enter_context(running(SandboxOptions(**values)))
            made = Bench(url, values.get("clock"), key)
            stack.callback(made.client.close)
            return made

        yield start
