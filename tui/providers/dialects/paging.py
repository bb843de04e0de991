"""Reads paginated lists in every style of pagination that a profile can name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from tui.errors import UnfinishedListError
from tui.providers.dialects.batch_responses import number_at, text_at, value_at
from tui.providers.profiles.model import Listing
from tui.providers.wire.client import Call, HttpClient

MAX_PAGES = 1000
"""The maximum number of pages read from one list."""


async def iter_pages(
    client: HttpClient,
    route: str,
    listing: Listing,
    *,
    what: str,
    headers: Mapping[str, str] | None = None,
    whole: bool = False,
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the pages of a list, each a list of objects.

    Ends when the provider says so, after an empty page (but not of ``token`` paging), or when a
    cursor repeats. Without ``has_more`` the next page is requested as long as pages are full.

    Raises:
        UnfinishedListError: After the last page, with ``whole``: there is more, and no way to it.
    """
    params: dict[str, str] = {}
    if listing.limit and listing.limit_param:
        params[listing.limit_param] = str(listing.limit)
    page = listing.first_page
    if listing.paging == "page":
        params[listing.cursor_param] = str(page)
    cursors: set[str] = set()
    seen = 0
    for _ in range(MAX_PAGES):
        reply = await client.ask(Call("GET", route, what, params=params, headers=headers or {}))
        value = reply.value()
        items = page_items(value, listing)
        if items is None:
            raise reply.unexpected("contains no list")
        if items:
            yield items
        seen += len(items)
        page += 1
        cursor = _next_cursor(value, items, listing, page=page, seen=seen)
        if cursor is None and not _says_more(value):
            return
        if cursor is None or cursor in cursors:
            break
        cursors.add(cursor)
        params = {**params, listing.cursor_param: cursor}
    if whole:
        raise UnfinishedListError(
            f"{client.profile.name} was asked to {what}, and the list has no end: it says that"
            " there is more, and does not show it"
        )


def _says_more(value: Any) -> bool:
    """Whether a page says in so many words that another follows."""
    return isinstance(value, Mapping) and value.get("has_more") is True


def page_items(value: Any, listing: Listing) -> list[dict[str, Any]] | None:
    """Read the objects of a page: a bare array, or the array at a usual key, else ``None``."""
    if value is None:
        return []
    found = value
    if isinstance(value, Mapping):
        places = tuple(
            name for name in (listing.items, "data", "value", "items", "batches") if name
        )
        found = value_at(value, places)
        if found is None and any(name in value for name in places):
            return []
        if listing.paging == "token" and value.keys() <= {listing.next}:
            # Google leaves empty lists out.
            return []
    if not isinstance(found, list):
        return None
    return [item for item in found if isinstance(item, dict)]


def _next_cursor(
    value: Any, items: list[dict[str, Any]], listing: Listing, *, page: int, seen: int
) -> str | None:
    if listing.paging == "none" or not isinstance(value, Mapping):
        return None
    if listing.paging == "token" or (listing.paging == "cursor" and items):
        # A page may be empty although others follow (AIP-158).
        usual = ("paging.next_cursor", "next_cursor", "next_page_token")
        return text_at(value, listing.next or usual)
    if not items:
        return None
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
    # Melious sends no last_id; the id of the last item is equivalent.
    return text_at(value, "last_id") or text_at(items[-1], ("id", "batch_id"))
