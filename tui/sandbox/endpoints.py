"""The endpoints that can be simulated, each with the builder of its response body."""

from __future__ import annotations

from . import bodies
from .messages import message

MAKERS: dict[str, bodies.Maker] = {
    "/v1/chat/completions": bodies.chat,
    "/v1/completions": bodies.completion,
    "/v1/responses": bodies.response,
    "/v1/embeddings": bodies.embeddings,
    "/v1/moderations": bodies.moderation,
    "/v1/messages": message,
}
"""The builder of each endpoint."""

OPENAI = tuple(name for name in MAKERS if name != "/v1/messages")
"""The endpoints that OpenAI itself has."""
