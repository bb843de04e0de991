"""Response bodies of the endpoints, as OpenAI's API shapes them."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Callable
from typing import Any

import msgspec

from . import model, scaledown_answers
from .fates import Fate
from .words import Words

Produced = tuple[dict[str, Any], int, int]
"""A response body, its input tokens and its output tokens."""


def text_of(body: dict[str, Any], fate: Fate, words: Words, seed: int) -> tuple[str, int, int]:
    """Say what the model answers: text, prompt tokens, answer tokens."""
    if fate is Fate.REFUSED:
        _, size = model.prompt(body)
        return model.REFUSAL, model.tokens(size), model.tokens(len(model.REFUSAL))
    if words.say is not None:
        _, size = model.prompt(body)
        return words.say, model.tokens(size), model.tokens(len(words.say))
    if scaledown_answers.asks(body):
        value = scaledown_answers.answer(body, seed, cut=fate is Fate.TRUNCATED)
        said = msgspec.json.encode(value).decode()
        return said, model.tokens(model.prompt(body)[1]), model.tokens(len(said))
    said, prompt_tokens = model.answer(body, seed)
    if fate is Fate.TRUNCATED:
        said = said[: max(8, len(said) // 2)]
    return said, prompt_tokens, model.tokens(len(said))


def chat(
    body: dict[str, Any], fate: Fate, words: Words, mark: str, when: int, seed: int
) -> Produced:
    """Build a `chat.completion`; a refusal has null content, a text in `refusal` and `stop`."""
    said, prompt_tokens, answer_tokens = text_of(body, fate, words, seed)
    refused = fate is Fate.REFUSED
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused else said,
        "refusal": said if refused else None,
        "annotations": [],
    }
    reply = {
        "id": "chatcmpl-" + mark,
        "object": "chat.completion",
        "created": when,
        "model": body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "length" if fate is Fate.TRUNCATED else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": prompt_tokens + answer_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }
    return reply, prompt_tokens, answer_tokens


def completion(
    body: dict[str, Any], fate: Fate, words: Words, mark: str, when: int, seed: int
) -> Produced:
    """Build a `text_completion`; a refusal is an empty text with `content_filter`."""
    said, prompt_tokens, answer_tokens = text_of(body, fate, words, seed)
    reason = {Fate.TRUNCATED: "length", Fate.REFUSED: "content_filter"}.get(fate, "stop")
    text = "" if fate is Fate.REFUSED else said
    reply = {
        "id": "cmpl-" + mark,
        "object": "text_completion",
        "created": when,
        "model": body.get("model"),
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": prompt_tokens + answer_tokens,
        },
    }
    return reply, prompt_tokens, answer_tokens


def response(
    body: dict[str, Any], fate: Fate, words: Words, mark: str, when: int, seed: int
) -> Produced:
    """Build a `response`; truncation is `incomplete` with reason `max_output_tokens`."""
    said, prompt_tokens, answer_tokens = text_of(body, fate, words, seed)
    cut = fate is Fate.TRUNCATED
    part: dict[str, Any] = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
    if fate is Fate.REFUSED:
        part = {"type": "refusal", "refusal": said}
    reply = {
        "id": "resp_" + mark,
        "object": "response",
        "created_at": when,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body.get("model"),
        "output": [
            {
                "type": "message",
                "id": "msg_" + mark,
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
        "usage": {
            "input_tokens": prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt_tokens + answer_tokens,
        },
    }
    return reply, prompt_tokens, answer_tokens


def embeddings(
    body: dict[str, Any], fate: Fate, words: Words, mark: str, when: int, seed: int
) -> Produced:
    """Build an embeddings list: unit vectors, 64 dimensions or `dimensions`."""
    given = body.get("input")
    many = isinstance(given, list) and given and not isinstance(given[0], int)
    texts: list[Any] = list(given) if many else [given]  # type: ignore[arg-type]
    size = body.get("dimensions")
    wide = size if isinstance(size, int) and 0 < size <= 4096 else 64
    data = []
    for index, text in enumerate(texts):
        numbers = vector(str(text), wide, seed)
        value: Any = numbers
        if body.get("encoding_format") == "base64":
            value = base64.b64encode(struct.pack(f"<{wide}f", *numbers)).decode()
        data.append({"object": "embedding", "index": index, "embedding": value})
    used = sum(model.tokens(len(str(text))) for text in texts)
    reply = {
        "object": "list",
        "data": data,
        "model": body.get("model"),
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }
    return reply, used, 0


def moderation(
    body: dict[str, Any], fate: Fate, words: Words, mark: str, when: int, seed: int
) -> Produced:
    """Build a moderation result; a request with `sandbox:refuse` is flagged."""
    _, size = model.prompt(body)
    flagged = fate is Fate.REFUSED
    names = ("harassment", "hate", "self-harm", "sexual", "violence")
    result = {
        "flagged": flagged,
        "categories": {name: flagged and name == "violence" for name in names},
        "category_scores": {
            name: 0.9 if flagged and name == "violence" else 0.01 for name in names
        },
    }
    reply = {"id": "modr-" + mark, "model": body.get("model"), "results": [result]}
    return reply, model.tokens(size), 0


def vector(text: str, wide: int, seed: int) -> list[float]:
    """Make the unit vector of a text: the same text and seed give the same vector."""
    raw = hashlib.shake_128(f"{seed}:{text}".encode("utf-8", "replace")).digest(wide * 2)
    numbers = [value / 32768 for value in struct.unpack(f"<{wide}h", raw)]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 7) for number in numbers]


Maker = Callable[[dict[str, Any], Fate, Words, str, int, int], Produced]
"""Builds a body from: request body, fate, words, unique mark, Unix time, seed."""
