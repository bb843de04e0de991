"""The response body of a request, for each endpoint."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tui.sandbox import answers
from tui.sandbox.outcomes import RowOutcome
from tui.sandbox.rows import Row

BuiltBody = tuple[dict[str, Any], int, int]
"""A response body, its input tokens and its output tokens."""


def answer_text(row: Row) -> tuple[str, int, int]:
    """The answer of the simulated model: text, prompt tokens, answer tokens."""
    body, cut = row.body, row.outcome is RowOutcome.TRUNCATED
    said = answers.REFUSAL if row.outcome is RowOutcome.REFUSED else row.words.say
    if said is None and not answers.is_scaledown_body(body):
        said, prompt_tokens = answers.answer(body, row.seed)
        if cut:
            said = said[: max(8, len(said) // 2)]
        return said, prompt_tokens, answers.tokens(len(said))
    if said is None:
        said = msgspec.json.encode(answers.scaledown_answer(body, row.seed, cut=cut)).decode()
    return said, answers.tokens(answers.prompt(body)[1]), answers.tokens(len(said))


def service_tier(row: Row) -> str:
    """The tier that a request of OpenAI's form asks for, if it has prices of its own."""
    asked = row.body.get("service_tier")
    return asked if asked in ("flex", "priority") else "default"


_LEAST_CACHED = 1024
_CACHED_STEP = 128


def cached_tokens(row: Row, prompt_tokens: int) -> int:
    """Tokens that were in the cache: those of a long prompt with a key, after the first row."""
    if row.index == 0 or not row.body.get("prompt_cache_key") or prompt_tokens < _LEAST_CACHED:
        return 0
    return prompt_tokens // _CACHED_STEP * _CACHED_STEP


class MarkedPrefix(NamedTuple):
    """What a request marks for the cache.

    Attributes:
        key: Identifies the content, with the model.
        tokens: Its tokens.
        hour: Whether it is kept for an hour, and not for five minutes.
    """

    key: str
    tokens: int
    hour: bool


def marked_prefix(body: dict[str, Any]) -> MarkedPrefix | None:
    """What a Messages body marks: all up to the last `cache_control`; `None` without one."""
    turns = body.get("messages")
    contents = [turn.get("content") for turn in turns if isinstance(turn, dict)] if isinstance(
        turns, list
    ) else []  # fmt: skip
    texts: list[str] = []
    marked: tuple[int, bool] | None = None
    for content in (body.get("system"), *contents):
        for block in content if isinstance(content, list) else [content]:
            text = block.get("text") if isinstance(block, dict) else block
            if isinstance(text, str):
                texts.append(text)
            mark = block.get("cache_control") if isinstance(block, dict) else None
            if isinstance(mark, dict):
                marked = len(texts), mark.get("ttl") == "1h"
    if marked is None:
        return None
    count, hour = marked
    digest = hashlib.blake2b(str(body.get("model")).encode(), digest_size=8)
    for text in texts[:count]:
        digest.update(b"\0" + text.encode("utf-8", "replace"))
    size = sum(map(len, texts[:count]))
    return MarkedPrefix(digest.hexdigest(), answers.tokens(size), hour)


def usage_of_cache(body: dict[str, Any], extra: dict[str, Any], prompt: int) -> dict[str, Any]:
    """The `usage` of a prompt of so many tokens, without that of the answer.

    Args:
        body: The Messages body.
        extra: What is stored with its batch; empty for a single request, which writes.
        prompt: The tokens of the whole prompt.
    """
    prefix = marked_prefix(body)
    tokens = 0 if prefix is None else min(prefix.tokens, prompt - 1)
    is_read = prefix is not None and prefix.key in extra.get("warm", ())
    written = 0 if is_read else tokens
    hour = prefix is not None and prefix.hour
    return {
        "input_tokens": prompt - tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens - written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if hour else written,
            "ephemeral_1h_input_tokens": written if hour else 0,
        },
    }


