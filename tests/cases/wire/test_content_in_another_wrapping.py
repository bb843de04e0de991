"""The content of a result file comes in another wrapping.

On the wire: ``GET /files/ID/content`` answers an object with the signed address of the file at
another origin, the lines as one text in JSON, or an object with them, in base64 or not.

Right: The rows are here; the other origin has not seen the key.
"""

from __future__ import annotations

import base64

import pytest

from tests.cases.wire.conftest import KEY, Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Wraps contents in one way.

    Args:
        way: ``address``, ``text``, ``object`` or ``base64``.
    """

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def __enter__(self) -> Provider:
        super().__enter__()
        self.storage_port = self.listen(self.stored)
        return self

    def stored(self, web: Web, method: str, path: str, data: bytes) -> None:
        self.seen["keys"] += KEY in str(web.headers)
        web.send(self.files[path.removeprefix("/")], "application/octet-stream")

    def content(self, web: Web, name: str) -> None:
        data = self.files[name]
        if self.way == "address":
            web.json({"url": f"http://127.0.0.1:{self.storage_port}/{name}?signature=x"})
        elif self.way == "text":
            web.json(data.decode())
        elif self.way == "object":
            web.json({"content": data.decode()})
        else:
            web.json({"data": base64.b64encode(data).decode()})


@pytest.mark.parametrize("way", ["address", "text", "object", "base64"])
def test_content_in_another_wrapping(start: Start, way: str) -> None:
    case = start(Server(way))
    case.submit(exits=(0,), counts={"succeeded": 4}, timeout=60)
    case.step("results", "input", rows={"r4": {"outcome": "succeeded", "text": "answer r4"}})
    assert case.server.seen["keys"] == 0
