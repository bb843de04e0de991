"""The prompt of one request: where it is, what is wrong with it, and how many tokens it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tui.compose.endpoints import SCALEDOWN_MODELS, Endpoint
from tui.compose.scaledown_items import Label, check_entities, check_labels
from tui.compose.tokens import prompt_tokens
from tui.core.text import quoted
from tui.errors import UsageError

Found = Callable[..., None]
"""Takes a problem's code, what it is, how to mend it, and perhaps its severity."""

CHAT_ROLES = ("assistant", "developer", "function", "system", "tool", "user")
MESSAGES_ROLES = ("assistant", "user")
"""Anthropic's Messages: what the system says stands in a field of its own."""

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "an array",
    dict: "an object",
}


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return _KINDS.get(type(value), "a value")


def roles_at(url: str) -> tuple[str, ...]:
    """The roles that messages of this endpoint may have."""
    return MESSAGES_ROLES if url.endswith("/messages") else CHAT_ROLES


def look_at_prompt(
    body: dict[str, Any], url: str, endpoint: Endpoint, model: str | None, found: Found
) -> float:
    """The tokens of the prompt, about; what is wrong with it goes to ``found``."""
    field = endpoint.prompt
    if field == "messages" and model in SCALEDOWN_MODELS and "messages" not in body:
        field = "text"
        _look_at_item(body, model, found)
    if field is None:
        return sum(
            prompt_tokens(body[name])[0]
            for name in ("messages", "input", "prompt", "text")
            if name in body
        )
    value = body.get(field)
    allowed: tuple[type, ...] = {"messages": (list,), "text": (str,)}.get(field, (str, list, dict))
    if field == "input" and value is None and ("prompt" in body or "conversation" in body):
        return 0.0
    if not isinstance(value, allowed) or (value == [] and field == "messages"):
        what = f'no "{field}"' if value is None else f'"{field}" is {kind_of(value)}'
        if value == []:
            what = f'"{field}" is empty'
        form = "a list of messages" if field == "messages" else "the prompt"
        found("no_messages", what, f'Put {form} into "{field}" of the body.')
        return 0.0
    tokens, anything = prompt_tokens(value)
    if not anything:
        found("empty_prompt", "the prompt is empty", "Fill it in, or drop the row.", "warning")
    if isinstance(value, list) and field == "messages":
        _look_at_messages(value, roles_at(url), anything, found)
    for name in ("system", "instructions"):
        if name in body:
            tokens += prompt_tokens(body[name])[0]
    return tokens


def _look_at_messages(
    messages: list[Any], roles: tuple[str, ...], anything: bool, found: Found
) -> None:
    asked = said = False
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict):
            found(
                "bad_role",
                f"message {number} is {kind_of(message)}, not an object",
                'Write {"role": "user", "content": …}.',
            )
            continue
        role = message.get("role")
        if not isinstance(role, str) or not role:
            what = "has no role" if role in (None, "") else f"has {kind_of(role)} as its role"
            found("bad_role", f"message {number} {what}", f"Give it one of {', '.join(roles)}.")
        elif role not in roles:
            hint = f"Usual are {', '.join(roles)}."
            if role in ("system", "developer"):
                hint = 'Put it into "system" of the body.'
            found("bad_role", f"message {number} has the role {quoted(role, 20)}", hint, "warning")
        if role == "user":
            asked = True
            said = said or prompt_tokens([message])[1]
    if anything and asked and not said:
        found(
            "empty_prompt", "the user's message is empty", "Fill it in, or drop the row.", "warning"
        )


def _look_at_item(body: dict[str, Any], model: str | None, found: Found) -> None:
    """What ScaleDown's models need beside the text."""
    try:
        if model == "extract":
            entities = body.get("entities")
            check_entities(entities if isinstance(entities, dict) else {})
        elif model == "classify":
            check_labels(_labels(body.get("labels")))
    except UsageError as error:
        found("bad_item", error.message, error.hint)


def _labels(value: Any) -> tuple[Label, ...]:
    def text(item: dict[str, Any], name: str) -> str:
        return item[name] if isinstance(item.get(name), str) else ""

    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return tuple(Label(name=text(item, "name"), rubric=text(item, "rubric")) for item in items)


def is_whole_item(body: Any) -> bool:
    """Has a typed ScaleDown body all that its model needs? See ``UniformRows``."""
    if body.model == "classify":
        labels = body.labels or ()
        names = {label.name for label in labels if label.name.strip() and label.rubric.strip()}
        return 2 <= len(labels) <= 26 and len(names) == len(labels)
    if body.model == "extract":
        entities = body.entities or {}
        return bool(entities) and all(k.strip() and v.strip() for k, v in entities.items())
    return True
