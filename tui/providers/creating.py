"""The JSON body of a create call, as the profile wants it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tui.errors import InputError
from tui.providers.base import BatchDraft
from tui.providers.reading import INTENT_KEY
from tui.providers.schema import Profile
from tui.providers.wireform import MetadataField, WindowField

_HOURS = {"h": 1, "d": 24, "": 1}


def create_body(draft: BatchDraft, profile: Profile) -> dict[str, Any]:
    """Everything that the create call says, but for the rows of an inline batch.

    Raises:
        InputError: The window cannot be said to this provider.
    """
    create = profile.create
    body: dict[str, Any] = {}
    if draft.file_id is not None and create.input.field:
        body[create.input.field] = [draft.file_id] if create.input.list else draft.file_id
    if create.endpoint_field:
        endpoint = draft.endpoint
        body[create.endpoint_field] = profile.row.url_map.get(endpoint, endpoint)
    if create.model_field and draft.model:
        body[create.model_field] = draft.model
    if create.params_field:
        model = {"model": draft.model} if draft.model else {}
        body[create.params_field] = {**model, **create.params}
    window = window_value(draft.window, create.window, profile.name)
    if window is not None:
        body[create.window.field] = window
    if create.metadata.field and (pairs := metadata_of(draft, create.metadata)):
        body[create.metadata.field] = pairs
    if create.output_expires_seconds:
        body["output_expires_after"] = {
            "anchor": "created_at",
            "seconds": create.output_expires_seconds,
        }
    _merge_into(body, create.extra_body)
    first = {name: body.pop(name) for name in create.key_order if name in body}
    return {**first, **body}


def window_value(window: str, field: WindowField, provider: str) -> str | int | None:
    """The completion window as the provider wants it; ``None`` when it takes none.

    Raises:
        InputError: It is no span of time, or outside what the provider takes.
    """
    if field.kind == "none" or not field.field:
        return None
    window = window or (field.values[0] if field.values else "24h")
    hours = hours_of(window)
    if hours is not None and (
        (field.min and hours < field.min) or (field.max and hours > field.max)
    ):
        raise InputError(
            f"{provider} takes windows from {field.min} to {field.max} hours, not {window}",
            "Choose another window.",
        )
    if field.kind == "text":
        return window
    if hours is None:
        raise InputError(f"{window!r} is not a number of hours", "Write it like 24h or 2d.")
    return hours


def hours_of(window: str) -> int | None:
    """``24h``, ``2d`` or ``24`` in hours; ``None`` for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*([hd]?)\s*", window.lower())
    return int(match[1]) * _HOURS[match[2]] if match else None


def metadata_of(draft: BatchDraft, field: MetadataField) -> dict[str, str]:
    """Our own id of the batch first, then the person's pairs as far as the limits go."""
    pairs: dict[str, str] = {}
    if draft.intent:
        pairs[INTENT_KEY] = draft.intent
    for key, text in draft.metadata.items():
        if field.max_pairs and len(pairs) >= field.max_pairs:
            break
        if key not in pairs and not (field.max_key and len(key) > field.max_key):
            pairs[key] = text[: field.max_value] if field.max_value else text
    return pairs


def _merge_into(body: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        held = body.get(key)
        if isinstance(held, dict) and isinstance(value, Mapping):
            _merge_into(held, value)
        else:
            body[key] = value
