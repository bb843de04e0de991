"""Which part of a request's body is the prompt, by endpoint."""

from __future__ import annotations

from typing import Literal

import msgspec

PromptField = Literal["messages", "input", "prompt", "text"]

MESSAGES_URL = "/v1/messages"
"""The endpoint of ready-made ``{custom_id, params}`` rows (Anthropic Message Batches)."""

SCALEDOWN_MODELS = frozenset({"summarize", "extract", "classify"})
"""Models of ScaleDown, which take ``text`` where others take ``messages``."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint asks of a body; ``prompt`` is ``None`` where that is not known."""

    prompt: PromptField | None = None
    needs_model: bool = False


_BY_ENDING: tuple[tuple[str, Endpoint], ...] = (
    ("/chat/completions", Endpoint(prompt="messages", needs_model=True)),
    ("/completions", Endpoint(prompt="prompt", needs_model=True)),
    ("/messages", Endpoint(prompt="messages", needs_model=True)),
    ("/responses", Endpoint(prompt="input", needs_model=True)),
    ("/embeddings", Endpoint(prompt="input", needs_model=True)),
    ("/moderations", Endpoint(prompt="input")),
    ("/images/generations", Endpoint(prompt="prompt", needs_model=True)),
    ("/images/edits", Endpoint(prompt="prompt", needs_model=True)),
    ("/videos", Endpoint(prompt="prompt", needs_model=True)),
)
_UNKNOWN = Endpoint()


def endpoint_of(url: str) -> Endpoint:
    """What the endpoint at this path asks for; hosts differ in what stands before the name."""
    for ending, endpoint in _BY_ENDING:
        if url.endswith(ending):
            return endpoint
    return _UNKNOWN


def is_translated(url: str | None) -> bool:
    """Is a row for this endpoint said in other words to a provider of Messages?"""
    return not (url or "").rstrip("/").endswith("/messages")
