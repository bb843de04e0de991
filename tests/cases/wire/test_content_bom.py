"""The result file begins with a byte order mark.

On the wire: `GET /files/ID/content` begins with EF BB BF.

Right: Four rows.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Files begin with a BOM."""

    def content(self, web: Web, name: str) -> None:
        web.send(b"\xef\xbb\xbf" + self.files[name], "application/jsonl")


def test_content_bom(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4, "missing": 0})
