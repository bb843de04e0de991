"""Completion of the last word of a query: keys, columns, and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tui.core.analysis.columns import (
    DERIVED_PREFIX,
    FIELD_PREFIX,
    INPUT_PREFIX,
    write_value,
)
from tui.core.query import KEYS, Key, column_in, key_named, last_token, quote_value

Columns = Mapping[str, Sequence[str]]
"""The columns of a job by name, each with its commonest values as far as they are known."""

_NONE: Columns = MappingProxyType({})
_MOST = 50

_KEYS_OF_FACTS = frozenset({"code", "finish", "model", "review"})
"""Keys that are also columns, whose values complete them."""


def completions(text: str, columns: Columns = _NONE) -> list[str]:
    """Completions of the last word of a query, best first.

    Args:
        text: The query.
        columns: The columns that can be asked for.
    """
    last = last_token(text)
    minus = "-" if last.startswith("-") else ""
    named = column_in(last)
    if named is not None:
        return _values(last, named, columns)
    word = last[len(minus) :]
    key, colon, value = word.partition(":")
    if not colon:
        keys = [
            f"{k.name}:" for k in KEYS if word and not minus and k.name.startswith(word.lower())
        ]
        names = [f"{minus}{name}:" for name in columns if word and name.startswith(word)]
        return list(dict.fromkeys([*keys, *names]))
    known = None if minus else key_named(key)
    if known is None:
        return []
    chosen, comma, part = value.rpartition(",")
    values = list(known.choices)
    if known.name in _KEYS_OF_FACTS:
        # A comma or a quotation mark in a value cannot be written after a key.
        found = [one for one in columns.get(known.name, ()) if not set(one) & {",", '"'}]
        values = list(dict.fromkeys([*found, *values]))
    bare = part.strip('"').lower()
    return [
        f"{key}:{chosen}{comma}{quote_value(choice)}"
        for choice in values
        if choice.lower().startswith(bare) and choice != part
    ][:_MOST]


def _values(last: str, named: str, columns: Columns) -> list[str]:
    """Completions of the value of a column."""
    head = last[: last.index(named) + len(named)]
    if not last.startswith(f"{head}:"):
        return []
    chosen, comma, part = last[len(head) + 1 :].rpartition(",")
    bare = part.strip('"').lower()
    values = [*columns.get(named, ()), None]
    found = [write_value(value) for value in values if (value or "none").lower().startswith(bare)]
    return [f"{head}:{chosen}{comma}{value}" for value in found if value != part][:_MOST]


def completed(text: str, columns: Columns = _NONE) -> str:
    """The query with its last word completed to the longest common prefix."""
    choices = completions(text, columns)
    if not choices:
        return text
    last = last_token(text)
    common = choices[0]
    for choice in choices[1:]:
        while not choice.startswith(common):
            common = common[:-1]
    if len(common) <= len(last):
        common = choices[0]
    return text[: len(text) - len(last)] + common


def key_at_end(text: str) -> Key | None:
    """The key whose value is being typed at the end of a query."""
    key, colon, _ = last_token(text).partition(":")
    return key_named(key) if colon else None


def column_at_end(text: str) -> str:
    """The column whose value is being typed at the end of a query; empty if there is none."""
    named = column_in(last_token(text))
    if named is not None:
        return named
    key = key_at_end(text)
    return key.name if key is not None and key.name in _KEYS_OF_FACTS else ""


def needs_columns(text: str) -> bool:
    """Whether the word at the end of a query may be the name or the value of a column."""
    word = last_token(text).removeprefix("-")
    return word.startswith((FIELD_PREFIX, INPUT_PREFIX, DERIVED_PREFIX)) or bool(
        column_at_end(text)
    )
