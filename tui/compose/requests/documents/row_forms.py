"""The form of rows, by the names that they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tui.compose.requests.documents.bodies import endpoint_of_body, is_conversation
from tui.compose.requests.prompts import SCALEDOWN_MODELS


def form_of(rows: Sequence[Any]) -> str:
    """The name of the form that all rows have; empty if they have none in common."""
    forms = {_form_of_row(row) for row in rows if isinstance(row, dict)}
    if len(forms) == 2 and forms <= {"openai", "azure"}:
        return "openai"
    if len(forms) == 2 and "gemini-results" in forms:
        forms.discard("")
    return forms.pop() if len(forms) == 1 else ""


def _form_of_row(row: Mapping[str, Any]) -> str:
    """The form of one row; empty for an object of another kind."""
    has = row.__contains__
    if has("modelInput") or (has("recordId") and has("modelOutput")):
        return "bedrock-results" if has("modelOutput") or has("error") else "bedrock"
    if has("custom_id"):
        return _form_with_custom_id(row)
    request = row.get("request")
    if isinstance(request, dict) and ("contents" in request or "content" in request):
        if isinstance(row.get("metadata"), dict) and "key" in row["metadata"] and not has("key"):
            return "gemini-inline"
        if has("response") or has("status"):
            return "vertex-results"
        return "gemini" if has("key") else "vertex"
    metadata = row.get("metadata")
    is_inline = isinstance(metadata, dict) and "key" in metadata and not has("key")
    if is_inline and (has("response") or has("error")):
        return "gemini-inline-results"
    if has("batch_request_id"):
        return "xai" if isinstance(row.get("batch_request"), dict) else "xai-results"
    if has("key") and (isinstance(row.get("response"), dict) or isinstance(row.get("error"), dict)):
        return "gemini-results"
    return _form_of_body(row)


def _form_with_custom_id(row: Mapping[str, Any]) -> str:
    if "outcome" in row and "attempt" in row:
        return "batchdeck-results"
    if isinstance(row.get("result"), dict) and "type" in row["result"]:
        return "anthropic-results"
    request = row.get("request")
    if "body" not in row and ("response" in row or "error" in row):
        return "vertex-results" if isinstance(request, dict) else "openai-results"
    if isinstance(request, dict) and isinstance(request.get("messages"), list):
        return "vertex"
    if isinstance(row.get("params"), dict) and not isinstance(row.get("body"), dict):
        return "anthropic"
    if isinstance(row.get("body"), dict):
        if "url" not in row and "method" not in row:
            return "mistral"
        url = row.get("url")
        short = isinstance(url, str) and url.startswith(("/chat/completions", "/embeddings"))
        return "azure" if short else "openai"
    if row.get("model") in SCALEDOWN_MODELS and isinstance(row.get("text"), str):
        return "scaledown"
    return "conversations" if is_conversation(row) else ""


def _form_of_records(row: Mapping[str, Any]) -> str:
    """The form of what is neither requests nor results, but is found beside them."""
    names = row.keys()
    if row.get("object") == "batch" and {"endpoint", "status"} <= names:
        return "batch"
    if {"totalRecordCount", "processedRecordCount"} <= names:
        return "manifest"
    if isinstance(row.get("choices"), list) and {"id", "model", "object"} <= names:
        return "answers"
    if names == {"error"} and isinstance(row["error"], dict) and "message" in row["error"]:
        return "api-error"
    if names == {"line", "code", "message", "param"}:
        return "validation-errors"
    if {"instance", "predictions"} <= names:
        return "vertex-embedding-results"
    if names >= {"prompt", "chosen", "rejected"}:
        return "pair-training"
    if names == {"item"} or names == {"item", "sample"}:
        return "eval-items" if isinstance(row["item"], dict) else ""
    turns = row.get("conversations")
    first = turns[0] if isinstance(turns, list) and turns else None
    return "shared-training" if isinstance(first, dict) and "from" in first else ""


def _form_of_body(row: Mapping[str, Any]) -> str:
    contents = row.get("contents")
    if isinstance(contents, list):
        last = contents[-1] if contents else None
        is_answered = isinstance(last, dict) and last.get("role") == "model" and len(contents) > 1
        return "gemini-training" if is_answered and "model" not in row else "gemini-bodies"
    if (form := _form_of_records(row)) != "":
        return form
    if "preferred_output" in row and "input" in row:
        return "preference-training"
    if set(row) == {"prompt", "completion"}:
        return "completion-training"
    messages = row.get("messages")
    if isinstance(messages, list) and messages:
        last = messages[-1]
        if isinstance(last, dict) and last.get("role") == "assistant":
            return "chat-training"
        if isinstance(row.get("model"), str):
            return "bodies"
        return "conversations" if is_conversation(row) else ""
    return "embedding-bodies" if endpoint_of_body(row) else ""
