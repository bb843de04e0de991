"""Lists of Google's form, which Fireworks has too: filters, an order, pages with a token."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from starlette.requests import Request

from tui.sandbox.errors import ApiError
from tui.sandbox.results import number_of

_TERM = re.compile(r'([A-Za-z_][\w.-]*)\s*(=|!=|:|<=|>=|<|>)\s*("(?:[^"\\]|\\.)*"|\S+)')
_AND, _OR = re.compile(r"\s+AND\s+"), re.compile(r"\s+OR\s+")
_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "=": lambda have, want: have == want,
    "!=": lambda have, want: have != want,
    ":": lambda have, want: fnmatchcase(have, want if "*" in want else f"*{want}*"),
    "<": lambda have, want: have < want,
    "<=": lambda have, want: have <= want,
    ">": lambda have, want: have > want,
    ">=": lambda have, want: have >= want,
}


def matches(text: str, fields: dict[str, str]) -> bool:
    """Whether an item passes a filter: terms such as `state="X"`, with `NOT`, `OR` and `AND`.

    `OR` binds closer than `AND`, as the grammar says.

    Args:
        text: The filter, of the grammar of AIP-160; empty keeps everything.
        fields: The fields of the item; labels are named `labels.KEY` and may be absent.

    Raises:
        ApiError: The filter is not of this form, or names an unknown field (400).
    """
    if not text.strip():
        return True
    # Every term is read, so that a wrong one is told.
    parts = [
        [_holds(term, fields) for term in _OR.split(part)] for part in _AND.split(text.strip())
    ]
    return all(any(part) for part in parts)


def _holds(text: str, fields: dict[str, str]) -> bool:
    term = _TERM.fullmatch(text.removeprefix("NOT "))
    if term is None:
        raise ApiError(400, f"invalid list filter: syntax error in {text!r}")
    name, sign, value = term.groups()
    if name not in fields and not name.startswith("labels."):
        raise ApiError(400, f"invalid list filter: undeclared identifier {name!r}")
    want = value[1:-1].replace('\\"', '"') if value.startswith('"') else value
    have = fields.get(name)
    return (have is not None and _COMPARE[sign](have, want)) != text.startswith("NOT ")


def page_of(
    request: Request, name: str, items: list[dict[str, Any]], *, default: int, maximum: int
) -> dict[str, Any]:
    """Build a page of a list: the items under `name`, and the token of the next page.

    The token belongs to the filter and the order of the call that gave it out.

    Raises:
        ApiError: The token was not given out for such a call (400).
    """
    asked = request.query_params
    size = min(number_of(request, "pageSize", default) or default, maximum)
    call = f"{asked.get('filter', '')}|{asked.get('orderBy', '')}"
    start, token = 0, asked.get("pageToken")
    if token:
        place, _, of = token.partition("~")
        if not place.isdecimal() or of != _mark(call):
            raise ApiError(400, "page_token is invalid")
        start = int(place)
    more = start + size < len(items)
    next_token = f"{start + size}~{_mark(call)}" if more else ""
    return {name: items[start : start + size], "nextPageToken": next_token}


def _mark(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
