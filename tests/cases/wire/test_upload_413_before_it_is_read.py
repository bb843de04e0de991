"""A proxy refuses a large upload before it has read it, and hangs up.

nginx and others answer 413 and close; the answer is lost where the kernel resets the connection.

Right: The error says what to do about a file that is too large, and nothing is created.
"""

from __future__ import annotations

from typing import Any

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Uploads are not read."""

    def __enter__(self) -> Provider:
        super().__enter__()
        whole: Any = self.servers[0].RequestHandlerClass

        class Hasty(whole):  # type: ignore[misc]
            def serve(self: Web) -> None:
                if (self.command, self.path) == ("POST", "/v1/files"):
                    page = b"<html><title>413 Request Entity Too Large</title></html>"
                    self.send(page, "text/html", 413, {"Connection": "close"})
                    self.close_connection = True
                else:
                    whole.serve(self)

            do_GET = do_POST = do_DELETE = serve

        self.servers[0].RequestHandlerClass = Hasty
        return self


def test_upload_413_before_it_is_read(start: Start) -> None:
    server = Server()
    case = start(server, *(f"row-{number:05d}" for number in range(20_000)))
    case.submit(exits=(2, 3), says="--split-to", says_not="ReadError|WriteError")
    assert server.seen["creates"] == 0
