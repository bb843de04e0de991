"""Gemini's rows: requests of its own or of OpenAI's form, and the results of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tui.sandbox import answers, outcomes
from tui.sandbox.bodies import BuiltBody, answer_text, vector
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.providers import openai
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat
from tui.sandbox.state import StoredBatch

_encode = msgspec.json.encode
_EMBEDDINGS = "/v1/embeddings"
_CODES = {400: 3, 401: 16, 404: 5, 429: 8, 500: 13}
"""The gRPC code of each HTTP status."""
_DIMENSIONS = 64


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REQUEST = _names(
    "contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent"
    " model labels serviceTier store"
)
_GENERATION = _names(
    "stopSequences responseMimeType responseSchema responseJsonSchema responseFormat"
    " responseModalities candidateCount maxOutputTokens temperature topP topK seed presencePenalty"
    " frequencyPenalty responseLogprobs logprobs enableEnhancedCivicAnswers speechConfig"
    " thinkingConfig imageConfig mediaResolution"
)
_PARTS = _names(
    "text inlineData fileData functionCall functionResponse executableCode codeExecutionResult"
    " thought thoughtSignature videoMetadata mediaResolution"
)
_EMBED = _names("content taskType title outputDimensionality model")
_ROLES = ("user", "model", "function")


def _camel(value: Any) -> Any:
    """The keys of Google's own fields in camelCase, which may come in snake_case as well."""
    if not isinstance(value, dict):
        return value
    made = {}
    for name, item in value.items():
        first, *rest = name.split("_")
        made[first + "".join(map(str.capitalize, rest))] = item
    return made


def _unknown(value: dict[str, Any], known: frozenset[str], where: str) -> str:
    for name in value:
        if name not in known:
            return f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}'."
    return ""


def fault_of_content(request: Any) -> str:
    """Describe what is wrong with a request to generate content; empty if it is valid."""
    request = _camel(request)
    if not isinstance(request, dict):
        return "request must be an object"
    if text := _unknown(request, _REQUEST, "request"):
        return text
    contents = request.get("contents")
    if not isinstance(contents, list) or not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    system = request.get("systemInstruction")
    if system is not None and not isinstance(system, dict):
        return "Invalid value at 'request.system_instruction': expected an object"
    for number, content in enumerate([*contents, *([system] if system else [])]):
        where = f"request.contents[{number}]"
        if not isinstance(content, dict) or not isinstance(content.get("parts"), list):
            return f"{where}.parts is required"
        if content.get("role", "user") not in _ROLES and content is not system:
            return "Please use a valid role: user, model."
        for place, part in enumerate(content["parts"]):
            part = _camel(part)
            if not isinstance(part, dict) or not part:
                return f"{where}.parts[{place}].data: required oneof field 'data' must be set"
            if text := _unknown(part, _PARTS, f"{where}.parts[{place}]"):
                return text
    config = _camel(request.get("generationConfig") or {})
    if not isinstance(config, dict):
        return "Invalid value at 'request.generation_config': expected an object"
    return _unknown(config, _GENERATION, "request.generation_config")


def fault_of_embedding(request: Any) -> str:
    """Describe what is wrong with a request for an embedding; empty if it is valid."""
    request = _camel(request)
    if not isinstance(request, dict):
        return "request must be an object"
    content = request.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("parts"), list):
        return "* EmbedContentRequest.content: content is not specified"
    return _unknown(request, _EMBED, "request")


def _text_of(content: Any) -> str:
    parts = content.get("parts") if isinstance(content, dict) else None
    texts = [part.get("text") for part in parts or () if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def simulated_body(request: Any, model: str, url: str) -> dict[str, Any]:
    """The request as the simulated model understands it, which is OpenAI's form.

    The request itself is kept under `gemini`.
    """
    own = _camel(request) if isinstance(request, dict) else {}
    if url == _EMBEDDINGS:
        return {"model": model, "input": _text_of(own.get("content")), "gemini": request}
    config = _camel(own.get("generationConfig") or {})
    contents = own.get("contents")
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "user", "content": _text_of(content)}
            for content in (contents if isinstance(contents, list) else [])
        ],
        "system": _text_of(own.get("systemInstruction")),
        "gemini": request,
    }
    if not isinstance(config, dict):
        return body
    if isinstance(config.get("maxOutputTokens"), int):
        body["max_tokens"] = config["maxOutputTokens"]
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    if isinstance(schema, dict):
        body["response_format"] = {"type": "json_schema", "schema": schema}
    elif config.get("responseMimeType") == "application/json":
        body["response_format"] = {"type": "json_object"}
    return body


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Describe what is wrong with a row of either form; empty if it is valid."""
    if isinstance(body, dict) and "gemini" in body:
        check = fault_of_embedding if url == _EMBEDDINGS else fault_of_content
        return check(body["gemini"])
    if isinstance(body, dict):
        body = {"model": extra.get("model"), **body}
    missing = outcomes.missing_parameter(url, body)
    return f"Missing required parameter: '{missing}'." if missing else ""


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require a request in Google's form or a body in OpenAI's, and not both."""
    native, openai_like = "request" in entry, "body" in entry
    if (
        native == openai_like
        or (native and "custom_id" in entry)
        or (openai_like and "key" in entry)
    ):
        text = "a line must have either key and request, or custom_id and body"
        return Problem("invalid_request", text)
    return None


