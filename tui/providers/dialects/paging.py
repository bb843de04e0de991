"""Going through a list that comes in pages, however the provider turns them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from tui.providers.calls import Call
from tui.providers.http import Wire
from tui.providers.places import at, number_at, text_at
from tui.providers.wireform import Listing

MOST_PAGES = 1000
"""A list is not followed further, whatever the provider says."""


async def pages(
    wire: Wire,
    route: str,
    listing: Listing,
    *,
    what: str,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[list[dict[str, Any]]]:
    """The pages of a list, each a list of objects.

    Ends when the provider says so, when a page is empty, and when the mark of the next page
    repeats. A provider that does not say ``has_more`` is asked on while its pages are full.
    """
    params: dict[str, str] = {}
    if listing.limit and listing.limit_param:
        params[listing.limit_param] = str(listing.limit)
    page = listing.first_page
    if listing.paging == "page":
        params[listing.cursor_param] = str(page)
    marks: set[str] = set()
    seen = 0
    for _ in range(MOST_PAGES):
        reply = await wire.ask(Call("GET", route, what, params=params, headers=headers or {}))
        value = reply.value()
        items = items_of(value, listing)
        if items is None:
            raise reply.garbled("holds no list")
        if items:
            yield items
        seen += len(items)
        page += 1
        mark = _next_mark(value, items, listing, page=page, seen=seen)
        if mark is None or mark in marks:
            return
        marks.add(mark)
        params = {**params, listing.cursor_param: mark}


def items_of(value: Any, listing: Listing) -> list[dict[str, Any]] | None:
    """The objects of a page: a bare array, or what stands at the usual keys; else ``None``."""
    if value is None:
        return []
    found = value
    if isinstance(value, Mapping):
        places = tuple(
            name for name in (listing.items, "data", "value", "items", "batches") if name
        )
        found = at(value, places)
        if found is None and any(name in value for name in places):
            return []
    if not isinstance(found, list):
        return None
    return [item for item in found if isinstance(item, dict)]


def _next_mark(
    value: Any, items: list[dict[str, Any]], listing: Listing, *, page: int, seen: int
) -> str | None:
    if listing.paging == "none" or not items or not isinstance(value, Mapping):
        return None
    if listing.paging in ("cursor", "token"):
        usual = ("paging.next_cursor", "next_cursor", "next_page_token")
        return text_at(value, listing.next or usual)
    more = value.get("has_more")
    if more is False:
        return None
    if listing.paging == "page":
        total = number_at(value, listing.next or "total")
        if total is None and more is None and len(items) < listing.limit:
            return None
        return None if total is not None and seen >= total else str(page)
    if more is None and len(items) < (listing.limit or 20):
        return None
    # Melious sends no last_id; the last item's own id is the same thing.
    return text_at(value, "last_id") or text_at(items[-1], ("id", "batch_id"))
