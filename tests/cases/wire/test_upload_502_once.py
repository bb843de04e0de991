"""A gateway's 502 on the upload, once.

On the wire: The first `POST /files` is answered by a gateway's 502 page. A second file costs
nothing.

Right: Tried again by itself.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """The first upload meets a gateway in trouble."""

    tries = 0

    def upload(self, web: Web, data: bytes) -> None:
        self.tries += 1
        if self.tries == 1:
            return web.send(b"<html><title>502 Bad Gateway</title></html>", "text/html", 502)
        super().upload(web, data)


def test_upload_502_once(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
    assert case.server.seen["creates"] == 1
