"""An upload is answered with 200 and a file object whose status is ``error``; or within a list.

Right: The server's reason is told at once, and no batch is created. A list of one file is the file.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """The file cannot be used."""

    def upload(self, web: Web, data: bytes) -> None:
        reason = {"status": "error", "status_details": "Line 3 is not JSON"}
        web.json({"id": "file-1", "object": "file", **reason})


def test_upload_says_failed(start: Start) -> None:
    server = Server()
    start(server).submit(exits=(2,), says="Line 3 is not JSON")
    assert server.seen["creates"] == 0


class ListServer(Provider):
    """The file is in a list."""

    def upload(self, web: Web, data: bytes) -> None:
        name = self.new("file")
        self.files[name] = data
        web.json({"object": "list", "data": [{"id": name, "object": "file"}]})


def test_upload_is_in_a_list(start: Start) -> None:
    start(ListServer()).submit(exits=(0,), counts={"succeeded": 4})
