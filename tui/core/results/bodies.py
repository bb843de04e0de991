"""Reading a response body: chat, Responses, completions, embeddings, messages and more.

The shapes are those of the OpenAI and Anthropic references, with extensions of other hosts
(``billing_cost``). An unknown body gives an answer with empty text, never an error: the row
view shows its JSON.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Annotated, Any

import msgspec

from tui.core.rows import Usage

_LARGEST = 2**63 - 1

Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=_LARGEST)]
"""An integer that fits in SQLite; a larger one invalidates the field, not the row."""


class Answer(msgspec.Struct, kw_only=True, gc=False):
    """The content of one response body. Refused and truncated answers are HTTP successes."""

    text: str = ""
    model: str | None = None
    finish_reason: str | None = None
    refused: bool = False
    truncated: bool = False
    failed: str | None = None
    usage: Usage = Usage()
    cost: float | None = None


Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
"""A number of tokens. A negative one would make a cost negative."""


class _Details(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None


class _Creation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    prompt_cache_hit_tokens: Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _OutputDetails | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: _Creation | None = None
    service_tier: str | None = None
    cost_in_usd_ticks: Count | None = None
    input_camel: Count | None = msgspec.field(default=None, name="inputTokens")
    output_only_camel: Count | None = msgspec.field(default=None, name="outputTokens")
    # Gemini's answers to rows of OpenAI's form.
    prompt_camel: Count | None = msgspec.field(default=None, name="promptTokens")
    output_camel: Count | None = msgspec.field(default=None, name="completionTokens")
    total_camel: Count | None = msgspec.field(default=None, name="totalTokens")


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None
    input: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    function: _Function | None = None
    custom: _Function | None = None
    name: str | None = None
    arguments: str | None = None


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
    function_call: _Function | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    text: str | None = None
    error: Any = None


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


class ResponseBody(msgspec.Struct, gc=False):
    """Every field of a response body that is read, for all dialects."""

    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    status: str | None = None
    incomplete_details: _Reason | None = None
    output: list[_Item] | None = None
    data: list[_Item] | None = None
    content: list[_Part] | None = None
    stop_reason: str | None = None
    service_tier: str | None = None
    results: msgspec.Raw = msgspec.Raw()
    text: str | None = None
    billing_cost: _Billing | None = None
    error: Any = None


_TRUNCATED = frozenset(
    {"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "model_length",
     "pause_turn", "max_length", "max_completion_tokens", "max_new_tokens", "token_limit", "limit",
     "error_limit", "context_length_exceeded", "context_length_reached",
     "max_predicted_tokens_reached", "repetition"}
)  # fmt: skip
_REFUSED = frozenset(
    {"content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist",
     "prohibited_content", "spii", "sensitive", "guardrail_intervened", "language", "moderation",
     "blocked", "content_policy_violation", "error_toxic", "image_safety",
     "image_prohibited_content", "image_recitation"}
)  # fmt: skip
_BROKEN_OFF = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "timeout", "network_error",
     "insufficient_system_resource", "malformed_function_call", "user_cancel", "user_cancelled",
     "user_stopped", "failed", "internal_error", "server_error", "timed_out", "interrupted",
     "preempted", "malformed_response", "malformed_model_output", "malformed_tool_use",
     "unexpected_tool_call", "too_many_tool_calls", "model_unloaded"}
)  # fmt: skip
_NO_REASONS = frozenset(
    {"other", "unknown", "unspecified", "finish_reason_unspecified", "load", "unload", "no_image",
     "image_other"}
)  # fmt: skip
"""Reasons that servers give to an answer without content which they did not make (Ollama's
``load``, Gemini's ``OTHER``); of an answer with content they say nothing."""


def is_broken_off(reason: Any) -> bool:
    """Whether the reason of an answer's end is that the server failed before or in it.

    An answer with content is one nevertheless, though it may be cut.
    """
    return isinstance(reason, str) and _folded(reason) in _BROKEN_OFF | _NO_REASONS


@functools.lru_cache(maxsize=256)
def _folded(reason: str) -> str:
    """A reason as it is documented.

    Servers write it in capitals, with hyphens or blanks, in camel case, or as Python shows an enum.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[- ]", "_", reason.rpartition(".")[2].strip())
    return words.lower()


def simple_text(body: ResponseBody) -> str | None:
    """The text of a body with one finished choice and nothing unusual: a fast path.

    Returns:
        The text; ``None`` if the body must be read with ``read_answer``.
    """
    choices = body.choices
    if choices is None or len(choices) != 1 or body.billing_cost is not None:
        return None
    if body.usage is not None and body.usage.cost_in_usd_ticks is not None:
        return None
    choice = choices[0]
    message = choice.message
    if message is None or choice.finish_reason != "stop" or choice.text is not None:
        return None
    if choice.error:
        return None
    if message.refusal or message.tool_calls or type(message.content) is not str:
        return None
    return message.content or None


def holds_answer(body: ResponseBody) -> bool:
    """Whether a body holds the documented answer of an endpoint."""
    choices = body.choices
    if choices is not None:
        return any(
            (choice.message is not None or choice.text is not None)
            and not (choice.error or is_broken_off(choice.finish_reason))
            for choice in choices
        ) and not _is_hollow(body)
    if body.data and any(_is_made(item) for item in body.data):
        return True
    return bool(body.content is not None or body.output or body.text) or (
        len(body.results) > _EMPTY_LIST
    )


def _is_hollow(body: ResponseBody) -> bool:
    """Whether the choices of a body may be without content because no model was asked.

    Gateways send such frames with status 200: without the reason of an end, or with no token read.
    """
    for choice in body.choices or ():
        message = choice.message
        if choice.text or (message is not None and (message.content or message.tool_calls)):
            return False
    usage = body.usage
    return all(choice.finish_reason is None for choice in body.choices or ()) or (
        usage is not None and usage.prompt_tokens == 0 == usage.total_tokens
    )


def _is_made(item: _Item) -> bool:
    """Whether an item of a list has a vector of numbers, or an image."""
    raw = bytes(item.embedding)
    if not raw:
        return bool(item.b64_json or item.url)
    if raw.startswith(b"["):
        # NaN is null in JSON.
        return b"null" not in raw and _dimension(raw) > 0
    return raw not in (b"null", b'""')


_EMPTY_LIST = len("[]")

_TICK = 1e-10
"""USD in one tick, in which xAI bills (docs.x.ai, batch API)."""


def read_answer(body: ResponseBody) -> Answer:
    """Read a decoded response body."""
    answer = Answer(model=body.model)
    answer.usage = parse_usage(body.usage, body.service_tier)
    if body.billing_cost is not None:
        answer.cost = _finite(body.billing_cost.credits)
    elif body.usage is not None and body.usage.cost_in_usd_ticks is not None:
        answer.cost = body.usage.cost_in_usd_ticks * _TICK
    if body.choices is not None:
        _read_choices(answer, body.choices)
    elif body.output is not None:
        _read_output(answer, body)
    elif body.content is not None:
        answer.text = _read_parts(answer, body.content)
        answer.finish_reason = body.stop_reason
    elif body.data is not None:
        answer.text = _describe_items(body.data)
    elif body.text is not None:
        answer.text = body.text
    elif body.results:
        answer.text = bytes(body.results).decode("utf-8", "replace")
    if answer.finish_reason is not None:
        reason = _folded(answer.finish_reason)
        answer.truncated = answer.truncated or reason in _TRUNCATED
        answer.refused = answer.refused or reason in _REFUSED
    return answer


_NO_USAGE = Usage()


def parse_usage(usage: _Usage | None, tier: str | None = None) -> Usage:
    """Token usage in any of the known spellings; empty when the body has none."""
    if usage is None:
        return _NO_USAGE
    details = usage.prompt_tokens_details or usage.input_tokens_details
    cached = details.cached_tokens if details is not None else usage.cache_read_input_tokens
    if cached is None:
        cached = usage.cached_tokens
    if cached is None:
        cached = usage.prompt_cache_hit_tokens
    prompt = usage.prompt_tokens
    if prompt is None and usage.input_tokens is not None:
        # Anthropic's input_tokens excludes cached tokens, which are counted separately.
        prompt = (
            usage.input_tokens
            + (usage.cache_read_input_tokens or 0)
            + (usage.cache_creation_input_tokens or 0)
        )
        prompt = prompt if prompt <= _LARGEST else None
    output = usage.output_tokens if usage.completion_tokens is None else _completion(usage)
    if prompt is None and usage.prompt_camel is not None:
        prompt, output = usage.prompt_camel, usage.output_camel
        if usage.total_camel is not None and usage.total_camel >= prompt:
            # The total includes the tokens of the thinking, which are billed as output.
            output = usage.total_camel - prompt
    if prompt is None and output is None:
        prompt, output = usage.input_camel, usage.output_only_camel
    if output is None and prompt is not None and (usage.total_tokens or 0) > prompt:
        output = (usage.total_tokens or 0) - prompt
    tier = tier or usage.service_tier
    tier = tier if tier in _PRICED_TIERS else None
    if not usage.cache_creation_input_tokens:
        return Usage(prompt, output, cached, service_tier=tier)
    long = usage.cache_creation.ephemeral_1h_input_tokens if usage.cache_creation else None
    long = min(long or 0, usage.cache_creation_input_tokens)
    return Usage(prompt, output, cached, usage.cache_creation_input_tokens - long, long, tier)


def _completion(usage: _Usage) -> int | None:
    """The output tokens that are billed.

    Those of Grok are two numbers, of which ``completion_tokens`` leaves out the reasoning; the
    total has both (docs.cloud.google.com, "Reasoning for Grok models"). Others include it.
    """
    tokens, details = usage.completion_tokens, usage.completion_tokens_details
    reasoning = details.reasoning_tokens if details is not None else None
    if reasoning and tokens is not None and usage.prompt_tokens is not None:
        with_reasoning = tokens + reasoning
        if usage.total_tokens == usage.prompt_tokens + with_reasoning:
            return with_reasoning
    return tokens


_PRICED_TIERS = frozenset({"flex", "priority", "fast"})
"""Tiers with prices of their own; ``default``, ``standard``, ``batch`` and ``auto`` have none."""


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _read_choices(answer: Answer, choices: list[_Choice]) -> None:
    texts: list[str] = []
    for choice in choices:
        answer.finish_reason = answer.finish_reason or choice.finish_reason
        if choice.finish_reason is not None:
            reason = _folded(choice.finish_reason)
            answer.truncated = answer.truncated or reason in _TRUNCATED or reason in _BROKEN_OFF
        elif choice.error:
            answer.truncated = True
        message = choice.message
        if message is None:
            if choice.text is not None:
                texts.append(choice.text)
            continue
        before = len(texts)
        if isinstance(message.content, str):
            texts.append(message.content)
        elif message.content is not None:
            texts.append(_read_parts(answer, message.content))
        if message.refusal:
            answer.refused = True
            texts.append(message.refusal)
        texts.extend(_call(call) for call in message.tool_calls or ())
        if message.function_call is not None:
            texts.append(_call(_ToolCall(function=message.function_call)))
        if choice.text is not None and not any(texts[before:]):
            # Some servers repeat the message as the text of a completion.
            texts.append(choice.text)
    answer.text = texts[0] if len(texts) == 1 else "\n\n".join(text for text in texts if text)


def _call(call: _ToolCall) -> str:
    function = call.function or call.custom or _Function(call.name, call.arguments)
    return f"{function.name or '?'}({function.arguments or function.input or ''})"


_THOUGHTS = frozenset({"thinking", "redacted_thinking", "thought", "reasoning", "reasoning_text"})
"""Types of content parts that are no part of the answer."""


def _read_parts(answer: Answer, parts: list[_Part]) -> str:
    """The text of content parts; marks the answer as refused if one of them is a refusal."""
    texts: list[str] = []
    joins = False
    for part in parts:
        # Texts that follow each other are pieces of one text (Anthropic's guide to citations).
        if part.type in _THOUGHTS:
            continue
        joined, joins = joins, part.type == "reference" or (part.text is not None and not part.name)
        if part.refusal:
            answer.refused = True
            texts.append(part.refusal)
        elif part.type == "tool_use":
            arguments = msgspec.json.encode(part.input).decode()
            texts.append(f"{part.name or '?'}({arguments})")
        elif part.text is not None and joined and texts:
            texts[-1] += part.text
        elif part.text is not None:
            texts.append(part.text)
    return "\n\n".join(texts)


def _read_output(answer: Answer, body: ResponseBody) -> None:
    texts: list[str] = []
    for item in body.output or ():
        if item.content is not None and item.type in (None, "message"):
            texts.append(_read_parts(answer, item.content))
        elif item.type == "function_call":
            texts.append(f"{item.name or '?'}({item.arguments or ''})")
    texts = [text for text in texts if text]
    answer.text = _whole_of(texts) or "\n\n".join(texts)
    reason = body.incomplete_details.reason if body.incomplete_details else None
    answer.finish_reason = reason or body.status
    if body.status in ("failed", "cancelled"):
        answer.failed = body.status


_OPENING = ("{", "[")


def _whole_of(texts: list[str]) -> str | None:
    """The only whole one of several pieces of JSON, of which the others are fragments.

    A response may have a message that broke off and another one with all of it
    (opentargets/mira, pull request 70).
    """
    if len(texts) < 2 or not all(text.lstrip().startswith(_OPENING) for text in texts):
        return None
    whole = [text for text in texts if _is_json(text)]
    return whole[0] if len(whole) == 1 else None


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False
    return True


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
    """Number of dimensions of a vector's JSON: an array, or base64 of 4-byte floats."""
    if not raw.startswith(b"["):
        return (len(raw) - 2) * 3 // 4 // 4
    return raw.count(b",") + 1 if raw[1:-1].strip() else 0
