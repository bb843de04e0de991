"""A create answers 200 with an error in place of a batch.

Gateways that forward a refusal without its status do so (OneAPI, NewAPI).

Right: Nobody knows whether something was made, so nothing is sent again; the words of the error
are told, and what to type names the job.
"""

from __future__ import annotations

from typing import Any

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """Every create is refused so."""

    def create(self, web: Web, body: Any) -> None:
        self.seen["creates"] += 1
        web.json({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})


def test_create_200_with_an_error(start: Start) -> None:
    case = start(Server(), profile="confirm_seconds = 1\n")
    said = case.step(
        "submit", "{input}", "--wait", "-y", exits=(3,), says="You exceeded your quota"
    )
    assert case.server.seen["creates"] == 1
    assert "--job JOB" not in said and "submit it again" not in said
