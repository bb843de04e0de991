"""A gateway gives up on a create that succeeds, and the list shows the batch ten seconds later.

On the wire: `POST /batches` makes the batch and answers 504 in plain text, as a gateway does
whose patience is shorter than the server's. `GET /batches` shows batches that are older than
ten seconds.

Right: One create. Either the batch is found (exit 0), or the program says that it is not
certain (exit 3) and finds it when it is called again.
"""

from __future__ import annotations

import time

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """The first create is answered by the gateway in front; lists lag by ten seconds."""

    def create(self, web: Web, body: Json) -> None:
        batch = self.make(body)
        if self.seen["creates"] == 1:
            return web.send(b"upstream request timeout", "text/plain", 504)
        web.json(self.view(batch))

    def list(self, web: Web) -> None:
        shown = [self.view(b) for b in self.batches.values() if time.time() - b["made"] > 10]
        web.json({"object": "list", "has_more": False, "data": shown})


@pytest.mark.slow
def test_create_504_list_lags(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0, 3))
    case.step("submit", "input", "--wait", "-y", exits=(0, 2, 3), after=12)
    assert case.server.seen["creates"] == 1
