"""Every download of the results is wrong in the same way, and all rows are in it.

On the wire: The length is larger than the file; the last chunk never comes; the headers say gzip
and the body is plain, as a proxy leaves it that unpacks.

Right: The rows that arrived are here, and the batch is over once all of them are. Where rows
are lacking the waiting ends, and what has arrived is shown.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web

Send = Callable[[Web, bytes], None]


def too_long(web: Web, data: bytes) -> None:
    web.cut(data + b"\n" * 10, len(data))


def without_an_end(web: Web, data: bytes) -> None:
    web._head(200, {"Transfer-Encoding": "chunked"})
    web.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    web.hang_up()


def not_packed(web: Web, data: bytes) -> None:
    web.send(data, "application/jsonl", 200, {"Content-Encoding": "gzip"})


class Server(Provider):
    """Serves results in one way only, and takes no ranges.

    Args:
        way: How a file is sent.
        trailing: Whether its last line has a line end.
    """

    def __init__(self, way: Send, *, trailing: bool = True) -> None:
        super().__init__()
        self.way = way
        self.trailing = trailing

    def content(self, web: Web, name: str) -> None:
        data = self.files[name]
        self.way(web, data if self.trailing else data.rstrip())


@pytest.mark.parametrize("trailing", [True, False])
@pytest.mark.parametrize("way", [too_long, without_an_end, not_packed])
def test_all_rows_arrive(start: Start, way: Send, trailing: bool) -> None:
    case = start(Server(way, trailing=trailing))
    case.submit(exits=(0,), counts={"succeeded": 4}, timeout=60)
    case.step("results", "input", rows={"r4": {"outcome": "succeeded", "text": "answer r4"}})


@pytest.mark.slow
def test_half_of_the_rows_arrive(start: Start) -> None:
    case = start(Server(lambda web, data: without_an_end(web, data[: len(data) * 5 // 8])))
    case.step(
        "submit", "{input}", "--wait", "-y", exits=(3,), says="not whole.*broke off", timeout=180
    )
    case.step(
        "results",
        "input",
        rows={"r2": {"outcome": "succeeded"}, "r3": {"outcome": "pending"}},
    )
    assert case.server.seen["creates"] == 1
