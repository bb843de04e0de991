"""Vertex' rows: of Gemini without an id, of Claude with one, of other models as OpenAI's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec

from tui.sandbox.bodies import message
from tui.sandbox.outcomes import error_body, missing_parameter
from tui.sandbox.providers import openai
from tui.sandbox.providers.gemini.rows import (
    embedding,
    fault_of_content,
    fault_of_embedding,
    generated,
    simulated_body,
)
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat
from tui.sandbox.state import StoredBatch

GEMINI, EMBEDDINGS, CLAUDE, OPEN = (
    "generateContent",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/chat/completions",
)
"""The endpoint of a job, which says what its rows are."""
_encode = msgspec.json.encode
_VERSION = "vertex-2023-10-16"
_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}
_SIBLINGS = "siblings"


def endpoint_of(model: str) -> str:
    """What the rows for a model are, by its publisher."""
    publisher, _, name = model.partition("publishers/")[2].partition("/models/")
    if publisher == "anthropic":
        return CLAUDE
    if publisher not in ("", "google"):
        return OPEN
    return EMBEDDINGS if "embedding" in name else GEMINI


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require a request, or a body for models that take OpenAI's rows."""
    wanted = "body" if endpoint == OPEN else "request"
    if isinstance(entry.get(wanted), dict):
        return None
    return Problem("invalid_row", f"the row has no {wanted} object", wanted)


def _fault_of_claude(body: dict[str, Any]) -> str:
    for name in ("model", "stream"):
        if name in body:
            return f"{name}: Extra inputs are not permitted"
    for name in ("anthropic_version", "max_tokens", "messages"):
        if name not in body:
            return f"{name}: Field required"
    if body["anthropic_version"] != _VERSION:
        return f"anthropic_version: Input should be '{_VERSION}'"
    return "" if body["messages"] else "messages: at least one message is required"


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Describe what is wrong with a row; empty if it is valid."""
    if url == CLAUDE:
        return _fault_of_claude(body["own"])
    if url in (GEMINI, EMBEDDINGS):
        return (fault_of_content if url == GEMINI else fault_of_embedding)(body["gemini"])
    missing = missing_parameter(url, body)
    return f"Missing required parameter: '{missing}'." if missing else ""


def render(row: Row) -> Rendered:
    """Build the result line; all lines stand in the same files.

    A row of Gemini has no id: its request is repeated, and so are the keys beside it. The status of
    a row that failed is a text with an error inside; its response is missing, or empty every second
    time.
    """
    if row.url not in (GEMINI, EMBEDDINGS, CLAUDE):
        violation = fault(row.url, row.body, row.extra)
        made = openai.render(row, violation)
        return Rendered(made.line, False, made.tokens_in, made.tokens_out)
    spent = answered = 0
    line: dict[str, Any] = {"status": "", "processed_time": _processed(row.when)}
    line |= row.body[_SIBLINGS]
    line["request"] = row.body["own"] if row.url == CLAUDE else row.body["gemini"]
    if row.succeeded:
        build = {GEMINI: generated, EMBEDDINGS: embedding, CLAUDE: message}[row.url]
        line["response"], spent, answered = build(row)
    else:
        text = fault(row.url, row.body, row.extra)
        text = text or error_body(row.outcome, row.url, row.body)["error"]["message"]
        inner = {"code": row.status, "message": text, "status": _WORDS[row.status]}
        error = _encode({"error": inner}).decode()
        line["status"] = f"{HTTPStatus(row.status).phrase}: {error}"
        if row.index % 2:
            line["response"] = {}
    return Rendered(_encode(line), False, spent, answered)


def _processed(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")


def _read_back(value: Any) -> Any:
    """A value as the table gives it back: a text of digits is a number."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def with_read_back_labels(request: Any) -> Any:
    """A request whose labels come back from the table as other values do."""
    labels = request.get("labels") if isinstance(request, dict) else None
    if not isinstance(labels, dict):
        return request
    return {**request, "labels": {name: _read_back(value) for name, value in labels.items()}}


@dataclass(frozen=True)
class VertexRows(RowFormat):
    """Rows by the endpoint of their job; those of Gemini are known by their content."""

    def id_of(self, entry: dict[str, Any]) -> Any:
        """The id of a decoded line, or what stands for it."""
        request = entry.get("request", entry.get("body"))
        if not isinstance(request, dict):
            # `check` says what is missing.
            return "-"
        if "anthropic_version" in request or "request" not in entry:
            return entry.get("custom_id")
        content = {name: value for name, value in request.items() if name != "labels"}
        return hashlib.blake2b(_encode(content), digest_size=12).hexdigest()

    def row(self, entry: dict[str, Any], raw: bytes, index: int, batch: StoredBatch) -> Row:
        """Build the row of an input line, with a body that the simulated model understands."""
        endpoint, model = batch.endpoint, batch.extra["model"].rpartition("/")[2]
        if endpoint == OPEN:
            body = {"model": model, **entry["body"]}
            return super().row({**entry, "body": body, "url": OPEN}, raw, index, batch)
        request = entry["request"]
        beside = {name: value for name, value in entry.items() if name != "request"}
        if endpoint == CLAUDE:
            body = {**request, "model": model, "own": request}
        else:
            beside = {name: _read_back(value) for name, value in beside.items()}
            body = simulated_body(request, model, endpoint)
            if batch.extra["labels_change"]:
                body["gemini"] = with_read_back_labels(request)
        body[_SIBLINGS] = beside
        return super().row({**entry, "body": body, "url": endpoint}, raw, index, batch)


ROW_FORMAT = VertexRows(
    render=render,
    check=check,
    fault=fault,
    unique_ids=False,
    unrun_reasons=frozenset(),
    max_rows=200_000,
)
"""The row format."""
