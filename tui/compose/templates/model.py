"""A template: how a row becomes a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tui.compose.fields import Syntax
from tui.compose.scaledown_items import Label, check_entities, check_labels
from tui.errors import UsageError

Kind = Literal[
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

ENDPOINTS: Mapping[Kind, str] = {
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

MESSAGES_MAX_TOKENS = 1024
"""What Anthropic's Messages get when nothing is said: there the field is required."""

_SCALEDOWN = ("summarize", "extract", "classify")
_WITHOUT_MODEL = (*_SCALEDOWN, "moderations")
_TAKES_IMAGES = ("chat", "responses", "messages")
_TAKES_SYSTEM = (*_TAKES_IMAGES, *_SCALEDOWN)
_TAKES_LENGTH = (*_TAKES_IMAGES, "completions", "summarize")
_TAKES_TEMPERATURE = (*_TAKES_IMAGES, "completions")


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a row becomes a request. Texts may hold fields (see ``FieldText``).

    Attributes:
        name: Under which it is saved.
        description: What it is for, in a sentence.
        kind: The endpoint, or ScaleDown's model.
        url: Another path than the kind's own.
        model: The provider's name of the model.
        system: The system message; ScaleDown's instructions.
        user: The user message; the input of an embedding, the text for ScaleDown.
        images: Paths or addresses of images, with fields; an empty one is left out.
        max_tokens: Upper bound of the answer.
        temperature: How freely the model chooses.
        schema: A JSON schema that the answer has to fit.
        tools: Tools in the provider's own form.
        entities: What ``extract`` looks for: label to description.
        labels: The classes of ``classify``.
        settings: Any further field of the body: dotted path to value; taken as they are.
        id: The ``custom_id``: a column's name, or a text with fields; empty: made from the
            content.
        syntax: How fields are written in all the texts.
    """

    name: str = ""
    description: str = ""
    kind: Kind = "chat"
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
    settings: dict[str, Any] = {}
    id: str = ""
    syntax: Syntax = "auto"

    @property
    def endpoint(self) -> str:
        """The path that the requests go to."""
        return self.url or ENDPOINTS[self.kind]

    @property
    def model_name(self) -> str:
        """The model; ScaleDown's kinds are models themselves."""
        return self.kind if self.kind in _SCALEDOWN else self.model


def adjusted(
    template: Template,
    *,
    model: str | None = None,
    id: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Template:
    """A template with what a command says instead; ``settings`` are added to its own."""
    changes: dict[str, Any] = {}
    if model:
        changes["model"] = model
    if id is not None:
        changes["id"] = id
    if settings:
        changes["settings"] = {**template.settings, **settings}
    return msgspec.structs.replace(template, **changes)


def check_template(template: Template) -> None:
    """Refuse a template that no request can be made from.

    Raises:
        UsageError: It says what its kind has no place for, or lacks what the kind needs.
    """
    kind = template.kind
    if not template.user.strip() and not template.images:
        raise UsageError(
            "the template has no prompt", 'Set user, such as user = "Summarize: {text}".'
        )
    if not template.model and kind not in _WITHOUT_MODEL and "model" not in template.settings:
        raise UsageError("no model is chosen", "Name one with --model, or in the template.")
    for said, kinds, what in (
        (template.images, _TAKES_IMAGES, "images"),
        (template.system, _TAKES_SYSTEM, "a system message"),
        (template.max_tokens is not None, _TAKES_LENGTH, "max_tokens"),
        (template.temperature is not None, _TAKES_TEMPERATURE, "a temperature"),
        (template.schema is not None, _TAKES_IMAGES, "a schema"),
        (template.tools is not None, _TAKES_IMAGES, "tools"),
        (template.entities, ("extract",), "entities"),
        (template.labels, ("classify",), "labels"),
    ):
        if said and kind not in kinds:
            raise UsageError(
                f"a request for {kind} has no place for {what}",
                "Leave it out, or choose another kind.",
            )
    if template.max_tokens is not None and template.max_tokens < 1:
        raise UsageError("max_tokens is below 1", "Give the length of the answer in tokens.")
    if kind == "extract":
        check_entities(template.entities)
    if kind == "classify":
        check_labels(template.labels)
