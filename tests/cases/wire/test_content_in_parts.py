"""A result file comes in parts that were not asked for, or with an encoding that is none.

Gateways may cap the size of a response (206 with the first bytes), object stores give back the
``Content-Encoding`` of the upload (``aws-chunked``, ``utf-8``), and some frameworks call everything
a web page.

Right: All rows are answered.
"""

from __future__ import annotations

import re

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """At most 700 bytes in a response."""

    def content(self, web: Web, name: str) -> None:
        data = self.files[name]
        asked = re.match(r"bytes=(\d+)-", web.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        part = data[start : start + 700]
        span = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
        web.send(part, "application/jsonl", 206, {"Content-Range": span})


def test_content_in_parts(start: Start) -> None:
    start(Server()).submit(exits=(0,), counts={"succeeded": 4})


class Store(Provider):
    """A store with an encoding of its own."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self.encoding = encoding

    def content(self, web: Web, name: str) -> None:
        headers = {"Content-Encoding": self.encoding}
        web.send(self.files[name], "application/jsonl", 200, headers)


@pytest.mark.parametrize("encoding", ["aws-chunked", "UTF-8", "identity, aws-chunked"])
def test_content_with_an_encoding_that_is_none(start: Start, encoding: str) -> None:
    start(Store(encoding)).submit(exits=(0,), counts={"succeeded": 4})


class Framework(Provider):
    """A server whose framework sends ``text/html`` where no type is set (Django, PHP)."""

    def content(self, web: Web, name: str) -> None:
        web.send(self.files[name], "text/html; charset=utf-8")


def test_content_is_called_a_page(start: Start) -> None:
    start(Framework()).submit(exits=(0,), counts={"succeeded": 4})
