"""What a person writes into the form of a retry, as changes of requests; and a diff of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tui.core.differences import Change, text_changes
from tui.core.editing import MAX_TOKENS, SYSTEM, check_edits, parse_value
from tui.core.text import one_line, visible
from tui.engine.rehearsal import RehearsedRow
from tui.ui.tones import Part, Tone

_LONGEST = 600


def edits_of_form(
    *, model: str, tokens: str, temperature: str, system: str, lines: str
) -> dict[str, Any]:
    """The changes that a form means; empty fields mean none.

    Args:
        model: Another model.
        tokens: The longest answer: a number, or ``x2``.
        temperature: A number.
        system: What is appended to the system text; backslash-n is a line end.
        lines: Any fields: ``path=value``, or ``-path`` to take one away, a line each.

    Raises:
        ValueError: A field cannot be understood; the text says which.
    """
    edits: dict[str, Any] = {}
    if model.strip():
        edits["model"] = model.strip()
    if tokens.strip():
        edits[MAX_TOKENS] = _tokens(tokens.strip().lower().replace("×", "x"))
    if temperature.strip():
        value = parse_value(temperature.strip())
        if type(value) not in (int, float):
            raise ValueError("temperature is a number")
        edits["temperature"] = value
    for line in lines.splitlines():
        line = line.strip()
        if line.startswith("-") and "=" not in line:
            edits[line[1:].strip()] = None
        elif line:
            path, equals, text = line.partition("=")
            if not equals:
                raise ValueError(f"{one_line(line, 30)}: write path=value, or -path")
            edits[path.strip()] = parse_value(text.strip())
    if system.strip():
        edits[SYSTEM] = system.strip().replace("\\n", "\n")
    check_edits(edits)
    return edits


def _tokens(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def diff_parts(rows: Iterable[RehearsedRow]) -> list[Part]:
    """A few rows as a diff: signs and colours, and only what is near a change."""
    parts: list[Part] = []
    for row in rows:
        if parts:
            parts.append(("\n", ""))
        parts.append((one_line(row.custom_id or f"row {row.seq}", 60) + "\n", "strong"))
        if row.problem:
            parts.append((f"! {one_line(row.problem, 200)}\n", "bad"))
        elif not row.changes:
            parts.append(("  goes out as it is\n", "muted"))
        for change in row.changes:
            parts += _change_parts(change)
    return parts


def _change_parts(change: Change) -> list[Part]:
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str):
        pieces = text_changes(before, after)
        removed = any(side == "removed" for side, _ in pieces)
        parts: list[Part] = []
        for sign, other, tone in (("-", "added", "removed"), ("+", "removed", "added")):
            if sign == "-" and not removed:
                continue
            parts.append((f"{sign} {visible(change.path)}  ", _sign_tone(sign)))
            for side, text in pieces:
                if side != other:
                    parts.append((_cut(text), tone if side != "same" else "muted"))  # type: ignore[arg-type]
            parts.append(("\n", ""))
        return parts
    parts = []
    for sign, value in (("-", before), ("+", after)):
        if value is not msgspec.UNSET:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            line = f"{sign} {visible(change.path)}  {_cut(text)}\n"
            parts.append((line, _sign_tone(sign)))
    return parts


def _sign_tone(sign: str) -> Tone:
    return "bad" if sign == "-" else "good"


def _cut(text: str) -> str:
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    # A line end is shown as a sign, so that a diff of one text stays one line.
    return visible(shown.replace("\r\n", "\n").replace("\n", "⏎"))
