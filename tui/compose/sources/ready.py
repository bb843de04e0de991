"""Ready-made requests in the forms in which people have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.compose.endpoints import MESSAGES_URL, SCALEDOWN_MODELS

CHAT_URL = "/v1/chat/completions"


def is_request(row: Mapping[str, Any]) -> bool:
    """Is the row a request already, rather than data for a template?"""
    if "custom_id" not in row:
        return False
    if isinstance(row.get("body"), dict) or isinstance(row.get("params"), dict):
        return True
    return row.get("model") in SCALEDOWN_MODELS and isinstance(row.get("text"), str)


def common_form(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ready-made request as ``custom_id``, ``method``, ``url`` and ``body``.

    OpenAI's form is taken as it is; a missing method is POST, and a missing url is the chat
    endpoint. Anthropic's ``params`` become the body of a Messages request. ScaleDown's flat
    form (``custom_id``, ``model``, ``text`` and so on) is wrapped.
    """
    custom_id = row.get("custom_id")
    if isinstance(row.get("body"), dict):
        return {
            "custom_id": custom_id,
            "method": row.get("method") or "POST",
            "url": row.get("url") or CHAT_URL,
            "body": row["body"],
        }
    if isinstance(row.get("params"), dict):
        return {
            "custom_id": custom_id,
            "method": "POST",
            "url": MESSAGES_URL,
            "body": row["params"],
        }
    body = {
        name: value
        for name, value in row.items()
        if name not in ("custom_id", "method", "url") and value is not None
    }
    return {"custom_id": custom_id, "method": "POST", "url": CHAT_URL, "body": body}