def chat(row: Row) -> BuiltBody:
    """Build a `chat.completion`; a refusal has null content, a text in `refusal` and `stop`."""
    said, prompt_tokens, answer_tokens = answer_text(row)
    refused = row.outcome is RowOutcome.REFUSED
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused else said,
        "refusal": said if refused else None,
        "annotations": [],
    }
    reply = {
        "id": "chatcmpl-" + row.mark,
        "object": "chat.completion",
        "created": row.when,
        "model": row.body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "length" if row.outcome is RowOutcome.TRUNCATED else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": prompt_tokens + answer_tokens,
            "prompt_tokens_details": {
                "cached_tokens": cached_tokens(row, prompt_tokens),
                "audio_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": service_tier(row),
        "system_fingerprint": "fp_sandbox",
    }
    return reply, prompt_tokens, answer_tokens


def completion(row: Row) -> BuiltBody:
    """Build a `text_completion`; a refusal is an empty text with `content_filter`."""
    said, prompt_tokens, answer_tokens = answer_text(row)
    reason = {RowOutcome.TRUNCATED: "length", RowOutcome.REFUSED: "content_filter"}.get(
        row.outcome, "stop"
    )
    text = "" if row.outcome is RowOutcome.REFUSED else said
    reply = {
        "id": "cmpl-" + row.mark,
        "object": "text_completion",
        "created": row.when,
        "model": row.body.get("model"),
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": prompt_tokens + answer_tokens,
        },
    }
    return reply, prompt_tokens, answer_tokens


def response(row: Row) -> BuiltBody:
    """Build a `response`; truncation is `incomplete` with reason `max_output_tokens`."""
    said, prompt_tokens, answer_tokens = answer_text(row)
    cut = row.outcome is RowOutcome.TRUNCATED
    part: dict[str, Any] = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
    if row.outcome is RowOutcome.REFUSED:
        part = {"type": "refusal", "refusal": said}
    reply = {
        "id": "resp_" + row.mark,
        "object": "response",
        "created_at": row.when,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": row.body.get("instructions"),
        "max_output_tokens": row.body.get("max_output_tokens"),
        "model": row.body.get("model"),
        "output": [
            {
                "type": "message",
                "id": "msg_" + row.mark,
                "status": "incomplete" if cut else "completed",
                "role": "assistant",
                "content": [part],
            }
        ],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "service_tier": service_tier(row),
        "usage": {
            "input_tokens": prompt_tokens,
            "input_tokens_details": {"cached_tokens": cached_tokens(row, prompt_tokens)},
            "output_tokens": answer_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt_tokens + answer_tokens,
        },
    }
    return reply, prompt_tokens, answer_tokens


def embeddings(row: Row) -> BuiltBody:
    """Build an embeddings list: unit vectors, 64 dimensions or `dimensions`."""
    given = row.body.get("input")
    many = isinstance(given, list) and given and not isinstance(given[0], int)
    texts: list[Any] = list(given) if many else [given]
    size = row.body.get("dimensions")
    wide = size if isinstance(size, int) and 0 < size <= 4096 else 64
    data = []
    for index, text in enumerate(texts):
        numbers = vector(str(text), wide, row.seed)
        value: Any = numbers
        if row.body.get("encoding_format") == "base64":
            value = base64.b64encode(struct.pack(f"<{wide}f", *numbers)).decode()
        data.append({"object": "embedding", "index": index, "embedding": value})
    used = sum(answers.tokens(len(str(text))) for text in texts)
    reply = {
        "object": "list",
        "data": data,
        "model": row.body.get("model"),
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }
    return reply, used, 0


