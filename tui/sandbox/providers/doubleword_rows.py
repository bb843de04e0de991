"""Doubleword's rows: checks on upload, UUIDs, errors as JSON in a string, retries in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from tui.sandbox import outcomes
from tui.sandbox.backend import Backend
from tui.sandbox.bodies import build
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.plan_file import TOTALS, Plan, PlanWriter
from tui.sandbox.planner import rendered_sizes
from tui.sandbox.rows import Rendered, Row, RowFormat, openai_fault
from tui.sandbox.state import StoredBatch

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
)
"""The endpoints of rows and batches."""
_MAX_ID = 64
_MAX_BODY = 10 * 1024 * 1024
_encode = msgspec.json.encode


def row_uuid(mark: str) -> str:
    """The UUID of a row."""
    return f"{mark[:8]}-{mark[8:12]}-4{mark[12:15]}-8{mark[15:18]}-{mark[12:24]}"


def row_error_json(row: Row) -> str:
    """The error of a failed row: JSON with `type` and `details`."""
    if row.outcome is RowOutcome.NEVER:
        return _encode({"type": "BatchTerminated", "details": {}}).decode()
    inner = outcomes.error_body(row.outcome, row.url, row.body)
    if row.outcome is RowOutcome.INVALID:
        inner = {"error": {"message": openai_fault(row.url, row.body, row.extra)}}
    kind = "RetriableHttpStatus" if row.status in (429, 500) else "NonRetriableHttpStatus"
    details = {"status": row.status, "body": _encode(inner).decode()}
    return _encode({"type": kind, "details": details}).decode()


def render(row: Row) -> Rendered:
    """Build a result line; failed rows go to the error file, with null response and code."""
    line: dict[str, Any] = {"id": "batch_req_" + row_uuid(row.mark), "custom_id": row.custom_id}
    if row.succeeded:
        body, spent, made = build(row)
        response = {"status_code": 200, "request_id": None, "body": body}
        line |= {"response": response, "error": None}
        return Rendered(_encode(line), False, spent, made)
    text = row_error_json(row)
    line |= {"response": None, "error": {"code": None, "message": text}}
    return Rendered(_encode(line), True)


ROW_FORMAT = RowFormat(
    render=render,
    unique_ids=False,
    unrun_reasons=frozenset(),
    unrun_rows_fail=True,
    runs_after_window=True,
)
"""The row format; lines are checked on upload, so a create call sees only valid ones."""


def first_invalid_line(path: Path) -> str:
    """Describe the first invalid line as `Line N: ...`; empty if all are valid."""
    number = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.strip():
                text = _line_error(raw)
                if text:
                    return f"Line {number}: {text}"
    return "" if number else "File contains no valid request templates"


def _line_error(raw: bytes) -> str:
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
    if not isinstance(custom_id, str) or not 1 <= len(custom_id.encode()) <= _MAX_ID:
        return f"custom_id must be 1 to {_MAX_ID} bytes"
    if not (custom_id.isascii() and custom_id.isprintable()):
        return "custom_id must be usable in a header"
    if entry["method"] != "POST":
        return "method must be POST"
    if entry["url"] not in ENDPOINTS:
        return f"url must be one of: {', '.join(ENDPOINTS)}"
    if not isinstance(entry["body"], dict) or not isinstance(entry["body"].get("model"), str):
        return "body must be an object with a `model`"
    if len(raw) > _MAX_BODY:
        return f"body exceeds {_MAX_BODY} bytes"
    return ""


def retry(backend: Backend, batch: StoredBatch, wanted: Callable[[int], bool]) -> int:
    """Retry failed and cancelled rows of a batch.

    Rows that succeeded keep their place, and the old plan is kept for readers that still use it.
    The batch is no longer cancelled, and continues from now.

    Args:
        backend: The backend.
        batch: The batch; its plan, cancel and attempt are changed.
        wanted: Returns whether to retry a failed row, from its input position.

    Returns:
        The number of rows that run again.
    """
    plan = backend.plan_of(batch)
    if plan is None:
        return 0
    view = backend.view(batch)
    again = [
        place
        for place in range(plan.rows)
        if (
            plan.outcome[place] not in outcomes.SUCCESSES and wanted(plan.index[place])
            if place < view.done
            else batch.cancel is not None
        )
    ]
    if not again:
        return 0
    attempt = int(batch.extra.get("attempt", 1)) + 1
    rows = _decided_again(backend, batch, plan, again, attempt)
    finish = {place: plan.finish[place] for place in range(plan.rows)}
    now, rate = backend.now() - batch.created, batch.rate
    for number, (place, row) in enumerate(rows.items(), 1):
        slow = outcomes.SLOW_SECONDS if row.words.slow else 0.0
        finish[place] = now + (number / rate if rate else 0.0) + slow
    writer = PlanWriter()
    for place in sorted(finish, key=lambda place: (finish[place], place)):
        outcome = plan.outcome[place]
        sizes = {name: plan.total(name, place + 1) - plan.total(name, place) for name in TOTALS}
        if place in rows:
            row = rows[place]
            outcome, row.when = row.outcome, int(batch.created + finish[place])
            sizes = rendered_sizes(row, backend.row_format)
        writer.add(
            finish=finish[place],
            offset=plan.offset[place],
            length=plan.length[place],
            index=plan.index[place],
            outcome=outcome,
            **sizes,
        )
    batch.generation += 1
    writer.save(backend.plan_path(batch))
    backend.state.change(
        batch,
        generation=batch.generation,
        cancel=None,
        extra={**batch.extra, "attempt": attempt},
    )
    return len(again)


def _decided_again(
    backend: Backend, batch: StoredBatch, plan: Plan, places: list[int], attempt: int
) -> dict[int, Row]:
    """The rows at some places of a plan, with new outcomes."""
    result = backend.results(batch, backend.view(batch), errors=False)
    assert result is not None
    rows: dict[int, Row] = {}
    with backend.input_path(batch).open("rb") as file:
        for place in places:
            row = rows[place] = result.row(file.fileno(), place)
            seed = f"{batch.seed}:{batch.number}:{attempt}:{row.custom_id}"
            row.outcome = outcomes.decide(
                row.words,
                first_send=False,
                chance=crc32(seed.encode()),
                fail_rate=backend.options.fail_rate,
                valid=not backend.row_format.fault(row.url, row.body, batch.extra),
            )
    return rows
