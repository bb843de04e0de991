"""The upload of part 2 of 3 is refused with Retry-After: 2.

On the wire: Three parts. From the second on, `POST /files` answers 429 with `Retry-After: 2`
three times.

Right: The program waits and goes on: six rows, exit code 0.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Provider, Web


class Server(Provider):
    """The upload of a later part is refused three times, for two seconds each."""

    refused = 0

    def before(self, web: Web, path: str) -> bool:
        if (
            path == "/v1/files"
            and web.command == "POST"
            and self.seen["creates"] >= 1
            and self.refused < 3
        ):
            self.refused += 1
            error = {
                "message": "Rate limit reached",
                "type": "requests",
                "code": "rate_limit_exceeded",
            }
            web.json({"error": error}, 429, {"Retry-After": "2"})
            return True
        return False


@pytest.mark.slow
def test_upload_429_in_a_later_part(start: Start) -> None:
    case = start(
        Server(), "r1", "r2", "r3", "r4", "r5", "r6", profile="[providers.tried.limits]\nrows = 2"
    )
    case.submit(exits=(0,), counts={"succeeded": 6})
    assert case.server.seen["creates"] == 3
