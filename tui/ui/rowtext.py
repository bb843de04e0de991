"""A request or an answer as text to read: messages and words, or the JSON as it came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
from textual.content import Content
from textual.highlight import highlight

from tui.core.outcome import ANSWERED
from tui.core.readers import READERS
from tui.core.results import UnreadableLineError, decode_lenient
from tui.core.rows import Attempt, RowDetail
from tui.core.text import visible
from tui.ui import formatting
from tui.ui.tones import Part, Tone, content

CAP = 64 * 1024
"""Characters of one text on the screen; the rest is for the pager."""

JSON_CAP = 1 << 20
"""Bytes that are parsed to be shown; a longer line is shown as it is."""

_ROLE_TONES: dict[str, Tone] = {"system": "warn", "developer": "warn", "user": "live"}


@dataclass(frozen=True)
class Reading:
    """A text for the screen, and the whole of it for pager, editor and clipboard."""

    shown: Content
    whole: str
    suffix: str = ".txt"


def read_request(line: bytes, *, as_json: bool) -> Reading:
    """The request line of a row."""
    value = _decoded(line)
    body = value.get("body") if isinstance(value, dict) else None
    if as_json or not isinstance(body, dict):
        return _json(value, line)
    parts: list[Part] = [(_settings(body), "muted")]
    messages = body.get("messages", body.get("input"))
    if isinstance(body.get("system"), str):
        parts += _message("system", body["system"])
    if isinstance(messages, list) and all(isinstance(entry, dict) for entry in messages):
        for entry in messages:
            role = entry.get("role") or entry.get("type") or "?"
            parts += _message(str(role), _words(entry.get("content", entry)))
    elif messages is not None:
        parts += _message("input", _words(messages))
    elif isinstance(body.get("prompt"), str):
        parts += _message("prompt", body["prompt"])
    else:
        return _json(value, line)
    return _reading(parts)


def read_attempt(attempt: Attempt | None, *, as_json: bool) -> Reading:
    """What came back for one attempt: the answer, or why there is none."""
    if attempt is None or not attempt.line:
        return _reading(_silence(attempt))
    if as_json:
        return _json(_decoded(attempt.line), attempt.line)
    row = attempt.row
    if row.outcome in ANSWERED:
        return _answer(attempt)
    parts: list[Part] = []
    error = row.error
    head = [str(row.http_status)] if row.http_status is not None else []
    if error is not None and error.code:
        head.append(visible(error.code))
    parts.append((" ".join(head) or row.outcome.value, "bad"))
    if error is not None:
        parts.append(("\n\n" + visible(error.message, newlines=True), ""))
        parts.append(("\n\n" + _ADVICE[error.retryable], "muted"))
    whole = _pretty(_decoded(attempt.line), attempt.line)
    parts.append(("\n\nAs it came:\n", "muted"))
    parts.append((whole[: CAP // 4], ""))
    return _reading(parts)


def describe_row(detail: RowDetail, shown: int) -> list[Part]:
    """The line above a row: outcome is drawn by the caller; this is what follows."""
    attempts = detail.attempts
    row = attempts[shown].row if shown < len(attempts) else detail.row
    facts: list[Part] = []

    def add(text: str) -> None:
        facts.extend([(" · ", "muted"), (text, "")])

    if len(attempts) > 1:
        add(f"attempt {row.attempt} of {len(attempts)}")
    if row.usage.input_tokens is not None:
        add(f"{row.usage.input_tokens:,} in")
    if row.usage.output_tokens is not None:
        add(f"{row.usage.output_tokens:,} out")
    if row.usage.cached_tokens:
        add(f"{row.usage.cached_tokens:,} cached")
    if row.finish_reason and row.finish_reason != "stop":
        add(visible(row.finish_reason))
    if row.cost is not None:
        add(formatting.money(row.cost))
    if row.model:
        add(visible(row.model))
    return facts


_ADVICE = {
    True: "This passes: sending the row again (r) can help.",
    False: "Sending it again unchanged will fail again: edit it (R), or fix the input.",
    None: "The provider does not say whether sending it again can help.",
}


def _silence(attempt: Attempt | None) -> list[Part]:
    if attempt is None or attempt.row.outcome.value == "pending":
        return [("No answer yet.", "muted")]
    row = attempt.row
    parts: list[Part] = [(row.outcome.value, "bad")]
    if row.error is not None:
        parts.append(("\n\n" + visible(row.error.message, newlines=True), ""))
    else:
        parts.append(("\n\nThe provider's files do not speak of this row.", ""))
    parts.append(("\n\nSending it again (r) can help.", "muted"))
    return parts


def _answer(attempt: Attempt) -> Reading:
    reader = READERS.get(attempt.style)
    text = attempt.row.preview
    if reader is not None:
        try:
            text = reader(attempt.line, None).text
        except UnreadableLineError:
            text = attempt.line.decode("utf-8", "replace")
    if text.lstrip()[:1] in ("{", "[") and len(text) < CAP:
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            pass
        else:
            return _json(value, text.encode())
    if not text:
        return Reading(content([("The answer is empty.", "muted")]), "")
    return _reading([(visible(text[: CAP + 1], newlines=True), "")], whole=text)


def _reading(parts: list[Part], whole: str | None = None) -> Reading:
    full = "".join(text for text, _ in parts) if whole is None else whole
    shown: list[Part] = []
    room = CAP
    for text, tone in parts:
        shown.append((text[:room], tone))
        room -= len(text)
        if room <= 0:
            break
    if room < 0:
        shown.append(_rest(len(full)))
    return Reading(content(shown), full)


def _rest(length: int) -> Part:
    return (f"\n\n… {formatting.size(length)} in all: press v to read it in the pager", "accent")


def _json(value: Any, raw: bytes) -> Reading:
    whole = _pretty(value, raw)
    shown = highlight(whole[:CAP], language="json")
    if len(whole) > CAP:
        shown = shown + content([_rest(len(whole))])
    return Reading(shown, whole, ".json")


def _pretty(value: Any, raw: bytes) -> str:
    if value is None:
        return visible(raw.decode("utf-8", "replace"), newlines=True)
    return visible(json.dumps(value, indent=2, ensure_ascii=False), newlines=True)


def _decoded(line: bytes) -> Any:
    """The value of a line; ``None`` when it is not JSON, or too long to be worth parsing."""
    if len(line) > JSON_CAP:
        return None
    try:
        return decode_lenient(line)
    except UnreadableLineError:
        return None


def _settings(body: dict[str, Any]) -> str:
    shown = []
    for name, value in body.items():
        if isinstance(value, (str, int, float, bool)) and name not in ("prompt", "system", "input"):
            text = visible(str(value))
            shown.append(text if name == "model" else f"{visible(name)} {text}")
    return " · ".join(shown)[:400]


def _message(role: str, text: str) -> list[Part]:
    tone = _ROLE_TONES.get(role, "accent")
    return [("\n\n" + visible(role), tone), ("\n" + visible(text, newlines=True), "")]


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
        dumped = json.dumps(value, ensure_ascii=False)
        return (
            dumped
            if len(dumped) < 500
            else f"[{value.get('type', 'data')}, {len(dumped):,} characters]"
        )
    return json.dumps(value, ensure_ascii=False)