def error_of(row: Row) -> tuple[int, str]:
    """The gRPC code and the message of a row that failed."""
    violation = fault(row.url, row.body, row.extra) if row.outcome is RowOutcome.INVALID else ""
    text = outcomes.error_body(row.outcome, row.url, row.body, violation)["error"]["message"]
    return _CODES[row.status], text


def generated(row: Row) -> BuiltBody:
    """Build the response of a row that succeeded.

    A refusal is a blocked prompt without candidates, or every second time a candidate that was
    stopped by a filter.
    """
    said, spent, made = answer_text(row)
    request = _camel(row.body["gemini"])
    config = _camel(request.get("generationConfig") or {})
    thinking = _camel(config.get("thinkingConfig") or {})
    refused = row.outcome is RowOutcome.REFUSED
    reply: dict[str, Any] = {}
    if refused and row.index % 2 == 0:
        reply["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
        made = 0
    else:
        parts: list[dict[str, Any]] = [{"text": said}]
        if thinking.get("includeThoughts"):
            parts.insert(0, {"text": "A simulated thought.", "thought": True})
        reason = "MAX_TOKENS" if row.outcome is RowOutcome.TRUNCATED else "STOP"
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}}
        if refused:
            candidate, reason, made = {}, "SAFETY", 0
        count = config.get("candidateCount")
        reply["candidates"] = [
            {**candidate, "finishReason": reason, "index": number}
            for number in range(count if isinstance(count, int) and 1 < count <= 8 else 1)
        ]
        made *= len(reply["candidates"])
    thoughts = 12 if thinking else 0
    usage = {
        "promptTokenCount": spent,
        "candidatesTokenCount": made,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": spent + made + thoughts,
    }
    # Google leaves out numbers that are 0.
    reply["usageMetadata"] = {name: count for name, count in usage.items() if count}
    reply["modelVersion"] = row.body.get("model")
    reply["responseId"] = row.mark
    return reply, spent, made + thoughts


def embedding(row: Row) -> BuiltBody:
    """Build the response of a row of embeddings."""
    text = row.body["input"]
    wide = _camel(row.body["gemini"]).get("outputDimensionality")
    wide = wide if isinstance(wide, int) and 0 < wide <= 4096 else _DIMENSIONS
    used = answers.tokens(len(text))
    body = {"embedding": {"values": vector(text, wide, row.seed)}, "tokenCount": str(used)}
    return body, used, 0


def render(row: Row) -> Rendered:
    """Build the result line in the form of the row; all lines stand in one file.

    The status of a failed row stands under `error`, or every second time under `status`.
    """
    if not (isinstance(row.body, dict) and "gemini" in row.body):
        return _render_openai(row)
    spent = made = 0
    line: dict[str, Any]
    if row.succeeded:
        body, spent, made = (embedding if row.url == _EMBEDDINGS else generated)(row)
        line = {"response": body}
    else:
        code, text = error_of(row)
        line = {("status" if row.index % 2 else "error"): {"code": code, "message": text}}
    return Rendered(_encode({**line, "key": row.custom_id}), False, spent, made)


def _render_openai(row: Row) -> Rendered:
    if isinstance(row.body, dict):
        row.body["model"] = row.extra.get("model")
    violation = fault(row.url, row.body, row.extra) if row.outcome is RowOutcome.INVALID else ""
    made = openai.render(row, violation)
    line = msgspec.json.decode(made.line)
    body = line["response"]["body"]
    usage = body.get("usage") if isinstance(body, dict) else None
    if isinstance(usage, dict):
        body["usage"] = {
            "promptTokens": usage.get("prompt_tokens", 0),
            "completionTokens": usage.get("completion_tokens", 0),
            "totalTokens": usage.get("total_tokens", 0),
        }
    response = {"status_code": line["response"]["status_code"], "body": body}
    text = _encode({"custom_id": row.custom_id, "response": response})
    return Rendered(text, False, made.tokens_in, made.tokens_out)


@dataclass(frozen=True)
class GeminiRows(RowFormat):
    """Rows whose id is `key` or `custom_id`, by their form."""

    def id_of(self, entry: dict[str, Any]) -> Any:
        """The id of a decoded line."""
        return entry.get("key") if "key" in entry else entry.get("custom_id")

    def row(self, entry: dict[str, Any], raw: bytes, index: int, batch: StoredBatch) -> Row:
        """Build the row of an input line, with a body that the simulated model understands."""
        if "request" in entry:
            model = batch.extra["model"]
            entry = {**entry, "body": simulated_body(entry["request"], model, batch.endpoint)}
        return super().row(entry, raw, index, batch)


ROW_FORMAT = GeminiRows(
    render=render,
    check=check,
    fault=fault,
    unique_ids=False,
    unrun_reasons=frozenset(),
    max_rows=1_000_000,
)
"""The row format."""
