"""Requests to ScaleDown's models as typed items.

The fields are those of ScaleDown's batch reference: ``summarize`` takes ``instructions``,
``extract`` the singular ``instruction``, ``classify`` a ``system_prompt``; all take ``text``
where chat models take messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.core.text import quoted
from tui.errors import UsageError

SUMMARIZE_TOKENS = 20048
"""The vendor's default for the length of a summary."""

FEWEST_LABELS, MOST_LABELS = 2, 26


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class of ``classify``: its name, and a question that is answered by yes or no."""

    name: str
    rubric: str


@dataclass(frozen=True)
class SummarizeItem:
    """A text to be shortened."""

    custom_id: str
    text: str
    instructions: str | None = None
    max_tokens: int = SUMMARIZE_TOKENS


@dataclass(frozen=True)
class ExtractItem:
    """A text in which things are to be found; ``entities``: label to description."""

    custom_id: str
    text: str
    entities: dict[str, str]
    instruction: str | None = None


@dataclass(frozen=True)
class ClassifyItem:
    """A text to be put into one of 2 to 26 classes: ``Label``, or dicts of name and rubric."""

    custom_id: str
    text: str
    labels: Sequence[Label | Mapping[str, str]]
    system_prompt: str | None = None


BatchInputItem = SummarizeItem | ExtractItem | ClassifyItem


def body_of(item: BatchInputItem) -> dict[str, Any]:
    """The body of an item's request.

    Raises:
        UsageError: The item is not what the model takes.
    """
    if isinstance(item, SummarizeItem):
        if item.max_tokens < 1:
            raise UsageError("max_tokens is below 1", "Give the length of a summary in tokens.")
        body: dict[str, Any] = {
            "model": "summarize",
            "text": item.text,
            "instructions": item.instructions,
            "max_tokens": item.max_tokens,
        }
    elif isinstance(item, ExtractItem):
        check_entities(item.entities)
        body = {
            "model": "extract",
            "text": item.text,
            "entities": item.entities,
            "instruction": item.instruction,
        }
    else:
        labels = tuple(map(_label, item.labels))
        check_labels(labels)
        body = {
            "model": "classify",
            "text": item.text,
            "labels": [{"name": label.name, "rubric": label.rubric} for label in labels],
            "system_prompt": item.system_prompt,
        }
    return {name: value for name, value in body.items() if value is not None}


def _label(value: Label | Mapping[str, str]) -> Label:
    if isinstance(value, Label):
        return value
    try:
        return Label(name=str(value["name"]), rubric=str(value["rubric"]))
    except (KeyError, TypeError):
        raise UsageError(
            "a label has no name or no rubric", 'Write {"name": …, "rubric": …}.'
        ) from None


def request_of(item: BatchInputItem) -> dict[str, Any]:
    """The whole request of an item, as a line of ``requests.jsonl`` holds it.

    Raises:
        UsageError: The item is not what the model takes.
    """
    if not item.custom_id:
        raise UsageError("an item has no custom_id", "Give every item its own custom_id.")
    return {
        "custom_id": item.custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body_of(item),
    }


def check_entities(entities: dict[str, str]) -> None:
    """Refuse what ``extract`` does not take.

    Raises:
        UsageError: There is no entity, or one without a name or description.
    """
    if not entities:
        raise UsageError("extract has no entities", "Give at least one: label = description.")
    for name, description in entities.items():
        if not name.strip() or not isinstance(description, str) or not description.strip():
            raise UsageError(
                f"the entity {quoted(name)} has no name or no description",
                "Say in a few words what it is.",
            )


def check_labels(labels: tuple[Label, ...]) -> None:
    """Refuse what ``classify`` does not take.

    Raises:
        UsageError: There are fewer than 2 or more than 26 labels, or one has no name or
            rubric, or a name comes twice.
    """
    if not FEWEST_LABELS <= len(labels) <= MOST_LABELS:
        raise UsageError(
            f"classify has {len(labels)} labels",
            f"Give {FEWEST_LABELS} to {MOST_LABELS} labels.",
        )
    names: set[str] = set()
    for label in labels:
        if not label.name.strip() or not label.rubric.strip():
            raise UsageError(
                f"the label {quoted(label.name)} has no name or no rubric",
                "Give each label a name and a question that is answered by yes or no.",
            )
        if label.name in names:
            raise UsageError(
                f"the label {quoted(label.name)} is there twice", "Name each label once."
            )
        names.add(label.name)
