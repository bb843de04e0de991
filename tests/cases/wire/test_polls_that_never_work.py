"""Looking at the batch never works: the answer is 200 with an error, 400, or leads elsewhere.

Right: The waiting ends within a minute and a half with the words of the answer; the other origin
is named and has not seen the key.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import KEY, Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """Answers looks at a batch in one way.

    Args:
        way: ``error``, ``refused`` or ``elsewhere``.
    """

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.other = 0

    def __enter__(self) -> Provider:
        super().__enter__()
        self.other = self.listen(self.elsewhere)
        return self

    def elsewhere(self, web: Web, method: str, path: str, data: bytes) -> None:
        self.seen["keys"] += KEY in str(web.headers)
        web.json({"id": "batch-002", "status": "completed"})

    def get(self, web: Web, batch: Json) -> None:
        if self.way == "error":
            web.json({"error": {"message": "the upstream is down"}})
        elif self.way == "refused":
            web.json({"error": {"message": "batch ids of this form are not known"}}, 400)
        else:
            place = f"http://127.0.0.1:{self.other}/v1/batches/x"
            web.send(b"", "text/plain", 302, {"Location": place})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("error", "error: .*the upstream is down"),
        ("refused", "error: .*batch ids of this form are not known"),
        ("elsewhere", r"error: .*another address, http://127.0.0.1:\d+;"),
    ],
)
def test_polls_that_never_work(start: Start, way: str, says: str) -> None:
    case = start(Server(way))
    case.step("submit", "{input}", "--wait", "-y", exits=(3,), says=says, timeout=100)
    assert case.server.seen["keys"] == 0
