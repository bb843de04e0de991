"""What a template holds, and which fields each kind of request supports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tui.compose.requests.prompts import SCALEDOWN_MODELS
from tui.compose.requests.scaledown import Label, check_entities, check_labels
from tui.compose.templates.fields import Syntax
from tui.errors import UsageError

TemplateKind = Literal[
    "chat",
    "responses",
    "messages",
    "completions",
    "embeddings",
    "moderations",
    "summarize",
    "extract",
    "classify",
]

ENDPOINTS: Mapping[TemplateKind, str] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "moderations": "/v1/moderations",
    "summarize": "/v1/chat/completions",
    "extract": "/v1/chat/completions",
    "classify": "/v1/chat/completions",
}

ROW_HASH = "#"
"""The ``id`` of a template whose ids are hashes of the rows, whatever it makes of them."""

MESSAGES_MAX_TOKENS = 1024
"""The default ``max_tokens`` for Anthropic's Messages, which require the field."""

CacheTime = Literal["", "5m", "1h"]
"""How long a prompt cache keeps what was marked."""

_WITHOUT_MODEL = (*SCALEDOWN_MODELS, "moderations")
_TAKES_IMAGES = ("chat", "responses", "messages")
_TAKES_SYSTEM = (*_TAKES_IMAGES, *SCALEDOWN_MODELS)
_TAKES_LENGTH = (*_TAKES_IMAGES, "completions", "summarize")
_TAKES_TEMPERATURE = (*_TAKES_IMAGES, "completions")


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Turns a row into a request. Texts may contain fields (see ``FieldText``).

    Attributes:
        name: The name it is saved under.
        description: What it is for, in one sentence.
        kind: The kind of endpoint, or ScaleDown's model.
        url: The path of the endpoint; the kind's default if empty.
        model: The provider's name of the model.
        system: The system message, or ScaleDown's instructions.
        user: The user message, the input of an embedding, or the text for ScaleDown.
        images: Paths or URLs of images, with fields; empty ones are skipped.
        max_tokens: The maximum length of the answer in tokens.
        temperature: The sampling temperature.
        schema: The JSON schema of the answer.
        tools: Tools in the provider's format.
        entities: The entities of ``extract``: label to description.
        labels: The classes of ``classify``.
        cache: How long Anthropic's prompt cache keeps the shared part, which is the tools and the
            system message: ``5m`` or ``1h``; empty for not at all. ``messages`` only.
        settings: Other fields of the body: dotted path to value, sent unchanged.
        id: The ``custom_id``: a column's name or a text with fields; ``#`` for a hash of the
            row; if empty, a hash of the prompt.
        syntax: How fields are written in all texts.
    """

    name: str = ""
    description: str = ""
    kind: TemplateKind = "chat"
    url: str = ""
    model: str = ""
    system: str = ""
    user: str = ""
    images: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    schema: dict[str, Any] | None = None
    tools: list[Any] | None = None
    entities: dict[str, str] = {}
    labels: tuple[Label, ...] = ()
    cache: CacheTime = ""
    settings: dict[str, Any] = {}
    id: str = ""
    syntax: Syntax = "auto"

    @property
    def endpoint(self) -> str:
        """The path of the endpoint."""
        return self.url or ENDPOINTS[self.kind]

    @property
    def model_name(self) -> str:
        """The model; for ScaleDown, the kind is the model."""
        return self.kind if self.kind in SCALEDOWN_MODELS else self.model


def with_overrides(
    template: Template,
    *,
    model: str | None = None,
    id: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Template:
    """Copy a template with overrides; ``settings`` are merged into its own."""
    changes: dict[str, Any] = {}
    if model:
        changes["model"] = model
    if id is not None:
        changes["id"] = id
    if settings:
        changes["settings"] = {**template.settings, **settings}
    return msgspec.structs.replace(template, **changes)


def check_template(template: Template) -> None:
    """Check that requests can be made from a template.

    Raises:
        UsageError: It sets a field that its kind does not support, or lacks a required one.
    """
    kind = template.kind
    if not template.user.strip() and not template.images:
        raise UsageError(
            "the template has no prompt", 'Set user, for example user = "Summarize: {text}".'
        )
    if not template.model and kind not in _WITHOUT_MODEL and "model" not in template.settings:
        raise UsageError("no model is set", "Use --model, or set it in the template.")
    for is_set, kinds, what in (
        (template.images, _TAKES_IMAGES, "images"),
        (template.system, _TAKES_SYSTEM, "a system message"),
        (template.max_tokens is not None, _TAKES_LENGTH, "max_tokens"),
        (template.temperature is not None, _TAKES_TEMPERATURE, "a temperature"),
        (template.schema is not None, _TAKES_IMAGES, "a schema"),
        (template.tools is not None, _TAKES_IMAGES, "tools"),
        (template.entities, ("extract",), "entities"),
        (template.labels, ("classify",), "labels"),
    ):
        if is_set and kind not in kinds:
            raise UsageError(
                f"{kind} requests do not support {what}",
                "Remove it, or choose another kind.",
            )
    if template.cache and kind != "messages":
        raise UsageError(
            f"{kind} requests cannot mark what a prompt cache keeps",
            'Only Anthropic\'s do (kind = "messages"). OpenAI, Gemini and others cache the common'
            " beginning of prompts by themselves, if at all: begin with what all rows share.",
        )
    if template.cache and not template.system.strip():
        raise UsageError(
            "the template has no system message to cache",
            "Put what all rows share into the system message, or remove cache.",
        )
    if template.max_tokens is not None and template.max_tokens < 1:
        raise UsageError("max_tokens must be at least 1", "Set the maximum answer length.")
    if kind == "extract":
        check_entities(template.entities)
    if kind == "classify":
        check_labels(template.labels)
