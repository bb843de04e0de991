"""Results that a provider returns as pages of JSON instead of as a file of lines.

The pages may grow while the batch runs: they are read up to the last one that has rows, and the
next reading goes on at that page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from tui.core.remote_batches import ResultSource
from tui.core.retry_rules import status_name
from tui.errors import RequestRejectedError
from tui.providers.dialects.batch_responses import text_at, value_at
from tui.providers.dialects.paging import MAX_PAGES
from tui.providers.profiles.model import ResultPages
from tui.providers.wire.client import Call, HttpClient
from tui.providers.wire.download import RETURN_RESULTS, Download

_CURSOR_REFUSED = frozenset({400, 404, 410, 422})
_FINE_CODES = frozenset({"", "0", "None"})


@dataclass(frozen=True)
class _Place:
    """Where a reading goes on: the cursor of a page, and what of that page was read already."""

    cursor: str = ""
    taken: frozenset[str] = frozenset()
    lines: int = 0


class ResultPager:
    """Reads the results of the batches of one account, page by page.

    Args:
        client: The HTTP client of the account.
        pages: How the pages look.
    """

    def __init__(self, client: HttpClient, pages: ResultPages) -> None:
        self._client = client
        self._pages = pages
        self._places: dict[str, _Place] = {}

    @asynccontextmanager
    async def open(self, source: ResultSource, *, have_lines: int = 0) -> AsyncIterator[Download]:
        """Open the results of a batch.

        They go on after the lines that this object returned last; other lines, such as those of
        an earlier process, are read from the start, because the cursor behind them is not known.

        Args:
            source: The results of a batch; its ``ref`` is their route.
            have_lines: The lines that are stored already.
        """
        place = self._places.get(source.ref)
        resumes = place is not None and 0 < have_lines == place.lines
        first = place if place is not None and resumes else _Place()
        try:
            page = await self._page(source.ref, first.cursor)
        except RequestRejectedError as error:
            if not (resumes and first.cursor and error.status in _CURSOR_REFUSED):
                raise
            # The cursor is no longer valid.
            resumes, first = False, _Place()
            page = await self._page(source.ref, "")
        yield Download(
            chunks=self._chunks(source, first, page),
            appends=resumes,
            growing=source.growing,
            total=None,
        )

    async def _chunks(self, source: ResultSource, place: _Place, page: Any) -> AsyncIterator[bytes]:
        self._places.pop(source.ref, None)
        pages = self._pages
        cursors = {place.cursor}
        for _ in range(MAX_PAGES * 10):
            items = [item for item in value_at(page, pages.items) or () if isinstance(item, dict)]
            ids = frozenset(text_at(item, pages.id) or "" for item in items)
            fresh = [item for item in items if (text_at(item, pages.id) or "") not in place.taken]
            if fresh:
                yield b"".join(
                    msgspec.json.encode(result_line(item, pages)) + b"\n" for item in fresh
                )
            lines = place.lines + len(fresh)
            following = text_at(page, pages.next)
            if not items or not following or following in cursors:
                # More rows may be added to this page.
                place = _Place(place.cursor, place.taken | ids, lines)
                break
            cursors.add(following)
            place = _Place(following, frozenset(), lines)
            page = await self._page(source.ref, following)
        self._places[source.ref] = place

    async def _page(self, route: str, cursor: str) -> Any:
        pages = self._pages
        params = {pages.limit_param: str(pages.limit)} if pages.limit and pages.limit_param else {}
        if cursor:
            params[pages.cursor_param] = cursor
        reply = await self._client.ask(Call("GET", route, RETURN_RESULTS, params=params))
        page = reply.table()
        if not isinstance(value_at(page, pages.items), list | None):
            raise reply.unexpected("contains no list of results")
        return page


def result_line(item: dict[str, Any], pages: ResultPages) -> dict[str, Any]:
    """The result line of OpenAI's format for an item of a page."""
    custom_id = text_at(item, pages.id)
    body = value_at(item, pages.response)
    if isinstance(body, dict) and len(body) == 1:
        (inner,) = body.values()
        body = inner if isinstance(inner, dict) else body
    error = value_at(item, pages.error)
    message = text_at(item, pages.message)
    if isinstance(body, dict) and body and not message and not _says_failure(error):
        response = {"status_code": 200, "body": body}
        return {"custom_id": custom_id, "response": response, "error": None}
    table = error if isinstance(error, dict) else {"message": error} if error else {}
    code = table.get("code")
    facts = {
        **table,
        "code": status_name(code) or code,
        "message": table.get("message") or message or "No answer and no error",
    }
    return {"custom_id": custom_id, "response": None, "error": facts}


def _says_failure(error: Any) -> bool:
    """Whether an error says that the row failed; a row that succeeded may have one with code 0."""
    if not isinstance(error, dict):
        return bool(error)
    if "code" in error and error["code"] is not None:
        return str(error["code"]) not in _FINE_CODES
    return bool(error.get("message"))
