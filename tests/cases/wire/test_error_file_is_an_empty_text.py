"""``error_file_id`` is an empty text where others send null.

Reported at tobert/kaibo (pull request 93) of OpenAI.

Right: There is no such file: nothing is asked for under ``/files//content``.
"""

from __future__ import annotations

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider, Web


class Server(Provider):
    """Absent files have the name ""."""

    def view(self, batch: Json) -> Json:
        return super().view(batch) | {"error_file_id": batch["error_file_id"] or ""}

    def before(self, web: Web, path: str) -> bool:
        self.seen["odd"] += "//" in path
        return False


def test_error_file_is_an_empty_text(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(0,), counts={"succeeded": 4})
    assert case.server.seen["odd"] == 0
