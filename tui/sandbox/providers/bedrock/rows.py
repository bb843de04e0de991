"""Bedrock's rows: `modelInput` in the form of a vendor or of Converse, and the results of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.sandbox import outcomes
from tui.sandbox.bodies import BuiltBody, answer_text, chat, message, vector
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.rows import Problem, Rendered, Row, RowFormat
from tui.sandbox.state import StoredBatch

_encode = msgspec.json.encode
INPUT = "modelInput"
_ID_LENGTH = 11
_DIMENSIONS = 1024


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONVERSE = _names(
    "messages system inferenceConfig toolConfig guardrailConfig projectIdentifier"
    " additionalModelRequestFields promptVariables additionalModelResponseFieldPaths"
    " requestMetadata performanceConfig serviceTier outputConfig"
)
_BLOCKS = _names(
    "text image document video audio toolUse toolResult guardContent cachePoint reasoningContent"
    " citationsContent searchResult toolAddition toolRemoval"
)
_INFERENCE = frozenset({"maxTokens", "temperature", "topP", "topK", "stopSequences"})
_MALFORMED = "Malformed input request: {}, please reformat your input and try again."
_ERRORS = {
    RowOutcome.FAIL_400: _MALFORMED.format("#/temperature: 9 is not less or equal to 1"),
    RowOutcome.FAIL_401: "You don't have access to the model with the specified model ID.",
    RowOutcome.FAIL_404: "The model identifier could not be resolved.",
    RowOutcome.FAIL_429: "Too many requests, please wait before trying again.",
    RowOutcome.FAIL_500: "The system encountered an unexpected error during processing.",
}


def _extraneous(value: dict[str, Any], known: frozenset[str]) -> str:
    for name in value:
        if name not in known:
            return _MALFORMED.format(f"#: extraneous key [{name}] is not permitted")
    return ""


def _missing(body: dict[str, Any], *names: str) -> str:
    for name in names:
        if name not in body:
            return _MALFORMED.format(f"#: required key [{name}] not found")
    return ""


def _fault_of_converse(body: dict[str, Any]) -> str:
    if text := _missing(body, "messages") or _extraneous(body, _CONVERSE | {"schemaVersion"}):
        return text
    turns = body["messages"]
    if not isinstance(turns, list) or not turns:
        return "A conversation must start with a user message. Try again with a conversation."
    for place, turn in enumerate(turns):
        blocks = turn.get("content") if isinstance(turn, dict) else None
        if not isinstance(blocks, list) or turn.get("role") not in ("user", "assistant", "system"):
            return _MALFORMED.format(f"#/messages/{place}: role and a list of content are required")
        for block in blocks:
            if not isinstance(block, dict) or len(block) != 1 or not _BLOCKS.issuperset(block):
                return _MALFORMED.format(f"#/messages/{place}/content: not a content block")
    system = body.get("system", [])
    if not isinstance(system, list) or not all(isinstance(block, dict) for block in system):
        return _MALFORMED.format("#/system: expected type: JSONArray, found: String")
    config = body.get("inferenceConfig", {})
    if not isinstance(config, dict):
        return _MALFORMED.format("#/inferenceConfig: expected type: JSONObject")
    return _extraneous(config, _INFERENCE)


def _read_converse(body: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {name: body[name] for name in ("messages", "system") if name in body}
    config = body.get("inferenceConfig")
    if isinstance(config, dict) and "maxTokens" in config:
        made["max_tokens"] = config["maxTokens"]
    form: Any = body.get("outputConfig")
    for name in ("textFormat", "structure", "jsonSchema", "schema"):
        form = form.get(name) if isinstance(form, dict) else None
    if isinstance(form, str):
        try:
            schema = msgspec.json.decode(form)
        except msgspec.DecodeError:
            return made
        made["response_format"] = {"type": "json_schema", "schema": schema}
    return made


def _converse(row: Row) -> BuiltBody:
    said, spent, made = answer_text(row)
    reason = {RowOutcome.TRUNCATED: "max_tokens", RowOutcome.REFUSED: "content_filtered"}.get(
        row.outcome, "end_turn"
    )
    reply = {
        "output": {"message": {"role": "assistant", "content": [{"text": said}]}},
        "stopReason": reason,
        "usage": {"inputTokens": spent, "outputTokens": made, "totalTokens": spent + made},
        "metrics": {"latencyMs": 100 + row.index % 900},
    }
    return reply, spent, made


def _nova(row: Row) -> BuiltBody:
    reply, spent, made = _converse(row)
    del reply["metrics"]
    return reply, spent, made


def _fault_of_claude(body: dict[str, Any]) -> str:
    for name in ("model", "stream"):
        if name in body:
            return _MALFORMED.format(f"#: extraneous key [{name}] is not permitted")
    if text := _missing(body, "anthropic_version", "max_tokens", "messages"):
        return text
    if body["anthropic_version"] != "bedrock-2023-05-31":
        return "Invalid API version"
    if not isinstance(body["messages"], list) or not body["messages"]:
        return "messages: at least one message is required"
    return ""


def _fault_of_chat(body: dict[str, Any]) -> str:
    return _missing(body, "messages") or outcomes.wrong_type(body)


def _titan(row: Row) -> BuiltBody:
    said, spent, made = answer_text(row)
    reason = {RowOutcome.TRUNCATED: "LENGTH", RowOutcome.REFUSED: "CONTENT_FILTERED"}.get(
        row.outcome, "FINISH"
    )
    result = {"tokenCount": made, "outputText": said, "completionReason": reason}
    return {"inputTextTokenCount": spent, "results": [result]}, spent, made


def _read_titan(body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("textGenerationConfig")
    made = {"prompt": body.get("inputText")}
    if isinstance(config, dict) and "maxTokenCount" in config:
        made["max_tokens"] = config["maxTokenCount"]
    return made


def _titan_embedding(row: Row) -> BuiltBody:
    size = row.body[INPUT].get("dimensions")
    wide = size if isinstance(size, int) and 0 < size <= _DIMENSIONS else _DIMENSIONS
    _, spent, _ = answer_text(row)
    numbers = vector(str(row.body["prompt"]), wide, row.seed)
    reply = {
        "embedding": numbers,
        "embeddingsByType": {"float": numbers},
        "inputTextTokenCount": spent,
    }
    return reply, spent, 0


def _llama(row: Row) -> BuiltBody:
    said, spent, made = answer_text(row)
    reply = {
        "generation": said,
        "prompt_token_count": spent,
        "generation_token_count": made,
        "stop_reason": "length" if row.outcome is RowOutcome.TRUNCATED else "stop",
    }
    return reply, spent, made


def _mistral(row: Row) -> BuiltBody:
    said, spent, made = answer_text(row)
    reason = "length" if row.outcome is RowOutcome.TRUNCATED else "stop"
    if "prompt" in row.body:
        return {"outputs": [{"text": said, "stop_reason": reason}]}, spent, made
    turn = {"role": "assistant", "content": said}
    return {"choices": [{"index": 0, "message": turn, "stop_reason": reason}]}, spent, made


def _as_it_is(body: dict[str, Any]) -> dict[str, Any]:
    return dict(body)


@dataclass(frozen=True)
class Family:
    """The form in which a family of models takes requests and gives answers.

    Attributes:
        fault: Describes what is wrong with an input; empty if it is valid.
        build: Builds the output of a row that succeeded.
        read: Translates an input to OpenAI's form, which the simulated model understands.
    """

    fault: Callable[[dict[str, Any]], str]
    build: Callable[[Row], BuiltBody]
    read: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is


_CHAT = Family(_fault_of_chat, chat)
_FAMILIES = {
    "anthropic.": Family(_fault_of_claude, message),
    "amazon.nova": Family(_fault_of_converse, _nova, _read_converse),
    "amazon.titan-embed": Family(
        lambda body: _missing(body, "inputText"), _titan_embedding, _read_titan
    ),
    "amazon.titan": Family(lambda body: _missing(body, "inputText"), _titan, _read_titan),
    "meta.": Family(
        lambda body: _missing(body, "prompt"),
        _llama,
        lambda body: {"prompt": body.get("prompt"), "max_tokens": body.get("max_gen_len")},
    ),
    "mistral.": Family(
        lambda body: "" if "prompt" in body else _fault_of_chat(body),
        _mistral,
    ),
}
"""The families by a part of the model's id; any other model has OpenAI's form."""
_ANY = Family(_fault_of_converse, _converse, _read_converse)


def family_of(extra: dict[str, Any]) -> Family:
    """The family of the `model` of a job or a call, or that of Converse by its `kind`."""
    if extra.get("kind") == "Converse":
        return _ANY
    model = str(extra.get("model"))
    return next((family for name, family in _FAMILIES.items() if name in model), _CHAT)


def reason_of(outcome: RowOutcome) -> str:
    """Why a row failed by its outcome; empty if its input is wrong."""
    return _ERRORS.get(outcome, "")


def fault(url: str, body: Any, extra: dict[str, Any]) -> str:
    """Describe what is wrong with a row; empty if it is valid."""
    return family_of(extra).fault(body[INPUT])


def check(entry: dict[str, Any], endpoint: str) -> Problem | None:
    """Require an object as `modelInput`, whose content is looked at when the row runs."""
    if isinstance(entry.get(INPUT), dict):
        return None
    return Problem("invalid_record", "the record has no modelInput object", INPUT)


def render(row: Row) -> Rendered:
    """Build the result line, which repeats the input; errors stand in the same file."""
    line: dict[str, Any] = {INPUT: row.body[INPUT]}
    spent = made = 0
    if row.succeeded:
        line["modelOutput"], spent, made = family_of(row.extra).build(row)
    else:
        text = reason_of(row.outcome) or fault(row.url, row.body, row.extra)
        line["error"] = {"errorCode": row.status, "errorMessage": text}
    line["recordId"] = row.custom_id
    return Rendered(_encode(line), False, spent, made)


@dataclass(frozen=True)
class BedrockRows(RowFormat):
    """Rows whose id is `recordId`; one without gets an id of 11 characters."""

    def id_of(self, entry: dict[str, Any]) -> Any:
        """The id of a decoded line."""
        return entry.get("recordId", "-")

    def row(self, entry: dict[str, Any], raw: bytes, index: int, batch: StoredBatch) -> Row:
        """Build the row of an input line, with a body that the simulated model understands."""
        own = entry[INPUT]
        made = family_of(batch.extra).read(own) | {"model": batch.extra["model"], INPUT: own}
        row = super().row({**entry, "body": made}, raw, index, batch)
        if "recordId" not in entry:
            row.custom_id = row.mark[:_ID_LENGTH].upper()
        return row


ROW_FORMAT = BedrockRows(
    render=render,
    check=check,
    fault=fault,
    unique_ids=False,
    unrun_reasons=frozenset(),
    min_rows=100,
)
"""The row format."""
