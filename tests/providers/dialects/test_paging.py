from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.providers.fakes import Scripted, batch, dialect_to
from tui.errors import UnexpectedResponseError, UnfinishedListError


async def ids(
    script: Scripted, listing: dict[str, Any] | None = None, **arguments: Any
) -> list[str]:
    dialect = dialect_to(script, changes={"list": listing or {}})
    return [found.id async for found in dialect.list_batches(**arguments)]


def page(*names: str, **more: Any) -> httpx.Response:
    return httpx.Response(
        200, json={"object": "list", "data": [batch(id=n) for n in names], **more}
    )


def queries(script: Scripted) -> list[dict[str, str]]:
    return [dict(request.url.params) for request in script.requests]


async def test_after() -> None:
    first = page("a", "b", has_more=True, first_id="a", last_id="b")
    script = Scripted({"GET /v1/batches": [first, page("c", has_more=False)]})
    assert await ids(script) == ["a", "b", "c"]
    assert queries(script) == [{"limit": "100"}, {"limit": "100", "after": "b"}]


async def test_after_without_last_id_or_has_more() -> None:
    script = Scripted({"GET /v1/batches": [page("a", "b"), page("c")]})
    assert await ids(script, {"limit": 2}) == ["a", "b", "c"]
    assert queries(script)[1]["after"] == "b"


async def test_a_cursor() -> None:
    first = page("a", paging={"next_cursor": "C1"})
    script = Scripted({"GET /v1/batches": [first, page("b", paging={"next_cursor": None})]})
    listing = {"paging": "cursor", "cursor_param": "cursor", "limit": 0}
    assert await ids(script, listing) == ["a", "b"]
    assert queries(script) == [{}, {"cursor": "C1"}]


async def test_a_token_at_a_named_place() -> None:
    script = Scripted({"GET /v1/batches": [page("a", meta={"more": "T"}), page("b")]})
    listing = {"paging": "token", "cursor_param": "page_token", "next": "meta.more"}
    assert await ids(script, listing) == ["a", "b"]
    assert queries(script)[1]["page_token"] == "T"


async def test_pages_by_number() -> None:
    script = Scripted({"GET /v1/batches": [page("a", "b", total=3), page("c", total=3)]})
    listing = {"paging": "page", "cursor_param": "page", "limit_param": "page_size", "limit": 2}
    assert await ids(script, listing) == ["a", "b", "c"]
    assert queries(script) == [{"page_size": "2", "page": "0"}, {"page_size": "2", "page": "1"}]


@pytest.mark.parametrize("key", ["value", "batches", "items"])
async def test_lists_at_other_keys(key: str) -> None:
    answer = httpx.Response(200, json={key: [batch(id="a")]})
    assert await ids(Scripted({"GET /v1/batches": answer})) == ["a"]


async def test_a_bare_array_and_nothing_at_all() -> None:
    bare = httpx.Response(200, json=[batch(id="a"), "rubbish", {"no": "id"}, batch(id="b")])
    assert await ids(Scripted({"GET /v1/batches": bare}), {"paging": "none"}) == ["a", "b"]
    for empty in ({"data": None}, {"data": []}):
        assert await ids(Scripted({"GET /v1/batches": httpx.Response(200, json=empty)})) == []


async def test_a_list_that_never_ends_is_left() -> None:
    script = Scripted({"GET /v1/batches": page("a", has_more=True, last_id="a")})
    dialect = dialect_to(script, changes={"list": {}})
    found: list[str] = []
    with pytest.raises(UnfinishedListError, match="says that there is more"):
        async for one in dialect.list_batches():
            found.append(one.id)
    assert found == ["a", "a"]
    assert len(script.requests) == 2


async def test_an_empty_page_that_says_there_is_more_has_no_end() -> None:
    script = Scripted({"GET /v1/batches": page(has_more=True)})
    with pytest.raises(UnfinishedListError):
        await ids(script)


async def test_something_that_is_no_list() -> None:
    with pytest.raises(UnexpectedResponseError, match="contains no list"):
        await ids(Scripted({"GET /v1/batches": httpx.Response(200, json={"x": 1})}))


def dated(*times: int, more: bool) -> httpx.Response:
    data = [batch(id=str(time), created_at=time) for time in times]
    return httpx.Response(200, json={"data": data, "has_more": more})


async def test_older_batches_are_left_out_and_end_the_list() -> None:
    script = Scripted(
        {"GET /v1/batches": [dated(9000, 8000, more=True), dated(7000, 6000, more=True)]}
    )
    assert await ids(script, created_after=8000.0) == ["9000", "8000"]
    assert len(script.requests) == 2


async def test_a_list_from_the_oldest_on_is_read_to_its_end() -> None:
    script = Scripted(
        {"GET /v1/batches": [dated(1000, 2000, more=True), dated(8000, 9000, more=False)]}
    )
    assert await ids(script, created_after=8000.0) == ["8000", "9000"]
