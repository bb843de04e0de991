"""Answers in the shapes of Bedrock, read as chat completions.

Shapes: ``Converse`` (also Nova) by botocore's service model ``bedrock-runtime/2023-09-30``; the
``modelOutput`` of Titan, Llama and Mistral by docs.aws.amazon.com/bedrock/latest/userguide/
model-parameters. Anthropic's messages and the chat completions of OpenAI's models are read as
everywhere else.
"""

from __future__ import annotations

from typing import Any

import msgspec

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop": "stop",
    "finish": "stop",
    "finished": "stop",
    "stop_criteria_met": "stop",
    "max_tokens": "length",
    "length": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "tool_calls": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "rag_query_when_rag_disabled": "content_filter",
}
"""Why an answer ended, in the words of chat completions; other reasons are kept."""


def is_bedrock(body: dict[str, Any]) -> bool:
    """Whether a body is an answer in a shape that only Bedrock has."""
    return bool(_message(body)) or _texts(body) is not None or _vector(body) is not None


def chat_of_bedrock(body: dict[str, Any]) -> dict[str, Any]:
    """The answer as a chat completion or a list of embeddings, beside what it was."""
    if message := _message(body):
        choice = {"index": 0, "message": _chat_message(message), **_finish(body.get("stopReason"))}
        # Its own output would be read as that of the Responses API.
        kept = {name: value for name, value in body.items() if name != "output"}
        return {**kept, "choices": [choice], **_converse_usage(body.get("usage"))}
    vector = _vector(body)
    if vector is not None:
        usage = _usage(body.get("inputTextTokenCount"), None)
        return {**body, "data": [{"embedding": vector}], **usage}
    choices = [
        {"index": number, "message": {"role": "assistant", "content": text}, **_finish(reason)}
        for number, (text, reason) in enumerate(_texts(body) or ())
    ]
    kept = {name: value for name, value in body.items() if name not in ("results", "outputs")}
    return {**kept, "choices": choices, **_model_usage(body)}


def _message(body: dict[str, Any]) -> dict[str, Any]:
    """The message of a Converse answer; empty if there is none."""
    output = body.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    is_message = isinstance(message, dict) and isinstance(message.get("content"), list)
    return message if is_message and isinstance(message, dict) else {}


def _texts(body: dict[str, Any]) -> list[tuple[str, Any]] | None:
    """The texts of Titan, Llama or Mistral with the reasons of their ends; ``None`` if none."""
    if isinstance(body.get("generation"), str) and "stop_reason" in body:
        return [(body["generation"], body["stop_reason"])]
    for name, text, reason in (
        ("results", "outputText", "completionReason"),
        ("outputs", "text", "stop_reason"),
    ):
        items = body.get(name)
        if isinstance(items, list) and items:
            found = [
                (item[text], item.get(reason))
                for item in items
                if isinstance(item, dict) and isinstance(item.get(text), str)
            ]
            if len(found) == len(items):
                return found
    return None


def _vector(body: dict[str, Any]) -> list[Any] | None:
    found = body.get("embedding")
    return found if isinstance(found, list) and "inputTextTokenCount" in body else None


def _chat_message(message: dict[str, Any]) -> dict[str, Any]:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in message["content"]:
        if not isinstance(block, dict):
            continue
        thought = block.get("reasoningContent")
        thought = thought.get("reasoningText") if isinstance(thought, dict) else None
        if isinstance(block.get("text"), str):
            texts.append(block["text"])
        elif isinstance(block.get("toolUse"), dict):
            calls.append(_call(block["toolUse"]))
        elif isinstance(thought, dict) and isinstance(thought.get("text"), str):
            thoughts.append(thought["text"])
    found: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None}
    if thoughts:
        found["reasoning_content"] = "".join(thoughts)
    if calls:
        found["tool_calls"] = calls
    if not texts and not calls:
        found["content"] = ""
    return found


def _call(use: dict[str, Any]) -> dict[str, Any]:
    arguments = msgspec.json.encode(use.get("input") or {}).decode()
    function = {"name": use.get("name"), "arguments": arguments}
    return {"id": use.get("toolUseId"), "type": "function", "function": function}


def _finish(reason: Any) -> dict[str, Any]:
    return {
        "finish_reason": _FINISH.get(reason.lower(), reason) if isinstance(reason, str) else None
    }


def _converse_usage(usage: Any) -> dict[str, Any]:
    """The tokens of a Converse answer, whose input leaves out what a cache read or wrote."""
    if not isinstance(usage, dict):
        return {}
    read, written = _whole(usage.get("cacheReadInputTokens")), usage.get("cacheWriteInputTokens")
    found: dict[str, Any] = {
        "input_tokens": _whole(usage.get("inputTokens")),
        "output_tokens": _whole(usage.get("outputTokens")),
    }
    if read is not None:
        found["cache_read_input_tokens"] = read
    if _whole(written) is not None:
        found["cache_creation_input_tokens"] = written
    return {"usage": found}


def _model_usage(body: dict[str, Any]) -> dict[str, Any]:
    results = body.get("results")
    if isinstance(results, list):
        counts = [_whole(item.get("tokenCount")) for item in results if isinstance(item, dict)]
        output = sum(count or 0 for count in counts) if any(counts) else None
        return _usage(body.get("inputTextTokenCount"), output)
    return _usage(body.get("prompt_token_count"), body.get("generation_token_count"))


def _usage(prompt: Any, output: Any) -> dict[str, Any]:
    prompt, output = _whole(prompt), _whole(output)
    if prompt is None and output is None:
        return {}
    found = {"prompt_tokens": prompt, "completion_tokens": output}
    return {"usage": {name: count for name, count in found.items() if count is not None}}


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
