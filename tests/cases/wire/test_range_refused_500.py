"""A download is cut once, and the server answers 500 to a Range.

On the wire: The first download ends in the middle of its promised length. With a `Range` header
the content route answers 500; without one it gives the file.

Right: Eight rows.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """The first download is cut in the middle; a ranged request is refused."""

    downloads = 0

    def content(self, web: Web, name: str) -> None:
        self.downloads += 1
        if web.headers.get("Range"):
            return web.json({"error": {"message": "range requests are not supported"}}, 500)
        data = self.files[name]
        if self.downloads == 1:
            return web.cut(data, len(data) // 2)
        web.send(data, "application/jsonl")


def test_range_refused_500(start: Start) -> None:
    case = start(Server(), "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8")
    case.submit(exits=(0,), counts={"succeeded": 8})
