"""OpenAI's rows and objects: input line rules, result lines, file and batch objects."""

from __future__ import annotations

from typing import Any

import msgspec

from . import fates
from .endpoints import MAKERS
from .planfile import Plan
from .shape import Problem, Rendered, Row, Shape
from .state import StoredBatch, StoredFile
from .timeline import View

_encode = msgspec.json.encode
_MOMENTS = (
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Ask for POST, the url of the batch's endpoint and a body."""
    if entry.get("method") != "POST":
        return Problem("invalid_method", "The 'method' of a request must be 'POST'.", "method")
    if entry.get("url") != endpoint:
        text = f"The URL of this request does not match the endpoint of the batch, '{endpoint}'."
        return Problem("url_mismatch", text, "url")
    if "body" not in entry:
        text = "Missing required parameter: 'body'."
        return Problem("missing_required_parameter", text, "body")
    return None


def render(row: Row, fault: str = "") -> Rendered:
    """Make OpenAI's line: 2xx to the output file, any other status to the error file.

    Args:
        row: The row, after it ran.
        fault: Why its body is refused, where OpenAI's reasons do not fit.
    """
    tokens_in = tokens_out = 0
    good = row.fate in fates.GOOD
    if good:
        maker = MAKERS[row.url]
        body, tokens_in, tokens_out = maker(
            row.body, row.fate, row.words, row.mark, row.when, row.seed
        )
    else:
        body = fates.error_body(row.fate, row.url, row.body, fault)
    line = {
        "id": "batch_req_" + row.mark,
        "custom_id": row.custom_id,
        "response": {
            "status_code": fates.STATUS[row.fate],
            "request_id": "req_" + row.mark,
            "body": body,
        },
        "error": None,
    }
    return Rendered(_encode(line), not good, tokens_in, tokens_out)


def unrun(custom_id: str, mark: str, reason: str) -> bytes:
    """Make the error line of a row that never ran."""
    texts = {
        "expired": "This request could not be executed before the completion window expired.",
        "cancelled": "This request was not executed because the batch was cancelled.",
    }
    line = {
        "id": "batch_req_" + mark,
        "custom_id": custom_id,
        "response": None,
        "error": {"code": f"batch_{reason}", "message": texts[reason]},
    }
    return _encode(line)


SHAPE = Shape(name="openai", render=render, unrun=unrun, check=check)
"""The row rules of OpenAI."""


def batch_object(batch: StoredBatch, view: View, plan: Plan | None) -> dict[str, Any]:
    """Build the batch object with every key, null where unset."""
    moments = {**view.moments, "expires_at": batch.created + batch.seconds}
    errors = None
    if view.status == "failed":
        errors = {"object": "list", "data": batch.problems}
    failed = view.failed + (view.unrun if view.status == "expired" else 0)
    usage = None
    if view.ended and plan is not None and view.status != "failed":
        spent, made = plan.total("tokens_in", view.done), plan.total("tokens_out", view.done)
        usage = {
            "input_tokens": spent,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": spent + made,
        }
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.extra.get("model"),
        "errors": errors,
        "input_file_id": batch.input_id,
        "completion_window": batch.window,
        "status": view.status,
        "output_file_id": batch.out_id if view.ended and view.succeeded else None,
        "error_file_id": batch.err_id if view.ended and failed else None,
        "created_at": int(batch.created),
        **{name: int(moments[name]) if name in moments else None for name in _MOMENTS},
        "request_counts": {"total": view.total, "completed": view.succeeded, "failed": failed},
        "usage": usage,
        "metadata": batch.metadata,
    }


def file_object(file: StoredFile) -> dict[str, Any]:
    """Build the file object."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created),
        "expires_at": None if file.expires is None else int(file.expires),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }
