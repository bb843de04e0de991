"""Request lines for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tui.core.jobs import Job
from tui.engine.engine import Engine
from tui.engine.import_job import FileImport


def chat(custom_id: str, content: str, *, model: str = "gpt-5-mini", **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": messages, **body},
    }


def flat(custom_id: str, **body: Any) -> dict[str, Any]:
    """A request to one of ScaleDown's models."""
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def line(request: dict[str, Any]) -> bytes:
    return json.dumps(request).encode()


def file_of(path: Path, *requests: dict[str, Any]) -> Path:
    path.write_bytes(b"".join(line(request) + b"\n" for request in requests))
    return path


def chats(path: Path, count: int, *, start: int = 0, **body: Any) -> Path:
    """A file of requests that are alike."""
    content = "Tell me something new about lighthouses and their keepers, please. " * 4
    rows = (chat(f"row-{n}", content, **body) for n in range(start, start + count))
    return file_of(path, *rows)


def import_sample(
    engine: Engine,
    path: Path,
    rows: int,
    account: str | None = None,
    *,
    seed: int = 0,
    by: str = "",
) -> tuple[Job, Job]:
    """A file as two jobs, a sample of its rows and the rest, nothing sent."""
    file = FileImport(engine._context, path, account or engine.accounts.default)
    return file.store_sample(file.check().report, rows, seed=seed, by=by)
