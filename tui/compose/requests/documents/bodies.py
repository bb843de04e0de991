"""Bodies of requests that stand alone, without an id and an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.core.requests import LIMIT_FIELDS

_EMBEDDINGS = ("embed", "bge-", "gte-", "e5-")
_OPTIONS = frozenset({
    "temperature", "top_p", "seed", "stop", "n", "tools", "tool_choice", "response_format",
    "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs",
    "parallel_tool_calls", "reasoning_effort", "service_tier", "store", "user", "metadata",
    "functions", "function_call",
    *LIMIT_FIELDS,
})  # fmt: skip
"""What a chat request may have besides its model and messages."""


ID_NAMES = ("custom_id", "id")
"""What the id of a request is called in a row that is its body."""


def is_body(value: Any) -> bool:
    """Whether a value is the body of a request: a model, and what it is asked."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("model"), str)
        and bool({"messages", "input", "prompt"} & value.keys())
        and not {"choices", "output", "data", "usage"} & value.keys()
    )


def is_conversation(row: Mapping[str, Any]) -> bool:
    """Whether a row is a chat request but for its model: messages, the last not an answer."""
    if not is_messages(row.get("messages")) or set(row) - _OPTIONS - {"messages", *ID_NAMES}:
        return False
    return bool(row["messages"][-1]["role"] != "assistant")


def is_messages(value: Any) -> bool:
    """Whether a value is a list of messages, each with its role."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and isinstance(each.get("role"), str) for each in value)
    )


PAIR = ("request", "response", "metadata")
"""The columns of a request and its response."""


def is_pair(value: Any) -> bool:
    """Whether a list is a request and its response, as OpenAI's parallel processor writes them."""
    return (
        isinstance(value, list)
        and 2 <= len(value) <= len(PAIR)
        and is_body(value[0])
        and not is_body(value[1])
    )


def endpoint_of_body(body: Mapping[str, Any]) -> str:
    """The endpoint that takes a body without messages; empty if that is not certain."""
    model = body.get("model")
    if not isinstance(model, str) or "input" not in body:
        return ""
    name = model.lower()
    if "moderation" in name:
        return "/v1/moderations"
    if any(part in name for part in _EMBEDDINGS):
        return "/v1/embeddings"
    return ""
