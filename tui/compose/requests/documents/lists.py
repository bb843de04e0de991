"""The lists inside an object, which may be its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def lists_in(value: Mapping[str, Any], depth: int = 4) -> list[tuple[str, list[Any]]]:
    """The lists of objects inside an object, each with its dotted path; the longest first."""
    found: list[tuple[str, list[Any]]] = []
    for name, inner in value.items():
        if isinstance(inner, list) and any(isinstance(each, dict) for each in inner):
            found.append((name, inner))
        elif isinstance(inner, dict) and depth > 1:
            found += [(f"{name}.{path}", rows) for path, rows in lists_in(inner, depth - 1)]
    return sorted(found, key=lambda each: -len(each[1]))


_NAMES_OF_ROWS = re.compile(
    r"(?:.*[_.])?(?:prompts?|questions?|quer(?:y|ies)|texts?|inputs?|sentences?|documents?|docs?"
    r"|instructions?|reviews?|tickets?|titles?|abstracts?|tasks?|tests?|cases?|samples?|examples?"
    r"|items?|rows?|data|behaviou?rs?|statements?|claims?|comments?|posts?|tweets?|utterances?)",
    re.IGNORECASE,
)
_MANY = 20


def text_lists_in(value: Mapping[str, Any], depth: int = 4) -> list[tuple[str, list[Any]]]:
    """The lists of two or more texts inside an object, each with its dotted path.

    The longest comes first.
    """
    found: list[tuple[str, list[Any]]] = []
    for name, inner in value.items():
        if isinstance(inner, list) and len(inner) > 1:
            found += [(name, inner)] if all(isinstance(each, str) for each in inner) else []
        elif isinstance(inner, dict) and depth > 1:
            found += [(f"{name}.{path}", rows) for path, rows in text_lists_in(inner, depth - 1)]
    return sorted(found, key=lambda each: -len(each[1]))


def is_list_of_rows(path: str, texts: Sequence[Any]) -> bool:
    """Whether the only list of texts in an object has its rows, and not words of one row."""
    return len(texts) >= _MANY or _NAMES_OF_ROWS.fullmatch(path) is not None
