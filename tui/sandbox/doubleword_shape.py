"""Doubleword's rows: checks at upload, bare UUIDs, and errors that are JSON in a string."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from . import fates
from .endpoints import MAKERS
from .fates import Fate
from .shape import Rendered, Row, Shape, openai_fault

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
)
"""The paths that a row or a batch may have."""
_LONGEST_ID = 64
_LONGEST_BODY = 10 * 1024 * 1024
_encode = msgspec.json.encode


def row_uuid(mark: str) -> str:
    """The bare UUID of a row."""
    return f"{mark[:8]}-{mark[8:12]}-4{mark[12:15]}-8{mark[15:18]}-{mark[12:24]}"


def error_text(fate: Fate, url: str, body: Any, extra: dict[str, Any]) -> str:
    """The error of a failed row: JSON with `type` and `details`."""
    if fate is Fate.NEVER:
        return _encode({"type": "BatchTerminated", "details": {}}).decode()
    status = fates.STATUS[fate]
    inner = fates.error_body(fate, url, body)
    if fate is Fate.INVALID:
        inner = {"error": {"message": openai_fault(url, body, extra)}}
    kind = "RetriableHttpStatus" if status in (429, 500) else "NonRetriableHttpStatus"
    details = {"status": status, "body": _encode(inner).decode()}
    return _encode({"type": kind, "details": details}).decode()


def render(row: Row) -> Rendered:
    """Make a line; failed rows go to the error file with a null response and a null code."""
    line: dict[str, Any] = {"id": "batch_req_" + row_uuid(row.mark), "custom_id": row.custom_id}
    if row.fate in fates.GOOD:
        body, spent, made = MAKERS[row.url](
            row.body, row.fate, row.words, row.mark, row.when, row.seed
        )
        response = {"status_code": 200, "request_id": None, "body": body}
        line |= {"response": response, "error": None}
        return Rendered(_encode(line), False, spent, made)
    text = error_text(row.fate, row.url, row.body, row.extra)
    line |= {"response": None, "error": {"code": None, "message": text}}
    return Rendered(_encode(line), True)


def unrun(custom_id: str, mark: str, reason: str) -> bytes:
    """Rows that did not run have no line."""
    return b""


SHAPE = Shape(
    name="doubleword",
    render=render,
    unrun=unrun,
    unique_ids=False,
    unrun_reasons=frozenset(),
    never_fails=True,
    overdue_runs=True,
)
"""The row rules; lines are checked at upload, so that a create finds no bad ones."""


def bad_line(path: Path) -> str:
    """Say which line of an upload is refused, as `Line N: ...`; empty when none is."""
    number = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.strip():
                text = _judge(raw)
                if text:
                    return f"Line {number}: {text}"
    return "" if number else "File contains no valid request templates"


def _judge(raw: bytes) -> str:
    try:
        entry = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        return f"Invalid JSON: {problem}"
    if not isinstance(entry, dict):
        return "expected a JSON object"
    for name in ("custom_id", "method", "url", "body"):
        if name not in entry:
            return f"missing field `{name}`"
    custom_id = entry["custom_id"]
    if not isinstance(custom_id, str) or not 1 <= len(custom_id.encode()) <= _LONGEST_ID:
        return f"custom_id must be 1 to {_LONGEST_ID} bytes"
    if not (custom_id.isascii() and custom_id.isprintable()):
        return "custom_id must be usable in a header"
    if entry["method"] != "POST":
        return "method must be POST"
    if entry["url"] not in ENDPOINTS:
        return f"url must be one of: {', '.join(ENDPOINTS)}"
    if not isinstance(entry["body"], dict) or not isinstance(entry["body"].get("model"), str):
        return "body must be an object with a `model`"
    if len(raw) > _LONGEST_BODY:
        return f"body exceeds {_LONGEST_BODY} bytes"
    return ""