def moderation(row: Row) -> BuiltBody:
    """Build a moderation result; a request with `sandbox:refuse` is flagged."""
    _, size = answers.prompt(row.body)
    flagged = row.outcome is RowOutcome.REFUSED
    names = ("harassment", "hate", "self-harm", "sexual", "violence")
    result = {
        "flagged": flagged,
        "categories": {name: flagged and name == "violence" for name in names},
        "category_scores": {
            name: 0.9 if flagged and name == "violence" else 0.01 for name in names
        },
    }
    reply = {"id": "modr-" + row.mark, "model": row.body.get("model"), "results": [result]}
    return reply, answers.tokens(size), 0


def vector(text: str, wide: int, seed: int) -> list[float]:
    """The unit vector of a text; the same text and seed give the same vector."""
    raw = hashlib.shake_128(f"{seed}:{text}".encode("utf-8", "replace")).digest(wide * 2)
    numbers = [value / 32768 for value in struct.unpack(f"<{wide}h", raw)]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 7) for number in numbers]


def message(row: Row) -> BuiltBody:
    """Build a message; truncation is `max_tokens`, a refusal is `refusal` without content."""
    said, prompt_tokens, answer_tokens = answer_text(row)
    content: list[dict[str, Any]] = [{"type": "text", "text": said}]
    if row.outcome is RowOutcome.REFUSED:
        content = []
    elif (
        isinstance(row.body.get("thinking"), dict) and row.body["thinking"].get("type") == "enabled"
    ):
        content.insert(0, {"type": "thinking", "thinking": "A simulated thought.",
                           "signature": "c2FuZGJveA=="})  # fmt: skip
    reason = {RowOutcome.TRUNCATED: "max_tokens", RowOutcome.REFUSED: "refusal"}.get(
        row.outcome, "end_turn"
    )
    reply = {
        "id": "msg_" + row.mark,
        "type": "message",
        "role": "assistant",
        "model": row.body.get("model"),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            **usage_of_cache(row.body, row.extra, prompt_tokens),
            "output_tokens": answer_tokens,
            "service_tier": "batch",
        },
    }
    return reply, prompt_tokens, answer_tokens


_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
"""A PNG of one pixel."""


def image(row: Row) -> BuiltBody:
    """Build generated or edited images, each of one pixel."""
    _, size = answers.prompt(row.body)
    number = row.body.get("n")
    images = number if isinstance(number, int) and 1 <= number <= 10 else 1
    spent, made = answers.tokens(size), 100 * images
    usage = {"input_tokens": spent, "output_tokens": made, "total_tokens": spent + made}
    data = [{"b64_json": _PIXEL}] * images
    return {"created": row.when, "data": data, "output_format": "png", "usage": usage}, spent, made


def video(row: Row) -> BuiltBody:
    """Build a video job: the video itself is fetched later, outside of the batch."""
    _, size = answers.prompt(row.body)
    reply = {
        "id": "video_" + row.mark,
        "object": "video",
        "model": row.body.get("model"),
        "status": "queued",
        "progress": 0,
        "created_at": row.when,
        "seconds": str(row.body.get("seconds", "4")),
        "size": row.body.get("size", "720x1280"),
    }
    return reply, answers.tokens(size), 0


BODY_BUILDERS: dict[str, Callable[[Row], BuiltBody]] = {
    "/v1/chat/completions": chat,
    "/v1/completions": completion,
    "/v1/responses": response,
    "/v1/embeddings": embeddings,
    "/v1/moderations": moderation,
    "/v1/messages": message,
    "/v1/images/generations": image,
    "/v1/images/edits": image,
    "/v1/videos": video,
}
"""The body builder of each endpoint."""


def build(row: Row) -> BuiltBody:
    """Build the response body of a row that succeeded, by its endpoint."""
    return BODY_BUILDERS[row.url](row)


MEDIA = ("/v1/images/generations", "/v1/images/edits", "/v1/videos")
"""OpenAI's endpoints of images and videos, which the likes of it do not have."""

OPENAI = tuple(name for name in BODY_BUILDERS if name not in ("/v1/messages", *MEDIA))
"""The endpoints of OpenAI that the likes of it have."""
