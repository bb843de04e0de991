"""The response body of Anthropic's Messages API."""

from __future__ import annotations

from typing import Any

from . import bodies
from .fates import Fate
from .words import Words


def message(
    body: dict[str, Any], fate: Fate, words: Words, mark: str, when: int, seed: int
) -> bodies.Produced:
    """Build a message; truncation is `max_tokens`, a refusal is `refusal` without content."""
    said, prompt_tokens, answer_tokens = bodies.text_of(body, fate, words, seed)
    content: list[dict[str, Any]] = [{"type": "text", "text": said}]
    if fate is Fate.REFUSED:
        content = []
    elif isinstance(body.get("thinking"), dict) and body["thinking"].get("type") == "enabled":
        content.insert(0, {"type": "thinking", "thinking": "A simulated thought.",
                           "signature": "c2FuZGJveA=="})  # fmt: skip
    reason = {Fate.TRUNCATED: "max_tokens", Fate.REFUSED: "refusal"}.get(fate, "end_turn")
    reply = {
        "id": "msg_" + mark,
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": prompt_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": answer_tokens,
            "service_tier": "batch",
        },
    }
    return reply, prompt_tokens, answer_tokens
