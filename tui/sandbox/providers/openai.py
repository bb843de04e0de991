"""OpenAI: its row format, and ScaleDown's flat bodies beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from tui.sandbox import answers, outcomes
from tui.sandbox.backend import Dialect
from tui.sandbox.bodies import MEDIA, OPENAI, build
from tui.sandbox.errors import ApiError
from tui.sandbox.providers.base import Batches, Files
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat, openai_fault
from tui.sandbox.sync import SyncEndpoints

_CHAT = "/v1/chat/completions"
_encode = msgspec.json.encode


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require POST, the endpoint of the batch as url, and a body."""
    if entry.get("method") != "POST":
        return Problem("invalid_method", "The 'method' of a request must be 'POST'.", "method")
    if entry.get("url") != endpoint:
        text = f"The URL of this request does not match the endpoint of the batch, '{endpoint}'."
        return Problem("url_mismatch", text, "url")
    if "body" not in entry:
        text = "Missing required parameter: 'body'."
        return Problem("missing_required_parameter", text, "body")
    return None


def render(row: Row, violation: str = "") -> Rendered:
    """Build OpenAI's result line: 2xx for the output file, any other status for the error file.

    Args:
        row: A row that ran.
        violation: Why its body is invalid, if not for one of OpenAI's reasons.
    """
    tokens_in = tokens_out = 0
    if row.succeeded:
        body, tokens_in, tokens_out = build(row)
    else:
        body = outcomes.error_body(row.outcome, row.url, row.body, violation)
    line = {
        "id": "batch_req_" + row.mark,
        "custom_id": row.custom_id,
        "response": {
            "status_code": row.status,
            "request_id": "req_" + row.mark,
            "body": body,
        },
        "error": None,
    }
    return Rendered(_encode(line), not row.succeeded, tokens_in, tokens_out)


def not_run(custom_id: str, mark: str, reason: str) -> bytes:
    """Build the error line of a row that never ran."""
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


ROW_FORMAT = RowFormat(render=render, not_run=not_run, check=check)
"""OpenAI's row format, for its own models."""


_LIFE = (3600, 2_592_000)
"""The least and the most seconds for which result files are kept."""


class OpenAIBatches(Batches):
    """Batches of all eight endpoints, and result files that expire when the create says so."""

    endpoints = (*OPENAI, *MEDIA)

    def extra(self, body: dict[str, Any]) -> dict[str, Any]:
        """The life of the result files, from `output_expires_after`."""
        given = body.get("output_expires_after")
        if given is None:
            return {}
        table = given if isinstance(given, dict) else {}
        seconds = table.get("seconds")
        if table.get("anchor") != "created_at" or type(seconds) is not int:
            name = "output_expires_after"
            raise ApiError(400, f"Invalid '{name}'.", param=name, code="invalid_value")
        if not _LIFE[0] <= seconds <= _LIFE[1]:
            name = "output_expires_after.seconds"
            text = f"Invalid '{name}': expected between {_LIFE[0]} and {_LIFE[1]}."
            raise ApiError(400, text, param=name, code="invalid_value")
        return {"output_life": seconds}


def _fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    return _flat_fault(url, body) if _is_flat(url, body) else openai_fault(url, body, extra)


def _render(row: Row) -> Rendered:
    return render(row, _flat_fault(row.url, row.body))


def _is_flat(url: str, body: Any) -> bool:
    return url == _CHAT and answers.is_scaledown_body(body)


def _flat_fault(url: str, body: Any) -> str:
    """Describe what is wrong with a flat body; empty for any other."""
    return answers.fault(body) if _is_flat(url, body) else ""


DIALECT = Dialect(
    replace(ROW_FORMAT, render=_render, fault=_fault), (Files, OpenAIBatches, SyncEndpoints)
)
"""OpenAI, with ScaleDown's models under their names."""
