"""The key stops working while a batch runs.

Right: The error says which key to set and how to go on waiting, not to submit again; with a key
that works, the answers are collected.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """The second to fourth poll are refused."""

    def get(self, web: Web, batch: Json) -> None:
        if 1 < self.seen["polls"] < 5:
            web.json({"error": {"message": "token expired"}}, 401)
        else:
            super().get(web, batch)


def test_key_expires_while_waiting(start: Start) -> None:
    server = Server()
    case = start(server)
    said = case.submit(exits=(4,), says="batchdeck keys set")
    assert "batchdeck watch" in said
    assert "submit it again" not in said
    case.step("watch", "input", "--json", exits=(0,), counts={"succeeded": 4})
    assert server.seen["creates"] == 1
