"""What a model's answer says: chat, responses, completions, embeddings, messages and more.

The shapes are those of the OpenAI and Anthropic references; what other hosts add
(``reasoning_content``, ``billing_cost``) is read where it stands. Unknown bodies give an
answer with an empty text, never an error: the row view shows their JSON.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec

from tui.core.rows import Usage

_LARGEST = 2**63 - 1

Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=_LARGEST)]
"""An integer that SQLite can hold; a larger one makes the field unreadable, not the row."""


class Answer(msgspec.Struct, kw_only=True, gc=False):
    """What one response body says. ``refused`` and ``truncated`` are successes on the wire."""

    text: str = ""
    model: str | None = None
    finish_reason: str | None = None
    refused: bool = False
    truncated: bool = False
    failed: str | None = None
    usage: Usage = Usage()
    cost: float | None = None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: Number | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Number | None = None
    completion_tokens: Number | None = None
    total_tokens: Number | None = None
    input_tokens: Number | None = None
    output_tokens: Number | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: Number | None = None
    cache_creation_input_tokens: Number | None = None


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None
    input: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None
    custom: _Function | None = None


class _Part(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    name: str | None = None
    input: Any = None


class _Message(msgspec.Struct, gc=False):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    text: str | None = None


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    content: list[_Part] | None = None
    name: str | None = None
    arguments: str | None = None
    b64_json: str | None = None
    url: str | None = None
    embedding: msgspec.Raw = msgspec.Raw()


class _Reason(msgspec.Struct, gc=False):
    reason: str | None = None


class _Billing(msgspec.Struct, gc=False):
    credits: float | None = None


class Body(msgspec.Struct, gc=False):
    """Every field of a response body that is looked at, in any dialect."""

    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    status: str | None = None
    incomplete_details: _Reason | None = None
    output: list[_Item] | None = None
    data: list[_Item] | None = None
    content: list[_Part] | None = None
    stop_reason: str | None = None
    results: msgspec.Raw = msgspec.Raw()
    billing_cost: _Billing | None = None
    error: Any = None


_TRUNCATED = frozenset(
    {"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "MAX_TOKENS"}
)
_REFUSED = frozenset({"content_filter", "refusal", "SAFETY"})


def plain_text(body: Body) -> str | None:
    """The text of a body with one finished choice and nothing unusual; nearly every one is so.

    ``None`` sends the body the long way, through ``answer_of``.
    """
    choices = body.choices
    if choices is None or len(choices) != 1 or body.billing_cost is not None:
        return None
    choice = choices[0]
    message = choice.message
    if message is None or choice.finish_reason != "stop" or choice.text is not None:
        return None
    if message.refusal or message.tool_calls or type(message.content) is not str:
        return None
    return message.content


def answer_of(body: Body) -> Answer:
    """Read one decoded response body."""
    answer = Answer(model=body.model)
    answer.usage = usage_of(body.usage)
    if body.billing_cost is not None:
        answer.cost = _finite(body.billing_cost.credits)
    if body.choices is not None:
        _read_choices(answer, body.choices)
    elif body.output is not None:
        _read_output(answer, body)
    elif body.content is not None:
        _read_parts(answer, body.content)
        answer.finish_reason = body.stop_reason
    elif body.data is not None:
        answer.text = _describe_items(body.data)
    elif body.results:
        answer.text = bytes(body.results).decode("utf-8", "replace")
    answer.truncated = answer.truncated or answer.finish_reason in _TRUNCATED
    answer.refused = answer.refused or answer.finish_reason in _REFUSED
    return answer


_NO_USAGE = Usage()


def usage_of(usage: _Usage | None) -> Usage:
    """Tokens in any of the spellings; nothing where a body says nothing of them."""
    if usage is None:
        return _NO_USAGE
    details = usage.prompt_tokens_details or usage.input_tokens_details
    cached = details.cached_tokens if details is not None else usage.cache_read_input_tokens
    whole = usage.prompt_tokens
    if whole is None and usage.input_tokens is not None:
        # Anthropic's input_tokens is the uncached part only; the caches are counted beside it.
        whole = (
            usage.input_tokens
            + (usage.cache_read_input_tokens or 0)
            + (usage.cache_creation_input_tokens or 0)
        )
        whole = whole if whole <= _LARGEST else None
    output = usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens
    return Usage(whole, output, cached)


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _read_choices(answer: Answer, choices: list[_Choice]) -> None:
    texts: list[str] = []
    for choice in choices:
        answer.finish_reason = answer.finish_reason or choice.finish_reason
        answer.truncated = answer.truncated or choice.finish_reason in _TRUNCATED
        if choice.text is not None:
            texts.append(choice.text)
        message = choice.message
        if message is None:
            continue
        if isinstance(message.content, str):
            texts.append(message.content)
        elif message.content is not None:
            parts = Answer()
            _read_parts(parts, message.content)
            texts.append(parts.text)
            answer.refused = answer.refused or parts.refused
        if message.refusal:
            answer.refused = True
            texts.append(message.refusal)
        texts.extend(_call(call) for call in message.tool_calls or ())
    answer.text = texts[0] if len(texts) == 1 else "\n\n".join(text for text in texts if text)


def _call(call: _ToolCall) -> str:
    function = call.function or call.custom or _Function()
    return f"{function.name or '?'}({function.arguments or function.input or ''})"


def _read_parts(answer: Answer, parts: list[_Part]) -> None:
    texts: list[str] = []
    for part in parts:
        if part.refusal:
            answer.refused = True
            texts.append(part.refusal)
        elif part.type == "tool_use":
            arguments = msgspec.json.encode(part.input).decode()
            texts.append(f"{part.name or '?'}({arguments})")
        elif part.text is not None:
            texts.append(part.text)
    answer.text = "\n\n".join(texts)


def _read_output(answer: Answer, body: Body) -> None:
    texts: list[str] = []
    for item in body.output or ():
        if item.content is not None and item.type in (None, "message"):
            parts = Answer()
            _read_parts(parts, item.content)
            texts.append(parts.text)
            answer.refused = answer.refused or parts.refused
        elif item.type == "function_call":
            texts.append(f"{item.name or '?'}({item.arguments or ''})")
    answer.text = "\n\n".join(text for text in texts if text)
    reason = body.incomplete_details.reason if body.incomplete_details else None
    answer.finish_reason = reason or body.status
    if body.status in ("failed", "cancelled"):
        answer.failed = body.status


def _describe_items(items: list[_Item]) -> str:
    if not items:
        return ""
    first = items[0]
    if first.embedding:
        size = _dimension(bytes(first.embedding))
        vectors = "1 vector" if len(items) == 1 else f"{len(items)} vectors"
        return f"{vectors} of {size} numbers"
    if first.b64_json or first.url:
        return first.url or ("1 image" if len(items) == 1 else f"{len(items)} images")
    return ""


def _dimension(raw: bytes) -> int:
    """How many numbers a vector has, from its JSON: an array, or base64 of 4-byte floats."""
    if not raw.startswith(b"["):
        return (len(raw) - 2) * 3 // 4 // 4
    return raw.count(b",") + 1 if raw[1:-1].strip() else 0
