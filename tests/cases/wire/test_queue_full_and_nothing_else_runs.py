"""token_limit_exceeded, again and again, and no other batch is there.

On the wire: Every create is taken, and a moment later the batch is `failed` with
`token_limit_exceeded`; the account has no other batch.

Right: A few tries with growing pauses, then an end (or a standstill with words): this batch
alone does not fit; split it.
"""

from __future__ import annotations

import pytest

from tests.cases.wire.conftest import Start
from tests.cases.wire.provider import Json, Provider


class Server(Provider):
    """The limit is smaller than this batch."""

    def finish(self, batch: Json) -> None:
        issue = {
            "code": "token_limit_exceeded",
            "line": None,
            "param": None,
            "message": "Enqueued token limit reached for m. Limit: 30,000 enqueued tokens.",
        }
        batch["status"], batch["errors"] = "failed", {"object": "list", "data": [issue]}


@pytest.mark.slow
def test_queue_full_and_nothing_else_runs(start: Start) -> None:
    case = start(Server())
    case.submit(exits=(1, 2, 3, 5))
    case.step("show", "input", says="(?i)split|smaller|too large|nothing else")
    assert 1 <= case.server.seen["creates"] <= 9
