"""Typed request items for ScaleDown's models.

The fields are those of ScaleDown's batch reference: ``summarize`` takes ``instructions``,
``extract`` the singular ``instruction``, ``classify`` a ``system_prompt``; all take ``text``
instead of messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.core.text import quoted
from tui.errors import UsageError

SUMMARIZE_TOKENS = 20048
"""ScaleDown's default ``max_tokens`` of a summary."""

MIN_LABELS, MAX_LABELS = 2, 26


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class of ``classify``: its name and a yes/no question that decides it."""

    name: str
    rubric: str


@dataclass(frozen=True)
class SummarizeItem:
    """A text to summarize."""

    custom_id: str
    text: str
    instructions: str | None = None
    max_tokens: int = SUMMARIZE_TOKENS


@dataclass(frozen=True)
class ExtractItem:
    """A text to extract entities from; ``entities`` maps labels to descriptions."""

    custom_id: str
    text: str
    entities: dict[str, str]
    instruction: str | None = None


@dataclass(frozen=True)
class ClassifyItem:
    """A text to classify; ``labels``: 2 to 26 ``Label`` or dicts with name and rubric."""

    custom_id: str
    text: str
    labels: Sequence[Label | Mapping[str, str]]
    system_prompt: str | None = None


BatchInputItem = SummarizeItem | ExtractItem | ClassifyItem


def item_body(item: BatchInputItem) -> dict[str, Any]:
    """Build the request body of an item.

    Raises:
        UsageError: The item is not valid for its model.
    """
    if isinstance(item, SummarizeItem):
        if item.max_tokens < 1:
            raise UsageError("max_tokens must be at least 1", "Set the length in tokens.")
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
            "every label needs a name and a rubric", 'Write {"name": …, "rubric": …}.'
        ) from None


def item_request(item: BatchInputItem) -> dict[str, Any]:
    """Build the request of an item, in the form of a line of ``requests.jsonl``.

    Raises:
        UsageError: The item is not valid for its model.
    """
    if not item.custom_id:
        raise UsageError("an item has no custom_id", "Give every item a unique custom_id.")
    return {
        "custom_id": item.custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": item_body(item),
    }


def check_entities(entities: dict[str, str]) -> None:
    """Check the entities of ``extract``.

    Raises:
        UsageError: There are no entities, or one lacks a name or a description.
    """
    if not entities:
        raise UsageError("extract needs entities", "Add at least one: label = description.")
    for name, description in entities.items():
        if not name.strip() or not isinstance(description, str) or not description.strip():
            raise UsageError(
                f"the entity {quoted(name)} has no name or no description",
                "Describe the entity in a few words.",
            )


def check_labels(labels: tuple[Label, ...]) -> None:
    """Check the labels of ``classify``.

    Raises:
        UsageError: There are fewer than 2 or more than 26 labels, one lacks a name or a
            rubric, or two have the same name.
    """
    if not MIN_LABELS <= len(labels) <= MAX_LABELS:
        raise UsageError(
            f"classify needs {MIN_LABELS} to {MAX_LABELS} labels, not {len(labels)}",
            "Add or remove labels.",
        )
    names: set[str] = set()
    for label in labels:
        if not label.name.strip() or not label.rubric.strip():
            raise UsageError(
                f"the label {quoted(label.name)} has no name or no rubric",
                "Give each label a name and a yes/no question.",
            )
        if label.name in names:
            raise UsageError(
                f"duplicate label {quoted(label.name)}", "Give each label a unique name."
            )
        names.add(label.name)
