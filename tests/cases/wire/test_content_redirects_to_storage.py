"""File content redirects to a signed address of another host.

On the wire: ``GET /files/ID/content`` answers 307 to an object store, which refuses a request
that carries an authorisation beside the signature.

Right: The results are fetched from there, without the key.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Content is a redirect to another origin."""

    def content(self, web: Web, name: str) -> None:
        if not self.storage_port:
            self.storage_port = self.listen(self.store)
        signed = f"http://127.0.0.1:{self.storage_port}/bucket/{name}?X-Signature=abc"
        web.send(b"", "text/plain", 307, {"Location": signed})

    def store(self, web: Web, method: str, path: str, data: bytes) -> None:
        if {name.lower() for name in web.headers} & {"authorization", "api-key", "x-api-key"}:
            self.seen["keys"] += 1
            web.send(b"<Error><Code>InvalidArgument</Code></Error>", "application/xml", 400)
        else:
            web.send(self.files[path.rpartition("/")[2]], "binary/octet-stream")


def test_content_redirects_to_storage(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
    assert case.server.seen["keys"] == 0
    log = (case.home / "batchdeck.log").read_text()
    assert "/bucket/" in log and "X-Signature" not in log
