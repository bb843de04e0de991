"""Requests files with known outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROWS = 300

WORDS = {
    7: "sandbox:flaky=500",
    8: "sandbox:flaky=429",
    11: "sandbox:fail=400",
    13: "sandbox:truncate",
    17: "sandbox:refuse",
}
"""Which fault word a row has, by the remainder of its number by 20 (``expected`` counts them)."""


def text_of(number: int, rows: int = ROWS) -> str:
    """The text of a request, with the fault word for its position."""
    word = WORDS.get(number % 20, "")
    return f"Say number {number}. {word}".strip()


def expected(rows: int = ROWS) -> dict[str, int]:
    """The number of rows with each fault word; ``""`` for none."""
    counts: dict[str, int] = {}
    for number in range(rows):
        word = WORDS.get(number % 20, "")
        counts[word] = counts.get(word, 0) + 1
    return counts


Maker = Callable[[int, str], dict[str, Any]]
"""Makes a request of a row number and a text."""


def chat(number: int, text: str) -> dict[str, Any]:
    """A chat request in OpenAI's format."""
    body = {
        "model": "sandbox-small",
        "max_tokens": 50,
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": text}],
    }
    return wrapped(number, body)


def wrapped(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A body as a request line."""
    return {
        "custom_id": f"row-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def params(number: int, text: str) -> dict[str, Any]:
    """A request in Anthropic's format."""
    return {
        "custom_id": f"row-{number}",
        "params": {
            "model": "claude-haiku-4-5",
            "max_tokens": 50,
            "system": "Be short.",
            "messages": [{"role": "user", "content": text}],
        },
    }


def contents(number: int, text: str) -> dict[str, Any]:
    """A request in Gemini's format."""
    return {
        "key": f"row-{number}",
        "request": {
            "model": "models/gemini-3.5-flash",
            "systemInstruction": {"parts": [{"text": "Be short."}]},
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"maxOutputTokens": 50},
        },
    }


def own_models(number: int, text: str) -> dict[str, Any]:
    """Requests of ScaleDown's three models, mixed."""
    label = {"name": "refund", "rubric": "Asks for money back"}
    other = {"name": "other", "rubric": "All else"}
    bodies: list[dict[str, Any]] = [
        {"model": "summarize", "text": text, "max_tokens": 50},
        {"model": "classify", "text": text, "labels": [label, other]},
        {"model": "extract", "text": text, "entities": {"person": "A person's name"}},
    ]
    return wrapped(number, bodies[number % 3])


def written(path: Path, make: Maker, rows: int = ROWS) -> Path:
    """Write a requests file."""
    lines = (json.dumps(make(number, text_of(number))) + "\n" for number in range(rows))
    path.write_text("".join(lines), "utf-8")
    return path
