"""A request or an answer as text to read: messages and words, or the JSON as it came.

Everything here may touch a line of many megabytes: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tui.core.answers import answer_blocks
from tui.core.blocks import Block, pretty, text_or_json
from tui.core.data import json_in
from tui.core.editing import edit_request
from tui.core.outcome import ANSWERED
from tui.core.prompting import is_scaledown
from tui.core.readers import READERS
from tui.core.results import UnreadableLineError, body_in, decode_lenient
from tui.core.rows import Attempt
from tui.core.scaledown import scaledown_blocks
from tui.core.verdicts import Judgement, Verdict
from tui.ui.reading import CAP, Piece, Reading
from tui.ui.rowblocks import pieces_of
from tui.ui.tones import Part, Tone

__all__ = ["CAP", "Reading", "read_attempt", "read_request", "request_of"]

SMALL = 2 << 20
"""Bytes of a line that are taken apart whatever they hold."""

_MOST_STRINGS = 40_000
_MOST_ITEMS = 200_000
"""A longer line is taken apart when it has few parts: one image, or one very long text."""

_ROLE_TONES: dict[str, Tone] = {"system": "warn", "developer": "warn", "user": "live"}

_ADVICE = {
    True: "This passes: sending the row again (r) can help.",
    False: "Sending it again unchanged will fail again: edit it (R), or fix the input.",
    None: "The provider does not say whether sending it again can help.",
}


def request_of(line: bytes, edits: Mapping[str, Any]) -> bytes:
    """The request line as it was sent, with the changes of its retry."""
    try:
        return edit_request(line, edits)
    except ValueError:
        return line


def read_request(line: bytes, *, as_json: bool) -> Reading:
    """The request line of a row."""
    value = _decoded(line)
    body = _payload(value)
    if as_json or body is None:
        return _json(value, line)
    pieces = [Piece(_settings(body), "muted")]
    messages = body.get("messages", body.get("input"))
    for name in ("system", "instructions"):
        if body.get(name) and name in body:
            pieces += _message("system", _words(body[name]))
    if isinstance(messages, list) and all(isinstance(entry, dict) for entry in messages):
        for entry in messages:
            role = entry.get("role") or entry.get("type") or "?"
            pieces += _message(str(role), _words(entry.get("content", entry)))
    elif messages is not None:
        pieces += _message("input", _words(messages))
    elif isinstance(body.get("prompt"), str):
        pieces += _message("prompt", body["prompt"])
    elif is_scaledown(body):
        pieces += _scaledown_request(body)
    else:
        return _json(value, line)
    return Reading(pieces)


def read_attempt(
    attempt: Attempt | None,
    *,
    as_json: bool,
    request: bytes = b"",
    judgement: Judgement | None = None,
) -> Reading:
    """What came back for one attempt: the answer, or why there is none.

    Args:
        attempt: The attempt.
        as_json: Show the line as it came.
        request: The request line: ScaleDown's entities are shown inside its text.
        judgement: What the check of the answer's form said.
    """
    if attempt is None or not attempt.line:
        return Reading(_silence(attempt))
    value = _decoded(attempt.line)
    if as_json:
        return _json(value, attempt.line)
    if attempt.row.outcome in ANSWERED:
        return Reading([*_misfit(judgement), *_answer(attempt, value, request)])
    return Reading(_failure(attempt, value))


def _answer(attempt: Attempt, value: Any, request: bytes) -> Iterable[Piece]:
    body = body_in(value)
    text = _text_of(attempt)
    asked = _payload(_decoded(request)) if request else None
    if asked is not None and is_scaledown(asked):
        found = json_in(text)
        data = None if found is None else msgspec.json.decode(found)
        blocks = scaledown_blocks(data, asked["text"])
        if blocks is not None:
            return pieces_of(blocks)
    blocks = answer_blocks(body) if body else None
    if blocks is None and body and not text:
        blocks = [Block(kind="json", text=pretty(body))]
    if blocks is None and value is None and not text:
        # Too many parts, or no JSON at all: what came is shown as it is.
        return _json(None, attempt.line).pieces
    if blocks is None:
        blocks = [text_or_json(text) if text else Block(kind="note", text="The answer is empty.")]
    return pieces_of(blocks)


def _text_of(attempt: Attempt) -> str:
    reader = READERS.get(attempt.style)
    if reader is None:
        return attempt.row.preview
    try:
        return reader(attempt.line, None).text
    except UnreadableLineError:
        return attempt.line.decode("utf-8", "replace")


def _misfit(judgement: Judgement | None) -> list[Piece]:
    if judgement is None or not (judgement.verdict.is_bad or judgement.verdict is Verdict.UNUSABLE):
        return []
    usable = judgement.verdict is not Verdict.UNUSABLE
    title = "Not what was asked for" if usable else "The schema cannot be used"
    words: list[Part] = [(title, "bad"), *((f"\n{problem}", "") for problem in judgement.problems)]
    return [Piece(text, tone, is_aside=True) for text, tone in (*words, ("\n\n", ""))]


def _failure(attempt: Attempt, value: Any) -> list[Piece]:
    row = attempt.row
    error = row.error
    head = [str(row.http_status)] if row.http_status is not None else []
    if error is not None and error.code:
        head.append(error.code)
    pieces = [Piece(" ".join(head) or row.outcome.value, "bad")]
    if error is not None:
        pieces.append(Piece("\n\n" + error.message))
        pieces.append(Piece("\n\n" + _ADVICE[error.retryable], "muted", is_aside=True))
    pieces.append(Piece("\n\nAs it came:\n", "muted"))
    pieces += _json(value, attempt.line).pieces
    return pieces


def _silence(attempt: Attempt | None) -> list[Piece]:
    if attempt is None or attempt.row.outcome.value == "pending":
        return [Piece("No answer yet.", "muted")]
    row = attempt.row
    pieces = [Piece(row.outcome.value, "bad")]
    if row.error is not None:
        pieces.append(Piece("\n\n" + row.error.message))
    else:
        pieces.append(Piece("\n\nThe provider's files do not speak of this row."))
    pieces.append(Piece("\n\nSending it again (r) can help.", "muted"))
    return pieces


def _json(value: Any, raw: bytes) -> Reading:
    if value is None:
        return Reading([Piece(raw.decode("utf-8", "replace"))], ".json")
    return Reading([Piece(pretty(value), is_json=True)], ".json")


def _decoded(line: bytes) -> Any:
    """The value of a line; ``None`` when it is not JSON, or has too many parts to be shown."""
    if len(line) > SMALL and (line.count(b'"') > _MOST_STRINGS or line.count(b",") > _MOST_ITEMS):
        return None
    try:
        return decode_lenient(line)
    except UnreadableLineError:
        return None


def _payload(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    body = value.get("body", value.get("params"))
    return body if isinstance(body, dict) else None


_TOLD = ("prompt", "system", "input", "text", "instructions", "instruction", "system_prompt")


def _settings(body: dict[str, Any]) -> str:
    shown = []
    for name, value in body.items():
        if isinstance(value, (str, int, float, bool)) and name not in _TOLD:
            shown.append(str(value) if name == "model" else f"{name} {value}")
    tools = body.get("tools")
    if isinstance(tools, list) and tools:
        shown.append(f"{len(tools)} tool" + ("s" if len(tools) > 1 else ""))
    if any(isinstance(body.get(name), dict) for name in ("response_format", "output_config")):
        shown.append("with a schema")
    return " · ".join(shown)[:400].replace("\n", " ")


def _scaledown_request(body: dict[str, Any]) -> list[Piece]:
    pieces: list[Piece] = []
    for name in ("instruction", "system_prompt"):
        if isinstance(body.get(name), str) and body[name]:
            pieces += _message("system", body[name])
    entities, labels = body.get("entities"), body.get("labels")
    if isinstance(entities, dict):
        words = "\n".join(f"{name}: {what}" for name, what in entities.items())
        pieces += _message("entities", words)
    if isinstance(labels, list):
        lines = [
            f"{label.get('name')}: {label.get('rubric', '')}"
            for label in labels
            if isinstance(label, dict)
        ]
        pieces += _message("labels", "\n".join(lines))
    return pieces + _message("text", body["text"])


def _message(role: str, text: str) -> list[Piece]:
    tone = _ROLE_TONES.get(role, "accent")
    return [Piece(f"\n\n{role}", tone), Piece(f"\n{text}")]


def _words(value: Any) -> str:
    """The words of a content: text, or parts of which some are images and such."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_words(part) for part in value)
    if isinstance(value, dict):
        text = value.get("text")
        if isinstance(text, str):
            return text
        dumped = pretty(value)
        return (
            dumped
            if len(dumped) < 500
            else f"[{value.get('type', 'data')}, {len(dumped):,} characters]"
        )
    return pretty(value)
