"""A gateway answers the second upload from its cache, with the file of the first part.

A cache that does not read the file of a form would do so.

Right: The second batch is not created from the rows of the first; the error names the cache.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Every upload is the first one."""

    def upload(self, web: Web, data: bytes) -> None:
        if self.files:
            web.json({"id": next(iter(self.files)), "object": "file"})
        else:
            super().upload(web, data)


def test_upload_from_a_cache(start: Start) -> None:
    server = Server()
    ids = [f"r{number}" for number in range(6)]
    case = start(server, *ids, profile="[providers.tried.limits]\nrows = 3")
    case.submit(exits=(1, 2, 3), says="the file of another batch")
    assert server.seen["rows"] == 3
    case.step("watch", "input", "--json", counts={"succeeded": 3, "missing": 0})
