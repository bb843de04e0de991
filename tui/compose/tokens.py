"""How many tokens a prompt has, about.

A token is about four characters of English; scripts whose letters take several bytes have
more tokens for a character, for which a sixth of their UTF-8 bytes stands. The figure is an
estimate, and shown as one.
"""

from __future__ import annotations

from typing import Any


def tokens_of(text: str) -> float:
    """The estimate for one text."""
    if text.isascii():
        return len(text) / 4
    return max(len(text) / 4, len(text.encode("utf-8", "replace")) / 6)


def prompt_tokens(value: Any) -> tuple[float, bool]:
    """The estimate for a prompt in any of its forms, and whether it says anything.

    White space says nothing. Takes a text, a list of texts, of token ids or of messages,
    items and content parts. An image or a file counts as something, without tokens.
    """
    tokens = 0.0
    anything = False
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            tokens += tokens_of(item)
            anything = anything or bool(item.strip())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            inner = item.get("content", item.get("text"))
            if inner is not None:
                waiting.append(inner)
            elif item.get("tool_calls") or ("content" not in item and len(item) > 1):
                anything = True
        elif isinstance(item, int) and not isinstance(item, bool):
            tokens += 1
            anything = True
    return tokens, anything
