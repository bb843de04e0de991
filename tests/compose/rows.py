from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def chat(custom_id: Any = "a", text: str = "Hello", **changes: Any) -> dict[str, Any]:
    """A correct row; ``changes`` go into the body, ``None`` takes a field out."""
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text}]}
    body.update(changes)
    body = {name: value for name, value in body.items() if value is not None}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def written(folder: Path, content: bytes, name: str = "in.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
