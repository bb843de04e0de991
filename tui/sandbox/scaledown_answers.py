"""What ScaleDown's three models take and say: a summary, entities of the text, scores of labels.

Spoken by ScaleDown's own dialect, and by the plain sandbox for the same bodies.
"""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

from . import model

MODELS = ("extract", "classify", "summarize")
"""The three models."""


def asks(body: Any) -> bool:
    """Whether a body is meant for one of the three models, and not a chat with a model so called.

    Such a body is flat: `text` beside the options, and no `messages`.
    """
    return isinstance(body, dict) and body.get("model") in MODELS and "messages" not in body


def fault(body: Any) -> str:
    """Say what is wrong with a body; empty is good."""
    if not isinstance(body, dict):
        return "body must be an object"
    name = body.get("model")
    if name not in MODELS:
        return f"unknown model '{name}', use one of: {', '.join(MODELS)}"
    if "document" in body:
        return "document is not supported in batches"
    if not isinstance(body.get("text"), str):
        return "text is required"
    if name == "extract" and not isinstance(body.get("entities"), dict):
        return "entities is required"
    labels = body.get("labels")
    if name == "classify":
        if not isinstance(labels, list) or not 2 <= len(labels) <= 26:
            return "labels must have 2 to 26 entries"
        if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in labels):
            return "every label needs a name"
    return ""


def answer(
    body: dict[str, Any], seed: int, *, cut: bool = False, second: bool = False
) -> dict[str, Any]:
    """Answer a body without fault, as the value whose JSON is the content of the answer.

    Args:
        body: The request.
        seed: Changes the answer.
        cut: End a summary in its middle, as a token limit does.
        second: Spell entities as the second generation of the documents does.
    """
    name, text = body["model"], str(body["text"])
    said = model.reply(text, seed)
    if name == "summarize":
        said = said[: len(said) // 2] if cut else said
        return {"summary": said, "input_chars": len(text), "output_chars": len(said)}
    chance = crc32(text.encode("utf-8", "replace"), seed & 0xFFFFFFFF)
    if name == "extract":
        return {"entities": _entities(body["entities"], text, chance, second=second)}
    names = [item["name"] for item in body["labels"]]
    known = [label for label in names if label.lower() in text.lower()]
    top = known[0] if known else names[chance % len(names)]
    rest = round(0.2 / (len(names) - 1), 4)
    scores = {label: 0.8 if label == top else rest for label in names}
    return {
        "top_label": top,
        "scores": scores,
        "reasoning": said,
        "labels": [{"name": label, "score": scores[label]} for label in names],
    }


def _entities(
    wanted: dict[str, Any], text: str, chance: int, *, second: bool
) -> list[dict[str, Any]]:
    """Take the longest words of the text for the wanted labels, each with its place."""
    sure = round(0.6 + (chance % 40) / 100, 2)
    found: list[dict[str, Any]] = []
    for label, word in zip(wanted, model.keywords(text, len(wanted)), strict=False):
        place = re.search(re.escape(word), text, re.IGNORECASE)
        if place is None:
            # Small letters may be more letters than the capitals they come from.
            continue
        # The two generations of the documents spell an entity in two ways.
        if second:
            found.append({"type": label, "value": place[0], "score": sure})
        else:
            found.append({"type": label, "text": place[0], "confidence": sure,
                          "start": place.start(), "end": place.end()})  # fmt: skip
    return found
