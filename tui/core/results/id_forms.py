"""The forms in which servers write the id of a row: in lower case, without blanks, or cut."""

from __future__ import annotations

SHORTEST_CUT = 16
"""The fewest characters at which a server may cut ids."""


def folded_id(custom_id: str) -> str:
    """An id without what servers change: its case, blanks around it, zeros in front of a number."""
    text = custom_id.strip().casefold()
    return (text.lstrip("0") or "0") if text.isascii() and text.isdigit() else text


def is_form_of(found: str, custom_id: str) -> bool:
    """Whether an id in a result line may be another form of the id of a row."""
    if found == custom_id or folded_id(found) == folded_id(custom_id):
        return True
    return len(found) >= SHORTEST_CUT and custom_id.startswith(found)
